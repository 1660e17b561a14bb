"""Virtual traffic: clients, backends that fail as they are told, and the real policy in between. No sockets, no sleep.

Everything happens in the order of its virtual time, and everything that is left to chance comes from one seed.
"""

import heapq
import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from jairouter_cli.config.model import ServiceType
from jairouter_cli.routing.admission import Refusal, Shelves, charge, demanded
from jairouter_cli.routing.call import Call, Outcome, Target
from jairouter_cli.routing.failover import Ask, AttemptResult, Bound, Circumstances, Exhausted, Plan, Sent, Wait, plan
from jairouter_cli.routing.fair_queue import FairQueue
from jairouter_cli.routing.ledger import Lease, Ledger, Seat
from jairouter_cli.routing.retry_budget import RetryBudget
from jairouter_cli.routing.slots import Slots
from jairouter_cli.routing.table import Pool


class Doing(NamedTuple):
    """What a backend does with a request: how long it takes, and what comes of it; None is an answer."""

    seconds: float
    failure: AttemptResult | None = None


REFUSED = Doing(0.001, AttemptResult(Outcome.FAILED, "refused", was_work=False))
ERROR = Doing(0.05, AttemptResult(Outcome.FAILED, "HTTP 500"))
HANGS = Doing(5.0, AttemptResult(Outcome.FAILED, "first_byte_timeout"))

Behaviour = Callable[[float, Random], Doing]


def takes(mean_s: float) -> Behaviour:
    """Answer after a time around this one."""
    return lambda _, rng: Doing(rng.lognormvariate(math.log(mean_s), 0.3))


def between(start_s: float, end_s: float, trouble: Doing, otherwise: Behaviour) -> Behaviour:
    """Be in trouble for a while."""
    return lambda now, rng: trouble if start_s <= now < end_s else otherwise(now, rng)


def flapping(period_s: float, trouble: Doing, otherwise: Behaviour) -> Behaviour:
    """Be in trouble every other period."""
    return lambda now, rng: trouble if now // period_s % 2 else otherwise(now, rng)


def sometimes(share: float, trouble: Doing, otherwise: Behaviour) -> Behaviour:
    """Be in trouble at random."""
    return lambda now, rng: trouble if rng.random() < share else otherwise(now, rng)


@dataclass
class Seen:
    """What came of it all."""

    requests: int = 0
    answered: int = 0
    attempts: Counter[str] = field(default_factory=Counter)
    lasted_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """By client, of those answered."""
    most_at_once: Counter[str] = field(default_factory=Counter)
    failed_at: list[float] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    """By client, by a limit."""
    given_up: Counter[Bound | None] = field(default_factory=Counter)
    """By the limit that was reached; None where nobody was left to try."""

    @property
    def availability(self) -> float:
        """The share of requests that were answered."""
        return self.answered / self.requests

    @property
    def added_load(self) -> float:
        """Attempts for each request, beyond the first."""
        return sum(self.attempts.values()) / self.requests - 1

    def slowest(self, client: str, share: float = 0.95) -> float:
        """Return how long a request of a client lasted at most, but for a few."""
        return sorted(self.lasted_s[client])[int(share * len(self.lasted_s[client]))]


@dataclass
class _Request:
    client: str
    began: float
    steps: Plan


class World:
    """One gateway in virtual time."""

    def __init__(self, pool: Pool, backends: dict[str, Behaviour], seed: int = 1) -> None:
        self.pool = pool
        self.backends = backends
        self.rng = Random(seed)
        self.now = 1.0
        self.seen = Seen()
        self.ledger = Ledger()
        self.ledger.reconcile(pool.targets)
        self.ledger.on_free = self._serve
        self._shelves = Shelves({}, {})
        self._around = Circumstances(self.ledger, self.rng, lambda: self.now, RetryBudget())
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()
        self._queues: dict[str, FairQueue[tuple[_Request, tuple[Slots, ...]]]] = defaultdict(FairQueue)

    # --- what is set going ---

    def traffic(self, client: str, per_s: float, until_s: float) -> None:
        """Let a client send requests at random times."""

        def send() -> None:
            if self.now < until_s:
                self._later(self.rng.expovariate(per_s), send)
                self._begin(client)

        self._later(self.rng.expovariate(per_s), send)

    def probes(self, until_s: float) -> None:
        """Ask every backend whether it works, as the gateway does."""
        for target in self.pool.targets:
            self._probe(target, until_s)

    def _probe(self, target: Target, until_s: float) -> None:
        doing = self.backends[target.id](self.now, self.rng)
        self.ledger.live(target).health.saw(target.check, ok=doing.failure is None, now=self.now)
        if self.now < until_s:
            self._later(target.check.interval_s, lambda: self._probe(target, until_s))

    def at(self, time_s: float, what: Callable[[], None]) -> None:
        """Let something happen at a time."""
        self._later(time_s - self.now, what)

    def reload(self, pool: Pool) -> None:
        """Put another configuration into force."""
        self.pool = pool
        self.ledger.reconcile(pool.targets)

    def run(self) -> Seen:
        """Let everything happen."""
        while self._events:
            self.now, _, what = heapq.heappop(self._events)
            what()
        assert self.ledger.in_flight == 0, "something is under way though nothing happens any more"
        assert all(slots.taken == slots.waiting == 0 for slots in self.ledger.machines)
        return self.seen

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._number), what))

    # --- one request ---

    def _begin(self, client: str) -> None:
        self.seen.requests += 1
        call = Call(ServiceType.CHAT, self.pool.model, client)
        self._go_on(_Request(client, self.now, plan(self.pool, call, self._around)), None)

    def _go_on(self, request: _Request, sent: Sent) -> None:
        try:
            step = request.steps.send(sent)
        except StopIteration as end:
            self._give_up(request, end.value)
            return
        if isinstance(step, Seat | Ask):
            limits = (*self.pool.limits, *(step.target.limits if isinstance(step, Seat) else ()))
            answer = charge(self._shelves, demanded(limits, request.client), self.now)
            if isinstance(answer, Refusal):
                self._go_on(request, answer)
            else:
                self._later(answer, lambda: self._go_on(request, None))
        elif isinstance(step, Wait):
            joined = tuple(slots for slots in step.machines if slots.join_queue(10**9))
            for slots in joined:
                self._queues[slots.name].join(request.client, (request, joined))
        else:
            self._attempt(request, step)

    def _give_up(self, request: _Request, why: Exhausted) -> None:
        if why.refusal is not None:
            self.seen.refused[request.client] += 1
            return
        self.seen.given_up[why.bound] += 1
        self.seen.failed_at.append(self.now)

    def _attempt(self, request: _Request, lease: Lease) -> None:
        name = lease.target.id
        doing = self.backends[name](self.now, self.rng)
        self.seen.attempts[name] += 1
        self.seen.most_at_once[name] = max(self.seen.most_at_once[name], lease.live.in_flight)
        if doing.failure is not None:
            failure = doing.failure
            self._later(doing.seconds, lambda: self._go_on(request, failure))
            return

        def answer() -> None:
            lease.answered(self.now)
            lease.settle(Outcome.OK, self.now)
            self.seen.answered += 1
            self.seen.lasted_s[request.client].append(self.now - request.began)

        self._later(doing.seconds, answer)

    def _serve(self, slots: Slots) -> None:
        queue = self._queues[slots.name]
        while queue and slots.take(waited=True):
            item = queue.pop()
            assert item is not None
            request, joined = item
            for other in joined:
                other.leave_queue()
                self._queues[other.name].leave(request.client, item)
            self._go_on(request, slots)
