"""`/actuator/*` in Spring Boot's conventions (contract 3)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from litestar import MediaType, Request, Response, get

from jairouter_cli.errors import ConfigError, JAIRouterError
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.routing.call import Target
from jairouter_cli.routing.health import State
from jairouter_cli.state.redis import RedisLevels

ACTUATOR_JSON: Final = "application/vnd.spring-boot.actuator.v3+json"
# Most severe first (contract 3.4); a status that is not listed counts for nothing.
SEVERITY: Final = ("DOWN", "OUT_OF_SERVICE", "UP", "UNKNOWN")
STATUS_CODES: Final[Mapping[str, int]] = {"DOWN": 503, "OUT_OF_SERVICE": 503}

Node = dict[str, Any]

_USABLE: Final = frozenset({State.UP.value, State.UNKNOWN.value})


def actuator_routes(gateway: Gateway) -> list[Any]:
    """Return the actuator's routes."""

    @get("/actuator/health", summary="Whether the gateway and the instances behind it are up")
    async def health(request: Request[Any, Any, Any]) -> Response[Node]:
        """503 when DOWN, else 200."""
        return _answer(request, health_node(gateway))

    @get("/actuator/health/liveness", summary="Whether the gateway runs")
    async def liveness(request: Request[Any, Any, Any]) -> Response[Node]:
        """200 for as long as it answers at all: a restart would mend nothing."""
        return _answer(request, group_node("livenessState", {"status": "UP"}))

    @get("/actuator/health/readiness", summary="Whether the gateway is to be sent requests")
    async def readiness(request: Request[Any, Any, Any]) -> Response[Node]:
        """503 from the moment that it is told to end."""
        return _answer(request, group_node("readinessState", readiness_node(gateway)))

    return [health, liveness, readiness]


def _answer(request: Request[Any, Any, Any], node: Node) -> Response[Node]:
    plain = request.headers.get("accept", "").split(",")[0].strip() == MediaType.JSON
    return Response(
        node,
        status_code=STATUS_CODES.get(node["status"], 200),
        media_type=MediaType.JSON if plain else ACTUATOR_JSON,
    )


def health_node(gateway: Gateway) -> Node:
    """Return the health of the whole, with its components."""
    components = {
        "config": _config_node(gateway),
        "modelRouter": _router_node(gateway),
        "ping": {"status": "UP"},
    }
    if gateway.limits.far is not None:
        components["limits"] = _limits_node(gateway.limits.far)
    if gateway.drain.has_begun:
        components["readinessState"] = readiness_node(gateway)
    return {"status": worst(node["status"] for node in components.values()), "components": components}


def group_node(name: str, component: Node) -> Node:
    """Return the health of a group with one component."""
    return {"status": component["status"], "components": {name: component}}


def readiness_node(gateway: Gateway) -> Node:
    """OUT_OF_SERVICE while the gateway drains, with what is left to do and the time that is left for it."""
    drain = gateway.drain
    if not drain.has_begun:
        return {"status": "UP"}
    seconds_left = max(0.0, drain.deadline - gateway.clock())
    return {
        "status": "OUT_OF_SERVICE",
        "details": {"inFlight": gateway.ledger.in_flight, "secondsLeft": round(seconds_left, 3)},
    }


def _limits_node(far: RedisLevels) -> Node:
    """UNKNOWN while the server is lost, which counts for nothing: each host goes by its own levels, and serves."""
    return {"status": "UP" if far.is_there else "UNKNOWN", "details": {"redis": far.is_there, "losses": far.losses}}


def worst(statuses: Any) -> str:
    """Return the most severe of some statuses, UNKNOWN where there are none."""
    return min(statuses, key=SEVERITY.index, default="UNKNOWN")


def _config_node(gateway: Gateway) -> Node:
    """UP even when the file was spoilt: what is in force serves on, and a load balancer must not take us out."""
    if gateway.rejection is None:
        return {"status": "UP"}
    rejection = gateway.rejection
    details = {"rejectedAt": _iso(rejection.at), "error": str(rejection.error), **_place(rejection.error)}
    return {"status": "UP", "details": details}


def _place(error: JAIRouterError) -> Node:
    if not isinstance(error, ConfigError) or not error.problems:
        return {}
    return {"file": error.file, "line": error.problems[0].line}


def _router_node(gateway: Gateway) -> Node:
    """DOWN when no service can be served, UNKNOWN when none is configured (contract 3.4)."""
    services = _services(gateway)
    usable = {name: any(i["status"] in _USABLE for i in node["instances"]) for name, node in services.items()}
    status = (State.UP if any(usable.values()) else State.DOWN) if services else State.UNKNOWN
    instances = [instance for node in services.values() for instance in node["instances"]]
    details = {
        "totalInstances": len(instances),
        "activeInstances": sum(instance["status"] in _USABLE for instance in instances),
        "inFlight": gateway.ledger.in_flight,
        "servicesWithoutInstance": [name for name, is_usable in usable.items() if not is_usable],
        "services": services,
    }
    return {"status": status.value, "details": details}


def _services(gateway: Gateway) -> Node:
    by_service: dict[str, list[Node]] = {service.value: [] for service in gateway.table.config.model.services}
    for target in gateway.table.targets:
        service, *_ = target.key
        by_service[service.value].append(_instance(gateway, target))
    for (service, instance, _), live in gateway.ledger.retired:
        node = {**_named(instance), "status": State.DRAINING.value, "inFlight": live.in_flight}
        by_service.setdefault(service.value, []).append(node)
    return {
        name: {
            "totalInstances": len(instances),
            "healthyInstances": sum(instance["status"] in _USABLE for instance in instances),
            "instances": instances,
        }
        for name, instances in by_service.items()
    }


def _instance(gateway: Gateway, target: Target) -> Node:
    live = gateway.ledger.live(target)
    health = live.health
    node = {**_named(target.id), "status": live.state(target).value, "inFlight": live.in_flight}
    if target.breaker is not None:
        node["circuitBreaker"] = live.breaker.name
    if target.max_concurrency is not None:
        slots = live.slots
        node["slots"] = {"limit": target.max_concurrency, "taken": slots.taken, "waiting": slots.waiting}
    if live.cooling_until > gateway.clock():
        node["coolingUntil"] = _iso(gateway.wall_clock() + live.cooling_until - gateway.clock())
    if health.at is not None:
        node["lastCheck"] = _iso(gateway.wall_clock() + health.at - gateway.clock())
    if health.reason:
        node["error"] = health.reason
    return node


def _named(instance: str) -> Node:
    model, _, url = instance.rpartition("@")
    return {"id": instance, "model": model, "url": url}


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
