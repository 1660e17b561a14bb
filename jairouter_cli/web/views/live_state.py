"""How instances, limits and breakers stand at this moment, and what may be done about it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from jairouter_cli.config.model import Balancing
from jairouter_cli.config.place import Place
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.routing import breaker
from jairouter_cli.routing.admission import Unit, client_of, demanded
from jairouter_cli.routing.breaker import BreakerState
from jairouter_cli.routing.call import Target
from jairouter_cli.routing.health import HealthState
from jairouter_cli.routing.ledger import Live
from jairouter_cli.web.views.node import Node

_MS: Final = 1000
_HEALTHY: Final = {HealthState.UP: "HEALTHY", HealthState.DOWN: "UNHEALTHY"}


class LiveState:
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
            limits = tuple(one for one in pool.limits if one.unit is Unit.REQUESTS and one.place == Place(kind))
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
