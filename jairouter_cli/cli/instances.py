"""`jairouter instances`: list, add and remove the endpoints behind the gateway."""

from typing import Annotated

import typer
from rich.table import Table

from jairouter_cli.cli import options, output
from jairouter_cli.cli.options import ConfigOption, ExpectOption, JsonOption, ServiceArgument, WaitOption
from jairouter_cli.config.kinds import Secret, Url, UrlPath
from jairouter_cli.config.masking import shown_path
from jairouter_cli.config.model import Config, Dialect, Instance, ServiceType
from jairouter_cli.config.ops import instances as ops
from jairouter_cli.config.view import instance_view
from jairouter_cli.errors import UsageError

app = typer.Typer(help="List, add, change and remove instances.", no_args_is_help=True)

Instances = list[tuple[ServiceType, Instance]]


@app.command("list")
def list_instances(
    ctx: typer.Context,
    service: Annotated[
        str | None,
        typer.Argument(help="Only those of this service.", autocompletion=options.complete_service, show_default=False),
    ] = None,
    *,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the instances, of all services or of one."""
    wanted = options.parse_service(service) if service else None
    found = _instances(options.read(ctx, config).config, wanted)
    data = [instance_view(kind, instance) for kind, instance in found]
    output.show(data, as_json=as_json, text=lambda: _table(found))


def _instances(config: Config, wanted: ServiceType | None) -> Instances:
    services = config.model.services.items()
    return [(kind, one) for kind, service in services if wanted in {None, kind} for one in service.instances]


def _table(found: Instances) -> Table | str:
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
    model: Annotated[str, typer.Argument(help="The model's name, as clients send it.")],
    base_url: Annotated[str, typer.Argument(help="Where the backend is, like http://10.0.0.7:8000.")],
    *,
    weight: Annotated[int, typer.Option(help="Its share of the load, next to the others'.")] = 1,
    path: Annotated[str | None, typer.Option(help="The endpoint's path, if not the usual one.")] = None,
    adapter: Annotated[Dialect | None, typer.Option(help="What the backend speaks.", case_sensitive=False)] = None,
    api_key: Annotated[str | None, typer.Option(help="The key for the backend; ${NAME} reads the environment.")] = None,
    header: Annotated[list[str] | None, typer.Option(help="A header to send, repeatable.", metavar="K=V")] = None,
    priority: Annotated[int, typer.Option(help="Its tier: larger numbers are used when smaller ones cannot be.")] = 0,
    max_concurrency: Annotated[
        int | None, typer.Option(help="Requests that its machine takes at once, all models together.", min=1)
    ] = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Add it, but send it nothing yet.")] = False,
    expect: ExpectOption = None,
    wait: WaitOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add an instance; a running server uses it within a second."""
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
    options.edit(
        ctx, config, lambda document: ops.add(document, kind, instance), expect=expect, wait=wait, as_json=as_json
    )


def _header(text: str) -> tuple[str, Secret]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UsageError(message=f"--header takes NAME=VALUE, not '{text}'")
    return name.strip(), Secret(value)


@app.command("update")
def update_instance(  # noqa: PLR0913 - one option a field
    ctx: typer.Context,
    service: ServiceArgument,
    instance: Annotated[str, typer.Argument(help="MODEL@BASE_URL, or MODEL if that is enough.", metavar="INSTANCE")],
    *,
    name: Annotated[str | None, typer.Option(help="Another model's name.")] = None,
    base_url: Annotated[str | None, typer.Option(help="Another address.")] = None,
    weight: Annotated[int | None, typer.Option(help="Its share of the load, next to the others'.")] = None,
    path: Annotated[str | None, typer.Option(help="The endpoint's path, if not the usual one.")] = None,
    adapter: Annotated[Dialect | None, typer.Option(help="What the backend speaks.", case_sensitive=False)] = None,
    api_key: Annotated[str | None, typer.Option(help="The key for the backend; ${NAME} reads the environment.")] = None,
    priority: Annotated[int | None, typer.Option(help="Its tier.")] = None,
    max_concurrency: Annotated[int | None, typer.Option(help="Requests that its machine takes at once.", min=1)] = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether it gets requests.")] = None,
    expect: ExpectOption = None,
    wait: WaitOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change an instance; what is not named stays as it is."""
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
        raise UsageError(message="nothing to change", hint="name what to change, like --weight 2")
    options.edit(
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
    service: ServiceArgument,
    instance: Annotated[str, typer.Argument(help="MODEL@BASE_URL, or MODEL if that is enough.", metavar="INSTANCE")],
    base_url: Annotated[str | None, typer.Argument(help="The base URL, if not given with @.")] = None,
    *,
    expect: ExpectOption = None,
    wait: WaitOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove an instance; requests under way are finished."""
    kind = options.parse_service(service)
    options.edit(
        ctx,
        config,
        lambda document: ops.remove(document, kind, instance, base_url),
        expect=expect,
        wait=wait,
        as_json=as_json,
    )
