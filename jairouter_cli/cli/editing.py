"""Editing the configuration file from the command line: what was done is said, and waited for if that is wanted."""

import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import typer

from jairouter_cli.cli import options, output
from jairouter_cli.cli.client import await_config
from jairouter_cli.cli.language import _
from jairouter_cli.config.at_start import waiting_for_start
from jairouter_cli.config.model import Config
from jairouter_cli.config.store import Applied, Operation, Store
from jairouter_cli.errors import JAIRouterError, ServeError

_OTHERS: Final = stat.S_IRGRP | stat.S_IROTH


def edit(
    ctx: typer.Context,
    config: Path | None,
    operation: Operation,
    *,
    as_json: bool,
    expect: str | None = None,
    wait: bool = False,
    more: Mapping[str, Any] | None = None,
    secret: str | None = None,
) -> None:
    """Edit the file, say what was done, and wait for a running gateway if that is wanted.

    `more` is as in `report`. `secret` is one that the edit writes: it is warned of a file that others can read.
    """
    store = options.store(ctx, config)
    before = config_of(store)
    applied = store.apply(operation, expect=expect)
    report(applied, before, as_json=as_json, more=more)
    if secret and "${" not in secret:
        _warn_if_readable(applied.file)
    if wait:
        await_config(applied, (before or applied.config).server)


def config_of(store: Store) -> Config | None:
    """Return the configuration that the file holds, if it can be used."""
    try:
        return store.read().config
    except JAIRouterError:
        return None


def report(
    applied: Applied,
    before: Config | None,
    *,
    as_json: bool,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Say what an edit did, and what takes effect only at the next start; as JSON with the file and `more` members.

    `before` is the configuration that was in the file, if it could be used.
    """
    options.tell(applied.file, applied.notices)
    waiting = () if before is None else waiting_for_start(before, applied.config)
    for key in waiting:
        output.warn(_("{key} takes effect when the gateway is restarted").format(key=key))
    if "server.host" in waiting:
        _warn_if_open(applied.config.server.host)
    change = applied.change
    data = {
        "file": str(applied.file),
        "summary": change.summary,
        "service": change.service,
        "instance": change.instance,
        "revision": applied.revision,
        "atNextStart": list(waiting),
        **(more or {}),
        "notices": [one.message for one in applied.notices],
    }
    output.show(data, as_json=as_json, text=lambda: change.summary)


def _warn_if_readable(file: Path) -> None:
    with suppress(OSError):
        if stat.S_IMODE(file.stat().st_mode) & _OTHERS:
            text = _("{file} holds a key and can be read by other users; run `chmod 600 {file}`")
            output.warn(text.format(file=file))


def _warn_if_open(host: str) -> None:
    from jairouter_cli.cli.listening import resolved, warn_if_open  # noqa: PLC0415 - few edits are of the address

    with suppress(ServeError):  # `serve` will say what is wrong with it
        warn_if_open(host, resolved(host))
