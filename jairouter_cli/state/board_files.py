"""The memory in which workers count: a file for each, in their shared folder (see `observe.board`).

The file of a worker that dies stays, and its successor continues it.
"""

import os
from pathlib import Path
from typing import Final

from jairouter_cli.state.folder import BOARD_PREFIX, mapped


class BoardFiles:
    """The files of one server's workers: that of one's own place to write, the others to read."""

    def __init__(self, folder: Path, place: int, size_bytes: int) -> None:
        self._folder: Final = folder
        self._size_bytes: Final = size_bytes
        self._others: dict[int, memoryview] = {}
        self._place: Final = place
        self.own: Final = self._open(place)

    def _open(self, place: int) -> memoryview:
        file, memory = mapped(self._folder / f"{BOARD_PREFIX}{place}", self._size_bytes)
        os.close(file)
        return memoryview(memory)

    def others(self) -> dict[int, memoryview]:
        """Return the memory of every other place."""
        for path in self._folder.glob(f"{BOARD_PREFIX}*"):
            place = int(path.name.removeprefix(BOARD_PREFIX))
            if place != self._place and place not in self._others:
                self._others[place] = self._open(place)
        return self._others
