"""`/v1/models`: the configured models, as OpenAI lists its own."""

from typing import Any

from litestar import Request, get

from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.routing.unknown import model_not_found
from jairouter_cli.web.openapi import samples
from jairouter_cli.web.openapi.shown import of_models
from jairouter_cli.web.v1.endpoints import PREFIXES


def model_routes(gateway: Gateway) -> list[Any]:
    """Return the routes that list the configured models."""

    @get(
        [f"{prefix}/v1/models" for prefix in PREFIXES],
        summary="List the configured models",
        operation_class=of_models({"object": "list", "data": [samples.MODEL]}),
    )
    async def list_models() -> dict[str, object]:
        """Every model that has an enabled instance, in the order of the file."""
        return {"object": "list", "data": [_model(gateway, model) for model in gateway.table.models]}

    @get(
        [f"{prefix}/v1/models/{{model:path}}" for prefix in PREFIXES],
        summary="Show a model",
        operation_class=of_models(samples.MODEL, named=True),
    )
    async def show_model(request: Request[Any, Any, Any]) -> dict[str, object]:
        """One model by its name, which may hold slashes."""
        name = str(request.path_params["model"]).removeprefix("/")
        if name not in gateway.table.models:
            raise model_not_found(gateway.table.pools, None, name)
        return _model(gateway, name)

    return [list_models, show_model]


def _model(gateway: Gateway, model: str) -> dict[str, object]:
    """Return a model as OpenAI's list shows it, with the services that have it."""
    services = [kind.value for kind, name in gateway.table.pools if name == model]
    return {"id": model, "object": "model", "created": 0, "owned_by": "jairouter", "services": services}
