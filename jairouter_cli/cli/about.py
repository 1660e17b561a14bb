"""`jairouter version` and `jairouter help`: what program this is, and how a command is used."""

import platform
from importlib import metadata
from typing import Annotated, Any

import typer

from jairouter_cli.cli import output
from jairouter_cli.cli.help import summary
from jairouter_cli.cli.shared import JsonOption
from jairouter_cli.cli.stand_in import StandIn
from jairouter_cli.form import form


def version(*, as_json: JsonOption = False) -> None:
    """Print the version, as --version does.

    With --json also what it runs on: Python, the system, and the versions of the server and the web framework.
    """
    own = metadata.version("jairouter")
    data = {
        "version": own,
        "form": form(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "granian": metadata.version("granian"),
        "litestar": metadata.version("litestar"),
    }
    output.show(data, as_json=as_json, text=lambda: f"jairouter {own} ({form()})")


def commands_within(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Return the commands that a word of `help` may become, for completion in the shell."""
    command: Any = ctx.find_root().command
    for name in ctx.params.get("names") or ():
        command = command.get_command(ctx, name) if hasattr(command, "get_command") else None
        command = command.loaded() if isinstance(command, StandIn) else command
    shown = getattr(command, "commands", {}).items()
    return [(name, summary(one)) for name, one in shown if name.startswith(incomplete) and not one.hidden]


def show_help(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Command, like config set.", autocompletion=commands_within, show_default=False, metavar="COMMAND"
        ),
    ] = None,
) -> None:
    """Show how a command is used, as COMMAND --help does.

    For example: jairouter help config set
    """
    root: Any = ctx.find_root().command
    raise typer.Exit(root.main([*(names or ()), "--help"], prog_name="jairouter") or 0)
