"""What people see of a choice, and that looking changes nothing."""

from hypothesis import given
from hypothesis import strategies as st

from jairouter_cli.config.model import Balancing, HealthCheck
from jairouter_cli.routing.balance import STRATEGIES
from jairouter_cli.routing.explain import explain
from jairouter_cli.routing.failover import Obstacle
from jairouter_cli.routing.health import HealthState
from tests.routing.factory import chance, ledger, pool, seats, target


def test_every_candidate_is_shown_with_what_speaks_against_it() -> None:
    """Usable, down, of a later tier, disabled."""
    targets = [target("a"), target("b"), target("c", priority=1)]
    off = target("d", enabled=False)
    book = ledger([*targets, off])
    book.live(targets[1]).health.saw(HealthCheck(), ok=False, now=1.0, reason="refused")
    rows = explain(pool(targets), tuple(seats(book, targets)), tuple(seats(book, [off])), chance())
    assert [(row.instance, row.state, row.obstacle, row.is_next, row.reason) for row in rows] == [
        ("a", HealthState.UNKNOWN, None, True, ""),
        ("b", HealthState.DOWN, Obstacle.DOWN, False, "refused"),
        ("c", HealthState.UNKNOWN, None, False, ""),
        ("d", HealthState.DISABLED, Obstacle.DISABLED, False, ""),
    ]


@given(st.sampled_from(Balancing), st.lists(st.integers(1, 5), min_size=1, max_size=5), st.integers(0, 9))
def test_what_is_said_to_be_next_is_next(balancing: Balancing, weights: list[int], before: int) -> None:
    """However often one looks; for strategies that leave it to chance it is one of those."""
    targets = [target(chr(97 + i), weight) for i, weight in enumerate(weights)]
    among = seats(ledger(targets), targets)
    for _ in range(before):
        STRATEGIES[balancing].choose(among, chance())
    shown = [explain(pool(targets, balancing), tuple(among), (), chance()) for _ in range(3)]
    assert shown[0] == shown[1] == shown[2]
    assert STRATEGIES[balancing].choose(among, chance()).target.id in {row.instance for row in shown[0] if row.is_next}
