"""Whether the wall clock is reliable: a minute with a wrong clock must not delete records of a year."""

from collections.abc import Callable
from typing import Final

HOUR_S: Final = 3600.0

_STEP_S: Final = 2.0  # NTP corrects what is less without a step
_GAP_S: Final = 600.0  # a machine that slept for longer may have woken up with any time


class Steadiness:
    """Watches the wall clock beside one that only counts; `is_steady` once both have gone alike for an hour."""

    def __init__(self, wall: Callable[[], float], ticks: Callable[[], float]) -> None:
        self._wall: Final = wall
        self._ticks: Final = ticks
        self._before: tuple[float, float] | None = None
        self._steady_s = 0.0

    def look(self, every_s: float) -> None:
        """Look, as is done every so many seconds."""
        now = self._wall(), self._ticks()
        if self._before is not None:
            told, gone = now[0] - self._before[0], now[1] - self._before[1]
            is_alike = abs(told - gone) <= _STEP_S and 0 <= gone <= max(_GAP_S, 2 * every_s)
            self._steady_s = self._steady_s + gone if is_alike else 0.0
        self._before = now

    @property
    def is_steady(self) -> bool:
        """Whether it has been right, or at least wrong in the same way, for an hour."""
        return self._steady_s >= HOUR_S
