"""The options that commands share and that need nothing of the configuration; `options.py` has the others."""

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Configuration file to use.", show_default=False, metavar="FILE"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
ExpectOption = Annotated[
    str | None,
    typer.Option(help="Edit only if this is still the file's revision (or digest).", metavar="REVISION"),
]
WaitOption = Annotated[
    bool, typer.Option("--wait", help="Wait until every worker of the running gateway uses the edit.")
]


def group_options(config: ConfigOption = None) -> None:
    """Take the options of a group of commands, before the subcommand; `options.named` reads them."""
