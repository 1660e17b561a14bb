"""The failover plan, driven with plain outcomes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jairouter_cli.config.model import Balancing, Failover, HealthCheck
from jairouter_cli.config.place import Place
from jairouter_cli.routing.admission import Limit, Refusal, Unit
from jairouter_cli.routing.breaker import BreakerRules, BreakerState
from jairouter_cli.routing.buckets import Decision, LimitRule, stepper
from jairouter_cli.routing.call import Outcome, Target
from jairouter_cli.routing.failover import (
    Ask,
    AttemptResult,
    Bound,
    Circumstances,
    Exhausted,
    Obstacle,
    Sent,
    Wait,
    plan,
)
from jairouter_cli.routing.ledger import Lease, Ledger, Seat
from jairouter_cli.routing.record import Number
from jairouter_cli.routing.slots import Slots
from jairouter_cli.routing.table import Pool
from tests.routing.factory import CALL, Clock, around, leased, ledger, pool, target

FAILED = AttemptResult(Outcome.FAILED, "HTTP 500")
NOW = 1000.0


@dataclass
class Run:
    """A plan that was driven to its end."""

    tried: list[str] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    end: Exhausted | None = None
    asked: list[str] = field(default_factory=list)


def drive(
    these: Pool,
    around: Circumstances,
    result: Callable[[Lease], AttemptResult] = lambda _: FAILED,
    grant: Callable[[Wait], Slots | None] = lambda _: None,
    admit: Callable[[Seat | Ask], Refusal | None] = lambda _: None,
) -> Run:
    """Drive a plan whose attempts end with these results, its waits with these slots, its questions like this."""
    run, steps = Run(), plan(these, CALL, around)
    sent: Sent = None
    while True:
        try:
            step = steps.send(sent)
        except StopIteration as end:
            run.end = end.value
            return run
        if isinstance(step, Wait):
            run.waits.append(step)
            sent = grant(step)
        elif isinstance(step, Seat | Ask):
            run.asked.append(step.target.id if isinstance(step, Seat) else step.value)
            sent = admit(step)
        else:
            run.tried.append(step.target.id)
            sent = result(step)


def tried(targets: list[Target], down: str = "", balancing: Balancing = Balancing.ROUND_ROBIN) -> list[str]:
    """Run a plan in which every attempt fails; return whom it tried, in order."""
    book = ledger(targets)
    for one in targets:
        if one.id in down:
            book.live(one).health.saw(HealthCheck(), ok=False, now=NOW, reason="refused")
    run = drive(pool(targets, balancing), around(book))
    assert book.in_flight == 0
    return run.tried


def test_every_instance_is_tried_once() -> None:
    """A failure leads to an instance that was not tried."""
    assert tried([target("a"), target("b"), target("c")]) == ["a", "b", "c"]


def test_max_retries_of_the_first_instance_bounds_the_rest() -> None:
    """Zero means that the first answer stands."""
    assert tried([target("a", max_retries=0), target("b")]) == ["a"]
    assert tried([target("a", max_retries=1), target("b"), target("c")]) == ["a", "b"]


def test_what_is_down_comes_last_but_comes() -> None:
    """A probe may be older than the recovery."""
    assert tried([target("a"), target("b"), target("c")], down="a") == ["b", "c", "a"]
    assert tried([target("a")], down="a") == ["a"]


def test_lower_tiers_come_first_whatever_the_strategy() -> None:
    """A higher tier is used when no instance of a lower one can be, for any of the reasons."""
    tiers = [target("a", priority=2), target("b", priority=1), target("c", priority=1), target("d", priority=3)]
    assert [*map(sorted, (tried(tiers)[:2], tried(tiers)[2:]))] == [["b", "c"], ["a", "d"]]
    assert tried(tiers)[2:] == ["a", "d"]
    assert tried(tiers, down="bc")[:2] == ["a", "d"]


def test_success_leaves_the_lease_with_the_caller() -> None:
    """Closing the plan after an answer settles nothing: the relay will."""
    targets = [target("a"), target("b")]
    book = ledger(targets)
    steps = plan(pool(targets), CALL, around(book))
    lease = next(steps)
    steps.close()
    assert isinstance(lease, Lease)
    assert (lease.outcome, book.in_flight) == (None, 1)


def test_failover_switched_off_means_one_attempt() -> None:
    """Whatever it brings."""
    targets = [target("a"), target("b")]
    run = drive(pool(targets, failover=Failover(enabled=False)), around(ledger(targets)))
    assert (run.tried, run.end) == (["a"], Exhausted(bound=Bound.FAILOVER_OFF))


def test_no_attempt_begins_after_the_deadline() -> None:
    """One deadline for all attempts."""
    targets, clock = [target("a"), target("b"), target("c")], Clock()

    def slow(_: Lease) -> AttemptResult:
        clock.now += 6
        return FAILED

    run = drive(pool(targets, failover=Failover(deadline_s=10)), around(ledger(targets), clock), slow)
    assert (run.tried, run.end) == (["a", "b"], Exhausted(bound=Bound.DEADLINE))


def test_the_budget_bounds_retries_that_cost_work_and_no_others() -> None:
    """When everything fails, a tenth of the requests is tried again; refused connections cost nobody anything."""
    targets = [target("a"), target("b")]
    rules = Failover(budget_ratio=0.1, budget_rate=0)
    book, account = ledger(targets), around(ledger(targets))
    runs = [drive(pool(targets, failover=rules), account) for _ in range(1000)]
    assert 1090 <= sum(len(run.tried) for run in runs) <= 1100
    assert {run.end.bound for run in runs if run.end} == {None, Bound.BUDGET}
    free = [
        drive(
            pool(targets, failover=rules),
            around(book),
            lambda _: AttemptResult(Outcome.FAILED, "refused", was_work=False),
        )
        for _ in range(100)
    ]
    assert sum(len(run.tried) for run in free) == 200


def test_the_budget_pays_a_few_retries_a_second_anyway() -> None:
    """A gateway with little traffic retries, too; savings are kept for about ten seconds."""
    targets, clock = [target("a"), target("b")], Clock()
    rules = Failover(budget_ratio=0, budget_rate=2)
    account = around(ledger(targets), clock)

    def retries(requests: int) -> int:
        return sum(len(drive(pool(targets, failover=rules), account).tried) - 1 for _ in range(requests))

    assert retries(100) == 20
    clock.now += 1
    assert 1 <= retries(100) <= 2
    clock.now += 1000
    assert 19 <= retries(100) <= 20


def test_what_asked_to_be_left_alone_is() -> None:
    """Retry-After keeps requests away for that long, at most as long as configured; the end says for how long."""
    targets, clock = [target("a"), target("b")], Clock()
    book = ledger(targets)
    rules = pool(targets, failover=Failover(max_cooldown_s=30))
    busy = AttemptResult(Outcome.REFUSED, "HTTP 429", was_work=False, cooldown_s=20)
    assert drive(rules, around(book, clock), lambda _: busy).tried == ["a", "b"]
    clock.now += 15
    run = drive(rules, around(book, clock))
    assert run == Run([], [], Exhausted(dict.fromkeys("ab", Obstacle.COOLING_DOWN), None, 5.0))
    clock.now += 5
    assert drive(rules, around(book, clock), lambda _: busy._replace(cooldown_s=999)).tried == ["b", "a"]
    clock.now += 30
    assert len(drive(rules, around(book, clock)).tried) == 2


def test_open_breakers_cost_nothing_and_say_when_they_reopen() -> None:
    """The soonest counts."""
    rules = BreakerRules(failure_threshold=1, timeout_s=30)
    targets = [target("a", breaker=rules), target("b", breaker=rules._replace(timeout_s=20))]
    book, clock = ledger(targets), Clock()
    assert drive(pool(targets), around(book, clock)).tried == ["a", "b"]
    clock.now += 5
    run = drive(pool(targets), around(book, clock))
    assert run == Run([], [], Exhausted(dict.fromkeys("ab", Obstacle.BREAKER_OPEN), None, 15.0))
    clock.now += 15
    assert drive(pool(targets), around(book, clock)).tried == ["b"]


def test_what_is_full_is_waited_for_only_when_nothing_else_is_left() -> None:
    """The other instance first; then a wait for any of the machines; the slot that came is used."""
    targets = [target(name, machine=f"{name}:80", max_concurrency=1) for name in "ab"]
    book = ledger(targets)
    held = leased(book, targets[0])
    assert drive(pool(targets), around(book)).tried == ["b"]
    other = leased(book, targets[1])

    def release(wait: Wait) -> Slots | None:
        if [slots.name for slots in wait.machines] == ["a:80"]:  # b has failed meanwhile
            return None
        assert [slots.name for slots in wait.machines] == ["a:80", "b:80"]
        other.settle(Outcome.OK, NOW)
        slots = wait.machines[1]
        assert slots.take(waited=True)
        return slots

    run = drive(pool(targets), around(book), grant=release)
    assert (run.tried, len(run.waits)) == (["b"], 2)
    held.settle(Outcome.OK, NOW)
    assert (book.in_flight, [slots.taken for slots in book.machines]) == (0, [0, 0])


def test_a_wait_in_vain_ends_with_what_was_full() -> None:
    """And with how long it will last, going by how long slots are held."""
    one = target("a", max_concurrency=2)
    book = ledger([one])
    held = [leased(book, one) for _ in range(3 - 1)]
    run = drive(pool([one]), around(book))
    assert run.end == Exhausted({"a": Obstacle.FULL}, None, 0.5)
    held[0].settle(Outcome.OK, NOW + 10)
    leased(book, one, NOW + 10)
    assert drive(pool([one]), around(book)).end == Exhausted({"a": Obstacle.FULL}, None, 5.0)


def test_a_slot_that_comes_when_the_instance_broke_is_let_go() -> None:
    """While it waited, the breaker opened: nothing is held, and the end says why."""
    one = target("a", max_concurrency=1, breaker=BreakerRules(failure_threshold=1))
    book = ledger([one])
    held = leased(book, one)

    def fail(wait: Wait) -> Slots:
        held.settle(Outcome.FAILED, NOW, "HTTP 500")
        assert wait.machines[0].take(waited=True)
        return wait.machines[0]

    run = drive(pool([one]), around(book), grant=fail)
    assert run.end == Exhausted({"a": Obstacle.BREAKER_OPEN}, None, 60.0)
    assert [slots.taken for slots in book.machines] == [0]


def test_a_slot_is_let_go_when_another_worker_takes_the_last_permit() -> None:
    """Between the look and the lease: nothing is held for a lease that did not come about."""
    one = target("a", max_concurrency=1, breaker=BreakerRules(failure_threshold=1, timeout_s=10, success_threshold=1))
    book, clock = ledger([one]), Clock()
    record = book.live(one).record
    record.permits = [0.0, 0.0]  # a second worker's cell
    leased(book, one).settle(Outcome.FAILED, NOW, "HTTP 500")
    held = target("b", machine=one.machine, max_concurrency=1)
    book.reconcile([one, held])
    blocking = leased(book, held)
    clock.now += 10

    class OtherWorkerFirst:
        """A lock that another worker had just before."""

        def __enter__(self) -> None:
            record.numbers[Number.BREAKER_STATE] = float(BreakerState.HALF_OPEN)
            record.permits[1] = 1.0

        def __exit__(self, *_: object) -> None:
            """Nothing."""

    def grant(wait: Wait) -> Slots | None:
        if record.permits[1]:
            return None
        blocking.settle(Outcome.OK, clock.now)
        assert wait.machines[0].take(waited=True)
        record.lock = OtherWorkerFirst()
        return wait.machines[0]

    run = drive(pool([one]), around(book, clock), grant=grant)
    assert run.tried == []
    assert [slots.taken for slots in book.machines] == [0]


@pytest.mark.parametrize("enabled", [True, False])
def test_without_health_checks_nobody_is_down(enabled: bool) -> None:
    """What was known before they were switched off is of no matter."""
    targets = [target("a", check=HealthCheck(enabled=enabled)), target("b")]
    book = ledger(targets)
    book.live(targets[0]).health.saw(HealthCheck(), ok=False, now=NOW)
    assert drive(pool(targets), around(book)).tried == (["b", "a"] if enabled else ["a", "b"])


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=6),
    st.sampled_from(Balancing),
    st.integers(0, 8),
    st.sets(st.integers(0, 5)),
)
def test_no_instance_twice_and_never_more_than_allowed(
    weights: list[int], balancing: Balancing, max_retries: int, down: Iterable[int]
) -> None:
    """Whatever the strategy and the health: distinct instances, at most one more than max-retries."""
    targets = [target(chr(97 + i), w, max_retries) for i, w in enumerate(weights)]
    names = tried(targets, "".join(chr(97 + i) for i in down), balancing)
    assert len(names) == len(set(names)) == min(len(weights), max_retries + 1)


@given(st.data())
def test_a_reload_in_the_middle_changes_nothing(data: st.DataObject) -> None:
    """Instances come and go between the attempts: every lease is settled, and nothing is in flight at the end."""
    everyone = [target(name, machine=f"m{number % 2}", max_concurrency=2) for number, name in enumerate("abcd")]
    book: Ledger = ledger(everyone)

    def reload_then_fail(_: Lease) -> AttemptResult:
        book.reconcile(everyone[: data.draw(st.integers(0, 4))])
        return FAILED

    drive(pool(everyone), around(book), reload_then_fail)
    assert book.in_flight == 0
    book.reconcile([])
    assert list(book.machines) == []


# --- limits ---


def limited(name: str, *, of_instance: bool = False) -> Limit:
    """Make a limit; whether it is reached a test says."""
    rule = LimitRule()
    return Limit(name, name, Place(), Unit.REQUESTS, rule, stepper(rule), of_instance=of_instance)


def refusing(limit: Limit, retry_after_s: float = 3.0) -> Refusal:
    """Return a refusal."""
    return Refusal(limit, Decision(allowed=False, remaining=0, retry_after_s=retry_after_s, reset_s=9))


def test_without_limits_nobody_is_asked() -> None:
    """Nor a second time when only those of all instances are there: they are charged once."""
    targets = [target("a"), target("b")]
    assert drive(pool(targets), around(ledger(targets))).asked == []
    run = drive(pool(targets, limits=(limited("all"),)), around(ledger(targets)))
    assert (run.asked, run.tried) == (["a"], ["a", "b"])


def test_a_limit_of_all_ends_it_at_once() -> None:
    """Nobody is tried, and no other instance asked about."""
    refusal = refusing(limited("all"))
    targets = [target("a"), target("b")]
    run = drive(pool(targets, limits=(refusal.limit,)), around(ledger(targets)), admit=lambda _: refusal)
    assert (run.asked, run.tried, run.end) == (["a"], [], Exhausted(refusal=refusal))


def test_an_instance_that_reached_its_limit_is_passed_over() -> None:
    """The others are asked and tried; when all have, the soonest to be free again is told."""
    one = limited("instance", of_instance=True)
    targets = [target("a", limits=(one,)), target("b", limits=(one,))]
    answers = {"a": refusing(one, 5.0), "b": None}

    def admit(step: Seat | Ask) -> Refusal | None:
        assert isinstance(step, Seat)
        return answers[step.target.id]

    run = drive(pool(targets), around(ledger(targets)), admit=admit)
    assert (run.asked, run.tried) == (["a", "b"], ["b"])
    assert run.end == Exhausted({"a": Obstacle.LIMITED}, None, 5.0, answers["a"])
    answers["b"] = refusing(one, 2.0)
    run = drive(pool(targets), around(ledger(targets)), admit=admit)
    assert run.end == Exhausted({"a": Obstacle.LIMITED, "b": Obstacle.LIMITED}, None, 2.0, answers["b"])


def test_limits_are_asked_before_the_wait_for_a_slot() -> None:
    """Who is over the limit does not keep others waiting; a slot that an instance's limit refuses goes to the next."""
    own = limited("instance", of_instance=True)
    one = target("a", max_concurrency=1, limits=(own,))
    book = ledger([one])
    leased(book, one)
    refusal = refusing(limited("all"))
    these = pool([one], limits=(refusal.limit,))
    run = drive(these, around(book), admit=lambda _: refusal)
    assert (run.asked, run.waits, run.end) == (["wait"], [], Exhausted(refusal=refusal))
    slots = book.live(one).slots

    def grant(_: Wait) -> Slots:
        slots.record.in_flight[0] = 1.0  # as the waiting room takes it for the one who waited
        return slots

    run = drive(these, around(book), grant=grant, admit=lambda step: refusing(own) if isinstance(step, Seat) else None)
    assert (run.asked, len(run.waits), run.tried) == (["wait", "a"], 1, [])
    assert run.end is not None
    assert run.end.obstacles == {"a": Obstacle.LIMITED}
    assert slots.taken == 0
