"""`/actuator/jairouter-metrics`: what the Java version tells of its own metrics, and lets one order.

Its pipeline (a queue, sampling, degradation, a cache, retries) does not exist here: what is counted is counted at once,
all of it. So it reads as a pipeline that does nothing, and an order to be otherwise is refused. `circuit-breaker` and
`error-handler` are about the instances, `cache-retry` about kept answers, as under `/api/monitoring`.
"""

import asyncio
import gc
from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
from litestar import MediaType, Response, get, post
from litestar.connection import ASGIConnection
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter

from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.observe import host
from jairouter_cli.observe.collection import Distribution, Value
from jairouter_cli.routing.breaker import BreakerState
from jairouter_cli.telemetry.scrape import Scrape
from jairouter_cli.web.actuator.conventions import BASE
from jairouter_cli.web.actuator.shown import PLAIN, of_actuator
from jairouter_cli.web.auth.operators import operators_only
from jairouter_cli.web.errors import AnyRequest
from jairouter_cli.web.openapi import samples
from jairouter_cli.web.views.health import health_node
from jairouter_cli.web.views.live_state import LiveState
from jairouter_cli.web.views.node import Node

_PATH: Final = f"{BASE}/jairouter-metrics"
_SAMPLING: Final[Mapping[str, Any]] = {"requestMetrics": 1.0, "backendMetrics": 1.0, "infrastructureMetrics": 1.0}
_PERFORMANCE: Final[Mapping[str, Any]] = {"asyncProcessing": False, "batchSize": 1, "bufferSize": 0}
_LEVELS: Final = ("NONE", "LIGHT", "MODERATE", "HEAVY", "EMERGENCY")
_NO_SAMPLING: Final = "Not implemented: every request is counted, metrics are never thinned out here"
_NO_BUFFER: Final = "Not implemented: requests are counted at once, there is no buffer and no batch here"
_NO_DEGRADATION: Final = "Not implemented: metrics never degrade here"

PlainText = Response[str]
Component = Annotated[str, QueryParameter(name="component", description="The instance, model@base-url.")]
MetricsOrder = Annotated[str, QueryParameter(name="operation", description="health, breaker or all.")]
Word = Annotated[str, QueryParameter(name="level", description="Only NONE.")]
Flag = Annotated[str, QueryParameter(name="enabled", description="Only false.")]


def jairouter_metrics_routes(gateway: Gateway, observatory: Scrape) -> list[Any]:
    """Return the routes."""
    return [*_reading(gateway, observatory), *_orders(gateway)]


def _reading(gateway: Gateway, observatory: Scrape) -> list[Any]:
    of, guards = LiveState(gateway), [counting_only]

    async def values(name: str, *labels: str) -> list[Value]:
        """Return all that a metric has, or what it has under some labels."""
        _, metrics = await observatory.everything()
        series = [one for metric in metrics if metric.family.name == name for one in metric.series.items()]
        return [value for its, value in series if not labels or its == labels]

    async def processing() -> Node:
        counted, lost = await values("http_server_requests_seconds"), await values("metrics_errors", "metrics")
        return {
            "processedCount": int(sum(one.count for one in counted if isinstance(one, Distribution))),
            "droppedCount": int(sum(one for one in lost if not isinstance(one, Distribution))),
            "queueSize": 0,
            "circuitBreakerState": of.breaker_stats()["state"],
        }

    async def memory_node() -> Node:
        held = await values("process_resident_memory_bytes")
        used = int(sum(one for one in held if not isinstance(one, Distribution)))
        most = await asyncio.to_thread(host.memory_bytes)
        of_all = {"maxMemory": most, "memoryUsageRatio": round(used / most, 4)} if most else {}
        return {"usedMemory": used, **of_all, "cacheSize": len(gateway.answers)}

    @get(
        f"{_PATH}/status",
        summary="Show the state of the metrics",
        guards=guards,
        operation_class=of_actuator(
            {
                "enabled": True,
                "prefix": "jairouter",
                "processingStats": samples.ACTUATOR_PROCESSING,
                "memoryStats": samples.ACTUATOR_MEMORY,
                "circuitBreakerStats": samples.ACTUATOR_BREAKERS,
            },
            types=PLAIN,
        ),
    )
    async def status() -> Node:
        """What is counted, at once and all of it; the memory of all processes; the circuit breakers of instances."""
        settings = gateway.table.config.monitoring.metrics
        return {
            "enabled": settings.enabled,
            "prefix": settings.prefix,
            "enabledCategories": [one.value for one in settings.enabled_categories],
            "asyncProcessingEnabled": False,
            "processingStats": await processing(),
            "memoryStats": await memory_node(),
            "circuitBreakerStats": of.breaker_stats(),
        }

    @get(
        f"{_PATH}/performance",
        summary="Show metrics statistics and memory",
        guards=guards,
        operation_class=of_actuator(
            {"processingStats": samples.ACTUATOR_PROCESSING, "memoryStats": samples.ACTUATOR_MEMORY}, types=PLAIN
        ),
    )
    async def performance() -> Node:
        """Requests that were counted, series for which there was no room, memory of all processes."""
        return {
            "asyncProcessingEnabled": False,
            "processingStats": await processing(),
            "memoryStats": await memory_node(),
        }

    @get(
        f"{_PATH}/memory",
        summary="Show the memory in use",
        guards=guards,
        operation_class=of_actuator(samples.ACTUATOR_MEMORY, types=PLAIN),
    )
    async def memory() -> Node:
        """What all processes hold, in bytes, of what they may; and how many answers are kept."""
        return await memory_node()

    @get(
        f"{_PATH}/circuit-breaker",
        summary="Show a summary of all circuit breakers",
        guards=guards,
        operation_class=of_actuator(samples.ACTUATOR_BREAKERS, types=PLAIN),
    )
    async def breakers() -> Node:
        """The worst state, and what was counted."""
        return of.breaker_stats()

    @get(
        f"{_PATH}/sampling",
        summary="Show the processing state: everything is counted",
        guards=guards,
        operation_class=of_actuator(samples.ACTUATOR_SAMPLING, types=PLAIN),
    )
    async def sampling() -> Node:
        """The shares of what is counted: all."""
        return dict(_SAMPLING)

    @get(
        f"{_PATH}/performance-config",
        summary="Show the buffer state: nothing is buffered",
        guards=guards,
        operation_class=of_actuator(samples.ACTUATOR_PERFORMANCE, types=PLAIN),
    )
    async def performance_config() -> Node:
        """One by one, at once."""
        return dict(_PERFORMANCE)

    @get(
        f"{_PATH}/error-handler",
        summary="List instances with failures",
        guards=guards,
        operation_class=of_actuator(
            {
                "activeErrorComponents": 0,
                "degradedComponents": 0,
                "totalErrors": 0,
            },
            types=PLAIN,
        ),
    )
    async def errors() -> Node:
        """Instances that get no requests, those that are on trial, and failed attempts since the start."""
        return of.errors()

    @get(
        f"{_PATH}/degradation",
        summary="Show the degradation state: nothing is left out",
        guards=guards,
        operation_class=of_actuator({"level": "NONE", "samplingRate": 1.0, "autoModeEnabled": False}, types=PLAIN),
    )
    async def degradation() -> Node:
        """The level is always NONE, since the start."""
        return {
            "level": "NONE",
            "samplingRate": 1.0,
            "autoModeEnabled": False,
            "timeSinceLastChange": f"PT{round(gateway.clock() - of.started, 3)}S",
            "errorComponentCount": of.errors()["activeErrorComponents"],
        }

    @get(
        f"{_PATH}/cache-retry",
        summary="Show the response cache",
        guards=guards,
        operation_class=of_actuator({"currentSize": 0, "maxSize": 100, "usageRatio": 0.0}, types=PLAIN),
    )
    async def cache() -> Node:
        """That of `fallback: cache`, in the worker that is asked."""
        return of.cache()

    @get(
        f"{_PATH}/health",
        summary="Show the health of the gateway",
        guards=guards,
        operation_class=of_actuator(
            {**samples.ACTUATOR_UP, "details": {"ping": samples.ACTUATOR_UP}, "issues": []}, types=PLAIN
        ),
    )
    async def health() -> Node:
        """200 even when DOWN, as the Java version; `/actuator/health` has a status that tells."""
        components = health_node(gateway)["components"]
        issues = [name for name, part in components.items() if part["status"] == "DOWN"]
        return {"status": "DOWN" if issues else "UP", "details": components, "issues": issues}

    return [status, performance, memory, breakers, sampling, performance_config, errors, degradation, cache, health]


def counting_only(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Let in while metrics are on: as in the Java version, all this exists only then."""
    if not connection.app.state.gateway.table.config.monitoring.metrics.enabled:
        raise NotFoundException


def _orders(gateway: Gateway) -> list[Any]:
    of, guards = LiveState(gateway), [counting_only, operators_only]

    def clear() -> PlainText:
        gateway.answers.clear()
        gateway.crew.call_to_clear()
        return _said("缓存已清空")

    @post(
        f"{_PATH}/sampling",
        summary="Disable processing: not supported",
        status_code=200,
        guards=guards,
        operation_class=of_actuator(
            "采样配置无变化", body={"requestMetrics": 1.0}, guarded=True, types=PLAIN, also=(501,)
        ),
    )
    async def set_sampling(request: AnyRequest) -> PlainText:
        """Everything is counted: shares other than 1 are refused."""
        return await _only(request, _SAMPLING, "采样配置无变化", _NO_SAMPLING)

    @post(
        f"{_PATH}/performance-config",
        summary="Change buffering: not supported",
        status_code=200,
        guards=guards,
        operation_class=of_actuator("性能配置无变化", body={"batchSize": 1}, guarded=True, types=PLAIN, also=(501,)),
    )
    async def set_performance(request: AnyRequest) -> PlainText:
        """There is nothing to configure: what is not as it is, is refused."""
        return await _only(request, _PERFORMANCE, "性能配置无变化", _NO_BUFFER)

    @post(
        f"{_PATH}/memory/cleanup",
        summary="Collect garbage",
        status_code=200,
        guards=guards,
        operation_class=of_actuator("内存清理完成: 12", guarded=True, types=PLAIN, also=(501,)),
    )
    async def cleanup() -> PlainText:
        """In the worker that is asked."""
        return _said(f"内存清理完成: {gc.collect()}")

    @post(
        f"{_PATH}/memory/clear-cache",
        summary="Clear the response cache",
        status_code=200,
        guards=guards,
        operation_class=of_actuator("缓存已清空", guarded=True, types=PLAIN, also=(501,)),
    )
    async def clear_memory() -> PlainText:
        """That of `fallback: cache`, in all workers."""
        return clear()

    @post(
        f"{_PATH}/cache-retry/clear-cache",
        summary="Clear the response cache",
        status_code=200,
        guards=guards,
        operation_class=of_actuator("缓存已清空", guarded=True, types=PLAIN, also=(501,)),
    )
    async def clear_cache() -> PlainText:
        """That of `fallback: cache`, in all workers."""
        return clear()

    @post(
        f"{_PATH}/circuit-breaker/{{action:str}}",
        summary="Open or close all circuit breakers",
        status_code=200,
        guards=guards,
        operation_class=of_actuator("熔断器已强制关闭", guarded=True, types=PLAIN, also=(501,)),
    )
    async def force(action: str) -> PlainText:
        """`open` or `close` every one."""
        states = {"open": (BreakerState.OPEN, "熔断器已强制开启"), "close": (BreakerState.CLOSED, "熔断器已强制关闭")}
        if action not in states:
            return _refused(f"Invalid action: {action}; expected open or close")
        state, said = states[action]
        return _said(said) if of.force(state) else _refused("No circuit breaker is enabled")

    @post(
        f"{_PATH}/error-handler/reset",
        summary="Reset the failure count of an instance",
        status_code=200,
        guards=guards,
        operation_class=of_actuator("错误状态已重置: m@http://h:all", guarded=True, types=PLAIN, also=(501,)),
    )
    async def reset(component: Component = "", operation: MetricsOrder = "") -> PlainText:
        """Of the instance that `component` names; `operation` is `health`, `breaker` or `all`."""
        if not component or not operation:
            return _refused("Missing 'component' or 'operation' parameter")
        if operation not in {"health", "breaker", "all"}:
            return _refused("Invalid operation: expected health, breaker or all")
        if not of.forget(component, operation):
            return _refused(f"Unknown component: {component}")
        return _said(f"错误状态已重置: {component}:{operation}")

    @post(
        f"{_PATH}/degradation/level",
        summary="Set the degradation level: only NONE is supported",
        status_code=200,
        guards=guards,
        operation_class=of_actuator("降级级别已设置为: 正常模式", guarded=True, types=PLAIN, also=(501,)),
    )
    async def level(word: Word = "") -> PlainText:
        """There is nothing here that could be counted less."""
        if word.upper() not in _LEVELS:
            return _refused(f"Invalid degradation level: {word}" if word else "Missing 'level' parameter")
        return _said("降级级别已设置为: 正常模式") if word.upper() == "NONE" else _not_here(_NO_DEGRADATION)

    @post(
        f"{_PATH}/degradation/auto-mode",
        summary="Set automatic degradation: not supported",
        status_code=200,
        guards=guards,
        operation_class=of_actuator("降级策略自动模式已禁用", guarded=True, types=PLAIN, also=(501,)),
    )
    async def auto_mode(flag: Flag = "") -> PlainText:
        """It is off."""
        if flag.lower() not in {"true", "false"}:
            return _refused("Missing 'enabled' parameter")
        return _said("降级策略自动模式已禁用") if flag.lower() == "false" else _not_here(_NO_DEGRADATION)

    @post(
        f"{_PATH}/degradation/force-recovery",
        summary="Return to normal operation",
        status_code=200,
        guards=guards,
        operation_class=of_actuator("已强制恢复到正常模式", guarded=True, types=PLAIN, also=(501,)),
    )
    async def recovery() -> PlainText:
        """It always is."""
        return _said("已强制恢复到正常模式")

    return [
        *(set_sampling, set_performance, cleanup, clear_memory, clear_cache, force, reset, level, auto_mode, recovery),
    ]


async def _only(request: AnyRequest, values: Mapping[str, Any], said: str, refusal: str) -> PlainText:
    """Take what changes nothing; refuse the rest."""
    try:
        body = msgspec.json.decode(await request.body())
    except msgspec.DecodeError:
        return _refused("The body is no JSON")
    if not isinstance(body, dict) or not body or not body.keys() <= values.keys():
        return _refused(f"Expected an object with some of {', '.join(values)}")
    return _said(said) if all(values[key] == value for key, value in body.items()) else _not_here(refusal)


def _said(text: str) -> PlainText:
    return Response(text, media_type=MediaType.TEXT)


def _refused(text: str) -> PlainText:
    return Response(text, media_type=MediaType.TEXT, status_code=400)


def _not_here(text: str) -> PlainText:
    return Response(text, media_type=MediaType.TEXT, status_code=501)
