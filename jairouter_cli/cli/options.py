"""The options that several commands share, and the configuration file they name."""

import difflib
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from jairouter_cli.cli import output
from jairouter_cli.cli.language import _
from jairouter_cli.config import paths
from jairouter_cli.config.model import SERVICE_SPELLINGS, ServiceType
from jairouter_cli.config.parse import Notice
from jairouter_cli.config.spelling import service_type
from jairouter_cli.config.store import Loaded, Store
from jairouter_cli.errors import UsageError


def named(ctx: typer.Context, config: Path | None) -> Path | None:
    """Return the file that --config names, behind the subcommand or before it, or before the group of it."""
    above = ctx.parent
    while config is None and above is not None:
        config, above = above.params.get("config"), above.parent
    return config


def store(ctx: typer.Context, config: Path | None) -> Store:
    """Open the configuration file: --config, JAIROUTER_CONFIG, ./jairouter.yaml, user's, site's.

    Raises `ConfigNotFound`.
    """
    return Store(paths.find(named(ctx, config), os.environ, Path.cwd()))


def read(ctx: typer.Context, config: Path | None) -> Loaded:
    """Read the configuration file and print its notices. Raises `ConfigError`, `StoreError`."""
    loaded = store(ctx, config).read()
    tell(loaded.file, loaded.notices)
    return loaded


def tell(file: Path, notices: tuple[Notice, ...]) -> None:
    """Print the notices about a file."""
    for notice in notices:
        place = f"{file}:{notice.line}" if notice.line else str(file)
        output.warn(f"{place}: {notice.message}")


def parse_service(text: str) -> ServiceType:
    """Return the service that a word on the command line names, in any of its spellings. Raises `UsageError`."""
    service = service_type(text)
    if service is None:
        close = difflib.get_close_matches(text, [*ServiceType, *SERVICE_SPELLINGS], 1)
        hint = (
            _("did you mean {names}?").format(names=close[0])
            if close
            else _("the services are {names}").format(names=", ".join(ServiceType))
        )
        raise UsageError(message=_("unknown service '{name}'").format(name=text), hint=hint)
    return service


def secret(text: str | None, name: str) -> str | None:
    """Return a secret that an option gives; `-` asks for it, or takes the first line of what is piped in.

    Raises `UsageError` if nothing comes.
    """
    if text != "-":
        return text
    asked = typer.prompt(name, hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.readline()
    if not (found := str(asked).strip()):
        raise UsageError(message=_("{option}: standard input is empty").format(option=name))
    return found


def complete_service(incomplete: str) -> list[str]:
    """Return the services that a word may become."""
    names = [*ServiceType, *SERVICE_SPELLINGS] if incomplete else list(ServiceType)
    return [name for name in dict.fromkeys(map(str, names)) if name.startswith(incomplete)]


ServiceArgument = Annotated[
    str,
    typer.Argument(help=f"Service: {', '.join(ServiceType)}.", autocompletion=complete_service, metavar="SERVICE"),
]
