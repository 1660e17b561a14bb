"""The endpoints of the OpenAI API and its kin, as data."""

from dataclasses import dataclass, field
from typing import Final

from jairouter_cli.config.model import DEFAULT_PATHS, ServiceType

# `/api/v1` is where later Java versions serve the same endpoints.
PREFIXES: Final = ("", "/api")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint and the service that answers it.

    `tail` is its path behind `/v1`, which it has on every backend; `aliases` are other paths that clients use for it.
    """

    tail: str
    service: ServiceType
    multipart: bool = False
    aliases: tuple[str, ...] = ()
    path: str = field(init=False)
    """Where it is served."""
    is_main: bool = field(init=False)
    """Whether an instance's `path` is meant for this endpoint; the others follow the same prefix."""

    def __post_init__(self) -> None:
        path = f"/v1{self.tail}"
        object.__setattr__(self, "path", path)
        object.__setattr__(self, "is_main", DEFAULT_PATHS[self.service] == path)

    @property
    def paths(self) -> tuple[str, ...]:
        """Everywhere it is served."""
        return (*(prefix + self.path for prefix in PREFIXES), *self.aliases)


ENDPOINTS: Final = (
    Endpoint("/chat/completions", ServiceType.CHAT),
    Endpoint("/completions", ServiceType.CHAT),
    Endpoint("/responses", ServiceType.CHAT),
    Endpoint("/messages", ServiceType.CHAT),
    Endpoint("/messages/count_tokens", ServiceType.CHAT),
    Endpoint("/moderations", ServiceType.CHAT),
    Endpoint("/embeddings", ServiceType.EMBEDDING),
    Endpoint("/rerank", ServiceType.RERANK, aliases=("/rerank", "/v2/rerank")),
    Endpoint("/score", ServiceType.RERANK),
    Endpoint("/audio/speech", ServiceType.TTS),
    Endpoint("/audio/transcriptions", ServiceType.STT, multipart=True),
    Endpoint("/audio/translations", ServiceType.STT, multipart=True),
    Endpoint("/images/generations", ServiceType.IMG_GEN),
    Endpoint("/images/edits", ServiceType.IMG_EDIT, multipart=True),
    Endpoint("/images/variations", ServiceType.IMG_EDIT, multipart=True),
)

BY_PATH: Final = {path: endpoint for endpoint in ENDPOINTS for path in endpoint.paths}
