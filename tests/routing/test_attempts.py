"""The failover plan, driven with plain outcomes."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from jairouter_cli.config.model import Balancing
from jairouter_cli.routing.attempts import plan
from jairouter_cli.routing.call import Outcome, Target
from jairouter_cli.routing.health import State
from jairouter_cli.routing.ledger import Lease
from tests.routing.factory import CALL, ledger, pool, target


def tried(targets: list[Target], down: str = "", balancing: Balancing = Balancing.ROUND_ROBIN) -> list[str]:
    """Run a plan in which every attempt fails; return whom it tried, in order."""
    book = ledger(targets)
    for one in targets:
        if one.id in down:
            book.live(one).health.state = State.DOWN
    attempts = plan(pool(targets, balancing), book, CALL, Random(1))
    leases: list[Lease] = [next(attempts)]
    try:
        while True:
            leases.append(attempts.send(Outcome.FAILED))
    except StopIteration:
        pass
    assert [lease.outcome for lease in leases] == [Outcome.FAILED] * len(leases)
    assert book.in_flight == 0
    return [lease.target.id for lease in leases]


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


def test_success_leaves_the_lease_with_the_caller() -> None:
    """Closing the plan after an answer settles nothing: the relay will."""
    targets = [target("a"), target("b")]
    book = ledger(targets)
    attempts = plan(pool(targets), book, CALL, Random(1))
    lease = next(attempts)
    attempts.close()
    assert (lease.outcome, book.in_flight) == (None, 1)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=6), st.sampled_from(Balancing), st.integers(0, 8))
def test_no_instance_twice_and_never_more_than_allowed(
    weights: list[int], balancing: Balancing, max_retries: int
) -> None:
    """Whatever the strategy: distinct instances, at most one more than max-retries."""
    names = tried([target(chr(97 + i), w, max_retries) for i, w in enumerate(weights)], balancing=balancing)
    assert len(names) == len(set(names)) == min(len(weights), max_retries + 1)
