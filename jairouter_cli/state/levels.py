"""The buckets of limits of a single worker, in dictionaries; the number of client buckets is bounded."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from jairouter_cli.routing.admission import Demand, Refusal, Shelves, charge, correct, peek
from jairouter_cli.routing.buckets import BucketNumbers, Decision


class Levels(Protocol):
    """Where levels are kept; each question is answered as one step."""

    def charge(self, demands: Sequence[Demand]) -> float | Refusal:
        """Take what is demanded from every bucket, or nothing and say why not."""

    def peek(self, demands: Sequence[Demand]) -> list[Decision]:
        """Return what would be decided."""

    def correct(self, corrections: Sequence[Demand]) -> None:
        """Take what costs turned out to be more than was demanded, or give back what they were less."""

    def retune(self, most_clients: int, client_memory_s: float) -> None:
        """Take over how many clients are remembered, and for how long."""

    def close(self) -> None:
        """Let go of what they are kept in."""


class RecentShelf:
    """Buckets of clients: at most so many, and none that was not used for so long.

    In two halves: when the younger one is full, or old enough, it becomes the older one, and what has not been used
    since that became so is forgotten.
    """

    __slots__ = ("_clock", "_old", "_since", "_young", "memory_s", "most")

    def __init__(self, clock: Callable[[], float], most: int, memory_s: float) -> None:
        self._clock: Final = clock
        self._young: dict[str, BucketNumbers] = {}
        self._old: dict[str, BucketNumbers] = {}
        self._since = clock()
        self.most = most
        self.memory_s = memory_s

    def get(self, name: str, default: BucketNumbers, /) -> BucketNumbers:
        """Return a bucket's numbers."""
        numbers = self._young.get(name)
        return self._old.get(name, default) if numbers is None else numbers

    def __setitem__(self, name: str, numbers: BucketNumbers, /) -> None:
        if name not in self._young:
            self._make_room()
        self._young[name] = numbers

    def _make_room(self) -> None:
        now = self._clock()
        age_s = now - self._since
        if len(self._young) >= max(1, self.most // 2) or age_s > self.memory_s / 2:
            self._old = {} if age_s > self.memory_s else self._young
            self._young, self._since = {}, now

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())


class OwnLevels:
    """The levels of one worker."""

    __slots__ = ("_clients", "_clock", "_shelves")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock: Final = clock
        self._clients: Final = RecentShelf(clock, 10_000, 1800.0)
        fixed: dict[str, BucketNumbers] = {}
        self._shelves: Final = Shelves(fixed, self._clients)

    def charge(self, demands: Sequence[Demand]) -> float | Refusal:
        """Take what is demanded from every bucket, or nothing and say why not."""
        return charge(self._shelves, demands, self._clock())

    def peek(self, demands: Sequence[Demand]) -> list[Decision]:
        """Return what would be decided."""
        return peek(self._shelves, demands, self._clock())

    def correct(self, corrections: Sequence[Demand]) -> None:
        """Take what costs turned out to be more than was demanded, or give back what they were less."""
        correct(self._shelves, corrections)

    def retune(self, most_clients: int, client_memory_s: float) -> None:
        """Take over how many clients are remembered, and for how long."""
        self._clients.most, self._clients.memory_s = most_clients, client_memory_s

    def close(self) -> None:
        """Nothing to let go of."""
