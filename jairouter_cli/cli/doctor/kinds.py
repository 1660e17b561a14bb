"""Recognises model servers by their list of models, and reads that list."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from jairouter_cli.cli.doctor.setup import readable
from jairouter_cli.gateway.upstream.asking import BackendReply
from jairouter_cli.payloads.reading import read

GATEWAY: Final = "JAiRouter"

_MOST: Final = 10_000  # models of one backend that are looked at
_OWNERS: Final[Mapping[str, str]] = {
    "library": "Ollama",
    "vllm": "vLLM",
    "sglang": "SGLang",
    "llamacpp": "llama.cpp",
    "llama-swap": "llama-swap",
    "organization_owner": "LM Studio",
    "organization-owner": "LM Studio",
    "gpustack": "GPUStack",
    "xinference": "Xinference",
    "jairouter": GATEWAY,
}
_DECODER: Final = msgspec.json.Decoder()

# Those that respond with an error to a name that they do not list; others take aliases, or any name.
STRICT: Final = frozenset({"Ollama", "vLLM", "SGLang", "LM Studio", GATEWAY})


def models_in(reply: BackendReply) -> tuple[dict[str, str], str] | None:
    """Return the models that a response lists, with their owners, and the kind of its server; None if it is no list."""
    body = read(_DECODER, reply.body)
    listed: Any = body.get("data", body.get("models")) if isinstance(body, dict) else body
    if not isinstance(listed, list):
        return None
    found = {}
    for one in listed[:_MOST]:
        name = one.get("id", one.get("name")) if isinstance(one, dict) else None
        if isinstance(name, str):
            found[name] = str(one.get("owned_by", ""))
    return found, kind_of(reply.headers, found.values())


def kind_of(headers: Mapping[str, str], owners: Any = ()) -> str:
    """Return the kind of a server, or nothing."""
    if "llama.cpp" in headers.get("server", ""):
        return "llama.cpp"
    if "openai-version" in headers:
        return "OpenAI"
    return next((kind for owner in owners if (kind := _OWNERS.get(owner.lower()))), "")


def server_of(reply: BackendReply) -> str:
    """Return what a server says it is, or nothing."""
    return readable(kind_of(reply.headers) or reply.headers.get("server", ""), 40)
