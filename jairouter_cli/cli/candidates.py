"""The values that an argument or an option can have, for completion in the shell: read from the configuration file.

A function gets the context of the command as far as it has been typed, and returns words, or words with their help.
Nothing goes over the network; without a usable file there are no values.
"""

from collections.abc import Iterator
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from jairouter_cli.cli import options
from jairouter_cli.config import keys
from jairouter_cli.config.history import Damaged
from jairouter_cli.config.model import Config, Instance, ServiceType
from jairouter_cli.config.spelling import service_type
from jairouter_cli.config.store import Store
from jairouter_cli.errors import JAIRouterError

_REVISIONS: Final = 50


def configured_services(ctx: typer.Context) -> list[str]:
    """Return the services of the file."""
    config = _config(ctx)
    return [kind.value for kind in config.model.services] if config else []


def instances(ctx: typer.Context) -> list[str]:
    """Return the ids of the service's instances."""
    return list(dict.fromkeys(one.id for one in _instances(ctx)))


def models(ctx: typer.Context) -> list[str]:
    """Return the models of the service, or the chat models of a command that has no services."""
    return list(dict.fromkeys(one.name for one in _instances(ctx)))


def revisions(ctx: typer.Context) -> list[tuple[str, str]]:
    """Return the newest revisions."""
    store = _store(ctx)
    newest = islice(store.history.newest(), _REVISIONS) if store else ()
    return [(str(one.number), one.summary) for one in newest if not isinstance(one, Damaged)]


def all_keys(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the keys that a key can begin with, one level further."""
    config = _config(ctx)
    return keys.below(config or Config(), incomplete)


def keys_in_file(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the keys of the file that a key can begin with, one level further."""
    store = _store(ctx)
    try:
        return keys.written_below(store.read().document.root, incomplete) if store else []
    except JAIRouterError:
        return []


def values(ctx: typer.Context) -> list[str]:
    """Return the values that a key can have, where these are a few words."""
    kind = keys.kind_at(str(ctx.params.get("key") or ""))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [str(one.value) for one in kind]
    return ["true", "false"] if kind is bool else []


def _instances(ctx: typer.Context) -> Iterator[Instance]:
    """Yield the instances of the service that has been typed."""
    config = _config(ctx)
    if config is None:
        return
    text: Any = ctx.params.get("service")
    wanted = service_type(text) if isinstance(text, str) else ServiceType.CHAT
    for kind, service in config.model.services.items():
        if kind is wanted:
            yield from service.instances


def _config(ctx: typer.Context) -> Config | None:
    store = _store(ctx)
    try:
        return store.read().config if store else None
    except (JAIRouterError, OSError):
        return None


def _store(ctx: typer.Context) -> Store | None:
    named: Any = ctx.params.get("config")
    try:
        return options.store(ctx, Path(named) if named else None)
    except (JAIRouterError, OSError):
        return None


ConfiguredService = Annotated[
    str,
    typer.Argument(help=f"Service: {', '.join(ServiceType)}.", autocompletion=configured_services, metavar="SERVICE"),
]
