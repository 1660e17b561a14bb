"""Recognises the kind of a backend by what it answers to GET requests that change and cost nothing.

Backends imitate each other: llama.cpp and llama-swap answer some of Ollama's paths, and everybody answers OpenAI's. So
marks that only one kind has are looked at first.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from jairouter_cli.config.model import DEFAULT_PATHS, Dialect, ServiceType
from jairouter_cli.discovery.models import FoundModel, listed, model_of, tagged

PATHS: Final = (
    "/v1/models",
    "/api/v0/models",
    "/api/version",
    "/api/tags",
    "/v1-openai/models",
    "/get_model_info",
    "/info",
    "/props",
    "/running",
    "/system",
    "/version",
    "/v1/messages",
    "/v1/responses",
)
"""What is asked, below the address of the backend."""

_PREFIX: Final = "/v1"
_OLD_PREFIX: Final = "/v1-openai"  # of GPUStack before version 2
_METHOD_NOT_ALLOWED: Final = 405
_REFUSED: Final = frozenset({401, 403})


class BackendKind(StrEnum):
    """The kinds that are told apart, by the names that their makers use."""

    OLLAMA = "Ollama"
    VLLM = "vLLM"
    LLAMA_CPP = "llama.cpp"
    LM_STUDIO = "LM Studio"
    LOCALAI = "LocalAI"
    XINFERENCE = "Xinference"
    GPUSTACK = "GPUStack"
    SGLANG = "SGLang"
    TGI = "TGI"
    LLAMA_SWAP = "llama-swap"
    OPENAI = "OpenAI-compatible"
    JAIROUTER = "JAiRouter"


@dataclass(frozen=True, slots=True)
class ProbeReply:
    """An answer to a GET: `data` is its JSON, None if it is none; `server` names the program, if a header does."""

    status: int
    data: Any = None
    server: str = ""
    content_type: str = ""

    @property
    def found(self) -> Any:
        """The JSON of an answer that is no error."""
        return self.data if self.status < 400 else None  # noqa: PLR2004


ProbeReplies = Mapping[str, ProbeReply]


@dataclass(frozen=True, slots=True)
class FoundBackend:
    """What a backend turned out to be. `adapter` is for the instances that it gets; `apis` is what it speaks.

    `prefix` is where it serves OpenAI's paths.
    """

    kind: BackendKind
    models: tuple[FoundModel, ...]
    adapter: Dialect | None = None
    version: str | None = None
    apis: tuple[str, ...] = ("OpenAI",)
    prefix: str = _PREFIX

    def path_of(self, service: ServiceType) -> str | None:
        """Return the path of a service's endpoint; None if it is the usual one."""
        usual = DEFAULT_PATHS[service]
        if self.prefix == _PREFIX or service is ServiceType.RERANK:  # which is none of OpenAI's
            return None
        return self.prefix + usual.removeprefix(_PREFIX)


def recognised(replies: ProbeReplies) -> FoundBackend | None:
    """Return what the answers are typical of; None if they are of no model server."""
    for kind, fits in _MARKS:
        if fits(replies):
            prefix = _PREFIX if _is_list(replies) or kind is not BackendKind.GPUSTACK else _OLD_PREFIX
            apis = _apis(kind, replies)
            return FoundBackend(kind, _models(kind, replies), _ADAPTERS.get(kind), _version(replies), apis, prefix)
    return None


def refuses_key(replies: ProbeReplies) -> bool:
    """Whether the list of models is refused for want of a key that is right."""
    return any(_reply(replies, path).status in _REFUSED for path in ("/v1/models", "/v1-openai/models"))


# --- the marks ---


def _reply(replies: ProbeReplies, path: str) -> ProbeReply:
    return replies.get(path, ProbeReply(0))


def _keys(replies: ProbeReplies, path: str) -> frozenset[str]:
    found = _reply(replies, path).found
    return frozenset(found) if isinstance(found, Mapping) else frozenset()


def _first_keys(replies: ProbeReplies, path: str) -> frozenset[str]:
    """Return the keys of the first model of a list; a server may answer the same whatever it is asked."""
    found = _reply(replies, path).found
    entries = found.get("data") if isinstance(found, Mapping) else None
    first = entries[0] if isinstance(entries, list) and entries else None
    return frozenset(first) if isinstance(first, Mapping) else frozenset()


def _owners(replies: ProbeReplies) -> frozenset[str]:
    """Return who owns the first models, as the lists tell it."""
    owners: set[str] = set()
    for path in ("/v1/models", "/v1-openai/models"):
        found = _reply(replies, path).found
        entries = found.get("data") if isinstance(found, Mapping) else None
        for one in entries[:10] if isinstance(entries, list) else ():
            owners.add(str(one.get("owned_by")) if isinstance(one, Mapping) else "")
    return frozenset(owners)


def _is_list(replies: ProbeReplies) -> bool:
    found = _reply(replies, "/v1/models").found
    return isinstance(found, Mapping) and isinstance(found.get("data"), list)


_MARKS: Final[Sequence[tuple[BackendKind, Callable[[ProbeReplies], bool]]]] = (
    (BackendKind.JAIROUTER, lambda replies: "jairouter" in _owners(replies)),
    (BackendKind.XINFERENCE, lambda replies: "xinference" in _owners(replies)),
    (BackendKind.GPUSTACK, lambda replies: "gpustack" in _owners(replies)),
    (BackendKind.LLAMA_SWAP, lambda replies: "running" in _keys(replies, "/running") and _is_list(replies)),
    (BackendKind.LM_STUDIO, lambda replies: "max_context_length" in _first_keys(replies, "/api/v0/models")),
    (
        BackendKind.LLAMA_CPP,
        lambda replies: (
            "default_generation_settings" in _keys(replies, "/props")
            or "llamacpp" in _owners(replies)
            or _reply(replies, "/v1/models").server == "llama.cpp"
        ),
    ),
    (BackendKind.SGLANG, lambda replies: "model_path" in _keys(replies, "/get_model_info")),
    (BackendKind.TGI, lambda replies: "model_id" in _keys(replies, "/info")),
    (BackendKind.VLLM, lambda replies: "vllm" in _owners(replies)),
    (BackendKind.LOCALAI, lambda replies: "loaded_models" in _keys(replies, "/system")),
    (
        BackendKind.OLLAMA,
        lambda replies: "version" in _keys(replies, "/api/version") and "models" in _keys(replies, "/api/tags"),
    ),
    (BackendKind.OPENAI, _is_list),
)
# Kinds that have a dialect of their own here.
_ADAPTERS: Final[Mapping[BackendKind, Dialect]] = {
    BackendKind.OLLAMA: Dialect.OLLAMA,
    BackendKind.VLLM: Dialect.VLLM,
    BackendKind.LOCALAI: Dialect.LOCALAI,
    BackendKind.XINFERENCE: Dialect.XINFERENCE,
    BackendKind.GPUSTACK: Dialect.GPUSTACK,
}


# --- what they tell ---


def _models(kind: BackendKind, replies: ProbeReplies) -> tuple[FoundModel, ...]:
    if kind is BackendKind.OLLAMA:
        return tagged(_reply(replies, "/api/tags").found)
    if kind is BackendKind.LM_STUDIO:
        return listed(_reply(replies, "/api/v0/models").found)
    found = listed(_reply(replies, "/v1/models").found) or listed(_reply(replies, "/v1-openai/models").found)
    return found or _only_model(replies)


def _only_model(replies: ProbeReplies) -> tuple[FoundModel, ...]:
    """Return the model of a server that has one, and no list: TGI and what is like it."""
    info = _reply(replies, "/info").found
    if not isinstance(info, Mapping) or not isinstance(info.get("model_id"), str):
        return ()
    kinds = info.get("model_type")  # text, or for embedding servers {"embedding": {...}}, {"reranker": {...}}
    kind = next(iter(kinds), None) if isinstance(kinds, Mapping) else "text-generation"
    context = next((info[key] for key in ("max_total_tokens", "max_input_length") if type(info.get(key)) is int), None)
    return (model_of(info["model_id"], kind, context),)


def _version(replies: ProbeReplies) -> str | None:
    for path, key in (
        ("/api/version", "version"),
        ("/version", "version"),
        ("/info", "version"),
        ("/props", "build_info"),
    ):
        found = _reply(replies, path).found
        if isinstance(found, Mapping) and isinstance(found.get(key), str):
            return str(found[key])[:40]
    return None


def _apis(kind: BackendKind, replies: ProbeReplies) -> tuple[str, ...]:
    """Return the APIs: OpenAI's, an own one, and those whose POST path exists, as a 405 to a GET shows."""
    own = ("Ollama",) if kind is BackendKind.OLLAMA else ()
    more = {"Responses": "/v1/responses", "Messages": "/v1/messages"}
    also = (name for name, path in more.items() if _reply(replies, path).status == _METHOD_NOT_ALLOWED)
    return ("OpenAI", *own, *also)
