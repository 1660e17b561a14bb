"""Live state by target: what a reload keeps for all that stays, and drops once the last request of what is gone ends.

Configuration never lives here; a `Target` is configuration, its `Live` is not.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from jairouter_cli.config.model import ServiceType
from jairouter_cli.routing.call import Outcome, Target
from jairouter_cli.routing.health import Health

Key = tuple[ServiceType, str, int]


@dataclass(slots=True)
class Live:
    """The live state of one target."""

    in_flight: int = 0
    turn: float = 0.0
    """Its standing in smooth weighted round robin."""
    health: Health = field(default_factory=Health)
    retired: bool = False
    """No longer configured; forgotten when nothing is in flight."""


class Lease:
    """The right to send one request to a target, settled exactly once by whoever holds it last."""

    __slots__ = ("_ledger", "live", "outcome", "target")

    def __init__(self, ledger: "Ledger", target: Target, live: Live) -> None:
        self._ledger: Final = ledger
        self.target: Final = target
        self.live: Final = live
        self.outcome: Outcome | None = None
        live.in_flight += 1

    def settle(self, outcome: Outcome) -> None:
        """End the lease. Raises `RuntimeError` if it has ended already."""
        if self.outcome is not None:
            message = f"the lease on {self.target.id} was settled as {self.outcome} before"
            raise RuntimeError(message)
        self.outcome = outcome
        self.live.in_flight -= 1
        if self.live.retired and not self.live.in_flight:
            self._ledger.forget(self.target.key)


class Ledger:
    """The live state of every target."""

    __slots__ = ("_lives",)

    def __init__(self) -> None:
        self._lives: dict[Key, Live] = {}

    def reconcile(self, targets: Iterable[Target]) -> None:
        """Fit the state to a new configuration: add what is new, keep what stays, retire what is gone."""
        keys = {target.key for target in targets}
        for key in keys:
            self._lives.setdefault(key, Live()).retired = False
        for key in [key for key in self._lives if key not in keys]:
            live = self._lives[key]
            live.retired = True
            if not live.in_flight:
                self.forget(key)

    def live(self, target: Target) -> Live:
        """Return the state of a target; one of an older table may be gone already and gets a passing one."""
        return self._lives.get(target.key) or Live(retired=True)

    def lease(self, target: Target) -> Lease:
        """Take the right to send one request to a target."""
        return Lease(self, target, self.live(target))

    def forget(self, key: Key) -> None:
        """Drop the state of a target that is gone."""
        self._lives.pop(key, None)

    @property
    def in_flight(self) -> int:
        """Requests under way, over all targets."""
        return sum(live.in_flight for live in self._lives.values())
