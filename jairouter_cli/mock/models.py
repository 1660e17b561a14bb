"""`/v1/models`: lists names to try; any other name is served too."""

from typing import Final

from litestar import get
from litestar.exceptions import NotFoundException

from jairouter_cli.mock.body import JSON, MockRequest

MODELS: Final = (
    "demo-chat",
    "demo-embedding",
    "demo-rerank",
    "demo-tts",
    "demo-stt",
    "demo-image",
    "demo-image-edit",
)


@get("/v1/models")
async def list_models() -> JSON:
    """List the names that the demo uses."""
    return {"object": "list", "data": [_model(name) for name in MODELS]}


@get("/v1/models/{name:path}")
async def show_model(request: MockRequest) -> JSON:
    """One of them."""
    name = str(request.path_params["name"]).removeprefix("/")
    if name not in MODELS:
        raise NotFoundException
    return _model(name)


def _model(name: str) -> JSON:
    return {"id": name, "object": "model", "created": 0, "owned_by": "mock"}
