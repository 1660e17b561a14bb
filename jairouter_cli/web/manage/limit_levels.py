"""`/api/limits`: how the limits stand now."""

from typing import Annotated, Any

from litestar import get
from litestar.params import QueryParameter

from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.gateway.limits import standing
from jairouter_cli.web.openapi import samples
from jairouter_cli.web.openapi.shown import plain


def limits_routes(gateway: Gateway) -> list[Any]:
    """Return the route."""

    @get(
        "/api/limits",
        summary="Show the current state of all limits",
        operation_class=plain({"levels": "host", "redis": None, "limits": [samples.LIMIT]}),
    )
    async def limits(client: Annotated[str, QueryParameter(name="clientIp")] = "") -> dict[str, Any]:
        """Every limit with what is left of it; those that each client has for itself, for the client that is named."""
        return await standing(gateway.limits, gateway.table, client)

    return [limits]
