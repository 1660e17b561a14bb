"""The memory for what workers count, a file each in the folder that they have in common (see `observe.board`)."""

import mmap
import os
from pathlib import Path
from typing import Final

_PREFIX: Final = "board-"


class Boards:
    """The files of one server's workers: that of one's own place to write, all of them to read."""

    def __init__(self, folder: Path, place: int, size_bytes: int) -> None:
        self._folder: Final = folder
        self._size_bytes: Final = size_bytes
        self._known: dict[int, memoryview] = {}
        self.own: Final = self._open(place)

    def _open(self, place: int) -> memoryview:
        file = os.open(self._folder / f"{_PREFIX}{place}", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(file, self._size_bytes)  # to the same size by each
            memory = memoryview(mmap.mmap(file, self._size_bytes))
        finally:
            os.close(file)
        self._known[place] = memory
        return memory

    def all(self) -> dict[int, memoryview]:
        """Return the memory of every place that ever had a worker."""
        for path in self._folder.glob(f"{_PREFIX}*"):
            place = int(path.name.removeprefix(_PREFIX))
            if place not in self._known:
                self._open(place)
        return self._known
