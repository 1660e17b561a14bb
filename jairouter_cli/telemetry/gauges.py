"""How a gateway stands at this moment, as readings for metrics: health, breakers, slots, limits, workers."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Final

from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.observe.collection import Reading
from jairouter_cli.routing.admission import Limit, Unit, demanded
from jairouter_cli.routing.call import Target
from jairouter_cli.routing.health import HealthState
from jairouter_cli.routing.ledger import Live

_HEALTH: Final = {HealthState.UP: 1.0, HealthState.FAILING: 1.0, HealthState.DOWN: 0.0}


async def readings(gateway: Gateway) -> list[Reading]:
    """Return them all; they hold for all workers."""
    return [*_instances(gateway), *_machines(gateway), *_workers(gateway), *[one async for one in _limits(gateway)]]


def _instances(gateway: Gateway) -> Iterator[Reading]:
    under_way = Counter({kind.value: 0 for kind in gateway.table.config.model.services})
    for target in gateway.table.targets:
        live = gateway.ledger.live(target)
        service = target.key[0].value
        under_way[service] += live.in_flight
        yield Reading("instance_in_flight", (service, target.id), live.in_flight)
        yield Reading("loadbalancer_weight", (service, target.id), target.weight)
        yield from _health(target, live)
        if target.breaker is not None:
            yield Reading("circuit_breaker_state", (service, target.id), live.breaker)
            yield Reading("model_router_circuit_breaker_state", (service, target.id), live.breaker)
    for service, number in under_way.items():
        yield Reading("active_connections", (service,), number)


def _health(target: Target, live: Live) -> Iterator[Reading]:
    value = _HEALTH.get(live.state(target))
    if value is not None:
        yield Reading("backend_health", (target.key[0].value, target.dialect.value, target.id), value)


def _machines(gateway: Gateway) -> Iterator[Reading]:
    for slots in gateway.ledger.machines:
        if slots.limit is not None:
            yield Reading("request_queue_size", (slots.name,), slots.waiting)
            yield Reading("backend_slots_taken", (slots.name,), slots.taken)
            yield Reading("backend_slots_max", (slots.name,), slots.limit)


def _workers(gateway: Gateway) -> Iterator[Reading]:
    workers = gateway.crew.workers()
    yield Reading("workers", (), len(workers))
    yield Reading("workers_behind", (), sum(one.digest != gateway.digest for one in workers))
    yield Reading("config_rejected", (), 0.0 if gateway.rejection is None else 1.0)
    if gateway.limits.far is not None:
        yield Reading("state_losses", (), gateway.limits.far.losses)


async def _limits(gateway: Gateway) -> AsyncIterator[Reading]:
    """Those that all clients have in common, and that count requests or tokens."""
    limits = tuple(one for one in gateway.table.limits if not one.per_client and one.unit is not Unit.IN_FLIGHT)
    demands = [demand._replace(cost=0.0) for demand in demanded(limits, "")]
    for demand, said in zip(demands, await gateway.limits.peek(demands), strict=True):
        limit, labels = demand.limit, _labels(demand.limit)
        yield Reading("rate_limit_tokens", labels, said.remaining)
        yield Reading("rate_limit_tokens_max", labels, limit.rule.limit)
        if limit.unit is Unit.REQUESTS and limit.place.scope == "service":
            yield Reading("model_router_rate_limit_remaining", (labels[0],), said.remaining)


def _labels(limit: Limit) -> tuple[str, ...]:
    return limit.place.label, limit.rule.algorithm.value, limit.scope, limit.unit.value
