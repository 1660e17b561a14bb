"""Health: derives UP or DOWN from consecutive results of probes and real calls."""

from enum import StrEnum
from typing import Final

from jairouter_cli.config.model import HealthCheck
from jairouter_cli.routing.record import Number, Record


class HealthState(StrEnum):
    """How an instance is, as far as is known; the last two are what its configuration makes of it."""

    UNKNOWN = "UNKNOWN"
    UP = "UP"
    FAILING = "FAILING"
    """Up and in use, but its last result was bad."""
    DOWN = "DOWN"
    DRAINING = "DRAINING"
    """Disabled or removed, with requests in flight."""
    DISABLED = "DISABLED"


_STATE: Final = int(Number.HEALTH_STATE)
_STREAK: Final = int(Number.HEALTH_STREAK)
_AT: Final = int(Number.HEALTH_AT)

_STATES: Final = (HealthState.UNKNOWN, HealthState.UP, HealthState.DOWN)
_UP, _DOWN = 1.0, 2.0


class Health:
    """The health of one instance, over the numbers of its record."""

    __slots__ = ("_record",)

    def __init__(self, record: Record) -> None:
        self._record = record

    @property
    def state(self) -> HealthState:
        """What is known."""
        return _STATES[int(self._record.numbers[_STATE])]

    @property
    def is_down(self) -> bool:
        """Whether it is known to be down."""
        return self._record.numbers[_STATE] == _DOWN

    @property
    def is_sound(self) -> bool:
        """Whether another good result would tell nothing new."""
        numbers = self._record.numbers
        return numbers[_STATE] == _UP and not numbers[_STREAK]

    @property
    def at(self) -> float | None:
        """When the last result came that was noted."""
        return self._record.numbers[_AT] or None

    @property
    def reason(self) -> str:
        """Why the last result was bad, or nothing."""
        return self._record.text

    def forget(self) -> None:
        """Know nothing again."""
        with self._record.lock:
            self._record.numbers[_STATE] = self._record.numbers[_STREAK] = 0.0
            self._record.text = ""

    def saw(self, check: HealthCheck, *, ok: bool, now: float, reason: str = "", asked: bool = True) -> bool:
        """Take in one result; return whether that is news: the state changed, and not merely from unknown to up.

        The first result ever decides at once, later ones when they make a row; a bad one only if it was asked for, as
        one request that fails says little.
        """
        with self._record.lock:
            numbers = self._record.numbers
            numbers[_AT] = now
            if self._record.text != reason:
                self._record.text = reason
            verdict, before = _UP if ok else _DOWN, numbers[_STATE]
            if verdict == before:
                numbers[_STREAK] = 0
                return False
            numbers[_STREAK] += 1
            needed = check.success_threshold if ok else check.failure_threshold
            if (before or not (ok or asked)) and numbers[_STREAK] < needed:
                return False
            numbers[_STREAK] = 0
            numbers[_STATE] = verdict
            return bool(before) or not ok
