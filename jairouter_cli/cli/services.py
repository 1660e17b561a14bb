"""`jairouter services`: list, add, change and remove the services that the gateway offers."""

from typing import Annotated, Any

import typer
from rich.console import RenderableType

from jairouter_cli.cli import editing, options, output
from jairouter_cli.cli.candidates import ConfiguredService
from jairouter_cli.cli.language import _
from jairouter_cli.cli.options import ServiceArgument
from jairouter_cli.cli.shared import ConfigOption, ExpectOption, JsonOption, WaitOption
from jairouter_cli.config.model import Balancing, Config, Dialect, HashAlgorithm
from jairouter_cli.config.ops import services as ops
from jairouter_cli.errors import UsageError

app = typer.Typer(help="List, add, change and remove services.", no_args_is_help=True)


@app.command("list")
def list_services(ctx: typer.Context, *, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the services."""
    rows = _rows(options.read(ctx, config).config)
    output.show(rows, as_json=as_json, text=lambda: _table(rows))


def _rows(config: Config) -> list[dict[str, Any]]:
    return [
        {
            "service": kind.value,
            "instances": len(service.instances),
            "models": len({one.name for one in service.instances}),
            "adapter": (service.adapter or config.model.adapter).value,
            "loadBalance": (service.load_balance or config.model.load_balance).type.value,
        }
        for kind, service in config.model.services.items()
    ]


def _table(rows: list[dict[str, Any]]) -> RenderableType:
    if not rows:
        return _("no services; add one with `jairouter services add SERVICE`")
    columns = (_("SERVICE"), _("INSTANCES"), _("MODELS"), _("ADAPTER"), _("LOAD BALANCE"))
    return output.table(columns, (tuple(row.values()) for row in rows))


@app.command("add")
def add_service(
    ctx: typer.Context,
    service: ServiceArgument,
    *,
    adapter: Annotated[Dialect | None, typer.Option(help="Dialect of its backends.", case_sensitive=False)] = None,
    expect: ExpectOption = None,
    wait: WaitOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a service without instances."""
    kind = options.parse_service(service)
    members = {"adapter": adapter.value} if adapter else {}
    editing.edit(
        ctx, config, lambda document: ops.add(document, kind, members), expect=expect, wait=wait, as_json=as_json
    )


@app.command("update")
def update_service(  # noqa: PLR0913 - one option a field
    ctx: typer.Context,
    service: ConfiguredService,
    *,
    adapter: Annotated[Dialect | None, typer.Option(help="Dialect of its backends.", case_sensitive=False)] = None,
    load_balance: Annotated[
        Balancing | None, typer.Option(help="Strategy that chooses an instance.", case_sensitive=False)
    ] = None,
    hash_algorithm: Annotated[
        HashAlgorithm | None,
        typer.Option(help="Hash of ip-hash, consistent-hash and prefix-affinity.", case_sensitive=False),
    ] = None,
    max_retries: Annotated[
        int | None, typer.Option(help="Number of other instances to try after a failure.", metavar="N")
    ] = None,
    expect: ExpectOption = None,
    wait: WaitOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a service; options you leave out keep their values."""
    kind = options.parse_service(service)
    balance = {"type": load_balance, "hash-algorithm": hash_algorithm}
    chosen = {key: value.value for key, value in balance.items() if value is not None}
    values = {"adapter": adapter and adapter.value, "load-balance": chosen or None, "max-retries": max_retries}
    given = {key: value for key, value in values.items() if value is not None}
    if not given:
        raise UsageError(
            message="nothing to change", hint="give at least one option, like --load-balance least-connections"
        )
    editing.edit(
        ctx, config, lambda document: ops.update(document, kind, given), expect=expect, wait=wait, as_json=as_json
    )


@app.command("remove")
def remove_service(
    ctx: typer.Context,
    service: ConfiguredService,
    *,
    expect: ExpectOption = None,
    wait: WaitOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a service and its instances; requests in flight are completed."""
    kind = options.parse_service(service)
    editing.edit(ctx, config, lambda document: ops.remove(document, kind), expect=expect, wait=wait, as_json=as_json)
