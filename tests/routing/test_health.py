"""Up or down from a row of results."""

import pytest

from jairouter_cli.config.model import HealthCheck
from jairouter_cli.routing.health import Health
from jairouter_cli.routing.record import Record

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
    """The first result decides; then it takes as many in a row as the thresholds say. News is what changes."""
    health, seen, news = Health(Record()), [], []
    for at, result in enumerate(results):
        news.append(health.saw(CHECK, ok=result == "+", now=float(at), reason="" if result == "+" else "refused"))
        seen.append(health.state.value)
    assert " ".join(seen) == states
    assert health.at == (len(results) - 1 or None)
    assert health.reason == ("" if results[-1] == "+" else "refused")
    changed = [before != now for before, now in zip(["UP", *seen], seen, strict=False)]
    assert news == changed


def test_one_request_that_fails_says_little() -> None:
    """Nobody has asked yet: it takes a row of failed requests, and one that goes well decides."""
    health = Health(Record())
    for _ in range(2):
        health.saw(CHECK, ok=False, now=1.0, reason="HTTP 500", asked=False)
    assert health.state.value == "UNKNOWN"
    health.saw(CHECK, ok=False, now=1.0, reason="HTTP 500", asked=False)
    assert health.state.value == "DOWN"
    health = Health(Record())
    health.saw(CHECK, ok=True, now=1.0, asked=False)
    assert health.state.value == "UP"


def test_a_sound_instance_needs_no_more_good_results() -> None:
    """Only what is up without a doubt; one bad result in between counts from the next good one on."""
    health = Health(Record())
    assert not health.is_sound
    health.saw(CHECK, ok=True, now=1.0)
    assert health.is_sound
    health.saw(CHECK, ok=False, now=2.0)
    assert not health.is_sound
    health.saw(CHECK, ok=True, now=3.0)
    assert health.is_sound
