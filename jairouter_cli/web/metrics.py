"""`/actuator/prometheus`: all metrics, as Prometheus reads them (contract 3.7)."""

from typing import Any

from litestar import Request, Response, get

from jairouter_cli.web.observatory import Observatory


def metrics_routes(observatory: Observatory) -> list[Any]:
    """Return the routes."""

    @get("/actuator/prometheus", summary="All metrics, as Prometheus reads them")
    async def prometheus(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Text, or OpenMetrics for who accepts it; numbers are those of all workers together."""
        text, kind = await observatory.exposition(request.headers.get("accept", ""))
        return Response(text, media_type=kind)

    return [prometheus]
