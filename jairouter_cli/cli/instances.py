"""`jairouter instances`: list, add, change and remove instances."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from jairouter_cli.cli import candidates, editing, options, output
from jairouter_cli.cli.candidates import ConfiguredService
from jairouter_cli.cli.language import _
from jairouter_cli.cli.shared import ConfigOption, ExpectOption, JsonOption, WaitOption
from jairouter_cli.config.masking import shown_path
from jairouter_cli.config.model import Config, Dialect, Instance, ServiceType
from jairouter_cli.config.ops import instances as ops
from jairouter_cli.config.spelling import service_type
from jairouter_cli.config.view import instance_view
from jairouter_cli.errors import UsageError

InstanceArgument = Annotated[
    str,
    typer.Argument(
        help="MODEL@BASE_URL, or MODEL if only one instance has it.",
        autocompletion=candidates.instances,
        metavar="INSTANCE",
    ),
]

WeightOption = Annotated[
    int | None, typer.Option(help="Share of the load, relative to the other instances; 1 if not set.", metavar="N")
]
PathOption = Annotated[
    str | None, typer.Option(help="Path of the endpoint, if it is not the usual one.", metavar="PATH")
]
AdapterOption = Annotated[Dialect | None, typer.Option(help="Dialect of the backend.", case_sensitive=False)]
KeyOption = Annotated[
    str | None,
    typer.Option(
        help="API key of the backend; '${NAME}' reads an environment variable, - asks or reads standard input.",
        metavar="KEY",
    ),
]
HeaderOption = Annotated[
    list[str] | None, typer.Option(help="Header to send to the backend; can be repeated.", metavar="K=V")
]
UpstreamModelOption = Annotated[
    str | None, typer.Option(help="Name of the model at the backend, if it is another.", metavar="MODEL")
]
DurationOption = Annotated[
    str | None, typer.Option(help="Longest pause before and within a response, like 60s.", metavar="DURATION")
]
PriorityOption = Annotated[
    int | None,
    typer.Option(help="Tier: larger numbers are used only when no smaller one is available.", metavar="N"),
]
ConcurrencyOption = Annotated[
    int | None,
    typer.Option(help="Limit of requests in flight at its backend, for all models together.", metavar="N", min=1),
]
DiscoverOption = Annotated[
    bool | None,
    typer.Option(
        "--discover/--no-discover", help="Whether a running gateway follows the backend's list of models with it."
    ),
]

app = typer.Typer(help="List, add, change and remove instances.", no_args_is_help=True)

Instances = list[tuple[ServiceType, Instance]]


@app.command("list")
def list_instances(
    ctx: typer.Context,
    service: Annotated[
        str | None,
        typer.Argument(
            help="Only the instances of this service.",
            autocompletion=candidates.configured_services,
            show_default=False,
            metavar="SERVICE",
        ),
    ] = None,
    *,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the instances of all services, or of one."""
    wanted = options.parse_service(service) if service else None
    found = _instances(options.read(ctx, config).config, wanted)
    data = [instance_view(kind, instance) for kind, instance in found]
    output.show(data, as_json=as_json, text=lambda: _table(found))


def _instances(config: Config, wanted: ServiceType | None) -> Instances:
    services = config.model.services.items()
    return [(kind, one) for kind, service in services if wanted in {None, kind} for one in service.instances]


def _table(found: Instances) -> RenderableType:
    if not found:
        return _("no instances; add those of a backend with `jairouter instances add URL`")
    columns = ("SERVICE", "MODEL", "BASE URL", "PATH", "WEIGHT", "ADAPTER", "STATE")
    return output.table(columns, (_row(kind, instance) for kind, instance in found))


def _row(kind: ServiceType, instance: Instance) -> tuple[object, ...]:
    state = _("enabled") if instance.enabled else _("disabled")
    adapter, path = instance.adapter or "-", shown_path(instance.path or "-")
    return kind.value, instance.name, instance.base_url, path, instance.weight, adapter, state


@app.command("add")
def add_instance(  # noqa: PLR0913 - one option a field
    ctx: typer.Context,
    service: Annotated[
        str,
        typer.Argument(
            help="Service of the new instance, or the address of a backend whose models are to be added.",
            autocompletion=options.complete_service,
            metavar="SERVICE|URL",
        ),
    ],
    model: Annotated[
        str | None, typer.Argument(help="Model name, as clients send it.", show_default=False, metavar="MODEL")
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Argument(
            help="Address of the backend, like http://10.0.0.7:8000.", show_default=False, metavar="BASE_URL"
        ),
    ] = None,
    *,
    models: Annotated[
        list[str] | None,
        typer.Option("--model", help="With URL: add only this model; can be repeated.", metavar="MODEL"),
    ] = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="With URL: remove the instances whose models are gone, too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With URL: do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With URL: show the models, and add none.")] = False,
    weight: WeightOption = None,
    path: PathOption = None,
    adapter: AdapterOption = None,
    api_key: KeyOption = None,
    header: HeaderOption = None,
    upstream_model: UpstreamModelOption = None,
    timeout: DurationOption = None,
    priority: PriorityOption = None,
    max_concurrency: ConcurrencyOption = None,
    disabled: Annotated[
        bool, typer.Option("--disabled", help="Add the instance, but send it no requests yet.")
    ] = False,
    discover: DiscoverOption = None,
    expect: ExpectOption = None,
    wait: WaitOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add an instance, or the models of a backend; a running gateway uses them within a second.

    With the address of a backend alone, it is asked for its kind and its models, which are shown and then added. A
    service is added if needed.

    For example: jairouter instances add http://10.0.0.7:11434

    For example: jairouter instances add chat qwen2.5:7b http://10.0.0.7:8000
    """
    key, headers = options.secret(api_key, "--api-key"), _headers(header)
    members: dict[str, Any] = {
        "path": path,
        "weight": weight,
        "enabled": False if disabled else None,
        "adapter": adapter and adapter.value,
        "api-key": key,
        "headers": headers,
        "upstream-model": upstream_model,
        "timeout": timeout and {"read": timeout},
        "priority": priority,
        "max-concurrency": max_concurrency,
        "discover": discover,
    }
    given = {key: value for key, value in members.items() if value is not None}
    if model is None and service_type(service) is None:
        from jairouter_cli.cli.discover.adding import AddRequest, add_backend  # noqa: PLC0415 - it asks the backend

        _check_is_for_all(given)
        wanted = AddRequest(models or (), refresh, yes, dry_run, key, headers)
        add_backend(ctx, config, service, given, wanted, expect=expect, wait=wait, as_json=as_json)
        return
    if models or refresh or yes or dry_run:
        raise UsageError(message="--model, --refresh, --yes and --dry-run need the address of a backend alone")
    kind = options.parse_service(service)
    if model is None or base_url is None:
        message = _("missing argument: {name}").format(name="MODEL" if model is None else "BASE_URL")
        hint = _("`{command} --help` shows how it is used").format(command=ctx.command_path)
        raise UsageError(message=message, hint=hint)
    named = {"name": model, "base-url": base_url.rstrip("/"), **given}
    editing.edit(
        ctx,
        config,
        lambda document: ops.add_members(document, kind, named),
        expect=expect,
        wait=wait,
        as_json=as_json,
        secret=key,
    )


def _check_is_for_all(given: Mapping[str, Any]) -> None:
    """Raise `UsageError` for settings that can only be those of one model."""
    for key in ("path", "upstream-model"):
        if key in given:
            raise UsageError(message=_("--{name} needs SERVICE MODEL BASE_URL").format(name=key))


def _headers(texts: Sequence[str] | None) -> dict[str, str] | None:
    return dict(map(_header, texts)) if texts else None


def _header(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UsageError(message=_("--header: expected NAME=VALUE, found '{found}'").format(found=text))
    return name.strip(), value


@app.command("show")
def show_instance(
    ctx: typer.Context,
    service: ConfiguredService,
    instance: InstanceArgument,
    *,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show an instance with all of its settings."""
    kind, loaded = options.parse_service(service), options.read(ctx, config)
    view = instance_view(kind, ops.read(loaded.document, loaded.config, kind, instance))
    output.show(view, as_json=as_json, text=lambda: output.pairs(list(_flat(view))))


def _flat(view: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, object]]:
    for key, value in view.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", str(value).lower() if isinstance(value, bool) else value


@app.command("enable")
def enable_instance(
    ctx: typer.Context,
    service: ConfiguredService,
    instance: InstanceArgument,
    *,
    expect: ExpectOption = None,
    wait: WaitOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send requests to an instance again."""
    kind = options.parse_service(service)
    editing.edit(
        ctx,
        config,
        lambda document: ops.update(document, kind, instance, {"enabled": True}),
        expect=expect,
        wait=wait,
        as_json=as_json,
    )


@app.command("disable")
def disable_instance(
    ctx: typer.Context,
    service: ConfiguredService,
    instance: InstanceArgument,
    *,
    expect: ExpectOption = None,
    wait: WaitOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send an instance no more requests; those in flight are completed."""
    kind = options.parse_service(service)
    editing.edit(
        ctx,
        config,
        lambda document: ops.update(document, kind, instance, {"enabled": False}),
        expect=expect,
        wait=wait,
        as_json=as_json,
    )


@app.command("update")
def update_instance(  # noqa: PLR0913 - one option a field
    ctx: typer.Context,
    service: ConfiguredService,
    instance: InstanceArgument,
    *,
    name: Annotated[str | None, typer.Option(help="New model name.", metavar="MODEL")] = None,
    base_url: Annotated[str | None, typer.Option(help="New address of the backend.", metavar="BASE_URL")] = None,
    weight: WeightOption = None,
    path: PathOption = None,
    adapter: AdapterOption = None,
    api_key: KeyOption = None,
    header: HeaderOption = None,
    upstream_model: UpstreamModelOption = None,
    timeout: DurationOption = None,
    priority: PriorityOption = None,
    max_concurrency: ConcurrencyOption = None,
    enabled: Annotated[
        bool | None, typer.Option("--enable/--disable", help="Whether the instance gets requests.")
    ] = None,
    discover: DiscoverOption = None,
    expect: ExpectOption = None,
    wait: WaitOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change an instance; options you leave out keep their values.

    For example: jairouter instances update chat qwen2.5:7b --weight 2
    """
    kind, key = options.parse_service(service), options.secret(api_key, "--api-key")
    members: dict[str, Any] = {
        "name": name,
        "base-url": base_url,
        "weight": weight,
        "path": path,
        "adapter": adapter and adapter.value,
        "api-key": key,
        "headers": _headers(header),
        "upstream-model": upstream_model,
        "timeout": timeout and {"read": timeout},
        "priority": priority,
        "max-concurrency": max_concurrency,
        "enabled": enabled,
        "discover": discover,
    }
    given = {key: value for key, value in members.items() if value is not None}
    if not given:
        raise UsageError(message="nothing to change", hint="give at least one option, like --weight 2")
    editing.edit(
        ctx,
        config,
        lambda document: ops.update(document, kind, instance, given),
        expect=expect,
        wait=wait,
        as_json=as_json,
        secret=key,
    )


@app.command("remove")
def remove_instance(
    ctx: typer.Context,
    service: ConfiguredService,
    instance: InstanceArgument,
    base_url: Annotated[
        str | None, typer.Argument(help="Address of the backend, if not given after @.", metavar="BASE_URL")
    ] = None,
    *,
    expect: ExpectOption = None,
    wait: WaitOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove an instance; requests in flight are completed."""
    kind = options.parse_service(service)
    editing.edit(
        ctx,
        config,
        lambda document: ops.remove(document, kind, instance, base_url),
        expect=expect,
        wait=wait,
        as_json=as_json,
    )
