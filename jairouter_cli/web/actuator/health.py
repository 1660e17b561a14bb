"""`/actuator/health`: whether the gateway and the instances behind it are up (contract 3.4).

`liveness` does not depend on backends: restarting the gateway mends none of them. `readiness` is whether it takes
requests: it goes by a configuration, and does not drain.
"""

import shutil
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from litestar import Response, get, head

from jairouter_cli.errors import ConfigError, JAIRouterError
from jairouter_cli.gateway.aside import Aside
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.gateway.tasks import Trouble
from jairouter_cli.routing.breaker import BreakerState
from jairouter_cli.routing.call import Target
from jairouter_cli.routing.health import State
from jairouter_cli.state.redis import RedisLevels
from jairouter_cli.state.roll import Told
from jairouter_cli.telemetry.scrape import Observatory
from jairouter_cli.web.actuator.conventions import ACTUATOR_JSON, BASE, AnyRequest, Node, answer, nothing, shows

# Most severe first (contract 3.4); a status that is not listed counts for nothing.
SEVERITY: Final = ("DOWN", "OUT_OF_SERVICE", "UP", "UNKNOWN")
STATUS_CODES: Final[Mapping[str, int]] = {"DOWN": 503, "OUT_OF_SERVICE": 503}
GROUPS: Final[Mapping[str, str]] = {"liveness": "livenessState", "readiness": "readinessState"}

_PATH: Final = f"{BASE}/health"
_PART: Final = f"{_PATH}/{{component:path}}"
_DETAILED: Final = "detailed"
_THRESHOLD_BYTES: Final = 10 * 1024 * 1024  # Spring's
_MS: Final = 1000
_HANGS_S: Final = 1.0  # whoever asks for health does not wait for long
_USABLE: Final = frozenset({State.UP.value, State.UNKNOWN.value})


def health_routes(gateway: Gateway, observatory: Observatory, folder: Path) -> list[Any]:
    """Return the routes; `folder` is where the configuration lies."""
    aside = Aside()

    async def components() -> dict[str, Node]:
        try:
            revision, disk = await aside.run(lambda: (observatory.revision(), _disk_node(folder)), _HANGS_S)
        except TimeoutError:
            revision, disk = 0, _silent_node(folder)
        found = components_of(gateway)
        found["config"] = _config_node(gateway, revision)
        if (told := observatory.told_of_workers()) is not None:
            found["workers"] = _workers_node(told)
        return dict(sorted({**found, "diskSpace": disk}.items()))

    async def whole(request: AnyRequest) -> Node:
        return {**_shown(request, _together(await components())), "groups": list(GROUPS)}

    async def part(request: AnyRequest) -> Node:
        first, *rest = str(request.path_params["component"]).removeprefix("/").split("/", 2)
        everything = await components()
        if first in GROUPS and not rest:
            of_group = {GROUPS[first]: everything[GROUPS[first]]}
            return _shown(request, _together(of_group))
        if not _may_see_components(request) or (first == _DETAILED and (rest or not _may_see_details(request))):
            nothing()
        if first == _DETAILED:
            return _together(everything)
        node = everything.get(first)
        for step in rest:
            node = _parts(node or {}).get(step)
        if node is None:
            nothing()
        return _without_details(request, node)

    @get(_PATH, summary="Whether the gateway and the instances behind it are up")
    async def health(request: AnyRequest) -> Response[Node]:
        """503 when DOWN or OUT_OF_SERVICE, else 200."""
        return _answer(request, await whole(request))

    @get(_PART, summary="One component of the health, or a part of it, or a group")
    async def health_of(request: AnyRequest) -> Response[Node]:
        """`liveness`, `readiness`, `detailed`, or a component's name; behind `modelRouter/` a service, an instance."""
        return _answer(request, await part(request))

    @head([_PATH, _PART], include_in_schema=False)
    async def probe(request: AnyRequest) -> Response[None]:
        """The status alone, for probes that ask for no more."""
        node = await (part if "component" in request.path_params else whole)(request)
        return Response(None, status_code=STATUS_CODES.get(node["status"], 200), media_type=ACTUATOR_JSON)

    return [health, health_of, probe]


def _may_see_details(request: AnyRequest) -> bool:
    return shows(request, request.app.state.gateway.table.config.management.endpoint.health.show_details)


def _may_see_components(request: AnyRequest) -> bool:
    settings = request.app.state.gateway.table.config.management.endpoint.health
    return shows(request, settings.show_components or settings.show_details)


def _shown(request: AnyRequest, node: Node) -> Node:
    """Return of a node with components what the one who asks may see."""
    if not _may_see_components(request):
        return {"status": node["status"]}
    parts = {name: _without_details(request, part) for name, part in node["components"].items()}
    return {"status": node["status"], "components": parts}


def _without_details(request: AnyRequest, node: Node) -> Node:
    return node if _may_see_details(request) else {"status": node["status"]}


def _parts(node: Node) -> dict[str, Node]:
    """Return what can be asked for behind a component: services, and behind them instances."""
    details = node.get("details", {})
    if "services" in details:
        return {name: _service_node(one) for name, one in details["services"].items()}
    # slashes that follow one another are one in a path
    return {
        one["id"].replace("//", "/"): {"status": one["status"], "details": one} for one in details.get("instances", ())
    }


def _service_node(service: Node) -> Node:
    if not service["instances"]:
        return {"status": State.UNKNOWN.value, "details": service}
    return {"status": (State.UP if service["healthyInstances"] else State.DOWN).value, "details": service}


def _answer(request: AnyRequest, node: Node) -> Response[Node]:
    return answer(request, node, STATUS_CODES.get(node["status"], 200))


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
    return _together(components_of(gateway))


def components_of(gateway: Gateway) -> dict[str, Node]:
    """Return the components that the gateway knows by itself."""
    components = {
        "config": _config_node(gateway),
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


def _together(components: Mapping[str, Node]) -> Node:
    return {"status": worst(node["status"] for node in components.values()), "components": dict(components)}


def _disk_node(folder: Path) -> Node:
    """DOWN where hardly anything can be written any more, as in Spring."""
    details: Node = {"threshold": _THRESHOLD_BYTES, "path": str(folder), "exists": folder.exists()}
    try:
        disk = shutil.disk_usage(folder)
    except OSError:
        return {"status": "DOWN", "details": details}
    status = "UP" if disk.free >= _THRESHOLD_BYTES else "DOWN"
    return {"status": status, "details": {"total": disk.total, "free": disk.free, **details}}


def _silent_node(folder: Path) -> Node:
    """UNKNOWN, which counts for nothing: the gateway serves whether the file system answers or not."""
    reason = f"its file system has not answered for {_HANGS_S:g} s"
    return {"status": "UNKNOWN", "details": {"path": str(folder), "error": reason}}


def _tasks_node(troubles: Mapping[str, Trouble]) -> Node:
    """UNKNOWN, which counts for nothing: requests are answered all the same. Gone when all tasks are well."""
    details = {
        name: {"error": trouble.error, "since": _iso(trouble.since), "failures": trouble.failures}
        for name, trouble in troubles.items()
    }
    return {"status": "UNKNOWN", "details": details}


def _workers_node(told: Told) -> Node:
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


def _config_node(gateway: Gateway, revision: int = 0) -> Node:
    """UP even when the file was spoilt: what is in force serves on, and a load balancer must not take us out."""
    details: Node = {"revision": revision} if revision else {}
    if gateway.rejection is not None:
        rejection = gateway.rejection
        details |= {"rejectedAt": _iso(rejection.at), "error": str(rejection.error), **_place(rejection.error)}
    return {"status": "UP", "details": details} if details else {"status": "UP"}


def _place(error: JAIRouterError) -> Node:
    if not isinstance(error, ConfigError) or not error.problems:
        return {"file": error.params["file"]} if "file" in error.params else {}
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
