"""Records: the numbers behind live state, which several workers can share.

A record belongs to one name: a target, or the machine of several targets. All workers share its `numbers` and change
them under `lock`; each column has a cell for every worker, which only that worker writes, so that a worker that dies
takes its counts along. With one worker, a record is a few lists, and the lock does nothing.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from enum import IntEnum, auto
from typing import Final, Protocol


class Number(IntEnum):
    """Where a number stands in `Record.numbers`. All begin as zero."""

    BREAKER_STATE = 0
    BREAKER_EPOCH = auto()
    BREAKER_UNTIL = auto()
    BREAKER_STREAK = auto()
    WINDOW_START = auto()
    WINDOW_TOTAL = auto()
    WINDOW_FAILED = auto()
    WINDOW_TOTAL_BEFORE = auto()
    WINDOW_FAILED_BEFORE = auto()
    HEALTH_STATE = auto()
    HEALTH_STREAK = auto()
    HEALTH_AT = auto()
    ANSWERED_AT = auto()
    LATENCY_S = auto()
    LATENCY_AT = auto()
    COOLING_UNTIL = auto()
    SLOTS_TURN = auto()
    SLOTS_HELD_S = auto()
    REQUESTS = auto()
    FAILURES = auto()
    ANSWERS_S = auto()


class Numbers(Protocol):
    """Numbers side by side: a list of them, or a piece of memory."""

    def __getitem__(self, at: int, /) -> float: ...

    def __setitem__(self, at: int, value: float, /) -> None: ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[float]: ...


class Record:
    """The numbers of one name; `worker` is which cell of the columns is this worker's own."""

    __slots__ = ("in_flight", "lock", "numbers", "permits", "text", "waiting", "worker")

    def __init__(self) -> None:
        self.worker = 0
        self.lock: AbstractContextManager[object] = _NO_LOCK
        self.numbers: Numbers = [0.0] * len(Number)
        self.in_flight: Numbers = [0.0]
        self.waiting: Numbers = [0.0]
        self.permits: Numbers = [0.0]
        self.text = ""
        """A word on the numbers, for people: why health is as it is."""


_NO_LOCK: Final = nullcontext()


class Memory(Protocol):
    """Where records are kept."""

    def record(self, name: str) -> Record:
        """Return the record of a name, which is new if no worker holds it."""

    def release(self, name: str) -> None:
        """Let go of a record; when no worker holds it, it is no more."""

    def nudge(self, worker: int) -> None:
        """Tell another worker that a slot which it waits for may be free."""


class OwnMemory:
    """Records of a worker that is alone."""

    def record(self, name: str) -> Record:  # noqa: ARG002 - the ledger asks once per name
        """Return a new record."""
        return Record()

    def release(self, name: str) -> None:
        """Nothing to let go of."""

    def nudge(self, worker: int) -> None:
        """There is no other."""
