"""Tables that fit the terminal: side by side where there is room, else a block of lines for each row."""

from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

_GAP: Final = 2
_LEAST: Final = 24  # columns that the last cell of a row is still readable in


class FittingTable:
    """A table without lines, which reads well and splits well; the last column may be folded.

    What is not `is_for_a_person` goes to a pipe or a file: it stays a table however wide, and nothing is folded.
    """

    def __init__(self, columns: Sequence[str], rows: Sequence[Sequence[Text]], *, is_for_a_person: bool) -> None:
        self._columns: Final = columns
        self._rows: Final = rows
        self._is_for_a_person: Final = is_for_a_person

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render it as wide as the console is."""
        if not self._is_for_a_person or self._needed() <= options.max_width:
            yield self._table()
        else:
            for number, row in enumerate(self._rows):
                if number:
                    yield ""
                yield self._block(row)

    def _needed(self) -> int:
        """Return the width that the table takes at least."""
        widths = [max(map(cell_len, column)) for column in zip(self._columns, *self._texts(), strict=True)]
        *others, last = widths or [0]
        return sum(others) + _GAP * len(others) + min(last, _LEAST)

    def _texts(self) -> list[list[str]]:
        return [[cell.plain for cell in row] for row in self._rows]

    def _table(self) -> Table:
        made = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
        for number, column in enumerate(self._columns):
            is_last = number == len(self._columns) - 1
            made.add_column(column, overflow="fold", no_wrap=not (self._is_for_a_person and is_last))
        for row in self._rows:
            made.add_row(*row)
        return made

    def _block(self, row: Sequence[Text]) -> Table:
        """Return a row as lines of a name and a value; what is empty has none."""
        made = Table.grid(padding=(0, _GAP, 0, 0))
        made.add_column(style="bold", no_wrap=True)
        made.add_column(overflow="fold")
        for name, cell in zip(self._columns, row, strict=True):
            if cell.plain not in {"", "-"}:
                made.add_row(name, cell)
        return made
