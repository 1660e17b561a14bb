"""Parsers survive anything: seeds, finds of the fuzzer, random inputs; and their time grows as the input does."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

# Inputs that once broke a parser, a file each; `scripts/fuzz` says where to put a new one.
FINDS: Final = Path(__file__).parent / "finds"

_TIMES_LARGER: Final = 8
# Linear time gives 8, quadratic 64: a busy machine does not turn one into the other.
_TIMES_SLOWER: Final = 24
_TOO_SHORT_S: Final = 0.002


@pytest.mark.parametrize("name", TARGETS)
def test_survives_what_was_found(name: str) -> None:
    """Seeds and finds leave everything as the target demands."""
    target = TARGETS[name]
    for data in (*target.seeds, *(path.read_bytes() for path in sorted((FINDS / name).glob("*")))):
        target.feed(data)


@pytest.mark.parametrize("name", TARGETS)
def test_survives_anything_like_a_seed(name: str) -> None:
    """So do seeds with pieces cut out, doubled and replaced."""
    target = TARGETS[name]

    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.sampled_from(target.seeds), st.integers(0, 400), st.integers(0, 40), st.binary(max_size=12))
    def feed(seed: bytes, at: int, cut: int, put: bytes) -> None:
        at %= len(seed) + 1
        target.feed(seed[:at] + put + seed[at + cut :])

    feed()


CASES: Final = [(name, index) for name, target in TARGETS.items() for index in range(len(target.evil))]


@pytest.mark.parametrize(("name", "index"), CASES)
def test_time_grows_with_the_input(name: str, index: int) -> None:
    """Eight times the input takes about eight times as long, also where it was made to be hard."""
    target = TARGETS[name]
    small, large = (target.evil[index](target.small_bytes * times) for times in (1, _TIMES_LARGER))
    assert _shortest_s(target.feed, large) < _TIMES_SLOWER * max(_shortest_s(target.feed, small), _TOO_SHORT_S)


def _shortest_s(feed: Callable[[bytes], None], data: bytes) -> float:
    """Return how long it takes when nobody else is in the way."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        feed(data)
        times.append(time.perf_counter() - began)
    return min(times)
