"""The models that a backend lists: their services, their context and what they can do.

Lists differ by kind: OpenAI's has names alone; vLLM adds `max_model_len`, llama.cpp `meta`, Xinference `model_type` and
`model_ability`, LM Studio `type` and `max_context_length`, Ollama `details`. Where a list does not say what a model is
for, its name is looked at, and the service is a guess.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jairouter_cli.config.model import ServiceType

MOST_MODELS: Final = 500
_LONGEST_NAME: Final = 256

# What the lists call what a model is for.
_BY_TYPE: Final[Mapping[str, ServiceType]] = {
    "llm": ServiceType.CHAT,
    "vlm": ServiceType.CHAT,
    "chat": ServiceType.CHAT,
    "completion": ServiceType.CHAT,
    "text-generation": ServiceType.CHAT,
    "embedding": ServiceType.EMBEDDING,
    "embeddings": ServiceType.EMBEDDING,
    "embed": ServiceType.EMBEDDING,
    "rerank": ServiceType.RERANK,
    "reranker": ServiceType.RERANK,
    "image": ServiceType.IMG_GEN,
    "text2image": ServiceType.IMG_GEN,
    "text_to_speech": ServiceType.TTS,
    "text2audio": ServiceType.TTS,
    "speech_to_text": ServiceType.STT,
    "audio2text": ServiceType.STT,
}
# What names tell, the first that fits.
_BY_NAME: Final[Sequence[tuple[re.Pattern[str], ServiceType]]] = tuple(
    (re.compile(pattern, re.IGNORECASE), service)
    for pattern, service in (
        (r"rerank", ServiceType.RERANK),
        (r"embed|(?:^|[/_-])(?:bge|e5|gte|minilm|all-mpnet|m3e|jina-clip)(?:[._-]|$)|minilm", ServiceType.EMBEDDING),
        (r"whisper|(?:^|[/_-])asr|sensevoice|paraformer|transcrib|parakeet", ServiceType.STT),
        (r"(?:^|[/_-])tts|kokoro|cosyvoice|chattts|fish-speech|(?:^|[/_-])piper|(?:^|[/_-])bark", ServiceType.TTS),
        (r"image-edit|kontext", ServiceType.IMG_EDIT),
        (
            r"stable-?diffusion|sdxl|(?:^|[/_-])flux|dall-e|gpt-image|(?:^|[/_-])sd[.-]?\d|qwen-image",
            ServiceType.IMG_GEN,
        ),
    )
)
_NOT_SERVED: Final = re.compile(r"moderation|(?:^|[/_-])sora|realtime", re.IGNORECASE)
_CONTEXT_KEYS: Final = ("max_model_len", "loaded_context_length", "max_context_length", "context_length")
_ABILITIES: Final[Mapping[str, str]] = {
    "tools": "tools",
    "tool_use": "tools",
    "vision": "vision",
    "multimodal": "vision",
    "reasoning": "reasoning",
    "thinking": "reasoning",
    "audio": "audio",
}


@dataclass(frozen=True, slots=True)
class FoundModel:
    """A model that a backend lists. `context` is in tokens, None if it is not told.

    `is_guess` tells that the service was read from the name.
    """

    name: str
    service: ServiceType
    is_guess: bool
    context: int | None = None
    capabilities: tuple[str, ...] = ()


def listed(data: Any) -> tuple[FoundModel, ...]:
    """Return the models of a list in OpenAI's form, whatever the backend adds; () for anything else."""
    return _of(data, "data", "id")


def tagged(data: Any) -> tuple[FoundModel, ...]:
    """Return the models of Ollama's `/api/tags`; () for anything else."""
    entries = data.get("models") if isinstance(data, Mapping) else None
    return (
        _unique(_entry(one, "name") for one in entries if _is_named(one, "name")) if isinstance(entries, list) else ()
    )


def model_of(name: str, kind: str | None = None, context: int | None = None) -> FoundModel:
    """Return a model that a backend names in some other way."""
    told = _BY_TYPE.get(kind or "")
    return FoundModel(name, told or by_name(name), told is None, context)


def by_name(name: str) -> ServiceType:
    """Return the service that a model's name suggests."""
    return next((service for pattern, service in _BY_NAME if pattern.search(name)), ServiceType.CHAT)


def _of(data: Any, key: str, name: str) -> tuple[FoundModel, ...]:
    entries = data.get(key) if isinstance(data, Mapping) else None
    return _unique(_entry(one, name) for one in entries if _is_named(one, name)) if isinstance(entries, list) else ()


def _is_named(entry: Any, key: str) -> bool:
    name = entry.get(key) if isinstance(entry, Mapping) else None
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        return False
    return not _NOT_SERVED.search(name)


def _unique(found: Iterator[FoundModel]) -> tuple[FoundModel, ...]:
    models: dict[str, FoundModel] = {}
    for one in found:
        models.setdefault(one.name, one)
        if len(models) == MOST_MODELS:
            break
    return tuple(models.values())


def _entry(entry: Mapping[str, Any], key: str) -> FoundModel:
    name = entry[key]
    abilities = _words(entry.get("model_ability")) + _words(entry.get("capabilities"))
    told = (_words(entry.get("categories")), abilities, _words(entry.get("model_type")), _words(entry.get("type")))
    service = next((_BY_TYPE[word] for words in told for word in words if word in _BY_TYPE), None)
    if service is None and _is_bert(entry.get("details")):
        service = ServiceType.EMBEDDING
    can = tuple(dict.fromkeys(_ABILITIES[word] for word in abilities if word in _ABILITIES))
    if entry.get("type") == "vlm":
        can = tuple(dict.fromkeys((*can, "vision")))
    return FoundModel(name, service or by_name(name), service is None, _context(entry), can)


def _is_bert(details: Any) -> bool:
    """Whether Ollama says that a model is one of those that make vectors."""
    return isinstance(details, Mapping) and any("bert" in word for word in _words(details.get("family")))


def _words(value: Any) -> tuple[str, ...]:
    """Return what is said in a text, a list of texts or the keys of a mapping with true values, in small letters."""
    if isinstance(value, str):
        return (value.lower(),)
    if isinstance(value, Mapping):
        return tuple(str(key).lower() for key, holds in value.items() if holds)
    return tuple(one.lower() for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def _context(entry: Mapping[str, Any]) -> int | None:
    meta = entry.get("meta")
    places = [entry.get(key) for key in _CONTEXT_KEYS]
    if isinstance(meta, Mapping):
        places += [meta.get(key) for key in ("n_ctx", "n_ctx_train", *_CONTEXT_KEYS)]
    return next((one for one in places if type(one) is int and one > 0), None)
