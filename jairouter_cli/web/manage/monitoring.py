"""`/api/monitoring`: how instances, limits and breakers stand, and what may be done about it (contract 2.8, 2.10).

No envelope: plain objects, and plain sentences where something was done. What upstream controls of its own metrics
(sampling, degradation) does not exist here: it reads as normal, and an order to be otherwise is refused, not ignored.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from litestar import Response, get, post
from litestar.params import QueryParameter

from jairouter_cli.config.model import Balancing
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.routing import breaker
from jairouter_cli.routing.admission import Unit, client_of, demanded
from jairouter_cli.routing.breaker import BreakerState
from jairouter_cli.routing.call import Target
from jairouter_cli.routing.health import State
from jairouter_cli.routing.ledger import Live
from jairouter_cli.web.actuator.health import health_node
from jairouter_cli.web.manage.envelope import AnyRequest
from jairouter_cli.web.manage.sentences import members_of, refused, said

BASE = "/api/monitoring"
_MS: Final = 1000
_HEALTHY: Final = {State.UP: "HEALTHY", State.DOWN: "UNHEALTHY"}
# Those of upstream's code, and those of its documents; the first of each is how it always is here.
_LEVELS: Final = ("NONE", "LIGHT", "MODERATE", "HEAVY", "EMERGENCY", "NORMAL", "PARTIAL", "MINIMAL", "DISABLED")
_NORMAL: Final = frozenset({"NONE", "NORMAL"})

Node = dict[str, Any]
ClientIp = Annotated[str, QueryParameter(name="clientIp")]


def monitoring_routes(gateway: Gateway) -> list[Any]:
    """Return the routes."""
    of = Views(gateway)

    @get(f"{BASE}/instances", summary="Show every instance, its health and its numbers")
    async def instances() -> Node:
        """By service. Times are UTC, durations milliseconds; numbers count since the start, for all workers."""
        return {"services": of.instances()}

    @get(f"{BASE}/load-balancer", summary="Show how requests were spread")
    async def load_balancer() -> Node:
        """By service: the strategy, and each instance's share."""
        return {"services": dict(of.distributions())}

    @get(f"{BASE}/rate-limit", summary="Show the limits of the services")
    async def rate_limit(client_ip: ClientIp = "") -> Node:
        """By service, for those that limit requests; `clientLimits` for the client that is named."""
        return {"services": await of.limits(client_ip)}

    @get(f"{BASE}/circuit-breaker", summary="Show the circuit breakers")
    async def circuit_breaker() -> Node:
        """Of every instance that has one."""
        return {"instances": [of.breaker(target, live) for target, live in of.breakers()]}

    @get(f"{BASE}/circuit-breaker/stats", summary="Show all circuit breakers together")
    async def breaker_stats() -> Node:
        """The worst state, and what was counted."""
        return of.breaker_stats()

    @post(f"{BASE}/circuit-breaker/force-open", summary="Open every circuit breaker", status_code=200)
    async def force_open() -> Response[str]:
        """For as long as each would stay open by itself; no instance with a breaker gets requests until then."""
        return said("熔断器已强制开启") if of.force(BreakerState.OPEN) else refused("No circuit breaker is enabled")

    @post(f"{BASE}/circuit-breaker/force-close", summary="Close every circuit breaker", status_code=200)
    async def force_close() -> Response[str]:
        """Let requests through at once."""
        return said("熔断器已强制关闭") if of.force(BreakerState.CLOSED) else refused("No circuit breaker is enabled")

    @get(f"{BASE}/health", summary="Show the health of the gateway")
    async def health() -> Node:
        """200 even when DOWN, as upstream; `/actuator/health` has a status that tells."""
        node = health_node(gateway)
        issues = [name for name, part in node["components"].items() if part["status"] == "DOWN"]
        found = {"status": "DOWN" if issues else "UP", "healthy": not issues, "details": node["components"]}
        return {**found, "issues": issues} if issues else found

    @get(f"{BASE}/errors/stats", summary="Show what fails")
    async def errors() -> Node:
        """Instances that get no requests, those that are on trial, and failed attempts since the start."""
        return of.errors()

    @post(f"{BASE}/errors/reset", summary="Forget an instance's failures", status_code=200)
    async def reset_errors(request: AnyRequest) -> Response[str]:
        """Of the instance that `component` names; `operation` is `health`, `breaker` or `all`."""
        body = await members_of(request)
        component, operation = body.get("component"), body.get("operation")
        if not component or not operation:
            return refused("Missing 'component' or 'operation' parameter")
        if operation not in {"health", "breaker", "all"}:
            return refused("Invalid operation: expected health, breaker or all")
        if not of.forget(str(component), str(operation)):
            return refused(f"Unknown component: {component}")
        return said(f"错误状态已重置: {component}:{operation}")

    @get(f"{BASE}/degradation/status", summary="Show that nothing is sampled")
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

    @post(f"{BASE}/degradation/level", summary="Refuse any level but NONE", status_code=200)
    async def degradation_level(request: AnyRequest) -> Response[str]:
        """There is nothing here that could be sampled less."""
        level = (await members_of(request)).get("level")
        if level is None:
            return refused("Missing 'level' parameter")
        if str(level).upper() not in _LEVELS:
            return refused(f"Invalid degradation level: {level}")
        return said("降级级别已设置为: 正常模式") if str(level).upper() in _NORMAL else _not_here()

    @post(f"{BASE}/degradation/auto-mode", summary="Refuse to degrade by itself", status_code=200)
    async def degradation_mode(request: AnyRequest) -> Response[str]:
        """It is off."""
        enabled = (await members_of(request)).get("enabled")
        if not isinstance(enabled, bool):
            return refused("Missing 'enabled' parameter")
        return _not_here() if enabled else said("降级策略自动模式已禁用")

    @post(f"{BASE}/degradation/force-recovery", summary="Be normal", status_code=200)
    async def recovery() -> Response[str]:
        """It always is."""
        return said("已强制恢复到正常模式")

    @get(f"{BASE}/cache/stats", summary="Show the cache of answers")
    async def cache() -> Node:
        """That of `fallback: cache`, in the worker that is asked."""
        return of.cache()

    @post(f"{BASE}/cache/clear", summary="Empty the cache of answers", status_code=200)
    async def clear_cache() -> Response[str]:
        """That of `fallback: cache`, in all workers."""
        gateway.answers.clear()
        gateway.crew.call_to_clear()
        return said("缓存已清空")

    return [
        *(instances, load_balancer, rate_limit, circuit_breaker, breaker_stats, force_open, force_close, health),
        *(errors, reset_errors, degradation, degradation_level, degradation_mode, recovery, cache, clear_cache),
    ]


class Views:
    """What is shown, and done, over the live state of a gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway: Final = gateway
        self.started: Final = gateway.clock()

    def _everyone(self) -> Iterator[tuple[Target, Live]]:
        ledger = self._gateway.ledger
        return ((target, ledger.live(target)) for target in self._gateway.table.targets)

    def instances(self) -> Node:
        """Return every instance, by service."""
        found: Node = {kind.value: {"instances": []} for kind in self._gateway.table.config.model.services}
        for target, live in self._everyone():
            found[target.key[0].value]["instances"].append(self.instance(target, live))
        return found

    def instance(self, target: Target, live: Live) -> Node:
        """Return an instance."""
        state, requests = live.state(target), live.requests
        shown = {
            "id": target.id,
            "url": target.origin,
            "adapter": target.dialect.value.upper(),
            "status": _HEALTHY.get(state, state.value),
            "lastHealthCheck": self._time(live.health.at),
            "responseTime": round(live.latency_s(self._gateway.clock()) * _MS, 1),
            "successRate": round(1 - live.failures / requests, 4) if requests else None,
            "requestCount": requests,
            "errorCount": live.failures,
            "error": live.health.reason or None,
            "circuitBreakerState": live.breaker.name if target.breaker else None,
            "weight": float(target.weight),
            "inFlight": live.in_flight,
        }
        return {name: value for name, value in shown.items() if value is not None}

    def distributions(self) -> Iterator[tuple[str, Node]]:
        """Yield how the requests of each service were spread."""
        model = self._gateway.table.config.model
        for kind, service in model.services.items():
            found = [(target, live) for target, live in self._everyone() if target.key[0] is kind]
            total = sum(live.requests for _, live in found)
            strategy: Balancing = (service.load_balance or model.load_balance).type
            distribution = {
                target.id: {
                    "requests": live.requests,
                    "percentage": round(100 * live.requests / total, 2) if total else 0.0,
                    "avgResponseTime": round(_MS * live.answers_s / live.requests, 1) if live.requests else 0.0,
                }
                for target, live in found
            }
            yield kind.value, {"strategy": strategy.name, "totalRequests": total, "distribution": distribution}

    async def limits(self, client: str) -> Node:
        """Return the limits of requests that services have, and those of one client."""
        found: Node = {}
        for (kind, _), pool in self._gateway.table.pools.items():
            limits = tuple(one for one in pool.limits if one.unit is Unit.REQUESTS and one.place == f"service {kind}")
            demands = [demand._replace(cost=0.0) for demand in demanded(limits, client_of(client))]
            for demand, level in zip(demands, await self._gateway.limits.peek(demands), strict=True):
                rule, node = demand.limit.rule, found.setdefault(kind.value, {"clientLimits": []})
                node["algorithm"] = rule.algorithm.name
                shown = {"capacity": int(rule.limit), "remaining": int(level.remaining)}
                if not demand.limit.per_client:
                    refill = {"refillRate": rule.rate, "nextRefill": self._time(self._gateway.clock() + level.reset_s)}
                    node["globalLimit"] = {**shown, **refill}
                elif client:
                    node["clientLimits"] = [{"clientIp": client, **shown}]
        return found

    def breakers(self) -> Iterator[tuple[Target, Live]]:
        """Yield the instances that have a breaker."""
        return ((target, live) for target, live in self._everyone() if target.breaker is not None)

    def breaker(self, target: Target, live: Live) -> Node:
        """Return a breaker."""
        rules, state = target.breaker, live.breaker
        assert rules is not None  # noqa: S101 - see breakers()
        shown = {
            "id": target.id,
            "service": target.key[0].value,
            "state": state.name,
            "failureCount": breaker.streak(live.record) if state is BreakerState.CLOSED else rules.failure_threshold,
            "failureThreshold": rules.failure_threshold,
            "successThreshold": rules.success_threshold,
            "timeout": round(rules.timeout_s * _MS),
            "nextRetry": self._time(breaker.reopens_at(live.record)) if state is BreakerState.OPEN else None,
        }
        return {name: value for name, value in shown.items() if value is not None}

    def breaker_stats(self) -> Node:
        """Return all breakers as one."""
        lives = [live for _, live in self.breakers()]
        states = {live.breaker for live in lives}
        worst = next((one for one in (BreakerState.OPEN, BreakerState.HALF_OPEN) if one in states), BreakerState.CLOSED)
        requests, failures = sum(live.requests for live in lives), sum(live.failures for live in lives)
        return {
            "state": worst.name,
            "failureCount": failures,
            "successCount": requests - failures,
            "requestCount": requests,
            "failureRate": round(failures / requests, 4) if requests else 0.0,
        }

    def force(self, state: BreakerState) -> bool:
        """Put every breaker into a state; return whether there is any."""
        found = list(self.breakers())
        for target, live in found:
            if target.breaker is not None:
                breaker.force(live.record, state, self._gateway.clock() + target.breaker.timeout_s)
        return bool(found)

    def errors(self) -> Node:
        """Return what fails."""
        lives = [live for _, live in self._everyone()]
        return {
            "activeErrorComponents": sum(live.health.is_down or live.breaker is BreakerState.OPEN for live in lives),
            "degradedComponents": sum(live.breaker is BreakerState.HALF_OPEN for live in lives),
            "totalErrors": sum(live.failures for live in lives),
        }

    def forget(self, instance: str, operation: str) -> bool:
        """Forget the failures of an instance; return whether there is one."""
        found = [(target, live) for target, live in self._everyone() if target.id == instance]
        for _, live in found:
            if operation in {"breaker", "all"}:
                breaker.force(live.record, BreakerState.CLOSED, 0.0)
            if operation in {"health", "all"}:
                live.health.forget()
        return bool(found)

    def cache(self) -> Node:
        """Return how full the cache of answers is."""
        rules = [pool.fallback for pool in self._gateway.table.pools.values() if pool.fallback is not None]
        most = max((one.cache_size for one in rules), default=0)
        size = len(self._gateway.answers)
        return {
            "currentSize": size,
            "maxSize": most,
            "usageRatio": round(size / most, 4) if most else 0.0,
            "activeRetries": 0,
            "queuedRetries": 0,
        }

    def _time(self, at: float | None) -> str | None:
        """Return a moment of the gateway's clock as UTC."""
        if not at:
            return None
        wall = self._gateway.wall_clock() + at - self._gateway.clock()
        return datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _not_here() -> Response[str]:
    return said("Not implemented: metrics are never thinned out here", 501)
