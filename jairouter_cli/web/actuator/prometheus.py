"""`/actuator/prometheus`: all metrics, as Prometheus reads them."""

from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.params import QueryParameter

from jairouter_cli.telemetry.scrape import Scrape
from jairouter_cli.web.actuator.shown import PROMETHEUS, of_actuator

Names = Annotated[list[str] | None, QueryParameter(name="includedNames", description="Only metrics of these names.")]


def prometheus_routes(observatory: Scrape) -> list[Any]:
    """Return the routes."""

    @get(
        "/actuator/prometheus",
        summary="All metrics in the format of Prometheus",
        operation_class=of_actuator("# TYPE jairouter_workers gauge\njairouter_workers 2.0\n", types=PROMETHEUS),
    )
    async def prometheus(request: Request[Any, Any, Any], included: Names = None) -> Response[bytes]:
        """Text, or OpenMetrics for who accepts it; numbers are those of all workers together."""
        names = frozenset(name.strip() for given in included or () for name in given.split(",") if name.strip())
        text, kind = await observatory.exposition(request.headers.get("accept", ""), names)
        return Response(text, headers={"content-type": kind})

    return [prometheus]
