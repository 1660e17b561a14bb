"""Up or down from a row of results."""

import pytest

from jairouter_cli.config.model import HealthCheck
from jairouter_cli.routing.health import Health

CHECK = HealthCheck(failure_threshold=3, success_threshold=2)


@pytest.mark.parametrize(
    ("results", "states"),
    [
        ("+", "UP"),
        ("-", "DOWN"),
        ("+--", "UP UP UP"),
        ("+---", "UP UP UP DOWN"),
        ("+--+---", "UP UP UP UP UP UP DOWN"),
        ("-+", "DOWN DOWN"),
        ("-++", "DOWN DOWN UP"),
        ("-+-++", "DOWN DOWN DOWN DOWN UP"),
    ],
)
def test_a_row_of_results(results: str, states: str) -> None:
    """The first result decides; then it takes as many in a row as the thresholds say."""
    health, seen = Health(), []
    for at, result in enumerate(results):
        health.saw(CHECK, ok=result == "+", at=float(at), reason="" if result == "+" else "refused")
        seen.append(health.state.value)
    assert " ".join(seen) == states
    assert (health.at, health.reason) == (len(results) - 1, "" if results[-1] == "+" else "refused")
