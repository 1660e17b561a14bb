"""`jairouter instances`: list, add, change and remove instances."""

from typing import Annotated

import typer
from rich.console import RenderableType

from jairouter_cli.cli import candidates, editing, options, output
from jairouter_cli.cli.candidates import ConfiguredService
from jairouter_cli.cli.options import ServiceArgument
from jairouter_cli.cli.shared import ConfigOption, ExpectOption, JsonOption, WaitOption
from jairouter_cli.config.kinds import Secret, Url, UrlPath
from jairouter_cli.config.masking import shown_path
from jairouter_cli.config.model import Config, Dialect, Instance, ServiceType
from jairouter_cli.config.ops import instances as ops
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
        return "no instances; add one with `jairouter instances add SERVICE MODEL BASE_URL`"
    columns = ("SERVICE", "MODEL", "BASE URL", "PATH", "WEIGHT", "ADAPTER", "STATE")
    return output.table(columns, (_row(kind, instance) for kind, instance in found))


def _row(kind: ServiceType, instance: Instance) -> tuple[object, ...]:
    state = "enabled" if instance.enabled else "disabled"
    adapter, path = instance.adapter or "-", shown_path(instance.path or "-")
    return kind.value, instance.name, instance.base_url, path, instance.weight, adapter, state


@app.command("add")
def add_instance(  # noqa: PLR0913 - one option a field
    ctx: typer.Context,
    service: ServiceArgument,
    model: Annotated[str, typer.Argument(help="Model name, as clients send it.", metavar="MODEL")],
    base_url: Annotated[
        str, typer.Argument(help="Address of the backend, like http://10.0.0.7:8000.", metavar="BASE_URL")
    ],
    *,
    weight: Annotated[int, typer.Option(help="Share of the load, relative to the other instances.", metavar="N")] = 1,
    path: Annotated[
        str | None, typer.Option(help="Path of the endpoint, if it is not the usual one.", metavar="PATH")
    ] = None,
    adapter: Annotated[Dialect | None, typer.Option(help="Dialect of the backend.", case_sensitive=False)] = None,
    api_key: Annotated[
        str | None, typer.Option(help="API key of the backend; ${NAME} reads an environment variable.", metavar="KEY")
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option(help="Header to send to the backend; can be repeated.", metavar="K=V")
    ] = None,
    priority: Annotated[
        int, typer.Option(help="Tier: larger numbers are used only when no smaller one is available.", metavar="N")
    ] = 0,
    max_concurrency: Annotated[
        int | None,
        typer.Option(help="Limit of requests in flight at its backend, for all models together.", metavar="N", min=1),
    ] = None,
    disabled: Annotated[
        bool, typer.Option("--disabled", help="Add the instance, but send it no requests yet.")
    ] = False,
    expect: ExpectOption = None,
    wait: WaitOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add an instance, and its service if needed; a running gateway uses it within a second.

    For example: jairouter instances add chat qwen2.5:7b http://10.0.0.7:8000
    """
    kind = options.parse_service(service)
    instance = Instance(
        name=model,
        base_url=Url(base_url.rstrip("/")),
        path=UrlPath(path) if path else None,
        weight=weight,
        enabled=not disabled,
        adapter=adapter,
        api_key=Secret(api_key) if api_key else None,
        headers=dict(_header(text) for text in header or ()),
        priority=priority,
        max_concurrency=max_concurrency,
    )
    editing.edit(
        ctx, config, lambda document: ops.add(document, kind, instance), expect=expect, wait=wait, as_json=as_json
    )


def _header(text: str) -> tuple[str, Secret]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UsageError(message=f"--header: expected NAME=VALUE, found '{text}'")
    return name.strip(), Secret(value)


@app.command("update")
def update_instance(  # noqa: PLR0913 - one option a field
    ctx: typer.Context,
    service: ConfiguredService,
    instance: InstanceArgument,
    *,
    name: Annotated[str | None, typer.Option(help="New model name.", metavar="MODEL")] = None,
    base_url: Annotated[str | None, typer.Option(help="New address of the backend.", metavar="BASE_URL")] = None,
    weight: Annotated[
        int | None, typer.Option(help="Share of the load, relative to the other instances.", metavar="N")
    ] = None,
    path: Annotated[
        str | None, typer.Option(help="Path of the endpoint, if it is not the usual one.", metavar="PATH")
    ] = None,
    adapter: Annotated[Dialect | None, typer.Option(help="Dialect of the backend.", case_sensitive=False)] = None,
    api_key: Annotated[
        str | None, typer.Option(help="API key of the backend; ${NAME} reads an environment variable.", metavar="KEY")
    ] = None,
    priority: Annotated[int | None, typer.Option(help="Tier, as in `instances add`.", metavar="N")] = None,
    max_concurrency: Annotated[
        int | None, typer.Option(help="Limit of requests in flight at its backend.", min=1, metavar="N")
    ] = None,
    enabled: Annotated[
        bool | None, typer.Option("--enable/--disable", help="Whether the instance gets requests.")
    ] = None,
    expect: ExpectOption = None,
    wait: WaitOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change an instance; options you leave out keep their values.

    For example: jairouter instances update chat qwen2.5:7b --weight 2
    """
    kind = options.parse_service(service)
    values = {
        "name": name,
        "base-url": base_url,
        "weight": weight,
        "path": path,
        "adapter": adapter and adapter.value,
        "api-key": api_key,
        "priority": priority,
        "max-concurrency": max_concurrency,
        "enabled": enabled,
    }
    given = {key: value for key, value in values.items() if value is not None}
    if not given:
        raise UsageError(message="nothing to change", hint="give at least one option, like --weight 2")
    editing.edit(
        ctx,
        config,
        lambda document: ops.update(document, kind, instance, given),
        expect=expect,
        wait=wait,
        as_json=as_json,
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
