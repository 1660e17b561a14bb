"""`/api/monitoring/config` and `/overview`: how the gateway counts, and what is made of it.

A change is an edit of `monitoring.metrics` in the configuration file and takes effect in all workers. What the Java
version has beyond that (sampling, queues of events) does not exist here: every event is counted, at once.
"""

import re
from typing import Any, Final

from litestar import Response, get, put

from jairouter_cli.config import scalars
from jairouter_cli.config.kinds import SECONDS
from jairouter_cli.config.monitoring import Category, Metrics
from jairouter_cli.config.ops.values import set_value
from jairouter_cli.config.view import iso_duration
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.web.errors import AnyRequest
from jairouter_cli.web.manage.editor import Editor
from jairouter_cli.web.manage.envelope import Refused
from jairouter_cli.web.manage.monitoring import BASE
from jairouter_cli.web.manage.sentences import members_of, refused, said, texts_of
from jairouter_cli.web.openapi import samples
from jairouter_cli.web.openapi.shown import of_metrics
from jairouter_cli.web.views.health import health_node
from jairouter_cli.web.views.live_state import LiveState
from jairouter_cli.web.views.node import Node

_PREFIX: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*")
_PLAIN_NUMBER: Final = re.compile(r"[\d.]*")
_SAMPLING: Final = {"requestMetrics": 1.0, "backendMetrics": 1.0, "infrastructureMetrics": 1.0}
_PERFORMANCE: Final = {"asyncProcessing": False, "batchSize": 1, "bufferSize": 0}


def monitoring_config_routes(editor: Editor, gateway: Gateway) -> list[Any]:
    """Return the routes."""
    views = LiveState(gateway)

    @get(
        f"{BASE}/config", summary="Show the monitoring configuration", operation_class=of_metrics(samples.METRIC_SHOWN)
    )
    async def config() -> Node:
        """Every event is counted, at once: `sampling` and `performance` are there for clients that ask for them."""
        return _shown(_metrics(editor))

    @get(
        f"{BASE}/config/snapshot",
        summary="Show the monitoring configuration in use",
        operation_class=of_metrics(samples.METRIC_SHOWN),
    )
    async def snapshot() -> Node:
        """As `/config`."""
        return _shown(_metrics(editor))

    @put(
        f"{BASE}/config/enabled",
        summary="Enable or disable metrics",
        operation_class=of_metrics("监控状态已更新为: true", body={"enabled": True}),
    )
    async def set_enabled(request: AnyRequest) -> Response[str]:
        """While it is off nothing is counted and nothing is shown; what was counted before is kept."""
        enabled = (await members_of(request)).get("enabled")
        if not isinstance(enabled, bool):
            return refused("Missing 'enabled' parameter")
        if enabled == _metrics(editor).enabled:
            return said("监控状态无变化")
        return await _edited(editor, request, "enabled", enabled, f"监控状态已更新为: {str(enabled).lower()}")

    @put(
        f"{BASE}/config/prefix",
        summary="Change the prefix of metric names",
        operation_class=of_metrics("指标前缀已更新为: jairouter", body={"prefix": "jairouter"}),
    )
    async def set_prefix(request: AnyRequest) -> Response[str]:
        """From the next scrape on; series in Prometheus begin anew under the new names."""
        prefix = (await members_of(request)).get("prefix")
        if not isinstance(prefix, str) or not prefix.strip():
            return refused("Missing or empty 'prefix' parameter")
        if not _PREFIX.fullmatch(prefix):
            return refused("Invalid prefix format")
        if prefix == _metrics(editor).prefix:
            return said("指标前缀无变化")
        return await _edited(editor, request, "prefix", prefix, f"指标前缀已更新为: {prefix}")

    @put(
        f"{BASE}/config/collection-interval",
        summary="Change the collection interval",
        operation_class=of_metrics("收集间隔已更新为: PT1M", body={"interval": "PT60S"}),
    )
    async def set_interval(request: AnyRequest) -> Response[str]:
        """ISO 8601, like PT60S; 60s is taken, too."""
        interval = (await members_of(request)).get("interval")
        if interval is None:
            return refused("Missing 'interval' parameter")
        interval = interval.strip() if isinstance(interval, str) else interval
        wanted_s = _duration_s(interval)
        if not wanted_s:
            return refused("Invalid interval format")
        if wanted_s == _metrics(editor).collection_interval_s:
            return said("收集间隔无变化")
        return await _edited(
            editor, request, "collection-interval", interval, f"收集间隔已更新为: {iso_duration(wanted_s)}"
        )

    @put(
        f"{BASE}/config/categories",
        summary="Choose the categories of metrics",
        operation_class=of_metrics("启用类别已更新为: [business]", body={"categories": ["business"]}),
    )
    async def set_categories(request: AnyRequest) -> Response[str]:
        """Of system, business and infrastructure; the others are counted, but not shown."""
        categories = (await members_of(request)).get("categories")
        if categories is None:
            return refused("Missing 'categories' parameter")
        if not isinstance(categories, list) or not all(one in list(Category) for one in categories):
            return refused("Invalid categories")
        wanted = list(dict.fromkeys(categories))
        if set(wanted) == set(_metrics(editor).enabled_categories):
            return said("启用类别无变化")
        return await _edited(editor, request, "enabled-categories", wanted, f"启用类别已更新为: [{', '.join(wanted)}]")

    @put(
        f"{BASE}/config/custom-tags",
        summary="Change the labels of all series",
        operation_class=of_metrics("自定义标签已更新", body={"customTags": {"environment": "production"}}),
    )
    async def set_tags(request: AnyRequest) -> Response[str]:
        """All of them: those that the body does not name are gone."""
        given = (await members_of(request)).get("customTags")
        if given is None:
            return refused("Missing 'customTags' parameter")
        tags = texts_of(given)
        if tags is None or not all(name.strip() for name in tags):
            return refused("Invalid customTags: expected an object of names and texts")
        if tags == _metrics(editor).custom_tags:
            return said("自定义标签无变化")
        return await _edited(editor, request, "custom-tags", tags, "自定义标签已更新")

    @get(
        f"{BASE}/overview", summary="Show the state of monitoring", operation_class=of_metrics(samples.METRIC_OVERVIEW)
    )
    async def overview() -> Node:
        """The configuration, whether all is well, what fails, the cache of answers and the circuit breakers."""
        metrics, cache, breakers = _metrics(editor), views.cache(), views.breaker_stats()
        return {
            "enabled": metrics.enabled,
            "prefix": metrics.prefix,
            "enabledCategories": [one.value for one in metrics.enabled_categories],
            "healthy": all(part["status"] != "DOWN" for part in health_node(gateway)["components"].values()),
            "errorStats": views.errors(),
            "degradationStatus": {"level": "NONE", "samplingRate": 1.0, "autoModeEnabled": False},
            "cacheStats": {name: cache[name] for name in ("usageRatio", "activeRetries")},
            "circuitBreakerStats": {name: breakers[name] for name in ("state", "failureRate")},
        }

    return [config, snapshot, set_enabled, set_prefix, set_interval, set_categories, set_tags, overview]


def _metrics(editor: Editor) -> Metrics:
    return editor.config.monitoring.metrics


def _shown(metrics: Metrics) -> Node:
    return {
        "enabled": metrics.enabled,
        "prefix": metrics.prefix,
        "collectionInterval": iso_duration(metrics.collection_interval_s),
        "enabledCategories": [one.value for one in metrics.enabled_categories],
        "customTags": metrics.custom_tags,
        "sampling": _SAMPLING,
        "performance": _PERFORMANCE,
    }


def _duration_s(text: Any) -> float | None:
    """Return a duration that says its unit, in seconds; None for anything else."""
    if not isinstance(text, str) or _PLAIN_NUMBER.fullmatch(text):
        return None
    try:
        return scalars.read_duration(text, SECONDS)
    except scalars.Expected:
        return None


async def _edited(editor: Editor, request: AnyRequest, key: str, value: Any, text: str) -> Response[str]:
    """Set a key of the file's `monitoring.metrics`, and say so."""
    try:
        applied = await editor.edit(
            request, lambda document: set_value(document, f"monitoring.metrics.{key}", value), "更新失败"
        )
    except Refused as refusal:
        return said(refusal.message, refusal.status)
    return said(text, headers=editor.tags(applied))
