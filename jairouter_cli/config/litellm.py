"""Imports the configuration of LiteLLM's proxy: its `model_list` becomes services with instances.

Settings without a counterpart are left out and listed, key by key.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from jairouter_cli.config.addresses import without_endpoint
from jairouter_cli.config.foreign import TakenOver, fault_of
from jairouter_cli.config.model import ServiceType
from jairouter_cli.config.scalars import text_of

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
# Providers that speak as OpenAI does, and where they are if the file does not say.
_PROVIDERS: Final[Mapping[str, str]] = {
    "openai": "https://api.openai.com",
    "text-completion-openai": "https://api.openai.com",
    "ollama": "http://127.0.0.1:11434",
    "ollama_chat": "http://127.0.0.1:11434",
    "deepseek": "https://api.deepseek.com",
    "groq": "https://api.groq.com/openai/v1",
    "mistral": "https://api.mistral.ai",
    "openrouter": "https://openrouter.ai/api/v1",
    "together_ai": "https://api.together.xyz",
    "fireworks_ai": "https://api.fireworks.ai/inference/v1",
    "xai": "https://api.x.ai",
    "nvidia_nim": "https://integrate.api.nvidia.com",
    "cerebras": "https://api.cerebras.ai",
    "moonshot": "https://api.moonshot.ai",
    "dashscope": "https://dashscope.aliyuncs.com/compatible-mode/v1",
}
# Those that do so at an address which only the file knows; an unset variable stands for one of these meanwhile.
_ELSEWHERE: Final[Mapping[str, str]] = {
    "hosted_vllm": "http://127.0.0.1:8000",
    "vllm": "http://127.0.0.1:8000",
    "xinference": "http://127.0.0.1:9997",
    "lm_studio": "http://127.0.0.1:1234",
    "llamafile": "http://127.0.0.1:8080",
    "openai_like": "http://127.0.0.1:8000",
    "custom_openai": "http://127.0.0.1:8000",
    "litellm_proxy": "http://127.0.0.1:4000",
    "infinity": "http://127.0.0.1:7997",
}
_ADAPTERS: Final = {
    "ollama": "ollama",
    "ollama_chat": "ollama",
    "hosted_vllm": "vllm",
    "vllm": "vllm",
    "xinference": "xinference",
}
# Those that speak otherwise, whatever their address.
# fmt: off
_FOREIGN: Final = frozenset(
    {
        "bedrock", "bedrock_converse", "sagemaker", "sagemaker_chat", "vertex_ai", "vertex_ai_beta", "gemini",
        "palm", "azure", "azure_ai", "azure_text", "anthropic", "anthropic_text", "cohere", "cohere_chat",
        "huggingface", "replicate", "watsonx", "watsonx_text", "ai21", "databricks", "oci", "snowflake", "triton",
        "clarifai", "cloudflare", "nlp_cloud", "aleph_alpha", "predibase", "petals",
    }
)
# fmt: on
_STRATEGIES: Final = {
    "simple-shuffle": "random",
    "least-busy": "least-connections",
    "latency-based-routing": "latency",
}
_READ_APART: Final = frozenset({"model_name", "litellm_params", "model_info"})
_NUMBERS: Final = (
    ("max_parallel_requests", "max-concurrency", 1),
    ("order", "priority", 1),
    ("max_retries", "max-retries", 0),
)
# Settings whose absence changes who can do what.
_WARNINGS: Final = {"master_key": "clients of /v1 need no key: keep the gateway on 127.0.0.1 or behind a proxy"}
_ENVIRONMENT: Final = "os.environ/"


def taken_over(root: Mapping[str, Any], environ: Mapping[str, str]) -> TakenOver:
    """Return a configuration of LiteLLM as a `model` section."""
    found = TakenOver({})
    services: dict[str, dict[str, Any]] = {}
    for index, entry in enumerate(_list(root.get("model_list"))):
        place = f"model_list[{index}]"
        if not isinstance(entry, Mapping):
            found.left_out.append(f"{place}: not a mapping")
            continue
        reading = _Entry(entry, environ)
        instance = reading.instance()
        name, service = f"{place} {reading.name}".rstrip(), reading.kind.value
        if instance is not None and (fault := fault_of(instance, environ)):
            found.left_out.append(f"{name}: {fault}")
        elif instance is not None:
            services.setdefault(service, {"instances": []})["instances"].append(instance)
            found.imported.append(f"{name} as {service} {instance['name']}@{instance['base-url']}")
        found.left_out += (f"{name}: {said}" for said in reading.left_out)
    _settings(root, services, found)
    found.section["services"] = services
    return found


def _settings(root: Mapping[str, Any], services: dict[str, dict[str, Any]], found: TakenOver) -> None:
    """Take over what holds for all models, and name the rest."""
    for section, value in root.items():
        if section == "model_list":
            continue
        left: list[str] = []
        for key, item in value.items() if isinstance(value, Mapping) else ():
            match key:
                case "num_retries" if isinstance(item, int) and item >= 0:
                    found.section["max-retries"] = int(item)
                    found.imported.append(f"{section}.{key} as model.max-retries")
                case "routing_strategy" if isinstance(item, str) and item in _STRATEGIES:
                    found.section["load-balance"] = {"type": _STRATEGIES[item]}
                    found.imported.append(f"{section}.{key} as model.load-balance.type {_STRATEGIES[item]}")
                case "model_group_alias" if isinstance(item, Mapping):
                    left += _aliases(item, services)
                    found.imported.append(f"{section}.{key} as instances of the same backends")
                case _:
                    left.append(f"{key} ({_WARNINGS[key]})" if key in _WARNINGS else str(key))
        if left or not isinstance(value, Mapping):
            found.left_out.append(f"{section}: {', '.join(left) or 'all of it'}")


def _aliases(aliases: Mapping[str, Any], services: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Add the instances of a model under its other names; yield the names of those that are not there."""
    for alias, target in aliases.items():
        wanted = text_of(target.get("model") if isinstance(target, Mapping) else target)
        copies = 0
        for service in services.values():
            for one in [one for one in service["instances"] if one["name"] == wanted]:
                backends_name = one.get("upstream-model", wanted)
                service["instances"].append({**one, "name": str(alias), "upstream-model": backends_name})
                copies += 1
        if not copies:
            yield f"model_group_alias.{alias} (no model {wanted})"


class _Entry:
    """One entry of the list: read key by key, so that what is not read is known."""

    def __init__(self, entry: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        self._environ: Final = environ
        outside = {key: value for key, value in entry.items() if key not in _READ_APART}
        self._settings: Final = {**outside, **_mapping(entry.get("litellm_params"))}
        self._about: Final = dict(_mapping(entry.get("model_info")))
        self.left_out: Final[list[str]] = []
        said = text_of(self._take("model")) or ""
        is_known = said.partition("/")[0] in {*_PROVIDERS, *_ELSEWHERE, *_FOREIGN}
        if said.startswith(_ENVIRONMENT):
            self.provider, self.model = "openai", self._filled(said, text_of(entry.get("model_name")) or "model")
        elif "/" in said and (is_known or not self._has_address()):
            self.provider, _, self.model = said.partition("/")
        else:
            self.provider, self.model = "openai", said
        self.name: Final = text_of(entry.get("model_name")) or self.model
        self.kind: ServiceType = ServiceType.CHAT

    def instance(self) -> dict[str, Any] | None:
        """Return the instance that the entry describes; None if it cannot be one here."""
        why = self._obstacle()
        if why:
            said = f" (with its settings {', '.join(self._settings)})" if self._settings else ""
            self.left_out.append(f"{why}{said}")
            return None
        mode = str(self._about.pop("mode", None) or "chat")
        self.kind = _MODES.get(mode, ServiceType.CHAT)
        if mode not in _MODES:
            self.left_out.append(f"model_info.mode {mode} (imported as chat)")
        found = {"name": self.name, **self._address()}
        if self.provider in _ADAPTERS:
            found["adapter"] = _ADAPTERS[self.provider]
        if key := text_of(self._take("api_key")):
            found["api-key"] = self._filled(key, "")
        if headers := self._headers():
            found["headers"] = headers
        if self.model and self.model != self.name:
            found["upstream-model"] = self.model
        found |= self._weight() | self._limits() | self._numbers()
        rest = [*self._settings, *(f"model_info.{key}" for key in self._about)]
        if rest:
            self.left_out.append(", ".join(rest))
        return found

    def _obstacle(self) -> str:
        if "*" in self.name:
            return "the name has a *; add each model by its own name"
        if self.provider in _FOREIGN:
            return f"provider {self.provider} is not supported: it has an API of its own"
        if not self._has_address() and self.provider not in _PROVIDERS:
            return f"provider {self.provider} is unknown, and api_base is not set"
        return "" if self.name else "it has no model_name and no model"

    def _has_address(self) -> bool:
        return bool(self._settings.get("api_base") or self._settings.get("base_url"))

    def _take(self, key: str) -> Any:
        return self._settings.pop(key, None)

    def _address(self) -> dict[str, Any]:
        said = [text_of(self._take(key)) for key in ("api_base", "base_url")]
        usual = _PROVIDERS.get(self.provider) or _ELSEWHERE.get(self.provider, "http://127.0.0.1:8000")
        text = next((one for one in said if one), usual)
        if text.startswith(_ENVIRONMENT):
            name = text.removeprefix(_ENVIRONMENT)
            if name not in self._environ:
                self.left_out.append(f"the environment variable {name}, which is not set; {usual} is used instead")
            return {"base-url": self._filled(text, usual)}
        base, path = without_endpoint(text)
        return {"base-url": base, **({"path": path} if path else {})}

    def _headers(self) -> dict[str, str]:
        found = {}
        for key in ("headers", "extra_headers"):
            for name, value in _mapping(self._take(key)).items():
                found[str(name)] = self._filled(text_of(value) or str(value), "")
        if organization := text_of(self._take("organization")):
            found["OpenAI-Organization"] = self._filled(organization, "")
        return found

    def _weight(self) -> dict[str, Any]:
        weight = self._take("weight")
        if weight is None or weight == 1:
            return {}
        if weight == 0:
            return {"enabled": False}
        if isinstance(weight, int):
            return {"weight": int(weight)}
        self.left_out.append(f"weight {weight} (weights must be whole numbers)")
        return {}

    def _limits(self) -> dict[str, Any]:
        """Return requests and tokens a minute as a limit of the instance's own."""
        requests, tokens = self._number("rpm"), self._number("tpm")
        if requests is None and tokens is None:
            return {}
        limit: dict[str, Any] = {"enabled": True}
        if requests is not None:
            limit |= {"algorithm": "token-bucket", "capacity": requests, "rate": max(round(requests / 60, 6), 0.001)}
        if tokens is not None:
            limit["tokens-per-minute"] = tokens
        return {"rate-limit": limit}

    def _numbers(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        timeout = self._settings.get("timeout")
        if isinstance(timeout, int | float) and timeout > 0:
            found["timeout"] = {"total": f"{float(self._take('timeout')):g}s"}
        for key, ours, least in _NUMBERS:
            number = self._number(key, least)
            if number is not None:
                found[ours] = number
        return found

    def _number(self, key: str, least: int = 1) -> int | None:
        """Take a whole number; one that is none here stays, and will be named."""
        value = self._settings.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            return None
        return int(self._take(key))

    def _filled(self, text: str, default: str) -> str:
        """Return a text with `${NAME}` for `os.environ/NAME`; a default stands behind it where it is not set."""
        if not text.startswith(_ENVIRONMENT):
            return text
        name = text.removeprefix(_ENVIRONMENT)
        return f"${{{name}}}" if default and name in self._environ else f"${{{name}:{default}}}"


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
