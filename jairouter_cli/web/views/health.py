"""How the gateway and the instances behind it are, component by component.

`liveness` does not depend on backends: restarting the gateway mends none of them. `readiness` is whether it takes
requests: it has a configuration, and does not drain.
"""

import shutil
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from jairouter_cli.errors import ConfigError, JAIRouterError
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.gateway.tasks import Trouble
from jairouter_cli.routing.breaker import BreakerState
from jairouter_cli.routing.call import Target
from jairouter_cli.routing.health import HealthState
from jairouter_cli.state.redis import RedisLevels
from jairouter_cli.state.roll import RollCall
from jairouter_cli.web.views.node import Node

SEVERITY: Final = ("DOWN", "OUT_OF_SERVICE", "UP", "UNKNOWN")
"""The most severe first, as Spring Boot has them; a status that is not listed counts for nothing."""

HANGS_S: Final = 1.0
"""How long a file system may take to answer: whoever asks for health does not wait for long."""

_THRESHOLD_BYTES: Final = 10 * 1024 * 1024  # Spring's
_MS: Final = 1000
_USABLE: Final = frozenset({HealthState.UP.value, HealthState.FAILING.value, HealthState.UNKNOWN.value})


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


def health_node(gateway: Gateway) -> Node:
    """Return the health of the whole, with those of its components that the gateway knows by itself."""
    return together(components_of(gateway))


def components_of(gateway: Gateway) -> dict[str, Node]:
    """Return the components that the gateway knows by itself."""
    components = {
        "config": config_node(gateway),
        "livenessState": {"status": "UP"},
        "modelRouter": _router_node(gateway),
        "ping": {"status": "UP"},
        "readinessState": readiness_node(gateway),
    }
    if troubles := gateway.tasks.troubles:
        components["tasks"] = _tasks_node(troubles)
    if gateway.limits.far is not None:
        components["limits"] = _limits_node(gateway.limits.far)
    return components


def together(components: Mapping[str, Node]) -> Node:
    """Return components as one node, whose status is the gravest of theirs."""
    return {"status": worst(node["status"] for node in components.values()), "components": dict(components)}


def disk_node(folder: Path) -> Node:
    """DOWN where hardly anything can be written any more, as in Spring."""
    details: Node = {"threshold": _THRESHOLD_BYTES, "path": str(folder), "exists": folder.exists()}
    try:
        disk = shutil.disk_usage(folder)
    except OSError:
        return {"status": "DOWN", "details": details}
    status = "UP" if disk.free >= _THRESHOLD_BYTES else "DOWN"
    return {"status": status, "details": {"total": disk.total, "free": disk.free, **details}}


def silent_node(folder: Path) -> Node:
    """UNKNOWN, which counts for nothing: the gateway serves whether the file system answers or not."""
    reason = f"its file system has not responded for {HANGS_S:g} s"
    return {"status": "UNKNOWN", "details": {"path": str(folder), "error": reason}}


def _tasks_node(troubles: Mapping[str, Trouble]) -> Node:
    """UNKNOWN, which counts for nothing: requests are answered all the same. Gone when all tasks are well."""
    details = {
        name: {"error": trouble.error, "since": _iso(trouble.since), "failures": trouble.failures}
        for name, trouble in troubles.items()
    }
    return {"status": "UNKNOWN", "details": details}


def workers_node(told: RollCall) -> Node:
    """UP: whoever answers is a worker that is well; the others are the parent's concern."""
    details: Node = {"states": list(told.states), "restarts": told.restarts}
    if (last := told.last) is not None:
        details["last"] = {"worker": last.worker, "ended": last.ended, "at": _iso(last.at)}
    return {"status": "UP", "details": details}


def _limits_node(far: RedisLevels) -> Node:
    """UNKNOWN while the server is lost, which counts for nothing: each host goes by its own levels, and serves."""
    return {"status": "UP" if far.is_there else "UNKNOWN", "details": {"redis": far.is_there, "losses": far.losses}}


def worst(statuses: Iterable[str]) -> str:
    """Return the most severe of some statuses, UNKNOWN where there are none."""
    return min(statuses, key=SEVERITY.index, default="UNKNOWN")


def config_node(gateway: Gateway, revision: int = 0, file: Path | None = None) -> Node:
    """UP even when the file was spoilt: what is in force serves on, and a load balancer must not take us out.

    It says which file the gateway uses, and which of its states: one may be asked about another's.
    """
    details: Node = {} if file is None else {"file": str(file), "digest": gateway.digest}
    if revision:
        details["revision"] = revision
    if gateway.rejection is not None:
        rejection = gateway.rejection
        details |= {"rejectedAt": _iso(rejection.at), "error": str(rejection.error), **_place(rejection.error)}
    return {"status": "UP", "details": details} if details else {"status": "UP"}


def _place(error: JAIRouterError) -> Node:
    if not isinstance(error, ConfigError) or not error.problems:
        return {"file": error.params["file"]} if "file" in error.params else {}
    return {"file": error.file, "line": error.problems[0].line}


def _router_node(gateway: Gateway) -> Node:
    """DOWN when no service can be served, UNKNOWN when none is configured."""
    services = _services(gateway)
    usable = {name: any(i["status"] in _USABLE for i in node["instances"]) for name, node in services.items()}
    status = (HealthState.UP if any(usable.values()) else HealthState.DOWN) if services else HealthState.UNKNOWN
    instances = [instance for node in services.values() for instance in node["instances"]]
    details = {
        "totalInstances": len(instances),
        "activeInstances": sum(instance["status"] in _USABLE for instance in instances),
        "circuitBreakerStatus": _breakers(gateway),
        "inFlight": gateway.ledger.in_flight,
        "servicesWithoutInstance": [name for name, is_usable in usable.items() if not is_usable],
        "services": services,
    }
    return {"status": status.value, "details": details}


def _breakers(gateway: Gateway) -> str:
    """Return the worst state of all circuit breakers."""
    states = {gateway.ledger.live(target).breaker for target in gateway.table.targets if target.breaker is not None}
    order = (BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED)
    return next((state.name for state in order if state in states), "DISABLED")


def _services(gateway: Gateway) -> Node:
    by_service: dict[str, list[Node]] = {service.value: [] for service in gateway.table.config.model.services}
    for target in gateway.table.targets:
        service, *_ = target.key
        by_service[service.value].append(_instance(gateway, target))
    for (service, instance, _), live in gateway.ledger.retired:
        node = {**_named(instance), "status": HealthState.DRAINING.value, "inFlight": live.in_flight}
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
    if latency_s := live.latency_s(gateway.clock()):
        node["responseTime"] = round(latency_s * _MS, 1)
    if health.reason:
        node["error"] = health.reason
    return node


def _named(instance: str) -> Node:
    model, _, url = instance.rpartition("@")
    return {"id": instance, "model": model, "url": url}


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
