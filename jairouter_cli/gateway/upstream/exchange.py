"""The role "send this request, give me status, headers and the bytes as they come", and how it fails."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from jairouter_cli.routing.call import Timeouts

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """One request to one backend. `path` includes the query; `headers` have lower-case names and no `host`."""

    method: str
    origin: str
    path: str
    headers: Headers
    body: bytes
    timeouts: Timeouts


class FailureKind(Enum):
    """Why an exchange failed; the value is the word for logs and for `details` of an error."""

    UNREACHABLE = "unreachable"
    CONNECT_TIMEOUT = "connect_timeout"
    POOL_TIMEOUT = "pool_timeout"
    RESPONSE_TIMEOUT = "response_timeout"
    IDLE_TIMEOUT = "idle_timeout"
    BROKEN = "broken"


class UpstreamFailure(Exception):
    """An exchange failed. `detail` is for the log: it may name addresses. `after_s` is how long a timeout was."""

    def __init__(self, kind: FailureKind, detail: str, after_s: float = 0.0) -> None:
        self.kind = kind
        self.detail = detail
        self.after_s = after_s
        super().__init__(f"{kind.value}: {detail}")


class Exchange(Protocol):
    """A backend's answer whose headers have come."""

    @property
    def status(self) -> int:
        """The status code."""

    @property
    def headers(self) -> Headers:
        """The headers as they came, names in lower case."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes, still encoded as `content-encoding` says. Raises `UpstreamFailure`."""

    async def aclose(self) -> None:
        """Give the connection back, or close it if the body was not read to its end."""


class Upstream(Protocol):
    """Sends requests to backends."""

    async def send(self, request: UpstreamRequest) -> Exchange:
        """Send, and return when the answer's headers have come. Raises `UpstreamFailure`."""

    async def aclose(self) -> None:
        """Close every connection."""
