"""`jairouter health`: shows the health of a running gateway; made for scripts."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any, Final

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from jairouter_cli.cli import client, output
from jairouter_cli.cli.client import TimeoutOption, UrlOption
from jairouter_cli.cli.language import _, ngettext
from jairouter_cli.cli.shared import ConfigOption, JsonOption
from jairouter_cli.errors import NotAGateway

NOT_UP: Final = 1  # the exit code; 2 is a usage error, 3 an unreachable gateway

_COLOURS: Final = {
    "UP": "green",
    "CLOSED": "green",
    "DOWN": "red",
    "OUT_OF_SERVICE": "red",
    "OPEN": "red",
}
_COLUMNS: Final = ("SERVICE", "MODEL", "BASE URL", "STATUS", "BREAKER", "IN FLIGHT", "SEEN", "ERROR")
_WELL: Final = frozenset({"UP", "UNKNOWN", "DISABLED", "DRAINING"})


def health(
    ctx: typer.Context,
    *,
    url: UrlOption = None,
    timeout: TimeoutOption = 5.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the health of a running gateway and its instances.

    FAILING is an instance whose last request or check failed; it still gets requests until it is DOWN.

    Exit codes: 0 UP, 1 not UP, 2 usage error, 3 gateway unreachable.
    """
    base = client.base(ctx, config, url)
    node = fetch(base, timeout)
    if not url:
        client.warn_of_another_file(ctx, config, base, _details(node, "config"))
    output.show(node, as_json=as_json, text=lambda: _text(base, node))
    if node["status"] != "UP":
        raise typer.Exit(NOT_UP)


def fetch(base: str, timeout_s: float) -> dict[str, Any]:
    """Ask for the health. Raises `Unreachable`, `UsageError`."""
    node = client.get(base, "/actuator/health", timeout_s)
    if not isinstance(node.get("status"), str):
        raise NotAGateway(url=base, reason="no status in its response")
    return node


def _details(node: dict[str, Any], component: str) -> dict[str, Any]:
    details: dict[str, Any] = node.get("components", {}).get(component, {}).get("details", {})
    return details


def _text(base: str, node: dict[str, Any]) -> RenderableType:
    router, config = _details(node, "modelRouter"), _details(node, "config")
    parts: list[RenderableType] = [_head(base, node["status"], config)]
    if rows := list(_rows(router.get("services", {}))):
        parts.append(output.table([_(name) for name in _COLUMNS], rows))
        parts.extend(_counted(router["services"]))
    elif router:
        parts.append(_("no instances; add those of a backend with `jairouter instances add URL`"))
    else:
        parts.append(_("instances are hidden; see management.endpoint.health.show-details"))
    if error := config.get("error"):
        parts.append(Text.assemble((_("the configuration file was rejected: "), "yellow"), error))
    return Group(*parts)


def _head(base: str, status: str, config: dict[str, Any]) -> Text:
    head = Text.assemble(_("{url} is ").format(url=base), _status(status))
    if "file" in config:
        head.append(_(", configuration {file}").format(file=config["file"]))
    if "revision" in config:
        head.append(" " + _("(revision {number})").format(number=config["revision"]))
    return head


def _counted(services: dict[str, Any]) -> list[RenderableType]:
    """Return how many instances are not well; nothing if all are."""
    states = Counter(one["status"] for service in services.values() for one in service["instances"])
    total = states.total()
    of_all = ngettext("{number} of {total} instance", "{number} of {total} instances", total)
    return [
        Text(f"{state}: {of_all.format(number=number, total=total)}", style=_COLOURS.get(state, "yellow"))
        for state, number in states.items()
        if state not in _WELL
    ]


def _rows(services: dict[str, Any]) -> list[tuple[object, ...]]:
    now = datetime.now(UTC)
    return [
        (
            name,
            instance["model"],
            instance["url"],
            _status(instance["status"]),
            _status(instance.get("circuitBreaker", "-")),
            instance.get("inFlight", 0),
            _age(instance.get("lastCheck"), now),
            instance.get("error", ""),
        )
        for name, service in services.items()
        for instance in service["instances"]
    ]


def _age(at: str | None, now: datetime) -> str:
    """Return how long ago the last result of an instance came."""
    try:
        seconds = max(0, round((now - datetime.fromisoformat(str(at))).total_seconds()))
    except (ValueError, TypeError):  # none yet, or not as this version writes it
        return "-"
    return _("{seconds} s ago").format(seconds=seconds)


def _status(status: str) -> Text:
    return Text(status, style=_COLOURS.get(status, "yellow" if status != "-" else ""))
