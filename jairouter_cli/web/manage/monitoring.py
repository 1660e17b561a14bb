"""`/api/monitoring`: how instances, limits and breakers stand, and what may be done about it.

No envelope: plain objects, and sentences where something was done. What the Java version controls of its own metrics
(sampling, degradation) does not exist here: it reads as normal, and an order to be otherwise is refused, not ignored.
"""

from typing import Annotated, Any, Final

from litestar import Response, get, post
from litestar.params import QueryParameter

from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.routing.breaker import BreakerState
from jairouter_cli.web.errors import AnyRequest
from jairouter_cli.web.manage.sentences import members_of, refused, said
from jairouter_cli.web.openapi.shown import plain
from jairouter_cli.web.views.health import health_node
from jairouter_cli.web.views.live_state import LiveState
from jairouter_cli.web.views.node import Node

BASE: Final = "/api/monitoring"
_MS: Final = 1000
# Those of the Java version's code, and those of its documents; the first of each is how it always is here.
_LEVELS: Final = ("NONE", "LIGHT", "MODERATE", "HEAVY", "EMERGENCY", "NORMAL", "PARTIAL", "MINIMAL", "DISABLED")
_NORMAL: Final = frozenset({"NONE", "NORMAL"})

ClientIp = Annotated[str, QueryParameter(name="clientIp")]


def monitoring_routes(gateway: Gateway) -> list[Any]:
    """Return the routes."""
    of = LiveState(gateway)

    @get(
        f"{BASE}/instances",
        summary="List all instances with their health and statistics",
        operation_class=plain({"services": {"chat": {"instances": [{"id": "m@http://h", "status": "HEALTHY"}]}}}),
    )
    async def instances() -> Node:
        """By service. Times are UTC, durations milliseconds; numbers count since the start, for all workers."""
        return {"services": of.instances()}

    @get(
        f"{BASE}/load-balancer",
        summary="Show the number of requests of each instance",
        operation_class=plain(
            {"services": {"chat": {"strategy": "ROUND_ROBIN", "totalRequests": 0, "distribution": {}}}}
        ),
    )
    async def load_balancer() -> Node:
        """By service: the strategy, and each instance's share."""
        return {"services": dict(of.distributions())}

    @get(
        f"{BASE}/rate-limit",
        summary="Show the limits of the services",
        operation_class=plain(
            {"services": {"chat": {"algorithm": "TOKEN_BUCKET", "globalLimit": {"capacity": 100, "remaining": 84}}}}
        ),
    )
    async def rate_limit(client_ip: ClientIp = "") -> Node:
        """By service, for those that limit requests; `clientLimits` for the client that is named."""
        return {"services": await of.limits(client_ip)}

    @get(
        f"{BASE}/circuit-breaker",
        summary="Show the circuit breakers",
        operation_class=plain({"instances": [{"id": "m@http://h", "service": "chat", "state": "CLOSED"}]}),
    )
    async def circuit_breaker() -> Node:
        """Of every instance that has one."""
        return {"instances": [of.breaker(target, live) for target, live in of.breakers()]}

    @get(
        f"{BASE}/circuit-breaker/stats",
        summary="Show a summary of all circuit breakers",
        operation_class=plain({"state": "CLOSED", "failureCount": 0, "requestCount": 12}),
    )
    async def breaker_stats() -> Node:
        """The worst state, and what was counted."""
        return of.breaker_stats()

    @post(
        f"{BASE}/circuit-breaker/force-open",
        summary="Open every circuit breaker",
        status_code=200,
        operation_class=plain("熔断器已强制开启", orders=True),
    )
    async def force_open() -> Response[str]:
        """For as long as each would stay open by itself; no instance with a breaker gets requests until then."""
        return said("熔断器已强制开启") if of.force(BreakerState.OPEN) else refused("No circuit breaker is enabled")

    @post(
        f"{BASE}/circuit-breaker/force-close",
        summary="Close every circuit breaker",
        status_code=200,
        operation_class=plain("熔断器已强制关闭", orders=True),
    )
    async def force_close() -> Response[str]:
        """Let requests through at once."""
        return said("熔断器已强制关闭") if of.force(BreakerState.CLOSED) else refused("No circuit breaker is enabled")

    @get(
        f"{BASE}/health",
        summary="Show the health of the gateway",
        operation_class=plain({"status": "UP", "healthy": True, "details": {"ping": {"status": "UP"}}}),
    )
    async def health() -> Node:
        """200 even when DOWN, as the Java version; `/actuator/health` has a status that tells."""
        node = health_node(gateway)
        issues = [name for name, part in node["components"].items() if part["status"] == "DOWN"]
        found = {"status": "DOWN" if issues else "UP", "healthy": not issues, "details": node["components"]}
        return {**found, "issues": issues} if issues else found

    @get(
        f"{BASE}/errors/stats",
        summary="List instances with failures",
        operation_class=plain({"activeErrorComponents": 0, "degradedComponents": 0, "totalErrors": 0}),
    )
    async def errors() -> Node:
        """Instances that get no requests, those that are on trial, and failed attempts since the start."""
        return of.errors()

    @post(
        f"{BASE}/errors/reset",
        summary="Reset the failure count of an instance",
        status_code=200,
        operation_class=plain(
            "错误状态已重置: m@http://h:all", body={"component": "m@http://h", "operation": "all"}, orders=True
        ),
    )
    async def reset_errors(request: AnyRequest) -> Response[str]:
        """Of the instance that `component` names; `operation` is `health`, `breaker` or `all`."""
        body = await members_of(request)
        component, operation = body.get("component"), body.get("operation")
        if not component or not operation:
            return refused("Missing 'component' or 'operation' parameter")
        if operation not in ("health", "breaker", "all"):
            return refused("Invalid operation: expected health, breaker or all")
        if not of.forget(str(component), str(operation)):
            return refused(f"Unknown component: {component}")
        return said(f"错误状态已重置: {component}:{operation}")

    @get(
        f"{BASE}/degradation/status",
        summary="Show the sampling settings: nothing is sampled",
        operation_class=plain({"level": "NONE", "samplingRate": 1.0, "autoModeEnabled": False}),
    )
    async def degradation() -> Node:
        """Metrics are never thinned out here: the level is always NONE."""
        return {
            "level": "NONE",
            "levelDescription": "正常模式",
            "samplingRate": 1.0,
            "autoModeEnabled": False,
            "timeSinceLastChange": round((gateway.clock() - of.started) * _MS),
            "errorComponentCount": of.errors()["activeErrorComponents"],
        }

    @post(
        f"{BASE}/degradation/level",
        summary="Set the degradation level: only NONE is supported",
        status_code=200,
        operation_class=plain("降级级别已设置为: 正常模式", body={"level": "NONE"}, orders=True),
    )
    async def degradation_level(request: AnyRequest) -> Response[str]:
        """There is nothing here that could be sampled less."""
        level = (await members_of(request)).get("level")
        if level is None:
            return refused("Missing 'level' parameter")
        if str(level).upper() not in _LEVELS:
            return refused(f"Invalid degradation level: {level}")
        return said("降级级别已设置为: 正常模式") if str(level).upper() in _NORMAL else _not_here()

    @post(
        f"{BASE}/degradation/auto-mode",
        summary="Set automatic degradation: not supported",
        status_code=200,
        operation_class=plain("降级策略自动模式已禁用", body={"enabled": False}, orders=True),
    )
    async def degradation_mode(request: AnyRequest) -> Response[str]:
        """It is off."""
        enabled = (await members_of(request)).get("enabled")
        if not isinstance(enabled, bool):
            return refused("Missing 'enabled' parameter")
        return _not_here() if enabled else said("降级策略自动模式已禁用")

    @post(
        f"{BASE}/degradation/force-recovery",
        summary="Return to normal operation",
        status_code=200,
        operation_class=plain("已强制恢复到正常模式", orders=True),
    )
    async def recovery() -> Response[str]:
        """It always is."""
        return said("已强制恢复到正常模式")

    @get(
        f"{BASE}/cache/stats",
        summary="Show the response cache",
        operation_class=plain({"currentSize": 0, "maxSize": 100, "usageRatio": 0.0}),
    )
    async def cache() -> Node:
        """That of `fallback: cache`, in the worker that is asked."""
        return of.cache()

    @post(
        f"{BASE}/cache/clear",
        summary="Clear the response cache",
        status_code=200,
        operation_class=plain("缓存已清空", orders=True),
    )
    async def clear_cache() -> Response[str]:
        """That of `fallback: cache`, in all workers."""
        gateway.answers.clear()
        gateway.crew.call_to_clear()
        return said("缓存已清空")

    return [
        *(instances, load_balancer, rate_limit, circuit_breaker, breaker_stats, force_open, force_close, health),
        *(errors, reset_errors, degradation, degradation_level, degradation_mode, recovery, cache, clear_cache),
    ]


def _not_here() -> Response[str]:
    return said("Not implemented: metrics are never thinned out here", 501)
