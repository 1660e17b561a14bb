"""How help is laid out: in the reader's language, as wide as the terminal, nothing cut off, commands in groups."""

import re
import shutil
import unicodedata
from collections.abc import Iterator, Sequence
from inspect import cleandoc
from typing import Any, Final

import typer

from jairouter_cli.cli.language import _

_WIDEST: Final = 100  # longer lines are hard to read
_NARROWEST: Final = 24
_NAMES: Final = 28  # columns for names of options and commands; longer ones have a line of their own
# A word; or a Chinese letter with the punctuation that may not begin a line.
_UNIT: Final = re.compile(r"[^\s\u2e80-\uffef]+[，。：；、）”？！]*|[\u2e80-\uffef][，。：；、）”？！]*")

_Formatter: Any = typer.Context.formatter_class


class HelpFormatter(_Formatter):  # type: ignore[misc]  # the base is not public
    """Writes help as wide as the terminal."""

    def __init__(self, **given: Any) -> None:
        given["width"] = max(_NARROWEST, min(shutil.get_terminal_size().columns, _WIDEST))
        super().__init__(**given)

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write the line of how a command is used."""
        super().write_usage(prog, args, prefix or _("Usage: "))

    def write_heading(self, heading: str) -> None:
        """Write the heading of a section."""
        self.write(f"{'':>{self.current_indent}}{_(heading)}" + _(":") + "\n")

    def write_text(self, text: str) -> None:
        """Write paragraphs."""
        self._paragraphs(text, self.current_indent)

    def write_dl(self, rows: Sequence[tuple[str, str]], *_args: Any, **_given: Any) -> None:
        """Write names and what they are, side by side where the terminal is wide enough."""
        beside = [cells(name) for name, _ in rows if cells(name) <= _NAMES and self.width >= 2 * _NAMES]
        column = self.current_indent + 2 + max(beside, default=0)
        for name, what in rows:
            head = f"{'':>{self.current_indent}}{name}"
            if what and cells(head) + 2 <= column:
                lines = [*wrapped(what, self.width - column)]
                self.write(f"{head}{'':>{column - cells(head)}}{lines[0]}\n")
                self.write("".join(f"{'':>{column}}{line}\n" for line in lines[1:]))
            else:
                self.write(f"{head}\n")
                self._paragraphs(what, column)

    def _paragraphs(self, text: str, indent: int) -> None:
        for number, paragraph in enumerate(text.split("\n\n") if text else ()):
            self.write("\n" if number else "")
            self.write("".join(f"{'':>{indent}}{line}\n" for line in wrapped(paragraph, self.width - indent)))


class HelpContext(typer.Context):
    """The context of a command whose help is laid out so."""

    formatter_class = HelpFormatter


def summary(command: Any) -> str:
    """Return the first sentence of a command's help, as lists of commands show it."""
    return _(cleandoc(command.help or "").partition("\n\n")[0]).replace("\n", " ")


def grouped(commands: Sequence[tuple[str, Any]]) -> dict[str, list[tuple[str, str]]]:
    """Return commands by the heading they stand under, each with its summary."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, command in commands:
        heading = command.rich_help_panel
        found.setdefault(heading if isinstance(heading, str) else "Commands", []).append((name, summary(command)))
    return found


def cells(text: str) -> int:
    """Return how many columns of a terminal a text takes, as rich's `cell_len`, which takes long to load."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def wrapped(text: str, width: int) -> Iterator[str]:
    """Yield the lines of a paragraph, at most `width` columns each where its words allow that."""
    line, end = "", 0
    for unit in _UNIT.finditer(text):
        gap = " " if line and unit.start() > end else ""
        if line and cells(line + gap + unit[0]) > width:
            yield line
            line, gap = "", ""
        line, end = line + gap + unit[0], unit.end()
    yield line
