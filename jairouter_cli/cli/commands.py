"""The command `jairouter`: its subcommands."""

import sys
from importlib import metadata
from typing import Annotated

import typer

from jairouter_cli.cli import config, explain, health, init, instances, limits, mock, serve, services, usage
from jairouter_cli.cli.options import ConfigOption, Globals
from jairouter_cli.cli.top import command

app = typer.Typer(
    name="jairouter",
    help="An AI gateway for people who run their own models: one OpenAI-compatible port in front of all of them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("init")(init.init)
app.command("serve")(serve.serve)
app.command("health")(health.health)
app.command("top")(command.top)
app.command("explain")(explain.explain)
app.add_typer(services.app, name="services")
app.add_typer(instances.app, name="instances")
app.add_typer(limits.app, name="limits")
app.add_typer(config.app, name="config")
app.command("usage")(usage.usage)
app.command("mock")(mock.mock)


def _version(*, wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"jairouter {metadata.version('jairouter')}\n")
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    config: ConfigOption = None,
    version: Annotated[  # noqa: FBT002, ARG001 - typer's way of a flag
        bool,
        typer.Option(
            "--version",
            help="Print the version and exit.",
            callback=lambda value: _version(wanted=value),
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Take the options that stand before the subcommand."""
    ctx.obj = Globals(config)
