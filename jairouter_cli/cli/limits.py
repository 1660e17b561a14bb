"""`jairouter limits`: list, show, set and remove rate limits."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer
from rich.console import Group, RenderableType

from jairouter_cli.cli import candidates, client, editing, options, output
from jairouter_cli.cli.client import TimeoutOption, UrlOption
from jairouter_cli.cli.language import _
from jairouter_cli.cli.shared import ConfigOption, ExpectOption, JsonOption, WaitOption
from jairouter_cli.config.model import LIMIT_DEFAULTS, Config, Limiting, LimitScope, RateLimit, window_of
from jairouter_cli.config.ops import limits as ops
from jairouter_cli.config.ops.limits import LimitPlace
from jairouter_cli.config.view import plain
from jairouter_cli.errors import LimitNotFound, UsageError

app = typer.Typer(help="List, show, set and remove limits.", no_args_is_help=True)

OptionalService = Annotated[
    str | None,
    typer.Argument(
        help="Service, unless --global.",
        autocompletion=candidates.configured_services,
        show_default=False,
        metavar="SERVICE",
    ),
]
GlobalOption = Annotated[bool, typer.Option("--global", help="Limit of the whole gateway.")]
InstanceOption = Annotated[
    str | None,
    typer.Option(
        help="Limit of one instance of the service.", autocompletion=candidates.instances, metavar="MODEL@BASE_URL"
    ),
]
PerClientOption = Annotated[bool, typer.Option("--per-client-ip", help="Limit of each client address.")]

_LIVE: Final = ("APPLIES TO", "SCOPE", "UNIT", "ALGORITHM", "LIMIT", "REFILL", "REMAINING", "RESET")


@dataclass(frozen=True, slots=True)
class _Found:
    """A `rate-limit` section and its place in the configuration."""

    place: LimitPlace
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
    live: Annotated[bool, typer.Option("--live", help="Show what is left now, from the running gateway.")] = False,
    client_ip: Annotated[
        str, typer.Option(help="With --live: client whose own limits to show.", show_default=False, metavar="IP")
    ] = "",
    url: UrlOption = None,
    timeout: TimeoutOption = 5.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one limit in the configuration file, or with --live the state of all limits.

    For example: jairouter limits show --live
    """
    if live:
        token = client.token(ctx, config, url)
        base = client.base(ctx, config, url)
        if not url:
            client.warn_of_another_file(ctx, config, base)
        found = client.get(base, "/api/limits", timeout, {"clientIp": client_ip}, token=token)
        if service or instance or everywhere:
            place = _place(service, instance, everywhere=everywhere)
            found["limits"] = [one for one in found["limits"] if one["place"] == str(place.where)]
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
    algorithm: Annotated[Limiting | None, typer.Option(help="Algorithm of the limit.", case_sensitive=False)] = None,
    capacity: Annotated[
        int | None, typer.Option(help="Burst size: requests allowed at once.", min=1, metavar="N")
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Requests per second, over time.", min=0, metavar="N")] = None,
    scope: Annotated[LimitScope | None, typer.Option(help="Who shares a bucket.")] = None,
    window_size: Annotated[
        str | None, typer.Option(help="sliding-window: length of the window, like 60s.", metavar="DURATION")
    ] = None,
    max_requests: Annotated[
        int | None, typer.Option(help="sliding-window: requests per window.", min=1, metavar="N")
    ] = None,
    warm_up_period: Annotated[
        str | None, typer.Option(help="warm-up: time to reach the full rate, like 300s.", metavar="DURATION")
    ] = None,
    cold_factor: Annotated[
        float | None, typer.Option(help="warm-up: how many times slower it starts.", min=1, metavar="N")
    ] = None,
    queue: Annotated[
        bool | None, typer.Option("--queue/--no-queue", help="leaky-bucket: delay requests instead of rejecting them.")
    ] = None,
    tokens_per_minute: Annotated[int | None, typer.Option(help="Tokens per minute.", min=1, metavar="N")] = None,
    max_concurrency: Annotated[
        int | None, typer.Option(help="--per-client-ip: requests of one client in flight.", min=1, metavar="N")
    ] = None,
    expect: ExpectOption = None,
    wait: WaitOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set a limit; options you leave out keep their values. A running gateway uses it within a second.

    For example: jairouter limits set chat --capacity 100 --rate 10
    """
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
    editing.edit(
        ctx, config, lambda document: ops.set_limit(document, place, given), expect=expect, wait=wait, as_json=as_json
    )


@app.command("clear", hidden=True)
@app.command("remove")
def remove_limit(  # noqa: PLR0913 - one option a field
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
    """Remove a limit.

    For example: jairouter limits remove chat --per-client-ip
    """
    place = _place(service, instance, everywhere=everywhere, per_client=per_client)
    editing.edit(
        ctx, config, lambda document: ops.clear_limit(document, place), expect=expect, wait=wait, as_json=as_json
    )


_NOT_PER_CLIENT: Final = frozenset({"algorithm", "scope", "warm_up_period_s", "cold_factor", "queue"})


def _check(place: LimitPlace, given: set[str]) -> None:
    """Refuse what the section does not have. Raises `UsageError`."""
    wrong = given & _NOT_PER_CLIENT if place.per_client else given & {"max_concurrency"}
    if wrong:
        listed = ", ".join(f"--{name.removesuffix('_s').replace('_', '-')}" for name in sorted(wrong))
        where = (
            _("{options} cannot be used with --per-client-ip")
            if place.per_client
            else _("{options} can only be used with --per-client-ip")
        )
        hint = "each client uses the algorithm of the limit around it" if place.per_client else None
        raise UsageError(message=where.format(options=listed), hint=hint)
    if not given and not place.per_client:
        raise UsageError(message="nothing to set", hint="give at least one option, like --capacity 100 --rate 10")


def _place(service: str | None, instance: str | None, *, everywhere: bool, per_client: bool = False) -> LimitPlace:
    """Return the place that is meant. Raises `UsageError`."""
    if everywhere == (service is not None):
        raise UsageError(
            message="give either a service or --global",
            hint="name a service, like chat, or use --global for the whole gateway",
        )
    if everywhere and instance is not None:
        raise UsageError(message="--instance needs a service and cannot be used with --global")
    kind = options.parse_service(service) if service else None
    return LimitPlace(kind, instance, per_client)


def _sections(config: Config) -> Iterator[_Found]:
    if config.model.rate_limit is not None:
        yield _Found(LimitPlace(), config.model.rate_limit)
    for kind, service in config.model.services.items():
        if service.rate_limit is not None:
            yield _Found(LimitPlace(kind), service.rate_limit)
        for one in service.instances:
            if one.rate_limit is not None:
                yield _Found(LimitPlace(kind, one.id), one.rate_limit)


def _view(found: _Found) -> dict[str, Any]:
    place = found.place
    whose = {"service": place.service.value if place.service else None, "instance": place.instance}
    return {**whose, **plain(found.rules)}


def _table(found: list[_Found]) -> RenderableType:
    if not found:
        return _("no limits; set one with `jairouter limits set SERVICE --capacity 100 --rate 10`")
    columns = ("APPLIES TO", "STATE", "ALGORITHM", "CAPACITY", "RATE", "SCOPE", "TOKENS/MIN", "PER CLIENT")
    return output.table([_(name) for name in columns], (_row(one) for one in found))


def _row(found: _Found) -> tuple[object, ...]:
    rules = found.rules
    is_window = rules.algorithm is Limiting.SLIDING_WINDOW
    shown = {name: getattr(rules, name) or getattr(LIMIT_DEFAULTS, name) for name in RateLimit.__struct_fields__}
    most, window_s = window_of(rules)
    about_requests: tuple[object, ...] = (
        shown["algorithm"],
        f"{most:g}" if is_window else shown["capacity"],
        _("in {seconds:g} s").format(seconds=window_s) if is_window else f"{shown['rate']:g}/s",
    )
    return (
        str(found.place),
        _("enabled") if rules.enabled else _("disabled"),
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
        "max-concurrency": own.max_concurrency,
    }
    return ", ".join(f"{name} {value:g}" for name, value in said.items() if value is not None) or _("the same")


def _live(found: dict[str, Any]) -> RenderableType:
    if not found["limits"]:
        return _("no limits are in force")
    columns = [_(name) for name in _LIVE]
    lines: list[RenderableType] = [output.table(columns, (_live_row(one) for one in found["limits"]))]
    redis = found["redis"]
    if redis is not None and not redis["connected"]:
        lines.append(_("the Redis server of state.url is unreachable: these are the numbers of this host only"))
    if any(one["remaining"] is None for one in found["limits"]):
        lines.append(_("(each client has its own bucket; --client-ip ADDRESS shows one)"))
    return Group(*lines)


def _live_row(one: dict[str, Any]) -> tuple[object, ...]:
    refill = "-"
    if one["ratePerS"]:
        refill = f"{one['ratePerS']:g}/s"
    elif one["windowS"]:
        refill = _("in {seconds:g} s").format(seconds=one["windowS"])
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
