"""`/actuator/health`: whether the gateway and the instances behind it are up, as Spring Boot tells it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from litestar import Response, get, head

from jairouter_cli.gateway.aside import Aside
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.routing.health import HealthState
from jairouter_cli.telemetry.scrape import Scrape
from jairouter_cli.web.actuator.conventions import ACTUATOR_JSON, BASE, answer, nothing, shows
from jairouter_cli.web.actuator.shown import of_actuator
from jairouter_cli.web.errors import AnyRequest
from jairouter_cli.web.openapi import samples
from jairouter_cli.web.views.health import (
    HANGS_S,
    components_of,
    config_node,
    disk_node,
    silent_node,
    together,
    workers_node,
)
from jairouter_cli.web.views.node import Node

STATUS_CODES: Final[Mapping[str, int]] = {"DOWN": 503, "OUT_OF_SERVICE": 503}
GROUPS: Final[Mapping[str, str]] = {"liveness": "livenessState", "readiness": "readinessState"}

_PATH: Final = f"{BASE}/health"
_PART: Final = f"{_PATH}/{{component:path}}"
_DETAILED: Final = "detailed"


def health_routes(gateway: Gateway, observatory: Scrape, file: Path) -> list[Any]:
    """Return the routes; `file` is that of the configuration."""
    aside, folder = Aside(), file.parent

    async def components() -> dict[str, Node]:
        try:
            revision, disk = await aside.run(lambda: (observatory.revision(), disk_node(folder)), HANGS_S)
        except TimeoutError:
            revision, disk = 0, silent_node(folder)
        found = components_of(gateway)
        found["config"] = config_node(gateway, revision, file)
        if (told := observatory.told_of_workers()) is not None:
            found["workers"] = workers_node(told)
        return dict(sorted({**found, "diskSpace": disk}.items()))

    async def whole(request: AnyRequest) -> Node:
        return {**_shown(request, together(await components())), "groups": list(GROUPS)}

    async def part(request: AnyRequest) -> Node:
        first, *rest = str(request.path_params["component"]).removeprefix("/").split("/", 2)
        everything = await components()
        if first in GROUPS and not rest:
            of_group = {GROUPS[first]: everything[GROUPS[first]]}
            return _shown(request, together(of_group))
        if not _may_see_components(request) or (first == _DETAILED and (rest or not _may_see_details(request))):
            nothing()
        if first == _DETAILED:
            return together(everything)
        node = everything.get(first)
        for step in rest:
            node = _parts(node or {}).get(step)
        if node is None:
            nothing()
        return _without_details(request, node)

    @get(
        _PATH,
        summary="Show the health of the gateway and its instances",
        operation_class=of_actuator(
            {**samples.ACTUATOR_UP, "components": {"ping": samples.ACTUATOR_UP}, "groups": ["liveness", "readiness"]},
            also=(503,),
        ),
    )
    async def health(request: AnyRequest) -> Response[Node]:
        """503 when DOWN or OUT_OF_SERVICE, else 200."""
        return _answer(request, await whole(request))

    @get(
        _PART,
        summary="Show one component or group of the health",
        operation_class=of_actuator(
            {**samples.ACTUATOR_UP, "components": {"readinessState": samples.ACTUATOR_UP}}, also=(503,)
        ),
    )
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
        return {"status": HealthState.UNKNOWN.value, "details": service}
    return {"status": (HealthState.UP if service["healthyInstances"] else HealthState.DOWN).value, "details": service}


def _answer(request: AnyRequest, node: Node) -> Response[Node]:
    return answer(request, node, STATUS_CODES.get(node["status"], 200))
