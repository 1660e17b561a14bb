"""`/actuator/info`: what runs here. No Java, for there is none."""

import asyncio
import platform
from importlib import metadata
from typing import Any

from litestar import Response, get

from jairouter_cli.form import form
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.telemetry.scrape import Scrape
from jairouter_cli.web.actuator.checkout import git_node
from jairouter_cli.web.actuator.conventions import BASE, answer
from jairouter_cli.web.actuator.shown import of_actuator
from jairouter_cli.web.errors import AnyRequest
from jairouter_cli.web.views.node import Node


def info_routes(gateway: Gateway, observatory: Scrape) -> list[Any]:
    """Return the route. What cannot change while the program runs is looked up here, once."""
    fixed = _fixed()

    @get(
        f"{BASE}/info",
        summary="Show version and runtime",
        operation_class=of_actuator(
            {"app": {"name": "JAiRouter", "version": "0.1.0"}, "workers": {"count": 1, "pids": [12]}}
        ),
    )
    async def info(request: AnyRequest) -> Response[Node]:
        """The program, what it was built from if that is known, its workers, and the revision in force."""
        pids = [worker.pid for worker in gateway.crew.workers()]
        revision = await asyncio.to_thread(observatory.revision)
        config = {"revision": revision} if revision else {}
        return answer(request, {**fixed, "workers": {"count": len(pids), "pids": pids}, "config": config})

    return [info]


def _fixed() -> Node:
    about, version = metadata.metadata("jairouter"), metadata.version("jairouter")
    node: Node = {
        "app": {"name": "JAiRouter", "version": version, "description": about["Summary"]},
        "build": {"artifact": "jairouter", "name": "jairouter", "version": version, "form": form()},
        "python": {"version": platform.python_version(), "implementation": platform.python_implementation()},
        "granian": {"version": metadata.version("granian")},
    }
    git = git_node()
    return node if git is None else {**node, "git": git}
