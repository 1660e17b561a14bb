"""`jairouter completion`: prints the script with which a shell completes commands, options and values."""

import sys
from typing import Annotated

import typer

from jairouter_cli.cli.completion.shells import Shell, script


def completion(
    shell: Annotated[Shell, typer.Argument(help=f"Shell: {', '.join(Shell)}.", case_sensitive=False, metavar="SHELL")],
) -> None:
    """Print the completion script of a shell.

    With it, the Tab key completes commands, options, and values of the configuration file: services, instances, models,
    keys and revisions.

    For example: jairouter completion bash > ~/.local/share/bash-completion/completions/jairouter
    """
    sys.stdout.write(script(shell))
