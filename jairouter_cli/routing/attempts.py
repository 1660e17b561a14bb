"""The failover plan: which instances are tried, in which order, and when to give up.

A generator that yields what is to be done next, a `Lease` to be used or a `Wait` for a slot, and is sent what became of
it; so it can be tested with plain values. It settles a lease when it is told of its failure; when the exchange succeeds
the caller keeps the lease and closes the generator. It returns why nothing is left.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from random import Random
from typing import NamedTuple, cast

from jairouter_cli.routing import breaker
from jairouter_cli.routing.balance import STRATEGIES, Chance
from jairouter_cli.routing.budget import RetryBudget
from jairouter_cli.routing.call import Call, Outcome
from jairouter_cli.routing.ledger import Lease, Ledger, Seat
from jairouter_cli.routing.slots import Slots
from jairouter_cli.routing.table import Pool


class Obstacle(Enum):
    """Why an instance does not get a request now; the value is the word for logs, `details` and `explain`."""

    DISABLED = "disabled"
    DOWN = "down"
    BREAKER_OPEN = "breaker_open"
    COOLING_DOWN = "cooling_down"
    FULL = "full"


class Result(NamedTuple):
    """What became of an attempt that did not do. `was_work` says whether it cost the backend any.

    `cooldown_s` is how long the backend asked to be left alone.
    """

    outcome: Outcome
    reason: str = ""
    was_work: bool = True
    cooldown_s: float = 0.0


class Wait(NamedTuple):
    """All that could answer are full: wait for a slot of any of these machines, until then.

    What is sent back is the machine on which a slot was taken, or None if there was none in time.
    """

    machines: tuple[Slots, ...]
    until: float


class Limit(Enum):
    """What else may end the attempts; the value is the word for `details`."""

    RETRIES = "max_retries"
    BUDGET = "retry_budget"
    DEADLINE = "deadline"
    FAILOVER_OFF = "failover_disabled"


@dataclass(slots=True)
class Exhausted:
    """Nothing is left to try: what stands against each instance that was not tried, or the limit that was reached.

    `retry_after_s` is how long until one of those may be used again, if that is known.
    """

    obstacles: dict[str, Obstacle] = field(default_factory=dict)
    limit: Limit | None = None
    retry_after_s: float | None = None


Step = Lease | Wait
Plan = Generator[Step, Result | Slots | None, Exhausted]


class Circumstances(NamedTuple):
    """What a plan works with beside the pool and the call."""

    ledger: Ledger
    rng: Random
    clock: Callable[[], float]
    budget: RetryBudget


def obstacle(seat: Seat, now: float) -> Obstacle | None:
    """Return what stands against using an instance now, the gravest first: to be down is only what was seen last."""
    live, rules = seat.live, seat.target.breaker
    if rules is not None and not breaker.allows(live.record, rules, now):
        return Obstacle.BREAKER_OPEN
    if live.cooling_until > now:
        return Obstacle.COOLING_DOWN
    if live.health.is_down and seat.target.check.enabled:
        return Obstacle.DOWN
    if live.slots.limit is not None and not live.slots.has_room:
        return Obstacle.FULL
    return None


def plan(pool: Pool, call: Call, around: Circumstances) -> Plan:
    """Yield a lease per attempt, each on an instance that was not tried before.

    Lower `priority` comes first, as long as any instance of it can be used. Instances known to be down come last, not
    never: a probe may be older than the recovery. The `max-retries` of the instance tried first bounds the attempts
    after it.
    """
    ledger, rng, clock, budget = around
    rules = pool.failover
    budget.earn()
    now = clock()
    deadline = now + rules.deadline_s
    left: Sequence[Seat] = ledger.seats(pool.targets)
    retries: int | None = None
    while True:
        chance = Chance(call, rng, now, pool.hash_algorithm, pool.load_factor)
        seat, slot = _choose(pool, left, chance), None
        if seat is None and (full := _full(left, now)):
            slot = yield Wait(full, deadline)
            now = clock()
            if not isinstance(slot, Slots):
                return _exhausted(left, now)
            there = [one for one in left if one.live.slots is slot]
            seat = _choose(pool, there, chance._replace(now=now), has_slot=True)
            if seat is None:  # while it waited, the instance broke
                slot.return_unused()
                ledger.freed(there[0].live)
                continue
        seat = seat or _choose_down(pool, left, chance)
        if seat is None:
            return _exhausted(left, now)
        lease = ledger.lease(seat.target, now, has_slot=slot is not None)
        if lease is None:  # another worker was faster
            continue
        result = cast("Result", (yield lease))
        now = clock()
        lease.settle(result.outcome, now, result.reason)
        if result.cooldown_s:
            lease.live.cool(now + min(result.cooldown_s, rules.max_cooldown_s))
        left = [one for one in left if one is not seat]
        retries = seat.target.max_retries if retries is None else retries - 1
        limit = _limit(pool, retries, deadline - now)
        if limit is None and left and result.was_work and not budget.spend(rules, now):
            limit = Limit.BUDGET
        if limit is not None:
            return Exhausted(limit=limit)


def _limit(pool: Pool, retries: int, left_s: float) -> Limit | None:
    if not pool.failover.enabled:
        return Limit.FAILOVER_OFF
    if retries <= 0:
        return Limit.RETRIES
    return Limit.DEADLINE if left_s <= 0 else None


def _choose(pool: Pool, seats: Sequence[Seat], chance: Chance, *, has_slot: bool = False) -> Seat | None:
    """Return the instance that the strategy chooses among those that can be used; None if none can."""
    passable = (None, Obstacle.FULL) if has_slot else (None,)
    return _balanced(pool, [seat for seat in seats if obstacle(seat, chance.now) in passable], chance)


def _choose_down(pool: Pool, seats: Sequence[Seat], chance: Chance) -> Seat | None:
    """Return one of those that nothing but their health speaks against."""
    down = [seat for seat in seats if obstacle(seat, chance.now) is Obstacle.DOWN]
    return _balanced(pool, [seat for seat in down if seat.live.slots.has_room], chance)


def _balanced(pool: Pool, usable: Sequence[Seat], chance: Chance) -> Seat | None:
    """Return one of the lowest tier."""
    if pool.is_tiered and len(usable) > 1:
        first = min(seat.target.priority for seat in usable)
        usable = [seat for seat in usable if seat.target.priority == first]
    if len(usable) > 1:
        return STRATEGIES[pool.balancing].choose(usable, chance)
    return usable[0] if usable else None


def _full(seats: Sequence[Seat], now: float) -> tuple[Slots, ...]:
    """Return the machines that could answer if they were not full, each once."""
    return tuple({id(s.live.slots): s.live.slots for s in seats if obstacle(s, now) is Obstacle.FULL}.values())


def _exhausted(seats: Sequence[Seat], now: float) -> Exhausted:
    found = {seat: what for seat in seats if (what := obstacle(seat, now)) is not None}
    waits = [_wait_s(seat, what, now) for seat, what in found.items()]
    known = [wait for wait in waits if wait is not None]
    return Exhausted({seat.target.id: what for seat, what in found.items()}, None, min(known, default=None))


def _wait_s(seat: Seat, what: Obstacle, now: float) -> float | None:
    """Return how long what stands against an instance will last, if that can be told."""
    live = seat.live
    if what is Obstacle.BREAKER_OPEN:
        return max(0.0, breaker.reopens_at(live.record) - now)
    if what is Obstacle.COOLING_DOWN:
        return live.cooling_until - now
    if what is Obstacle.FULL:
        return live.slots.expected_wait_s()
    return None
