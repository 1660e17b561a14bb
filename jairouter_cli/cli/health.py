"""`jairouter health`: shows the health of a running gateway; made for scripts."""

from typing import Any, Final

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from jairouter_cli.cli import client, output
from jairouter_cli.cli.client import TimeoutOption, UrlOption
from jairouter_cli.cli.shared import ConfigOption, JsonOption
from jairouter_cli.errors import NotAGateway

NOT_UP: Final = 1  # the exit code; 2 is a usage error, 3 an unreachable gateway

_COLOURS: Final = {"UP": "green", "DOWN": "red", "OUT_OF_SERVICE": "red", "OPEN": "red"}


def health(
    ctx: typer.Context,
    *,
    url: UrlOption = None,
    timeout: TimeoutOption = 5.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the health of a running gateway and its instances.

    Exit codes: 0 UP, 1 not UP, 2 usage error, 3 gateway unreachable.
    """
    base = client.base(ctx, config, url)
    node = fetch(base, timeout)
    output.show(node, as_json=as_json, text=lambda: _text(base, node))
    if node["status"] != "UP":
        raise typer.Exit(NOT_UP)


def fetch(base: str, timeout_s: float) -> dict[str, Any]:
    """Ask for the health. Raises `Unreachable`, `UsageError`."""
    node = client.get(base, "/actuator/health", timeout_s)
    if not isinstance(node.get("status"), str):
        raise NotAGateway(url=base, reason="no status in its response")
    return node


def _text(base: str, node: dict[str, Any]) -> RenderableType:
    components = node.get("components", {})
    parts: list[RenderableType] = [Text.assemble(f"{base} is ", _status(node["status"]))]
    if rows := list(_rows(components)):
        parts.append(output.table(("SERVICE", "MODEL", "BASE URL", "STATUS", "BREAKER", "IN FLIGHT", "ERROR"), rows))
    elif "details" in components.get("modelRouter", {}):
        parts.append("no instances; add one with `jairouter instances add SERVICE MODEL BASE_URL`")
    else:
        parts.append("instances are hidden; see management.endpoint.health.show-details")
    if error := components.get("config", {}).get("details", {}).get("error"):
        parts.append(Text.assemble(("the configuration file was rejected: ", "yellow"), error))
    return Group(*parts)


def _rows(components: dict[str, Any]) -> list[tuple[object, ...]]:
    services = components.get("modelRouter", {}).get("details", {}).get("services", {})
    return [
        (
            name,
            instance["model"],
            instance["url"],
            _status(instance["status"]),
            _status(instance.get("circuitBreaker", "-")),
            instance.get("inFlight", 0),
            instance.get("error", ""),
        )
        for name, service in services.items()
        for instance in service["instances"]
    ]


def _status(status: str) -> Text:
    return Text(status, style=_COLOURS.get(status, "yellow"))
