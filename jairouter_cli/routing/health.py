"""Up or down: what a row of probe results, or of real calls, says of an instance (contract 5.5)."""

from dataclasses import dataclass
from enum import StrEnum

from jairouter_cli.config.model import HealthCheck


class State(StrEnum):
    """Whether an instance can be reached, as far as is known."""

    UNKNOWN = "UNKNOWN"
    UP = "UP"
    DOWN = "DOWN"


@dataclass(slots=True)
class Health:
    """The health of one instance; `at` is the wall clock of the last result, `reason` why it failed."""

    state: State = State.UNKNOWN
    streak: int = 0
    """Results in a row that speak against `state`."""
    reason: str = ""
    at: float | None = None

    def saw(self, check: HealthCheck, *, ok: bool, at: float, reason: str = "") -> None:
        """Take in one result. The first one ever decides at once, later ones when they make a row."""
        self.at, self.reason = at, reason
        verdict = State.UP if ok else State.DOWN
        if verdict is self.state:
            self.streak = 0
            return
        self.streak += 1
        needed = check.success_threshold if ok else check.failure_threshold
        if self.state is State.UNKNOWN or self.streak >= needed:
            self.state, self.streak = verdict, 0
