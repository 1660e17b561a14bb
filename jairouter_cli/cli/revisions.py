"""`jairouter config history|diff|rollback`: what was changed, when and by whom, and back to it."""

from typing import Annotated, Any, Final

import typer
from rich.console import RenderableType
from rich.text import Text

from jairouter_cli.cli import options, output
from jairouter_cli.cli.options import ConfigOption, ExpectOption, JsonOption, WaitOption
from jairouter_cli.config.history import Damaged, History, Revision, diff
from jairouter_cli.config.masking import masked_diff
from jairouter_cli.config.ops.revisions import roll_back
from jairouter_cli.errors import RevisionNotFound

SecretsOption = Annotated[bool, typer.Option("--secrets", help="Show keys, too.")]

_COLOURS: Final = {"+": "green", "-": "red", "@": "cyan"}


def history(
    ctx: typer.Context,
    *,
    most: Annotated[int, typer.Option("--last", help="As many, the newest.", min=1)] = 20,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the revisions of the configuration file, the newest first."""
    store = options.store(ctx, config)
    found = list(store.history.newest(most))
    data = [_view(one) for one in found]
    output.show(data, as_json=as_json, text=lambda: _table(found))


def _view(one: Revision | Damaged) -> dict[str, Any]:
    if isinstance(one, Damaged):
        return {"revision": one.number, "file": one.file, "damaged": one.reason}
    return {"revision": one.number, "at": one.at, "author": one.author, "summary": one.summary, "digest": one.digest}


def _table(found: list[Revision | Damaged]) -> RenderableType:
    if not found:
        return "no revisions yet; the first edit makes one"
    columns = ("REVISION", "AT", "AUTHOR", "SUMMARY")
    return output.table(columns, (_row(one) for one in found))


def _row(one: Revision | Damaged) -> tuple[object, ...]:
    if isinstance(one, Damaged):
        return one.number, "", "", f"cannot be read: {one.reason}"
    return one.number, one.at, one.author, one.summary


def _tell_damaged(one: Damaged) -> None:
    output.warn(f"revision {one.number} is passed over: cannot read {one.file}: {one.reason}")


def show_diff(
    ctx: typer.Context,
    older: Annotated[
        int | None, typer.Argument(help="A revision; without it, the one before the newest.", show_default=False)
    ] = None,
    newer: Annotated[
        int | None, typer.Argument(help="Another one; without it, the file as it is.", show_default=False)
    ] = None,
    *,
    secrets: SecretsOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what was changed between two revisions, or since one."""
    store = options.store(ctx, config)
    before = store.history.read(_older(store.history, store.read().digest) if older is None else older)
    if newer is None:
        name, text = str(store.file), store.text()
    else:
        after = store.history.read(newer)
        name, text = f"revision {newer}", after.text
    found = (diff if secrets else masked_diff)(before.text, text, (f"revision {before.number}", name))
    output.show({"from": before.number, "to": newer, "diff": found}, as_json=as_json, text=lambda: _coloured(found))


def _older(history: History, digest: str) -> int:
    """Return the revision with which the file is compared: the newest that is another."""
    for one in history.newest():
        if isinstance(one, Damaged):
            _tell_damaged(one)
        elif one.digest != digest:
            return one.number
    raise RevisionNotFound(number="before this one", present="nothing was changed yet")


def _coloured(found: str) -> Text:
    lines = (Text(line, style=_COLOURS.get(line[:1], "")) for line in found.splitlines())
    return Text("\n").join(lines) if found else Text("no difference")


def forget(
    ctx: typer.Context,
    number: Annotated[int, typer.Argument(help="The revision to forget.", metavar="REVISION")],
    *,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a revision that is not the newest one."""
    options.store(ctx, config).forget(number)
    output.show({"forgotten": number}, as_json=as_json, text=lambda: f"revision {number} is forgotten")


def rollback(
    ctx: typer.Context,
    number: Annotated[int, typer.Argument(help="The revision to go back to.", metavar="REVISION")],
    *,
    expect: ExpectOption = None,
    wait: WaitOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a revision into force again; that is a new revision, and nothing is lost."""
    store = options.store(ctx, config)
    revision = store.history.read(number)

    options.edit(ctx, config, lambda document: roll_back(document, revision), expect=expect, wait=wait, as_json=as_json)
