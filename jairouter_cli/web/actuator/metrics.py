"""`/actuator/metrics`: the numbers one by one; those of all workers together."""

from typing import Annotated, Any

from litestar import Response, get
from litestar.params import QueryParameter

from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.telemetry.scrape import Scrape
from jairouter_cli.web.actuator.conventions import BASE, answer, bad_parameter, nothing
from jairouter_cli.web.actuator.meters import Meters, Tag
from jairouter_cli.web.actuator.shown import of_actuator
from jairouter_cli.web.errors import AnyRequest
from jairouter_cli.web.openapi import samples
from jairouter_cli.web.views.node import Node

Tags = Annotated[
    list[str] | None,
    QueryParameter(name="tag", description="Only what has this tag, `key:value`; several are allowed."),
]


def metrics_routes(gateway: Gateway, observatory: Scrape) -> list[Any]:
    """Return the routes."""

    async def catalogue() -> Meters:
        families, metrics = await observatory.everything()
        prefix = gateway.table.config.monitoring.metrics.prefix
        return Meters(families, metrics, prefix, observatory.tags.items())

    @get(
        f"{BASE}/metrics",
        summary="List the metrics",
        operation_class=of_actuator({"names": ["http.server.requests", "jairouter.requests.total", "process.uptime"]}),
    )
    async def metrics(request: AnyRequest) -> Response[Node]:
        """Their names, with dots; underscores do as well."""
        return answer(request, {"names": (await catalogue()).names})

    @get(
        f"{BASE}/metrics/{{name:str}}", summary="Show one metric", operation_class=of_actuator(samples.ACTUATOR_METRIC)
    )
    async def metric(request: AnyRequest, name: str, tags: Tags = None) -> Response[Node]:
        """Its measurements, summed up over all series that have the tags, and the tags that tell these apart."""
        found = (await catalogue()).measured(name, [_tag(text) for text in tags or ()])
        if found is None:
            nothing()
        return answer(request, found)

    return [metrics, metric]


def _tag(text: str) -> Tag:
    key, colon, value = text.partition(":")
    if not colon or not key:
        bad_parameter(f"a tag is key:value, and not '{text}'")
    return key, value
