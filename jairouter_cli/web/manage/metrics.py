"""`/api/monitoring/metrics`: what metrics there are, their numbers, and feeding the operator's own."""

import asyncio
from collections import Counter
from typing import Annotated, Any, Final

from litestar import Response, get, post
from litestar.params import QueryParameter

from jairouter_cli.config.monitoring import CustomKind, CustomMetric
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.observe.custom import feed
from jairouter_cli.telemetry.metric_catalogue import Catalogue, searched
from jairouter_cli.telemetry.scrape import Scrape
from jairouter_cli.web.errors import AnyRequest
from jairouter_cli.web.manage.metric_request import tag_errors
from jairouter_cli.web.manage.monitoring import BASE as MONITORING
from jairouter_cli.web.manage.sentences import json_of, said, texts_of
from jairouter_cli.web.openapi import samples
from jairouter_cli.web.openapi.shown import of_metrics
from jairouter_cli.web.views.node import Node

BASE: Final = f"{MONITORING}/metrics"
ONE: Final = f"{BASE}/{{metric_name:str}}"

_MOST: Final = 1e300

NamedMetric = Annotated[
    str, QueryParameter(description="A metric's name; the gateway's own also without prefix or _total.")
]
NamePattern = Annotated[str, QueryParameter(name="namePattern", description="A regular expression, in any case.")]
CategoryName = Annotated[str | None, QueryParameter(name="category", description="Only of this category.")]


def failure(status: int, message: str, **more: Any) -> Response[Node]:
    """Return that something was not done, in the Java version's shape."""
    return Response({"success": False, **more, "message": message}, status_code=status)


def metric_view_routes(catalogue: Catalogue) -> list[Any]:
    """Return the routes that show metrics."""

    @get(f"{BASE}/metadata", summary="List the metrics", operation_class=of_metrics([samples.METRIC_METADATA]))
    async def metadata() -> list[Node]:
        """The gateway's own, then the operator's. `enabled` says whether one is shown."""
        return [entry.metadata() for entry in await asyncio.to_thread(catalogue.entries)]

    @get(
        f"{BASE}/metadata/{{metric_name:str}}",
        summary="Show the description of a metric",
        operation_class=of_metrics(samples.METRIC_METADATA),
    )
    async def metadata_of(metric_name: NamedMetric) -> Response[Any]:
        """404 without a body if there is none of that name."""
        entry = await asyncio.to_thread(catalogue.entry, metric_name)
        return said("", 404) if entry is None else Response(entry.metadata())

    @get(f"{BASE}/statistics", summary="Count the metrics", operation_class=of_metrics(samples.METRIC_STATISTICS))
    async def statistics() -> Node:
        """By category and by type."""
        entries = await asyncio.to_thread(catalogue.entries)
        shown = sum(entry.is_shown for entry in entries)
        return {
            "totalMetrics": len(entries),
            "enabledMetrics": shown,
            "disabledMetrics": len(entries) - shown,
            "metricsByCategory": Counter(entry.category for entry in entries),
            "metricsByType": Counter(entry.type for entry in entries),
        }

    @get(
        f"{BASE}/category/{{category:str}}",
        summary="Show the metrics of a category",
        operation_class=of_metrics([samples.METRIC_METADATA]),
    )
    async def of_category(category: str) -> list[Node]:
        """None of a category that there is not."""
        entries = await asyncio.to_thread(catalogue.entries)
        return [entry.metadata() for entry in entries if entry.category == category]

    @get(f"{BASE}/search", summary="Search metrics by name", operation_class=of_metrics([samples.METRIC_METADATA]))
    async def search(name_pattern: NamePattern, category: CategoryName = None) -> Response[Any]:
        """Those in whose names the expression has a match; none if it is no expression."""
        try:
            found = searched(await asyncio.to_thread(catalogue.entries), name_pattern, category)
        except ValueError as error:
            return said(str(error), 400)
        return Response([entry.metadata() for entry in found])

    @get(
        f"{BASE}/exists/{{metric_name:str}}",
        summary="Check whether a metric exists",
        operation_class=of_metrics({"metricName": "orders.created", "exists": True, "tags": {}}),
    )
    async def exists(request: AnyRequest, metric_name: NamedMetric) -> Node:
        """Every query parameter is a tag that it, or a series of it, must have."""
        tags = dict(request.query_params.items())
        entry = await asyncio.to_thread(catalogue.entry, metric_name)
        is_there = entry is not None and (tags.items() <= entry.tags.items() or await _has_series(entry.name, tags))
        return {"metricName": metric_name, "exists": is_there, "tags": tags}

    async def _has_series(name: str, tags: dict[str, str]) -> bool:
        listed = await catalogue.series()
        return any(one["name"] == name and tags.items() <= one["tags"].items() for one in listed)

    @get(f"{BASE}/list", summary="List all series of a metric", operation_class=of_metrics([samples.METRIC_SERIES]))
    async def listing() -> list[Node]:
        """With its `value`, or `count` and `sum`: those of all workers together."""
        return await catalogue.series()

    return [metadata, metadata_of, statistics, of_category, search, exists, listing]


def metric_value_routes(catalogue: Catalogue, gateway: Gateway, observatory: Scrape) -> list[Any]:
    """Return the route that feeds metrics."""

    @post(
        f"{ONE}/record",
        summary="Record a value of a metric",
        status_code=200,
        operation_class=of_metrics(
            {"success": True, "metricName": "orders.created", "message": "Recorded"},
            body={"value": 1, "tags": {"kind": "express"}},
            also=(409,),
        ),
    )
    async def record(request: AnyRequest, metric_name: NamedMetric) -> Response[Node]:
        """Add `value` to a counter (1 if there is none), or count a duration of `value` seconds; for `tags`."""
        metric, body = catalogue.custom(metric_name), await json_of(request) if await request.body() else {}
        if metric is None and catalogue.own(metric_name) is not None:
            return failure(400, f"Metric '{metric_name}' is counted by the gateway itself", metricName=metric_name)
        if metric is None:
            return failure(404, f"Metric '{metric_name}' is not registered", metricName=metric_name)
        if not catalogue.settings.enabled:
            return failure(409, "Nothing is counted: monitoring.metrics.enabled is false", metricName=metric_name)
        problem = _problem(metric, body)
        if problem:
            return failure(400, problem, metricName=metric_name)
        value, tags = float(body.get("value", 1)), texts_of(body.get("tags", {})) or {}
        feed(observatory.metrics, metric, value, tags, gateway.wall_clock())
        return Response({"success": True, "metricName": metric_name, "message": "Recorded"})

    return [record]


def _problem(metric: CustomMetric, body: Any) -> str:
    """Return what is wrong with what a metric is to be fed; nothing if it is right."""
    if not isinstance(body, dict):
        return 'Expected a JSON object like {"value": 1, "tags": {}}'
    value = body.get("value", 1 if metric.type is CustomKind.COUNTER else None)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST:
        return "'value' must be a number that is not negative"
    return ", ".join(tag_errors(body.get("tags", {}), metric.tags))
