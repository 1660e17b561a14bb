"""Prints results to stdout and messages to stderr; both respect `NO_COLOR`."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.text import Text

from jairouter_cli.cli.language import _, is_for_programs, marked, paragraphs
from jairouter_cli.cli.tables import FittingTable
from jairouter_cli.errors import JAIRouterError

_WIDE: Final = 10_000  # columns of a table that goes to a file or a pipe: lines are never folded there


def show(data: Any, *, as_json: bool, text: Callable[[], RenderableType]) -> None:
    """Print a command's result: as JSON, or as `text` renders it."""
    if as_json:
        print_json(data)
    else:
        stdout().print(text(), soft_wrap=not sys.stdout.isatty())


def print_json(data: Any) -> None:
    """Print one JSON document, indented, in the characters it is written in, escaped if the output has not got them."""
    text = json.dumps(data, ensure_ascii=False, indent=2)
    sys.stdout.write((text if is_writable(text) else json.dumps(data, indent=2)) + "\n")
    sys.stdout.flush()


def is_writable(text: str) -> bool:
    """Whether standard output has all the letters of a text."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def stdout() -> Console:
    """Return a console for data; colours and widths only where a person looks (`NO_COLOR` is respected)."""
    return Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else _WIDE)


def stderr() -> Console:
    """Return a console for messages."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> FittingTable:
    """Return a table; the last column is the one that may be folded."""
    shown = [[cell if isinstance(cell, Text) else Text(str(cell)) for cell in row] for row in rows]
    return FittingTable([_(name) for name in columns], shown, is_for_a_person=sys.stdout.isatty())


def pairs(named: Sequence[tuple[str, object]]) -> Text:
    """Return names and what they stand for, side by side, indented."""
    width = max(cell_len(name) for name, _ in named)
    return Text("\n".join(f"  {name}{'':{width - cell_len(name) + 2}}{value}" for name, value in named))


def say(message: str) -> None:
    """Print a message that is not data."""
    stderr().print(message)


@contextmanager
def waiting(message: str) -> Iterator[None]:
    """Show in a terminal, while something is waited for, what that is; the line goes when it is over."""
    is_shown = sys.stderr.isatty() and not is_for_programs()
    if is_shown:
        sys.stderr.write(message)
        sys.stderr.flush()
    try:
        yield
    finally:
        if is_shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def warn(message: str) -> None:
    """Print a warning."""
    stderr().print(Text.assemble((_("warning: "), "bold yellow"), message))


# What the values of an error's other keywords say, where they are made by modules that know no reader.
_PHRASES: Final = (
    marked("did you mean {names}?"),
    marked("closest matches: {names}"),
    marked("it can be {names}"),
    marked("the service has no instances"),
    marked("it is not in the file, so its default already applies"),
    marked("keys are joined by dots, like server.port or a.list[0].name"),
    marked("the list has {names} items"),
    marked("the keys are {names}"),
    marked("there are none yet"),
    marked("there is {names}"),
    marked("there are {names}"),
)


def _said(error: JAIRouterError) -> str:
    """Return the text of an error; one whose text is its keyword `message` may have it translated already."""
    if type(error).message is not JAIRouterError.message:
        return str(error)
    told = {name: _told(name, value) for name, value in error.params.items()}
    return _(error.texts["en"]).format(**told)


def _told(name: str, value: Any) -> Any:
    """Return the value of a keyword of an error, in the reader's language."""
    if not isinstance(value, str):
        return value
    if name == "message":
        return paragraphs(value)
    for phrase in _PHRASES:
        before, has_names, after = phrase.partition("{names}")
        names = value.removeprefix(before).removesuffix(after)
        if before + names + after == value and (has_names or not names):
            return _(phrase).format(names=names)
    return value


def fail(error: JAIRouterError) -> None:
    """Print an error and its hint, in the reader's language; for programs as one line of JSON, in English."""
    message, hint = _said(error), paragraphs(error.hint or "")
    if is_for_programs():
        said = {"kind": type(error).__name__, "message": message, "hint": hint or None, "exitCode": error.exit_code}
        sys.stderr.write(json.dumps({"error": said}) + "\n")
        return
    console = stderr()
    console.print(Text.assemble((_("error: "), "bold red"), message))
    if hint:
        console.print(Text.assemble(("\n" + _("hint: "), "bold cyan"), hint))
