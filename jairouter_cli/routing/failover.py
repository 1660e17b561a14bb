"""The failover plan: which instances are tried, in which order, and when to give up.

Why a generator: the plan is full of waiting (for a slot, for limits, for answers), and as a coroutine it could only be
tested with sockets and clocks. It yields the next step (a `Lease` to use, a `Wait` for a slot, a `Seat` or an `Ask` for
the limits) and gets its result by `send`, so that hours of traffic can be simulated with plain values. It settles a
lease when the attempt failed; after a success, the caller keeps the lease and closes the generator. It returns why
nothing is left to try.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from random import Random
from typing import NamedTuple, cast

from jairouter_cli.routing import breaker
from jairouter_cli.routing.admission import Refusal
from jairouter_cli.routing.balance import STRATEGIES, Chance
from jairouter_cli.routing.call import Call, Outcome
from jairouter_cli.routing.ledger import Lease, Ledger, Seat
from jairouter_cli.routing.retry_budget import RetryBudget
from jairouter_cli.routing.slots import Slots
from jairouter_cli.routing.table import Pool


class Obstacle(Enum):
    """Why an instance gets no request now; the value is the word in logs, `details` and `explain`."""

    DISABLED = "disabled"
    DOWN = "down"
    BREAKER_OPEN = "breaker_open"
    COOLING_DOWN = "cooling_down"
    FULL = "full"
    LIMITED = "limited"


class AttemptResult(NamedTuple):
    """What became of an attempt that did not do. `was_work` says whether it cost the backend any.

    `cooldown_s` is how long the backend asked to be left alone. With `was_stale` the fault was most likely that of an
    old connection: the same instance may be tried once more.
    """

    outcome: Outcome
    reason: str = ""
    was_work: bool = True
    cooldown_s: float = 0.0
    was_stale: bool = False


class Wait(NamedTuple):
    """All that could answer are full: wait for a slot of any of these machines, until then.

    What is sent back is the machine on which a slot was taken, or None if there was none in time.
    """

    machines: tuple[Slots, ...]
    until: float


class Ask(Enum):
    """A question for the limits: whether the call may be made at all. Whether it may go to an instance, a `Seat` asks.

    What is sent back is None once they have been charged, or the refusal.
    """

    WAIT = "wait"
    """It is about to wait for a slot."""


class Bound(Enum):
    """What else may end the attempts; the value is the word for `details`."""

    RETRIES = "max_retries"
    BUDGET = "retry_budget"
    DEADLINE = "deadline"
    FAILOVER_OFF = "failover_disabled"


@dataclass(slots=True)
class Exhausted:
    """Nothing is left to try: what stands against each instance that was not tried, or the bound that was reached.

    `retry_after_s` is how long until one of those may be used again, if that is known; `refusal` that of the limit for
    which the call could not be made, or the soonest of those of instances.
    """

    obstacles: dict[str, Obstacle] = field(default_factory=dict)
    bound: Bound | None = None
    retry_after_s: float | None = None
    refusal: Refusal | None = None


Step = Lease | Wait | Seat | Ask
Sent = AttemptResult | Slots | Refusal | None
Plan = Generator[Step, Sent, Exhausted]


class Circumstances(NamedTuple):
    """What a plan works with beside the pool and the call."""

    ledger: Ledger
    rng: Random
    clock: Callable[[], float]
    budget: RetryBudget


def obstacle(seat: Seat, now: float) -> Obstacle | None:
    """Return the obstacle to using an instance now, the gravest one; DOWN is only the last observation."""
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
    """Yield a lease per attempt, each on an instance that was not tried before; or the same lease, once more.

    Lower `priority` comes first, as long as any instance of it can be used. Instances known to be down come last, not
    never: a probe may be older than the recovery. The `max-retries` of the instance tried first bounds the attempts
    after it. The limits that hold for all instances are charged once, before the first wait or attempt.
    """
    around.budget.earn()
    course = _Course(pool, call, around)
    while True:
        found = yield from course.find()
        if isinstance(found, Exhausted):
            return found
        result = cast("AttemptResult", (yield found))
        if result.was_stale and course.may_repeat(found):
            result = cast("AttemptResult", (yield found))
        bound = course.failed(found, result)
        if bound is not None:
            return Exhausted(bound=bound)


class _Course:
    """How far a plan has come: who is left to be tried, whom a limit keeps out, and what may end it."""

    __slots__ = ("around", "call", "deadline", "is_charged", "left", "limited", "pool", "retries")

    def __init__(self, pool: Pool, call: Call, around: Circumstances) -> None:
        self.pool = pool
        self.call = call
        self.around = around
        self.deadline = around.clock() + pool.failover.deadline_s
        self.left: Sequence[Seat] = around.ledger.seats(pool.targets)
        self.limited: dict[str, Refusal] = {}
        self.retries: int | None = None
        self.is_charged = not pool.limits and not pool.caps

    def find(self) -> Generator[Step, Sent, Lease | Exhausted]:
        """Find an instance for the next attempt, wait for a slot if all are full, and ask the limits."""
        pool, ledger, clock = self.pool, self.around.ledger, self.around.clock
        while True:
            now = clock()
            chance = self._chance(now)
            seat, slot = _choose(pool, self.left, chance), None
            if seat is None and (full := _full(self.left, now)):
                answer = yield from self._queue(full)
                if not isinstance(answer, Slots):
                    return answer or self._exhausted(clock())
                slot, now = answer, clock()
                there = [one for one in self.left if one.live.slots is slot]
                seat = _choose(pool, there, self._chance(now), has_slot=True)
                if seat is None:  # while it waited, the instance broke
                    self._give_back(slot, there[0])
                    continue
            seat = seat or _choose_down(pool, self.left, chance)
            if seat is None:
                return self._exhausted(now)
            if seat.target.limits or not self.is_charged:
                refusal = yield seat
                if isinstance(refusal, Refusal):
                    self._give_back(slot, seat)
                    if not refusal.limit.of_instance:
                        return Exhausted(refusal=refusal)
                    self._pass_over(seat, refusal)
                    continue
                self.is_charged, now = True, clock()
            lease = ledger.lease(seat.target, now, has_slot=slot is not None)
            if lease is not None:  # else another worker was faster
                return lease

    def _chance(self, now: float) -> Chance:
        pool = self.pool
        return Chance(self.call, self.around.rng, now, pool.hash_algorithm, pool.load_factor)

    def may_repeat(self, lease: Lease) -> bool:
        """Whether an instance may be sent the request twice: as any other attempt, and if nobody else can be."""
        pool, (_, _, clock, budget) = self.pool, self.around
        now, retries = clock(), self._retries_after(lease)
        if any(seat.target is not lease.target and obstacle(seat, now) is None for seat in self.left):
            return False
        if _bound(pool, retries, self.deadline - now) is not None or not budget.spend(pool.failover, now):
            return False
        self.retries = retries
        return True

    def _retries_after(self, lease: Lease) -> int:
        return lease.target.max_retries if self.retries is None else self.retries - 1

    def failed(self, lease: Lease, result: AttemptResult) -> Bound | None:
        """Take in that an attempt did not do; return what forbids another one."""
        pool, (_, _, clock, budget) = self.pool, self.around
        now = clock()
        lease.settle(result.outcome, now, result.reason)
        if result.cooldown_s:
            lease.live.cool(now + min(result.cooldown_s, pool.failover.max_cooldown_s))
        self.left = [seat for seat in self.left if seat.target is not lease.target]
        self.retries = self._retries_after(lease)
        bound = _bound(pool, self.retries, self.deadline - now)
        if bound is None and self.left and result.was_work and not budget.spend(pool.failover, now):
            return Bound.BUDGET
        return bound

    def _queue(self, full: tuple[Slots, ...]) -> Generator[Step, Sent, Slots | Exhausted | None]:
        """Wait for a slot, once the limits allow the call at all: what they refuse is not to keep others waiting."""
        if not self.is_charged and isinstance(refusal := (yield Ask.WAIT), Refusal):
            return Exhausted(refusal=refusal)
        self.is_charged = True
        return cast("Slots | None", (yield Wait(full, self.deadline)))

    def _give_back(self, slot: Slots | None, seat: Seat) -> None:
        """Let another have the slot that was waited for, if one was."""
        if slot is not None:
            slot.return_unused()
            self.around.ledger.freed(seat.live)

    def _pass_over(self, seat: Seat, refusal: Refusal) -> None:
        self.limited[seat.target.id] = refusal
        self.left = [one for one in self.left if one is not seat]

    def _exhausted(self, now: float) -> Exhausted:
        """Return what stands against each one, and how long it will."""
        found = {seat: what for seat in self.left if (what := obstacle(seat, now)) is not None}
        waits = [_wait_s(seat, what, now) for seat, what in found.items()]
        waits += [refusal.decision.retry_after_s for refusal in self.limited.values()]
        obstacles = {seat.target.id: what for seat, what in found.items()}
        obstacles |= dict.fromkeys(self.limited, Obstacle.LIMITED)
        soonest = min(self.limited.values(), key=lambda refusal: refusal.decision.retry_after_s, default=None)
        return Exhausted(obstacles, None, min((wait for wait in waits if wait is not None), default=None), soonest)


def _bound(pool: Pool, retries: int, left_s: float) -> Bound | None:
    if not pool.failover.enabled:
        return Bound.FAILOVER_OFF
    if retries <= 0:
        return Bound.RETRIES
    return Bound.DEADLINE if left_s <= 0 else None


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
