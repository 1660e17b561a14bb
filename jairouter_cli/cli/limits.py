"""`jairouter limits`: list, show, set and clear how much is let through."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType

from jairouter_cli.cli import client, options, output
from jairouter_cli.cli.client import TimeoutOption, UrlOption
from jairouter_cli.cli.options import ConfigOption, ExpectOption, JsonOption, WaitOption, complete_service
from jairouter_cli.config.model import LIMIT_DEFAULTS, Config, Limiting, LimitScope, RateLimit, window_of
from jairouter_cli.config.ops import limits as ops
from jairouter_cli.config.ops.limits import Place
from jairouter_cli.config.view import plain
from jairouter_cli.errors import LimitNotFound, UsageError

app = typer.Typer(help="List, show, set and clear limits.", no_args_is_help=True)

OptionalService = Annotated[
    str | None,
    typer.Argument(
        help="The service, unless --global.",
        autocompletion=complete_service,
        show_default=False,
        metavar="SERVICE",
    ),
]
GlobalOption = Annotated[bool, typer.Option("--global", help="The limit of the whole gateway.")]
InstanceOption = Annotated[
    str | None, typer.Option(help="The limit of one instance of the service.", metavar="MODEL@BASE_URL")
]
PerClientOption = Annotated[bool, typer.Option("--per-client-ip", help="The limit that each client has there.")]

_LIVE = ("PLACE", "SCOPE", "COUNTS", "ALGORITHM", "LIMIT", "REFILL", "LEFT", "WHOLE IN")


@dataclass(frozen=True, slots=True)
class _Found:
    """A section about limits and where it stands."""

    place: Place
    rules: RateLimit


@app.command("list")
def list_limits(ctx: typer.Context, *, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the limits in the configuration file."""
    found = list(_sections(options.read(ctx, config).config))
    data = [_view(one) for one in found]
    output.show(data, as_json=as_json, text=lambda: _table(found))


@app.command("show")
def show_limit(  # noqa: PLR0913 - one option a field
    ctx: typer.Context,
    service: OptionalService = None,
    *,
    instance: InstanceOption = None,
    everywhere: GlobalOption = False,
    live: Annotated[bool, typer.Option("--live", help="Ask the running gateway for the levels.")] = False,
    client_ip: Annotated[str, typer.Option(help="With --live: the client whose own levels to show.")] = "",
    url: UrlOption = None,
    timeout: TimeoutOption = 5.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one limit of the configuration file, or with --live how all stand now."""
    if live:
        token = client.token(ctx, config, url)
        found = client.get(client.base(ctx, config, url), "/api/limits", timeout, {"clientIp": client_ip}, token=token)
        if service or instance or everywhere:
            place = _place(service, instance, everywhere=everywhere)
            found["limits"] = [one for one in found["limits"] if one["place"] == _live_name(place)]
        output.show(found, as_json=as_json, text=lambda: _live(found))
        return
    place = _place(service, instance, everywhere=everywhere)
    sections = _sections(options.read(ctx, config).config)
    one = next((one for one in sections if one.place == place), None)
    if one is None:
        raise LimitNotFound(place=str(place))
    output.show(_view(one), as_json=as_json, text=lambda: _table([one]))


@app.command("set")
def set_limit(  # noqa: PLR0913 - one option a field
    ctx: typer.Context,
    service: OptionalService = None,
    *,
    instance: InstanceOption = None,
    everywhere: GlobalOption = False,
    per_client: PerClientOption = False,
    algorithm: Annotated[Limiting | None, typer.Option(help="How it counts.", case_sensitive=False)] = None,
    capacity: Annotated[int | None, typer.Option(help="As many at once.", min=1)] = None,
    rate: Annotated[float | None, typer.Option(help="As many a second, over time.", min=0)] = None,
    scope: Annotated[LimitScope | None, typer.Option(help="What has a bucket of its own.")] = None,
    window_size: Annotated[str | None, typer.Option(help="sliding-window: its length, like 60s.")] = None,
    max_requests: Annotated[int | None, typer.Option(help="sliding-window: as many in it.", min=1)] = None,
    warm_up_period: Annotated[str | None, typer.Option(help="warm-up: how long it takes, like 300s.")] = None,
    cold_factor: Annotated[float | None, typer.Option(help="warm-up: how much slower it begins.", min=1)] = None,
    queue: Annotated[bool | None, typer.Option("--queue/--no-queue", help="leaky-bucket: hold back.")] = None,
    tokens_per_minute: Annotated[int | None, typer.Option(help="As many tokens a minute.", min=1)] = None,
    max_concurrency: Annotated[
        int | None, typer.Option(help="--per-client-ip: as many of a client at once.", min=1)
    ] = None,
    expect: ExpectOption = None,
    wait: WaitOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set a limit; what is not named stays as it is. A running server goes by it within a second."""
    place = _place(service, instance, everywhere=everywhere, per_client=per_client)
    values = {
        "algorithm": algorithm and algorithm.value,
        "capacity": capacity,
        "rate": int(rate) if rate and rate.is_integer() else rate,
        "scope": scope and scope.value,
        "window_size_s": window_size,
        "max_requests": max_requests,
        "warm_up_period_s": warm_up_period,
        "cold_factor": cold_factor,
        "queue": queue,
        "tokens_per_minute": tokens_per_minute,
        "max_concurrency": max_concurrency,
    }
    given = {name: value for name, value in values.items() if value is not None}
    _check(place, set(given))
    options.edit(
        ctx, config, lambda document: ops.set_limit(document, place, given), expect=expect, wait=wait, as_json=as_json
    )


@app.command("clear")
def clear_limit(  # noqa: PLR0913 - one option a field
    ctx: typer.Context,
    service: OptionalService = None,
    *,
    instance: InstanceOption = None,
    everywhere: GlobalOption = False,
    per_client: PerClientOption = False,
    expect: ExpectOption = None,
    wait: WaitOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a limit."""
    place = _place(service, instance, everywhere=everywhere, per_client=per_client)
    options.edit(
        ctx, config, lambda document: ops.clear_limit(document, place), expect=expect, wait=wait, as_json=as_json
    )


_NOT_PER_CLIENT = frozenset({"algorithm", "scope", "warm_up_period_s", "cold_factor", "queue"})


def _check(place: Place, given: set[str]) -> None:
    """Refuse what the section does not have. Raises `UsageError`."""
    wrong = given & _NOT_PER_CLIENT if place.per_client else given & {"max_concurrency"}
    if wrong:
        listed = ", ".join(f"--{name.removesuffix('_s').replace('_', '-')}" for name in sorted(wrong))
        where = "does not go with --per-client-ip" if place.per_client else "goes with --per-client-ip only"
        hint = "the algorithm is that of the limit which it stands in" if place.per_client else None
        raise UsageError(message=f"{listed} {where}", hint=hint)
    if not given and not place.per_client:
        raise UsageError(message="nothing to set", hint="name what to set, like --capacity 100 --rate 10")


def _place(service: str | None, instance: str | None, *, everywhere: bool, per_client: bool = False) -> Place:
    """Return the place that is meant. Raises `UsageError`."""
    if everywhere == (service is not None):
        raise UsageError(message="name either a service or --global", hint="for example: jairouter limits set chat ...")
    if everywhere and instance is not None:
        raise UsageError(message="--instance goes with a service, not with --global")
    kind = options.parse_service(service) if service else None
    return Place(kind, instance, per_client)


def _sections(config: Config) -> Iterator[_Found]:
    if config.model.rate_limit is not None:
        yield _Found(Place(), config.model.rate_limit)
    for kind, service in config.model.services.items():
        if service.rate_limit is not None:
            yield _Found(Place(kind), service.rate_limit)
        for one in service.instances:
            if one.rate_limit is not None:
                yield _Found(Place(kind, one.id), one.rate_limit)


def _view(found: _Found) -> dict[str, Any]:
    place = found.place
    whose = {"service": place.service.value if place.service else None, "instance": place.instance}
    return {**whose, **plain(found.rules)}


def _table(found: list[_Found]) -> RenderableType:
    if not found:
        return "no limits; set one with `jairouter limits set SERVICE --capacity 100 --rate 10`"
    columns = ("PLACE", "STATE", "ALGORITHM", "CAPACITY", "RATE", "SCOPE", "TOKENS/MIN", "PER CLIENT")
    return output.table(columns, (_row(one) for one in found))


def _row(found: _Found) -> tuple[object, ...]:
    rules = found.rules
    is_window = rules.algorithm is Limiting.SLIDING_WINDOW
    shown = {name: getattr(rules, name) or getattr(LIMIT_DEFAULTS, name) for name in RateLimit.__struct_fields__}
    most, window_s = window_of(rules)
    about_requests: tuple[object, ...] = (
        shown["algorithm"],
        f"{most:g}" if is_window else shown["capacity"],
        f"in {window_s:g} s" if is_window else f"{shown['rate']:g}/s",
    )
    return (
        str(found.place),
        "enabled" if rules.enabled else "disabled",
        *(about_requests if rules.enabled and rules.limits_requests else ("-", "-", "-")),
        rules.scope,
        rules.tokens_per_minute or "-",
        _per_client(rules),
    )


def _per_client(rules: RateLimit) -> str:
    own = rules.client_ip
    if not rules.limits_clients:
        return "-"
    said = {
        "capacity": own.capacity,
        "rate": own.rate,
        "max-requests": own.max_requests,
        "tokens/min": own.tokens_per_minute,
        "at once": own.max_concurrency,
    }
    return ", ".join(f"{name} {value:g}" for name, value in said.items() if value is not None) or "the same"


def _live_name(place: Place) -> str:
    return "gateway" if place.service is None else place.instance or f"service {place.service}"


def _live(found: dict[str, Any]) -> RenderableType:
    if not found["limits"]:
        return "no limits are in force there"
    lines: list[RenderableType] = [output.table(_LIVE, (_live_row(one) for one in found["limits"]))]
    redis = found["redis"]
    if redis is not None and not redis["connected"]:
        lines.append("the server of state.url does not answer: these are the levels of this host")
    if any(one["remaining"] is None for one in found["limits"]):
        lines.append("(each client has its own; --client-ip ADDRESS shows one)")
    return Group(*lines)


def _live_row(one: dict[str, Any]) -> tuple[object, ...]:
    refill = f"{one['ratePerS']:g}/s" if one["ratePerS"] else f"in {one['windowS']:g} s" if one["windowS"] else "-"
    return (
        one["place"],
        one["scope"],
        one["unit"],
        one["algorithm"] or "-",
        f"{one['limit']:g}",
        refill,
        "-" if one["remaining"] is None else f"{one['remaining']:g}",
        "-" if one["resetS"] is None else f"{one['resetS']:.1f} s",
    )
