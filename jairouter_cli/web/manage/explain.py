"""`/api/explain`: how a call would find its instance now."""

from typing import Annotated, Any

from litestar import Request, get
from litestar.params import QueryParameter

from jairouter_cli.config.model import ServiceType
from jairouter_cli.config.spelling import service_type
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.gateway.route import explanation
from jairouter_cli.payloads.affinity import SESSION_HEADER, affinity
from jairouter_cli.request_errors import InvalidParameter
from jairouter_cli.routing.call import Call
from jairouter_cli.web.openapi.shown import plain


def explain_routes(gateway: Gateway) -> list[Any]:
    """Return the route."""

    @get(
        "/api/explain",
        summary="Explain which instance a request would get now",
        operation_class=plain(
            {
                "service": "chat",
                "model": "qwen2.5:7b",
                "strategy": "round-robin",
                "candidates": [
                    {"instance": "qwen2.5:7b@http://10.0.0.7:8000", "state": "UP", "obstacle": None, "isNext": True}
                ],
            }
        ),
    )
    async def explain(
        request: Request[Any, Any, Any],
        service: str,
        model: str,
        client: Annotated[str, QueryParameter(name="clientIp")] = "",
    ) -> dict[str, Any]:
        """Every instance with its state and its score, and what stands against those that are passed over."""
        kind = service_type(service)
        if kind is None:
            raise InvalidParameter("service", "expected one of " + ", ".join(ServiceType))
        pool = gateway.table.pool(kind, model)
        key = affinity(request.headers.get(SESSION_HEADER, ""), b"", by_prefix=False)
        return await explanation(gateway, pool, Call(kind, model, client, affinity=key))

    return [explain]
