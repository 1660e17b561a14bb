"""The parent's report on all workers, in shared memory, so that any worker can show it."""

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from jairouter_cli.state.folder import ROLL_FILE, Sheet


class LastEnd(msgspec.Struct, frozen=True):
    """How the worker has ended that ended last; `at` is wall clock."""

    worker: int
    ended: str
    at: float


class RollCall(msgspec.Struct, frozen=True):
    """The report: the state of each place, how many workers ended and were replaced, and the last one of them."""

    states: tuple[str, ...] = ()
    restarts: int = 0
    last: LastEnd | None = None


class Roll:
    """The parent's pen."""

    def __init__(self, folder: Path) -> None:
        self._sheet: Final = Sheet(folder / ROLL_FILE)
        self._told = RollCall()

    def restarting(self, worker: int, ended: str) -> None:
        """Note that a worker has ended and is replaced."""
        self._put(RollCall(self._told.states, self._told.restarts + 1, LastEnd(worker, ended, time.time())))

    def tell(self, states: Sequence[str]) -> None:
        """Note what each of them does."""
        if tuple(states) != self._told.states:
            self._put(RollCall(tuple(states), self._told.restarts, self._told.last))

    def _put(self, told: RollCall) -> None:
        self._told = told
        with suppress(OSError):  # where the folder is in a file system that is full
            self._sheet.write(msgspec.to_builtins(told))


class RollReader:
    """A worker's eyes; without a folder there is nothing to see."""

    def __init__(self, folder: Path | None) -> None:
        self._sheet: Final = None if folder is None else Sheet(folder / ROLL_FILE)

    def read(self) -> RollCall | None:
        """Return what was told last."""
        found: Any = None if self._sheet is None else self._sheet.read()
        return None if found is None else msgspec.convert(found, RollCall)
