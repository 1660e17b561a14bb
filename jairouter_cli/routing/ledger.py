"""Live state by target. A reload keeps it for targets that stay, and drops the rest when their last request ends.

Must not live here: configuration. A `Target` is configuration, its `Live` is not.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from jairouter_cli.config.model import ServiceType
from jairouter_cli.routing import breaker
from jairouter_cli.routing.breaker import BreakerState
from jairouter_cli.routing.call import Outcome, Target, Turn
from jairouter_cli.routing.health import Health, HealthState
from jairouter_cli.routing.record import Memory, Number, OwnMemory, Record
from jairouter_cli.routing.slots import Slots

TargetKey = tuple[ServiceType, str, int]
Tell = Callable[[Target, Turn, str], None]

_ANSWERED: Final = int(Number.ANSWERED_AT)
_LATENCY_S: Final = int(Number.LATENCY_S)
_LATENCY_AT: Final = int(Number.LATENCY_AT)
_COOLING: Final = int(Number.COOLING_UNTIL)
_REQUESTS: Final = int(Number.REQUESTS)
_FAILURES: Final = int(Number.FAILURES)
_ANSWERS_S: Final = int(Number.ANSWERS_S)
_LATENCY_DECAY_S: Final = 10.0  # how fast an old latency loses its say (the default of Finagle's peak EWMA)


class Live:
    """The live state of one target."""

    __slots__ = ("health", "record", "retired", "slots", "turn")

    def __init__(self, record: Record, slots: Slots) -> None:
        self.record: Final = record
        """Its numbers."""
        self.health: Final = Health(record)
        self.slots: Final = slots
        """Those of the machine that it stands on."""
        self.turn = 0.0
        """Its standing in smooth weighted round robin, which every worker goes through by itself."""
        self.retired = False
        """No longer configured; forgotten when nothing of this worker is in flight."""

    @property
    def in_flight(self) -> int:
        """Requests in flight, of all workers."""
        return int(sum(self.record.in_flight))

    @property
    def is_idle(self) -> bool:
        """Whether this worker has no request in flight."""
        return not self.record.in_flight[self.record.worker]

    @property
    def answered_at(self) -> float:
        """When it last gave a good answer; 0 for never."""
        return self.record.numbers[_ANSWERED]

    @property
    def cooling_until(self) -> float:
        """Until when the backend has asked to be left alone."""
        return self.record.numbers[_COOLING]

    @property
    def requests(self) -> int:
        """Attempts that have ended, of all workers, since the start."""
        return int(self.record.numbers[_REQUESTS])

    @property
    def failures(self) -> int:
        """Those of them that failed."""
        return int(self.record.numbers[_FAILURES])

    @property
    def answers_s(self) -> float:
        """How long all of them took to their answers' heads."""
        return self.record.numbers[_ANSWERS_S]

    def count(self, answer_s: float, *, failed: bool) -> None:
        """Count an attempt."""
        record = self.record
        with record.lock:
            numbers = record.numbers
            numbers[_REQUESTS] += 1
            numbers[_ANSWERS_S] += answer_s
            if failed:
                numbers[_FAILURES] += 1

    @property
    def breaker(self) -> BreakerState:
        """The state of its breaker, CLOSED if it has none."""
        return breaker.state(self.record)

    def state(self, target: Target) -> HealthState:
        """Return how it is, for people."""
        if target.enabled and not self.retired:
            state = self.health.state
            return HealthState.FAILING if state is HealthState.UP and self.health.reason else state
        return HealthState.DRAINING if self.in_flight else HealthState.DISABLED

    def latency_s(self, now: float) -> float:
        """Return the average time to an answer, in which peaks count at once and fade with time; 0 if unknown."""
        numbers = self.record.numbers
        latency_s = numbers[_LATENCY_S]
        return latency_s * math.exp((numbers[_LATENCY_AT] - now) / _LATENCY_DECAY_S) if latency_s else 0.0

    def took(self, seconds: float, now: float) -> None:
        """Take in the time that an answer took."""
        numbers = self.record.numbers
        past = math.exp(min(0.0, numbers[_LATENCY_AT] - now) / _LATENCY_DECAY_S)
        before = numbers[_LATENCY_S]
        numbers[_LATENCY_S] = seconds if seconds > before else before * past + seconds * (1 - past)
        numbers[_LATENCY_AT] = now

    def cool(self, until: float) -> None:
        """Leave the target alone until then."""
        self.record.numbers[_COOLING] = max(self.record.numbers[_COOLING], until)


class Seat(NamedTuple):
    """A candidate for a call: the target and its live state."""

    target: Target
    live: Live


class Lease:
    """The right to send one request to a target, settled exactly once by whoever holds it last."""

    __slots__ = ("_answer_s", "_ledger", "_permit", "_started", "live", "outcome", "target")

    def __init__(self, ledger: "Ledger", target: Target, live: Live, permit: float | None, now: float) -> None:
        self._ledger: Final = ledger
        self._permit = permit
        self._started: Final = now
        self._answer_s = 0.0
        self.target: Final = target
        self.live: Final = live
        self.outcome: Outcome | None = None

    def answered(self, now: float) -> None:
        """Take in that a good answer has begun: this much the target can do, however long the rest takes."""
        live, target = self.live, self.target
        self._answer_s = now - self._started
        live.took(self._answer_s, now)
        live.record.numbers[_ANSWERED] = now
        if target.check.enabled and not live.health.is_sound and live.health.saw(target.check, ok=True, now=now):
            self._ledger.tell(target, Turn.UP, f"is {HealthState.UP}: it responds")
        rules, permit = target.breaker, self._permit
        if rules is not None and permit is not None and breaker.is_trial(live.record, permit):
            self._permit = None
            if breaker.succeed(live.record, rules, permit, now):
                self._ledger.tell(target, Turn.BREAKER_CLOSED, "closed its circuit breaker")

    def settle(self, outcome: Outcome, now: float, reason: str = "") -> None:
        """End the lease; `reason` says why it failed. Raises `RuntimeError` if it has ended already."""
        if self.outcome is not None:
            message = f"the lease on {self.target.id} was settled as {self.outcome} before"
            raise RuntimeError(message)
        self.outcome = outcome
        live = self.live
        record = live.record
        record.in_flight[record.worker] -= 1
        live.slots.give(now - self._started)
        live.count(self._answer_s or now - self._started, failed=outcome is Outcome.FAILED)
        if outcome is Outcome.FAILED:
            self._failed(now, reason)
        elif self._permit is not None and self.target.breaker is not None:
            if outcome is Outcome.OK:
                breaker.succeed(record, self.target.breaker, self._permit, now)
            else:
                breaker.give_back(record, self._permit)
        self._ledger.freed(live)

    def _failed(self, now: float, reason: str) -> None:
        """Count against the target. A failure never makes it look faster than it is."""
        live, target = self.live, self.target
        live.took(max(now - self._started, live.latency_s(now)), now)
        check = target.check
        if check.enabled and live.health.saw(check, ok=False, now=now, reason=reason, asked=False):
            self._ledger.tell(target, Turn.DOWN, f"is {HealthState.DOWN}: {reason}")
        rules, permit = target.breaker, self._permit
        if rules is not None and permit is not None and breaker.fail(live.record, rules, permit, now):
            said = f"opened its circuit breaker for {rules.timeout_s:g} s: {reason}"
            self._ledger.tell(target, Turn.BREAKER_OPENED, said)


def _nobody(target: Target, turn: Turn, what: str) -> None:
    """Tell nobody."""


def _nothing(slots: Slots) -> None:
    """Do nothing."""


class Ledger:
    """The live state of every target, and of the machines that they stand on.

    `tell` is called with what became of a target, and with what people should know of it; `on_free` when a slot was
    given back that somebody waits for.
    """

    __slots__ = ("_lives", "_machines", "_memory", "_seats", "on_free", "tell")

    def __init__(self, memory: Memory | None = None, tell: Tell = _nobody) -> None:
        self._memory: Memory = memory or OwnMemory()
        self._lives: dict[TargetKey, Live] = {}
        self._machines: dict[str, Slots] = {}
        self._seats: dict[int, tuple[tuple[Target, ...], tuple[Seat, ...]]] = {}
        self.tell = tell
        self.on_free: Callable[[Slots], None] = _nothing

    def reconcile(self, targets: Iterable[Target]) -> None:
        """Fit the state to a new configuration: add what is new, keep what stays, retire what is gone."""
        self._seats.clear()
        present = {target.key: target for target in targets}
        for target in present.values():
            slots = self._machines.get(target.machine)
            if slots is None:
                slots = Slots(target.machine, self._memory.record(target.machine))
                self._machines[target.machine] = slots
            slots.limit = target.max_concurrency
            live = self._lives.get(target.key)
            if live is None:
                live = self._lives[target.key] = Live(self._memory.record(_name(target.key)), slots)
            live.retired = False
        for key, live in [(key, live) for key, live in self._lives.items() if key not in present]:
            live.retired = True
            if live.is_idle:
                self._forget(key)
        for slots in list(self._machines.values()):
            self._sweep(slots)
            if slots.waiting:  # a limit may have been raised
                self.on_free(slots)

    def live(self, target: Target) -> Live:
        """Return the state of a target; one of an older table may be gone already and gets a passing one."""
        return self._lives.get(target.key) or self._passing(target)

    def seats(self, targets: tuple[Target, ...]) -> tuple[Seat, ...]:
        """Return some targets with their state; the same tuple of them is looked up once until the next reload."""
        known = self._seats.get(id(targets))
        if known is not None and known[0] is targets:
            return known[1]
        seats = tuple(Seat(target, self.live(target)) for target in targets)
        self._seats[id(targets)] = targets, seats
        return seats

    def _passing(self, target: Target) -> Live:
        slots = self._machines.get(target.machine) or Slots(target.machine, Record(), target.max_concurrency)
        live = Live(Record(), slots)
        live.retired = True
        return live

    def lease(self, target: Target, now: float, *, has_slot: bool = False) -> Lease | None:
        """Take the right to send one request to a target, with a slot that is held already or with a new one.

        None if its breaker or its machine has no room for it: in another worker somebody was faster. The slot that was
        held goes to the next one who waits then.
        """
        live = self.live(target)
        permit = None
        if target.breaker is not None:
            permit = breaker.take(live.record, target.breaker, now)
            if permit is None:
                if has_slot:
                    live.slots.return_unused()
                    self.freed(live)
                return None
        if not has_slot and not live.slots.take():
            if permit is not None:
                breaker.give_back(live.record, permit)
            return None
        live.record.in_flight[live.record.worker] += 1
        return Lease(self, target, live, permit, now)

    def freed(self, live: Live) -> None:
        """Let those know who wait for the slot that was given back; drop what is gone for good."""
        if live.slots.limit is not None and live.slots.waiting:
            self.on_free(live.slots)
        if live.retired and live.is_idle:
            for key, one in self._lives.items():
                if one is live:
                    self._forget(key)
                    return

    def _forget(self, key: TargetKey) -> None:
        live = self._lives.pop(key)
        self._memory.release(_name(key))
        self._sweep(live.slots)

    def _sweep(self, slots: Slots) -> None:
        """Forget a machine on which nothing stands any more, and which nobody of this worker uses or waits for."""
        if slots.is_idle and not any(live.slots is slots for live in self._lives.values()):
            self._machines.pop(slots.name, None)
            self._memory.release(slots.name)

    def nudge(self, worker: int) -> None:
        """Tell another worker that a slot may be free."""
        self._memory.nudge(worker)

    @property
    def machines(self) -> Iterable[Slots]:
        """The machines that targets stand on."""
        return self._machines.values()

    @property
    def retired(self) -> Iterator[tuple[TargetKey, Live]]:
        """What is no longer configured, and still at work for this worker."""
        return ((key, live) for key, live in self._lives.items() if live.retired)

    @property
    def in_flight(self) -> int:
        """Requests in flight, over all targets and workers."""
        return sum(live.in_flight for live in self._lives.values())


def _name(key: TargetKey) -> str:
    service, instance, number = key
    return f"{service}:{instance}#{number}"
