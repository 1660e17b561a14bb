"""Editing the configuration file from the command line: what was done is said, and waited for if that is wanted."""

from collections.abc import Sequence
from pathlib import Path

import typer

from jairouter_cli.cli import options, output
from jairouter_cli.cli.client import await_config
from jairouter_cli.config.store import Applied, Operation


def edit(
    ctx: typer.Context,
    config: Path | None,
    operation: Operation,
    *,
    as_json: bool,
    expect: str | None = None,
    wait: bool = False,
    left_out: Sequence[str] = (),
) -> None:
    """Edit the file, say what was done and what was `left_out`, and wait for a running gateway if that is wanted."""
    applied = options.store(ctx, config).apply(operation, expect=expect)
    report(applied, as_json=as_json, left_out=left_out)
    if wait:
        await_config(applied)


def report(applied: Applied, *, as_json: bool, left_out: Sequence[str] = ()) -> None:
    """Say what an edit did: its summary, or as JSON with the file."""
    for one in left_out:
        output.warn(f"not imported: {one}")
    options.tell(applied.file, applied.notices)
    change = applied.change
    data = {
        "file": str(applied.file),
        "summary": change.summary,
        "service": change.service,
        "instance": change.instance,
        "revision": applied.revision,
        "notices": [*(f"not imported: {one}" for one in left_out), *(one.message for one in applied.notices)],
    }
    output.show(data, as_json=as_json, text=lambda: change.summary)
