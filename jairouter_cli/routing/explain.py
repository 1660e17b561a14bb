"""Explains a routing decision: the current state of each candidate. Changes nothing."""

from typing import Final, NamedTuple

from jairouter_cli.config.model import Balancing
from jairouter_cli.routing.balance import STRATEGIES, Chance
from jairouter_cli.routing.breaker import BreakerState
from jairouter_cli.routing.failover import Obstacle, obstacle
from jairouter_cli.routing.health import HealthState
from jairouter_cli.routing.ledger import Seat
from jairouter_cli.routing.table import Pool

# Where the same call would not get the same choice again.
_BY_CHANCE: Final = frozenset({Balancing.RANDOM, Balancing.LATENCY})


class Candidate(NamedTuple):
    """One instance as routing sees it. `slots` is None where there is no limit; `obstacle` None if it can be used.

    `is_next` says that the strategy would choose it now; of those that leave it to chance it says that it may.
    """

    instance: str
    priority: int
    weight: int
    state: HealthState
    breaker: BreakerState | None
    in_flight: int
    slots: int | None
    taken: int
    waiting: int
    cooling_s: float
    latency_s: float
    score: float | None
    obstacle: Obstacle | None
    is_next: bool
    reason: str


def explain(
    pool: Pool,
    seats: tuple[Seat, ...],
    disabled: tuple[Seat, ...],
    chance: Chance,
    limited: frozenset[str] = frozenset(),
) -> tuple[Candidate, ...]:
    """Return every candidate of a pool, those that are disabled last; `limited` are those that reached a limit."""

    def against(seat: Seat) -> Obstacle | None:
        return obstacle(seat, chance.now) or (Obstacle.LIMITED if seat.target.id in limited else None)

    usable = [seat for seat in seats if against(seat) is None]
    if not usable and all(against(seat) is not Obstacle.FULL for seat in seats):
        usable = [seat for seat in seats if against(seat) is Obstacle.DOWN]  # tried when nothing else is left
    first = min((seat.target.priority for seat in usable), default=0)
    tier = [seat for seat in usable if seat.target.priority == first]
    chosen = _would_choose(pool, tier, chance)
    rows = [_candidate(pool, seat, against(seat), chance, is_next=seat in chosen) for seat in seats]
    rows += [_candidate(pool, seat, Obstacle.DISABLED, chance, is_next=False) for seat in disabled]
    return tuple(rows)


def _would_choose(pool: Pool, tier: list[Seat], chance: Chance) -> list[Seat]:
    if not tier or pool.balancing in _BY_CHANCE:
        return tier
    turns = [seat.live.turn for seat in tier]
    chosen = STRATEGIES[pool.balancing].choose(tier, chance)
    for seat, turn in zip(tier, turns, strict=True):
        seat.live.turn = turn
    return [chosen]


def _candidate(pool: Pool, seat: Seat, what: Obstacle | None, chance: Chance, *, is_next: bool) -> Candidate:
    target, live = seat
    return Candidate(
        instance=target.id,
        priority=target.priority,
        weight=target.weight,
        state=live.state(target),
        breaker=None if target.breaker is None else live.breaker,
        in_flight=live.in_flight,
        slots=target.max_concurrency,
        taken=live.slots.taken,
        waiting=live.slots.waiting,
        cooling_s=max(0.0, live.cooling_until - chance.now),
        latency_s=live.latency_s(chance.now),
        score=None if what is Obstacle.DISABLED else STRATEGIES[pool.balancing].score(seat, chance),
        obstacle=what,
        is_next=is_next,
        reason=live.health.reason,
    )
