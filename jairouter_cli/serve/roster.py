"""What the parent knows of its workers, and what it makes of that: when to start one again, when one hangs. No I/O."""

import signal
from enum import Enum
from typing import Final

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 30.0
SETTLED_S: Final = 60.0  # a worker that has lived for so long has no part in the pauses of those before it
WARN_S: Final = 10.0
LEAST_TIMEOUT_S: Final = 2.0  # several beats
_SLOW_START: Final = 10.0  # how much more time one has that has not come up yet
_TRIES: Final = 3  # how often a worker may be killed before it comes up until that is no accident


class Silence(Enum):
    """What is to be said or done about a worker that is silent."""

    NEW = "new"
    TOO_LONG = "too long"


class WorkerPlace:
    """The place of one worker, through all the processes that have it one after the other."""

    __slots__ = ("_born_at", "_has_warned", "_pause_s", "_tries", "due_at", "has_failed", "is_up", "number", "silent_s")

    def __init__(self, number: int) -> None:
        self.number: Final = number
        """From 1."""
        self.is_up = False
        """Whether the process that has it has begun to serve."""
        self.due_at: float | None = None
        """When the next process is to be started, if there is none."""
        self.silent_s = 0.0
        """How long nothing was heard of it, as far as the parent ran."""
        self.has_failed = False
        """Whether it did not come up, and will hardly come up if it is tried again."""
        self._born_at = 0.0
        self._pause_s = 0.0
        self._tries = 0
        self._has_warned = False

    @property
    def state(self) -> str:
        """What it does, in a word."""
        if self.due_at is not None:
            return "restarting"
        if self._has_warned:
            return "silent"
        return "up" if self.is_up else "starting"

    def begin(self, now: float) -> None:
        """Note that a process was started."""
        self.due_at, self._born_at = None, now
        self.is_up = self._has_warned = False
        self.silent_s = 0.0

    def hear(self) -> float:
        """Note that it was heard; return how long it had been silent if that was told, else 0."""
        silent_s, self.silent_s = self.silent_s if self._has_warned else 0.0, 0.0
        self.is_up, self._has_warned, self.has_failed, self._tries = True, False, False, 0
        return silent_s

    def listen(self, passed_s: float, timeout_s: float) -> Silence | None:
        """Note that nothing was heard for so much longer; return what is to be done about it.

        With a `timeout_s` of 0 it is told, and nothing is done.
        """
        self.silent_s += passed_s
        bound_s = max(timeout_s, LEAST_TIMEOUT_S) * (1.0 if self.is_up else _SLOW_START)
        if timeout_s and self.silent_s >= bound_s:
            return Silence.TOO_LONG
        warn_s = min(WARN_S, bound_s / 2) if timeout_s else WARN_S
        if self.silent_s >= warn_s and self.is_up and not self._has_warned:
            self._has_warned = True
            return Silence.NEW
        return None

    def end(self, now: float, code: int | None) -> float:
        """Note that its process has ended; return after what pause the next one is to be started."""
        if not self.is_up:
            self._tries += 1
            self.has_failed = bool(code and code > 0) or self._tries >= _TRIES
        lasted = now - self._born_at >= SETTLED_S
        self._pause_s = FIRST_PAUSE_S if lasted or not self._pause_s else min(2 * self._pause_s, LONGEST_PAUSE_S)
        self.due_at = now + self._pause_s
        self.is_up = self._has_warned = False
        return self._pause_s


def manner(code: int | None) -> str:
    """Say how a process has ended."""
    if code is None:
        return "it could not be started"
    if code >= 0:
        return f"exit status {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
