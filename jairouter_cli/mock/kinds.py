"""What model servers of different kinds answer to the GET requests by which they are recognised.

Each answer has the fields that its maker documents, with example models: one for each service that the kind has.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from litestar import get
from litestar.handlers import HTTPRouteHandler

from jairouter_cli.mock.body import JSON

LLAMA_CPP: Final = "llama.cpp"


def _list(*models: JSON) -> JSON:
    return {"object": "list", "data": list(models)}


def _model(name: str, owner: str, **more: object) -> JSON:
    return {"id": name, "object": "model", "created": 0, "owned_by": owner, **more}


def _tag(name: str, family: str, size: str) -> JSON:
    details = {"format": "gguf", "family": family, "families": [family], "parameter_size": size}
    return {"name": name, "model": name, "modified_at": "2026-01-01T00:00:00Z", "size": 1, "details": details}


def _loaded(name: str, kind: str, context: int, **more: object) -> JSON:
    return {"id": name, "object": "model", "type": kind, "state": "loaded", "max_context_length": context, **more}


_LISTED: Final = "/v1/models"

KINDS: Final[Mapping[str, Mapping[str, JSON]]] = {
    "ollama": {
        "/api/version": {"version": "0.14.2"},
        "/api/tags": {
            "models": [_tag("qwen2.5:7b", "qwen2", "7.6B"), _tag("nomic-embed-text:latest", "nomic-bert", "137M")]
        },
        _LISTED: _list(_model("qwen2.5:7b", "library"), _model("nomic-embed-text:latest", "library")),
    },
    "vllm": {
        "/version": {"version": "0.12.0"},
        _LISTED: _list(
            _model(
                "Qwen/Qwen2.5-7B-Instruct", "vllm", root="Qwen/Qwen2.5-7B-Instruct", parent=None, max_model_len=32768
            )
        ),
    },
    LLAMA_CPP: {
        "/props": {"default_generation_settings": {"n_ctx": 4096}, "total_slots": 2, "build_info": "b7000-abcdef"},
        _LISTED: _list(
            _model("qwen2.5-7b-q4_k_m.gguf", "llamacpp", meta={"n_ctx_train": 32768, "n_params": 7615616512})
        ),
    },
    "lmstudio": {
        "/api/v0/models": _list(
            _loaded("qwen2-vl-7b-instruct", "vlm", 32768, capabilities=["tool_use"]),
            _loaded("text-embedding-nomic-embed-text-v1.5", "embeddings", 2048),
        ),
        _LISTED: _list(
            _model("qwen2-vl-7b-instruct", "organization_owner"),
            _model("text-embedding-nomic-embed-text-v1.5", "organization_owner"),
        ),
    },
    "localai": {
        "/system": {"backends": ["llama-cpp", "whisper"], "loaded_models": [{"id": "qwen2.5-7b-instruct"}]},
        "/version": {"version": "v3.8.0"},
        _LISTED: _list(
            {"id": "qwen2.5-7b-instruct", "object": "model"},
            {"id": "whisper-1", "object": "model"},
            {"id": "tts-1", "object": "model"},
            {"id": "stablediffusion", "object": "model"},
        ),
    },
    "xinference": {
        _LISTED: _list(
            _model(
                "qwen2.5-instruct",
                "xinference",
                model_type="LLM",
                model_ability=["chat", "tools"],
                context_length=32768,
            ),
            _model("bge-m3", "xinference", model_type="embedding", dimensions=1024),
            _model("bge-reranker-v2-m3", "xinference", model_type="rerank"),
            _model("FLUX.1-schnell", "xinference", model_type="image", model_ability=["text2image"]),
            _model("whisper-large-v3", "xinference", model_type="audio", model_ability=["audio2text"]),
            _model("kokoro-82m", "xinference", model_type="audio", model_ability=["text2audio"]),
        )
    },
    "gpustack": {
        "/v1-openai/models": _list(
            _model("qwen3-8b", "gpustack", meta={"n_ctx": 40960}), _model("bge-reranker-v2-m3", "gpustack")
        ),
        "/version": {"version": "v2.0.1", "git_commit": "abcdef"},
        _LISTED: {"items": [], "pagination": {"page": 1, "perPage": 100, "total": 0, "totalPage": 0}},
    },
    "sglang": {
        "/get_model_info": {"model_path": "Qwen/Qwen2.5-7B-Instruct", "tokenizer_path": "Qwen", "is_generation": True},
        _LISTED: _list(_model("Qwen/Qwen2.5-7B-Instruct", "sglang", root="Qwen", max_model_len=32768)),
    },
    "tgi": {
        "/info": {
            "model_id": "meta-llama/Llama-3.1-8B-Instruct",
            "max_total_tokens": 8192,
            "router": "text-generation-router",
            "version": "3.3.4",
        },
        _LISTED: _list(_model("meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct")),
    },
    "llama-swap": {
        "/running": {"running": [{"model": "qwen-coder", "state": "ready"}]},
        _LISTED: _list(_model("qwen-coder", "llama-swap"), _model("bge-reranker", "llama-swap")),
    },
}
"""The answers, by kind and path."""


def handlers(kind: str) -> Sequence[HTTPRouteHandler]:
    """Return the route handlers of a kind."""
    return [_handler(path, content) for path, content in KINDS[kind].items()]


def _handler(path: str, content: JSON) -> HTTPRouteHandler:
    @get(path)
    async def show() -> JSON:
        """Tell what this kind tells."""
        return content

    return show
