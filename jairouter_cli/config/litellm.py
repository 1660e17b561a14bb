"""The configuration of LiteLLM's proxy, read as ours: its `model_list` becomes services with instances."""

from collections.abc import Mapping
from typing import Any, Final

from jairouter_cli.config.model import ServiceType

# LiteLLM's modes of a model, and the services that do it here.
_MODES: Final[Mapping[str, ServiceType]] = {
    "chat": ServiceType.CHAT,
    "completion": ServiceType.CHAT,
    "responses": ServiceType.CHAT,
    "embedding": ServiceType.EMBEDDING,
    "rerank": ServiceType.RERANK,
    "audio_speech": ServiceType.TTS,
    "audio_transcription": ServiceType.STT,
    "image_generation": ServiceType.IMG_GEN,
    "image_edit": ServiceType.IMG_EDIT,
}
_PROVIDERS: Final = {
    "openai": "https://api.openai.com",
    "ollama": "http://127.0.0.1:11434",
    "ollama_chat": "http://127.0.0.1:11434",
}
_ADAPTERS: Final = {"ollama": "ollama", "ollama_chat": "ollama", "hosted_vllm": "vllm", "xinference": "xinference"}


def model_section(root: Mapping[str, Any]) -> dict[str, Any]:
    """Return the models of a LiteLLM configuration as services with instances."""
    services: dict[str, dict[str, Any]] = {}
    entries = root.get("model_list")
    for entry in entries if isinstance(entries, list) else ():
        settings, about = (entry.get(name) or {} for name in ("litellm_params", "model_info"))
        provider, slash, model = str(settings.get("model", "")).partition("/")
        if not slash:
            provider, model = "openai", provider
        kind = _MODES.get(str(about.get("mode", "chat")), ServiceType.CHAT)
        instance: dict[str, Any] = {"name": entry.get("model_name") or model}
        instance["base-url"] = settings.get("api_base") or settings.get("base_url") or _PROVIDERS.get(provider, "")
        if provider in _ADAPTERS:
            instance["adapter"] = _ADAPTERS[provider]
        if key := settings.get("api_key"):
            name = str(key).removeprefix("os.environ/")
            instance["api-key"] = f"${{{name}:}}" if name != key else key
        if model and model != instance["name"]:
            instance["upstream-model"] = model
        if weight := settings.get("weight"):
            instance["weight"] = weight
        services.setdefault(kind.value, {"instances": []})["instances"].append(instance)
    return {"services": services}
