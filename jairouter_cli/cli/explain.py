"""`jairouter explain`: asks a running gateway which instance it would choose now, and why."""

from typing import Annotated, Any, Final

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from jairouter_cli.cli import candidates, client, options, output
from jairouter_cli.cli.candidates import ConfiguredService
from jairouter_cli.cli.client import TimeoutOption, UrlOption
from jairouter_cli.cli.language import _
from jairouter_cli.cli.shared import ConfigOption, JsonOption

_COLUMNS: Final = (
    "",
    "INSTANCE",
    "TIER",
    "WEIGHT",
    "STATE",
    "BREAKER",
    "IN FLIGHT",
    "SLOTS",
    "LATENCY",
    "SCORE",
    "WHY NOT",
)


_SHOWN_S: Final = 0.0005  # an average that has faded is none


def explain(  # noqa: PLR0913 - one option a field
    ctx: typer.Context,
    service: ConfiguredService,
    model: Annotated[
        str,
        typer.Argument(help="Model name, as clients send it.", autocompletion=candidates.models, metavar="MODEL"),
    ],
    *,
    client_ip: Annotated[
        str, typer.Option(help="Client address, for strategies that use it.", show_default=False, metavar="IP")
    ] = "",
    session: Annotated[
        str,
        typer.Option(help="Session (X-Session-Id), for strategies that use it.", show_default=False, metavar="ID"),
    ] = "",
    url: UrlOption = None,
    timeout: TimeoutOption = 5.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show which instance a running gateway would choose now for a request, and why not the others.

    For example: jairouter explain chat qwen2.5:7b --client-ip 10.0.0.9
    """
    kind = options.parse_service(service)
    base = client.base(ctx, config, url)
    if not url:  # before an answer that may be an error, which this explains
        client.warn_of_another_file(ctx, config, base)
    query = {"service": kind.value, "model": model, "clientIp": client_ip}
    found = client.get(
        base,
        "/api/explain",
        timeout,
        query,
        {"x-session-id": session} if session else {},
        client.token(ctx, config, url),
    )
    output.show(found, as_json=as_json, text=lambda: _text(found))


def _text(found: dict[str, Any]) -> RenderableType:
    head = Text.assemble(
        (f"{found['service']} {found['model']}", "bold"),
        _(", strategy {strategy} (score: {meaning})").format(
            strategy=found["strategy"], meaning=_(found["scoreMeans"])
        ),
    )
    rows = [_row(candidate) for candidate in found["candidates"]]
    return Group(head, output.table(_COLUMNS, rows), _("-> can be chosen now; lower tiers are used first"))


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    against = one["obstacle"] or ""
    if one["coolingS"]:
        against += " " + _("({seconds:.0f} s left)").format(seconds=one["coolingS"])
    if one["reason"]:
        against += (": " if against else _("last result: ")) + one["reason"]
    return (
        Text("->", style="green") if one["isNext"] else "",
        one["instance"],
        one["priority"],
        one["weight"],
        one["state"],
        one["breaker"] or "-",
        one["inFlight"],
        _slots(one),
        f"{one['latencyS']:.3f} s" if one["latencyS"] >= _SHOWN_S else "-",
        "-" if one["score"] is None else f"{one['score']:.4g}",
        Text(against, style="yellow"),
    )


def _slots(one: dict[str, Any]) -> str:
    if one["slots"] is None:
        return "-"
    held = _("{taken} of {slots}").format(taken=one["taken"], slots=one["slots"])
    return held + (_(", {number} waiting").format(number=one["waiting"]) if one["waiting"] else "")
