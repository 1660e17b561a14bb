"""`jairouter config history|diff|rollback|forget`: the revisions of the configuration file."""

from datetime import datetime
from typing import Annotated, Any, Final

import typer
from rich.console import RenderableType
from rich.text import Text

from jairouter_cli.cli import candidates, editing, options, output
from jairouter_cli.cli.language import _
from jairouter_cli.cli.shared import ConfigOption, ExpectOption, JsonOption, WaitOption
from jairouter_cli.config.history import Damaged, History, Revision, diff
from jairouter_cli.config.masking import masked_diff
from jairouter_cli.config.ops.revisions import roll_back
from jairouter_cli.errors import RevisionNotFound

SecretsOption = Annotated[bool, typer.Option("--secrets", help="Show API keys and headers.")]

_COLOURS: Final = {"+": "green", "-": "red", "@": "cyan"}


def history(
    ctx: typer.Context,
    *,
    most: Annotated[int, typer.Option("--last", help="Number of revisions to show.", min=1, metavar="N")] = 20,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the revisions of the configuration file, newest first."""
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
        return _("no revisions yet; the first edit creates one")
    columns = (_("REVISION"), _("AT"), _("AUTHOR"), _("SUMMARY"))
    return output.table(columns, (_row(one) for one in found))


def _row(one: Revision | Damaged) -> tuple[object, ...]:
    if isinstance(one, Damaged):
        return one.number, "", "", _("cannot be read: {reason}").format(reason=one.reason)
    at = datetime.fromisoformat(one.at).astimezone()
    return one.number, f"{at:%Y-%m-%d %H:%M:%S}", one.author, one.summary


def tell_damaged(one: Damaged) -> None:
    """Warn of a revision that cannot be read."""
    text = _("skipping revision {number}: cannot read {file}: {reason}")
    output.warn(text.format(number=one.number, file=one.file, reason=one.reason))


def show_diff(
    ctx: typer.Context,
    older: Annotated[
        int | None,
        typer.Argument(
            help="Revision; by default, the last one that differs.",
            autocompletion=candidates.revisions,
            show_default=False,
            metavar="OLDER",
        ),
    ] = None,
    newer: Annotated[
        int | None,
        typer.Argument(
            help="Revision; by default, the file as it is now.",
            autocompletion=candidates.revisions,
            show_default=False,
            metavar="NEWER",
        ),
    ] = None,
    *,
    secrets: SecretsOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the changes between two revisions, or since one.

    For example: jairouter config diff 3 5
    """
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
            tell_damaged(one)
        elif one.digest != digest:
            return one.number
    raise RevisionNotFound(number="before this one", present="nothing has changed yet")


def _coloured(found: str) -> Text:
    lines = (Text(line, style=_COLOURS.get(line[:1], "")) for line in found.splitlines())
    return Text("\n").join(lines) if found else Text(_("no differences"))


def forget(
    ctx: typer.Context,
    number: Annotated[
        int, typer.Argument(help="Revision to remove.", autocompletion=candidates.revisions, metavar="REVISION")
    ],
    *,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a revision; the newest one cannot be removed."""
    options.store(ctx, config).forget(number)
    done = _("removed revision {number}").format(number=number)
    output.show({"forgotten": number}, as_json=as_json, text=lambda: done)


def rollback(
    ctx: typer.Context,
    number: Annotated[
        int, typer.Argument(help="Revision to restore.", autocompletion=candidates.revisions, metavar="REVISION")
    ],
    *,
    expect: ExpectOption = None,
    wait: WaitOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Restore a revision. This creates a new revision, so nothing is lost."""
    store = options.store(ctx, config)
    revision = store.history.read(number)

    editing.edit(ctx, config, lambda document: roll_back(document, revision), expect=expect, wait=wait, as_json=as_json)
