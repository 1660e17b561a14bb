"""Live state outlives a reload for what stays, and goes with the last request of what is gone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jairouter_cli.routing.call import Outcome
from jairouter_cli.routing.ledger import Lease, Ledger
from tests.routing.factory import ledger, target

A, B = target("a"), target("b")


def test_a_lease_counts_until_it_is_settled() -> None:
    """In flight goes up with the lease and down with its end."""
    book = ledger([A])
    lease = book.lease(A)
    assert book.live(A).in_flight == 1
    lease.settle(Outcome.OK)
    assert (book.live(A).in_flight, lease.outcome) == (0, Outcome.OK)


def test_a_lease_is_settled_once() -> None:
    """A second end is a bug and says so."""
    lease = ledger([A]).lease(A)
    lease.settle(Outcome.OK)
    with pytest.raises(RuntimeError, match=r"settled as Outcome\.OK before"):
        lease.settle(Outcome.FAILED)


def test_a_reload_keeps_the_state_of_what_stays() -> None:
    """The same target after a reload is the same live object."""
    book = ledger([A, B])
    live = book.live(A)
    book.reconcile([A])
    assert book.live(A) is live


def test_what_is_gone_is_dropped_with_its_last_request() -> None:
    """A removed target stays known while a request runs, so that it counts right if it comes back."""
    book = ledger([A, B])
    lease = book.lease(B)
    book.reconcile([A])
    assert (book.in_flight, book.live(B).in_flight) == (1, 1)
    lease.settle(Outcome.OK)
    assert (book.in_flight, book.live(B).retired) == (0, True)


def test_what_comes_back_in_time_keeps_counting() -> None:
    """Removed and added again while a request runs: nothing is lost or counted twice."""
    book = ledger([A, B])
    lease = book.lease(B)
    book.reconcile([A])
    book.reconcile([A, B])
    lease.settle(Outcome.OK)
    assert (book.live(B).in_flight, book.live(B).retired) == (0, False)


@given(st.lists(st.tuples(st.sampled_from(["lease", "settle", "reload"]), st.integers(0, 3)), max_size=60))
def test_in_flight_is_the_number_of_open_leases(steps: list[tuple[str, int]]) -> None:
    """Whatever the order of leases, ends and reloads, nothing is lost; at rest it is zero."""
    everyone = [target(name) for name in "abcd"]
    book: Ledger = ledger(everyone)
    present, leases = everyone, list[Lease]()
    for step, number in steps:
        if step == "lease" and present:
            leases.append(book.lease(present[number % len(present)]))
        elif step == "settle" and leases:
            leases.pop(number % len(leases)).settle(Outcome.OK)
        elif step == "reload":
            present = everyone[: number + 1]
            book.reconcile(present)
        assert book.in_flight == len(leases)
    for lease in leases:
        lease.settle(Outcome.LEFT)
    assert book.in_flight == 0
