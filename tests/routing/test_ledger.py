"""Live state outlives a reload for what stays, and goes with the last request of what is gone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jairouter_cli.config.model import HealthCheck
from jairouter_cli.routing.breaker import BreakerRules, BreakerState
from jairouter_cli.routing.call import Outcome, Target
from jairouter_cli.routing.health import HealthState
from jairouter_cli.routing.ledger import Lease, Ledger
from tests.routing.factory import leased, ledger, target

A, B = target("a"), target("b")
RULES = BreakerRules(failure_threshold=2, timeout_s=10.0, success_threshold=1)


def test_a_lease_counts_until_it_is_settled() -> None:
    """In flight goes up with the lease and down with its end."""
    book = ledger([A])
    lease = leased(book, A)
    assert (book.live(A).in_flight, book.live(A).slots.taken) == (1, 1)
    lease.settle(Outcome.OK, 1001.0)
    assert (book.live(A).in_flight, book.live(A).slots.taken, lease.outcome) == (0, 0, Outcome.OK)


def test_a_lease_is_settled_once() -> None:
    """A second end is a bug and says so."""
    lease = leased(ledger([A]), A)
    lease.settle(Outcome.OK, 1001.0)
    with pytest.raises(RuntimeError, match=r"settled as Outcome\.OK before"):
        lease.settle(Outcome.FAILED, 1001.0)


def test_a_reload_keeps_the_state_of_what_stays() -> None:
    """The same target after a reload is the same live object, whatever else of it has changed."""
    book = ledger([A, B])
    live = book.live(A)
    book.reconcile([target("a", weight=5, breaker=RULES, max_concurrency=3)])
    assert book.live(A) is live
    assert live.slots.limit == 3


def test_what_is_gone_is_dropped_with_its_last_request() -> None:
    """A removed target stays known while a request runs, so that it counts right if it comes back."""
    book = ledger([A, B])
    lease = leased(book, B)
    book.reconcile([A])
    assert (book.in_flight, book.live(B).in_flight) == (1, 1)
    assert [(key, live.state(B)) for key, live in book.retired] == [(B.key, HealthState.DRAINING)]
    lease.settle(Outcome.OK, 1001.0)
    assert (book.in_flight, book.live(B).retired, list(book.retired)) == (0, True, [])


def test_what_comes_back_in_time_keeps_counting() -> None:
    """Removed and added again while a request runs: nothing is lost or counted twice."""
    book = ledger([A, B])
    lease = leased(book, B)
    book.reconcile([A])
    book.reconcile([A, B])
    lease.settle(Outcome.OK, 1001.0)
    assert (book.live(B).in_flight, book.live(B).retired) == (0, False)


def test_what_is_disabled_drains() -> None:
    """Draining while requests are under way, then disabled; what it was known to be comes back with it."""
    book = ledger([A])
    lease = leased(book, A)
    lease.answered(1000.5)
    off = target("a", enabled=False)
    book.reconcile([off])
    assert book.live(off).state(off) is HealthState.DRAINING
    lease.settle(Outcome.OK, 1001.0)
    assert book.live(off).state(off) is HealthState.DISABLED
    book.reconcile([A])
    assert book.live(A).state(A) is HealthState.UP


def test_models_of_one_machine_share_its_slots() -> None:
    """Two targets on one host and port: together no more than the limit."""
    one, two = (target(name, machine="gpu:80", max_concurrency=2) for name in "ab")
    book = ledger([one, two])
    first, second = leased(book, one), leased(book, two)
    assert book.lease(one, 1000.0) is None
    assert [slots.taken for slots in book.machines] == [2]
    first.settle(Outcome.LEFT, 1001.0)
    third = leased(book, two)
    second.settle(Outcome.OK, 1002.0)
    third.settle(Outcome.OK, 1002.0)
    assert [slots.taken for slots in book.machines] == [0]


def test_a_lease_that_finds_no_slot_gives_its_permit_back() -> None:
    """A half-open breaker does not lose its trial to a machine that is full."""
    one = target("a", machine="gpu:80", max_concurrency=1, breaker=RULES)
    other = target("b", machine="gpu:80", max_concurrency=1)
    book = ledger([one, other])
    for _ in range(2):
        leased(book, one).settle(Outcome.FAILED, 1000.0, "HTTP 500")
    blocking = leased(book, other)
    assert book.lease(one, 1011.0) is None
    blocking.settle(Outcome.OK, 1011.0)
    assert book.live(one).breaker is BreakerState.HALF_OPEN
    leased(book, one, 1011.0).answered(1012.0)
    assert book.live(one).breaker is BreakerState.CLOSED


def test_a_trial_is_passed_when_the_answer_begins() -> None:
    """A breaker does not stay half-open for as long as a stream goes on; what comes after its close is not counted."""
    one = target("a", breaker=RULES)
    book = ledger([one])
    for _ in range(2):
        leased(book, one).settle(Outcome.FAILED, 1000.0, "HTTP 500")
    assert book.lease(one, 1009.0) is None
    trial = leased(book, one, 1010.0)
    assert book.lease(one, 1010.0) is None
    trial.answered(1011.0)
    assert book.live(one).breaker is BreakerState.CLOSED
    trial.settle(Outcome.FAILED, 1060.0, "broken")
    assert book.live(one).breaker is BreakerState.CLOSED


def test_what_people_are_told() -> None:
    """Down, breaker open, breaker closed, up: each once, with its reason."""
    told: list[str] = []
    one = target("a", breaker=RULES, check=HealthCheck(failure_threshold=2, success_threshold=1))
    book = Ledger(tell=lambda target, _, what: told.append(f"{target.id} {what}"))
    book.reconcile([one])
    leased(book, one).answered(1000.0)
    for _ in range(2):
        leased(book, one).settle(Outcome.FAILED, 1000.0, "HTTP 500")
    leased(book, one, 1010.0).answered(1011.0)
    assert told == [
        "a is DOWN: HTTP 500",
        "a opened its circuit breaker for 10 s: HTTP 500",
        "a is UP: it responds",
        "a closed its circuit breaker",
    ]


def test_a_client_that_leaves_and_a_refusal_say_nothing_of_the_instance() -> None:
    """Neither for its health nor for its breaker."""
    one = target("a", breaker=RULES)
    book = ledger([one])
    for outcome in (Outcome.LEFT, Outcome.REFUSED) * 5:
        leased(book, one).settle(outcome, 1000.0)
    assert (book.live(one).health.state, book.live(one).breaker) == (HealthState.UNKNOWN, BreakerState.CLOSED)


steps = st.tuples(
    st.sampled_from(["lease", "answer", "settle", "reload", "wait"]), st.integers(0, 3), st.sampled_from(Outcome)
)


@given(st.lists(steps, max_size=80))
def test_nothing_is_lost_or_counted_twice(taken: list[tuple[str, int, Outcome]]) -> None:
    """Whatever the order of leases, ends and reloads: in flight is the number of open leases, at rest it is zero.

    Of machines, too; and a breaker lets no more than its permits through.
    """
    rules = (None, RULES)
    everyone = [
        target(name, machine=f"m{number % 2}", max_concurrency=3, breaker=rules[number // 2])
        for number, name in enumerate("abcd")
    ]
    book, present, leases, now = ledger(everyone), everyone, list[Lease](), 1000.0
    for step, number, outcome in taken:
        if step == "lease" and present:
            leases += [lease] if (lease := book.lease(present[number % len(present)], now)) is not None else []
        elif step == "answer" and leases:
            leases[number % len(leases)].answered(now)
        elif step == "settle" and leases:
            leases.pop(number % len(leases)).settle(outcome, now, "x")
        elif step == "reload":
            present = everyone[: number + 1]
            book.reconcile(present)
        else:
            now += 4.0
        assert book.in_flight == len(leases)
        for live in map(book.live, present):
            if live.breaker is BreakerState.HALF_OPEN:
                assert sum(live.record.permits) <= RULES.success_threshold
        assert all(slots.taken <= 3 for slots in book.machines)
    for lease in leases:
        lease.settle(Outcome.LEFT, now)
    assert book.in_flight == 0
    assert all(slots.taken == 0 for slots in book.machines)
    _recovers(book, present, now)


def _recovers(book: Ledger, present: list[Target], now: float) -> None:
    """Whatever has happened: after the open time, good answers close every breaker."""
    for one in present:
        leased(book, one, now + 11).answered(now + 11)
        assert book.live(one).breaker is BreakerState.CLOSED
