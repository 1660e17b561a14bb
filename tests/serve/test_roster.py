"""What the parent makes of what it hears, or does not hear, of a worker; by numbers for time."""

import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jairouter_cli.serve.roster import LONGEST_PAUSE_S, WARN_S, Silence, WorkerPlace, manner


def up(now: float = 0.0) -> WorkerPlace:
    """Return the place of a worker that serves."""
    place = WorkerPlace(1)
    place.begin(now)
    place.hear()
    return place


def test_pauses_grow_until_one_has_lived_for_a_minute() -> None:
    """From a tenth of a second to half a minute."""
    place, now, pauses = up(), 0.0, []
    for lived_s in [1.0] * 11 + [60.0, 1.0]:
        pauses.append(place.end(now + lived_s, -9))
        now += lived_s + pauses[-1]
        assert place.due_at == pytest.approx(now)
        place.begin(now)
        place.hear()
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0, 0.1, 0.2])


@given(st.lists(st.floats(0, 200), max_size=50))
def test_pauses_are_bounded(lives: list[float]) -> None:
    """However long workers live."""
    place, now = up(), 0.0
    for lived_s in lives:
        now += lived_s
        pause_s = place.end(now, 1)
        assert 0.0 < pause_s <= LONGEST_PAUSE_S
        now += pause_s
        place.begin(now)


def test_one_that_is_silent_is_told_and_then_replaced() -> None:
    """In time that the parent itself was running; being heard once begins it anew."""
    place = up()
    assert [place.listen(1.0, 60.0) for _ in range(9)] == [None] * 9
    assert place.listen(1.0, 60.0) is Silence.NEW
    assert (place.state, place.hear(), place.state) == ("silent", WARN_S, "up")
    heard = [place.listen(1.0, 60.0) for _ in range(60)]
    assert heard == [None] * 9 + [Silence.NEW] + [None] * 49 + [Silence.TOO_LONG]


def test_a_short_bound_is_told_at_its_half() -> None:
    """And is never so short that a worker is replaced between two beats."""
    place = up()
    assert [place.listen(0.5, 4.0) for _ in range(8)] == [None] * 3 + [Silence.NEW] + [None] * 3 + [Silence.TOO_LONG]
    place = up()
    assert [place.listen(0.5, 0.001) for _ in range(4)] == [None, Silence.NEW, None, Silence.TOO_LONG]


def test_without_a_bound_it_is_only_told() -> None:
    """Once."""
    place = up()
    assert [place.listen(1.0, 0.0) for _ in range(1000)] == [None] * 9 + [Silence.NEW] + [None] * 990


def test_one_that_begins_has_more_time() -> None:
    """Ten times as much, and nothing is told of it meanwhile."""
    place = WorkerPlace(1)
    place.begin(0.0)
    assert [place.listen(1.0, 60.0) for _ in range(600)] == [None] * 599 + [Silence.TOO_LONG]


@pytest.mark.parametrize(
    ("codes", "has_failed"),
    [
        ([1], True),
        ([0], False),
        ([-9], False),
        ([-9, -9], False),
        ([-9, -7, -9], True),
        ([None, None], False),
        ([None] * 3, True),
    ],
)
def test_what_is_no_accident(codes: list[int | None], has_failed: bool) -> None:
    """An exit of its own accord before it came up, or the third end in a row."""
    place = WorkerPlace(1)
    for code in codes:
        place.begin(0.0)
        place.end(1.0, code)
    assert place.has_failed is has_failed
    place.begin(2.0)
    place.hear()
    assert not place.has_failed


def test_how_one_ended_in_words() -> None:
    """Signals by their names."""
    assert [manner(code) for code in (None, 0, 1, 134, -signal.SIGKILL, -signal.SIGBUS, -63)] == [
        "it could not be started",
        "exit status 0",
        "exit status 1",
        "exit status 134",
        "SIGKILL",
        "SIGBUS",
        "signal 63",
    ]
