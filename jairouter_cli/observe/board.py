"""A board: the numbers of one worker, in memory that other processes can read while it writes.

A row is a few adjacent cells, and an index entry that names them. One thread of one process writes cells, any can read
them; an index entry is valid once it is complete. So readers never wait, and the numbers of a worker that dies stay:
its successor continues the same board.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

CELLS: Final = 1 << 19  # sparse: what no row has takes no memory
INDEX_BYTES: Final = 1 << 23
_HEAD_BYTES: Final = 16  # how much of the index is whole, how many cells are taken
_CELL_BYTES: Final = 8
BOARD_BYTES: Final = _HEAD_BYTES + INDEX_BYTES + CELLS * _CELL_BYTES


class Row(NamedTuple):
    """Whose cells begin at `at`: the name of a record, the values of its labels; there are `width` of them."""

    record: str
    labels: tuple[str, ...]
    at: int
    width: int


_rows: Final = msgspec.json.Decoder(Row)


class Board:
    """A board in a piece of memory of `BOARD_BYTES`, which begins as zeros."""

    __slots__ = ("_body", "_head", "_places", "_read_bytes", "cells", "memory")

    def __init__(self, memory: memoryview) -> None:
        self.memory: Final = memory
        self._head: Final = memory[:_HEAD_BYTES].cast("Q")
        self._body: Final = memory[_HEAD_BYTES : _HEAD_BYTES + INDEX_BYTES]
        self.cells: Final = memory[_HEAD_BYTES + INDEX_BYTES : BOARD_BYTES].cast("d")
        self._places: dict[tuple[str, tuple[str, ...]], Row] = {}
        self._read_bytes = 0

    def rows(self) -> Iterator[Row]:
        """Yield all rows, those too that its writer has added since."""
        end = self._head[0]
        if end > self._read_bytes:
            for line in bytes(self._body[self._read_bytes : end]).splitlines():
                row = _rows.decode(line)
                self._places[row.record, row.labels] = row
            self._read_bytes = end
        yield from tuple(self._places.values())  # its writer, on another thread, may add one meanwhile

    def row(self, record: str, labels: tuple[str, ...], width: int) -> Row | None:
        """Return a row, which begins as zeros; None if there is no room for another. For the writer alone."""
        known = self._places.get((record, labels))
        if known is not None:
            return known
        end, taken = self._head[0], self._head[1]
        row = Row(record, labels, taken, width)
        entry = msgspec.json.encode(row) + b"\n"
        if taken + width > CELLS or end + len(entry) > INDEX_BYTES:
            return None
        self._body[end : end + len(entry)] = entry
        self._head[1] = taken + width
        self._head[0] = end + len(entry)  # last: from now on it counts
        self._places[record, labels] = row
        self._read_bytes = self._head[0]
        return row

    def holds(self, record: str, labels: tuple[str, ...]) -> bool:
        """Whether there is such a row."""
        return (record, labels) in self._places

    def values(self, row: Row) -> tuple[float, ...]:
        """Return what stands in a row's cells."""
        return tuple(self.cells[row.at : row.at + row.width])


def own_board() -> Board:
    """Return the board of a worker that is alone."""
    return Board(memoryview(bytearray(BOARD_BYTES)))
