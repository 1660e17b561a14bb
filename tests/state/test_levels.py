"""Levels of one worker and of several: the same decisions whoever asks, bounded, and never locked by the dead."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jairouter_cli.config.model import Limiting
from jairouter_cli.config.place import Place
from jairouter_cli.routing.admission import Demand, Limit, Refusal, Unit, demanded
from jairouter_cli.routing.buckets import LimitRule, stepper
from jairouter_cli.state import shared_levels
from jairouter_cli.state.folder import folder
from jairouter_cli.state.levels import Levels, OwnLevels, RecentShelf
from jairouter_cli.state.shared_levels import SharedLevels
from tests.routing.factory import Clock
from tests.routing.test_buckets import rules


def limit(name: str, rule: LimitRule, *, per_client: bool = False) -> Limit:
    """Make a limit."""
    return Limit(name, name, Place(), Unit.REQUESTS, rule, stepper(rule), per_client)


@pytest.fixture
def place() -> Iterator[Path]:
    """Give a folder as a server makes it."""
    with folder() as made:
        yield made.path


def allowed(levels: Levels, demands: tuple[Demand, ...]) -> bool:
    """Ask."""
    return not isinstance(levels.charge(demands), Refusal)


calls = st.lists(
    st.tuples(st.integers(0, 2), st.floats(0, 2), st.sampled_from(["", "10.0.0.1", "10.0.0.2"]), st.integers(0, 3)),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(rules, min_size=1, max_size=4), calls)
def test_three_workers_decide_as_one(some: list[LimitRule], asked: list[tuple[int, float, str, int]]) -> None:
    """Whichever of them is asked what: a single worker would decide the same, each time."""
    clock = Clock()
    limits = [limit(f"l{index}:", rule, per_client=index % 2 == 0) for index, rule in enumerate(some)]
    alone = OwnLevels(clock)
    with folder() as made:
        workers = [SharedLevels(made.path, clock) for _ in range(3)]
        for worker, gap, client, which in asked:
            clock.now += gap
            demands = demanded(tuple(limits[: which + 1]), client)
            one, three = alone.charge(demands), workers[worker].charge(demands)
            assert three == one
            if which == 3:
                back = [demand._replace(cost=-0.5) for demand in demands]
                alone.correct(back)
                workers[worker].correct(back)
            assert workers[0].peek(demands) == alone.peek(demands)
        for levels in workers:
            levels.close()


def test_a_client_that_was_silent_for_long_begins_anew(place: Path) -> None:
    """So is the memory bounded: here for a bucket that would take an hour to fill."""
    clock = Clock()
    one = (limit("c:", LimitRule(capacity=1, rate=1 / 3600), per_client=True),)
    shared = SharedLevels(place, clock)
    for levels in (OwnLevels(clock), shared):
        levels.retune(100, 60.0)
        assert [allowed(levels, demanded(one, "10.0.0.1")) for _ in range(2)] == [True, False]
        clock.now += 29
        assert not allowed(levels, demanded(one, "10.0.0.1"))
        clock.now += 61
        allowed(levels, demanded(one, "10.0.0.2"))
        clock.now += 61
        allowed(levels, demanded(one, "10.0.0.3"))
        assert allowed(levels, demanded(one, "10.0.0.1"))
    shared.close()


def test_many_clients_take_no_more_room_than_they_may() -> None:
    """The longest unused ones go first; who is in use stays."""
    shelf = RecentShelf(Clock(), 1000, 1800.0)
    for number in range(10_000):
        shelf[f"client {number}"] = (1.0, 2.0, 3.0)
        shelf["steady"] = (1.0, 5.0, 6.0)
    assert len(shelf) <= 1000
    assert shelf.get("steady", ()) == (1.0, 5.0, 6.0)
    assert shelf.get("client 9999", ()) == (1.0, 2.0, 3.0)
    assert shelf.get("client 1", ()) == ()


def test_a_full_row_makes_room_for_the_newest(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In shared memory: the longest unused one of a row goes; a hundred thousand clients are no more than a file."""
    monkeypatch.setattr(shared_levels, "CLIENT_ROWS", 2)
    clock = Clock()
    one = (limit("c:", LimitRule(capacity=1, rate=0.001), per_client=True),)
    levels, other = SharedLevels(place, clock), SharedLevels(place, clock)
    for number in range(200):
        clock.now += 0.001
        assert allowed(levels if number % 2 else other, demanded(one, f"client {number}"))
    assert not allowed(other, demanded(one, "client 199")), "it is remembered"
    assert allowed(levels, demanded(one, "client 0")), "it is not"
    levels.close()
    other.close()


def test_ten_thousand_clients_are_all_remembered(place: Path) -> None:
    """As many as the documents promise, in a table with room for three times as many."""
    clock = Clock()
    one = (limit("c:", LimitRule(capacity=1, rate=0.0001), per_client=True),)
    levels = SharedLevels(place, clock)
    levels.retune(10_000, 1800.0)
    assert all(allowed(levels, demanded(one, f"client {number}")) for number in range(10_000))
    again = sum(allowed(levels, demanded(one, f"client {number}")) for number in range(10_000))
    assert again < 10_000 * 0.01, "hardly any was pushed out by others"
    levels.close()


HOLDER = """
import sys, time
from pathlib import Path
from jairouter_cli.state.shared_levels import SharedLevels
levels = SharedLevels(Path(sys.argv[1]), time.monotonic)
levels._lock.__enter__()
print("held", flush=True)
time.sleep(60)
"""


def test_who_is_killed_while_holding_the_lock_harms_nobody(place: Path) -> None:
    """The next one has it, at once, and again: with kill -9 no code of ours runs any more."""
    one = (limit("l", LimitRule(Limiting.SLIDING_WINDOW, max_requests=3)),)
    levels = SharedLevels(place, Clock())
    for _ in range(2):
        holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(place)], stdout=subprocess.PIPE, text=True)
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        holder.stdout.close()
        assert allowed(levels, demanded(one, ""))
    assert [allowed(levels, demanded(one, "")) for _ in range(2)] == [True, False]
    levels.close()


MANY = """
import sys, time
from pathlib import Path
from jairouter_cli.config.place import Place
from jairouter_cli.routing.admission import Limit, Refusal, Unit, demanded
from jairouter_cli.routing.buckets import LimitRule, stepper
from jairouter_cli.state.shared_levels import SharedLevels
rule = LimitRule(capacity=5000, rate=0.0001)
limits = tuple(Limit(name, name, Place(), Unit.REQUESTS, rule, stepper(rule)) for name in "abcd")
levels = SharedLevels(Path(sys.argv[1]), time.monotonic)
demands = demanded(limits, "")
first = not isinstance(levels.charge(demands), Refusal)
print("ready", flush=True)
sys.stdin.readline()
print(first + sum(not isinstance(levels.charge(demands), Refusal) for _ in range(3999)))
"""


def test_processes_at_once_grant_exactly_what_there_is(place: Path) -> None:
    """Three of them as fast as they can: five thousand of twelve thousand, not one more or less."""
    command = [sys.executable, "-c", MANY, str(place)]
    workers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    granted = [int(worker.communicate(timeout=60)[0]) for worker in workers]
    assert sum(granted) == 5000
    assert all(one > 0 for one in granted)
