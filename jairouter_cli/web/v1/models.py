"""`/v1/models`: the configured models, as OpenAI lists its own."""

from collections.abc import Sequence
from typing import Any, Final

from litestar import Request, get

from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.routing.unknown import model_not_found
from jairouter_cli.web.openapi import samples
from jairouter_cli.web.openapi.shown import of_models
from jairouter_cli.web.v1.endpoints import PREFIXES

_BEGINNING: Final = "1970-01-01T00:00:00Z"  # backends do not tell when a model was made


def model_routes(gateway: Gateway) -> list[Any]:
    """Return the routes that list the configured models."""

    @get(
        [f"{prefix}/v1/models" for prefix in PREFIXES],
        summary="List the configured models",
        operation_class=of_models({"object": "list", "data": [samples.MODEL]}),
    )
    async def list_models(request: Request[Any, Any, Any]) -> dict[str, object]:
        """Every model that has an enabled instance, in the order of the file, then their other names.

        With the header `anthropic-version` in the form of Anthropic's API.
        """
        names = [*gateway.table.models, *_aliases(gateway)]
        if "anthropic-version" in request.headers:
            return _anthropic(names)
        return {"object": "list", "data": [_model(gateway, model) for model in names]}

    @get(
        [f"{prefix}/v1/models/{{model:path}}" for prefix in PREFIXES],
        summary="Show a model",
        operation_class=of_models(samples.MODEL, named=True),
    )
    async def show_model(request: Request[Any, Any, Any]) -> dict[str, object]:
        """One model by its name, which may hold slashes."""
        name = str(request.path_params["model"]).removeprefix("/")
        if name not in gateway.table.models and not _services(gateway, name):
            raise model_not_found(gateway.table.pools, None, name)
        if "anthropic-version" in request.headers:
            return _anthropic_model(name)
        return _model(gateway, name)

    return [list_models, show_model]


def _model(gateway: Gateway, model: str) -> dict[str, object]:
    """Return a model as OpenAI's list shows it, with the services that have it."""
    services = [kind.value for kind, name in gateway.table.pools if name == model] or _services(gateway, model)
    return {"id": model, "object": "model", "created": 0, "owned_by": "jairouter", "services": services}


def _aliases(gateway: Gateway) -> list[str]:
    """Return the other names that models have, without those that stand for any text."""
    names = [name for name in gateway.table.config.model.aliases if "*" not in name]
    return [name for name in names if name not in gateway.table.models and _services(gateway, name)]


def _services(gateway: Gateway, alias: str) -> list[str]:
    """Return the services in which another name means a model."""
    table = gateway.table
    kinds = dict.fromkeys(kind for kind, _ in table.pools)
    return [kind.value for kind in kinds if table.meant(kind, alias) is not None]


def _anthropic(names: Sequence[str]) -> dict[str, object]:
    """Return a list of models as Anthropic's API has it, all on one page."""
    data = [_anthropic_model(name) for name in names]
    ends = (names[0], names[-1]) if names else (None, None)
    return {"data": data, "has_more": False, "first_id": ends[0], "last_id": ends[1]}


def _anthropic_model(name: str) -> dict[str, object]:
    return {"type": "model", "id": name, "display_name": name, "created_at": _BEGINNING}
