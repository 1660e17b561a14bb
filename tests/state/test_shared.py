"""Records in one file: several workers, each with a mapping of its own, as processes would have."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jairouter_cli.errors import StateFull
from jairouter_cli.routing.call import Outcome
from jairouter_cli.routing.ledger import Lease, Ledger
from jairouter_cli.state import shared
from jairouter_cli.state.folder import Folder, folder
from jairouter_cli.state.shared import SharedMemory
from tests.routing.factory import target


@pytest.fixture
def place() -> Iterator[Path]:
    """Give a folder as a server makes it."""
    with folder(4) as made:
        yield made.path


def test_each_worker_has_a_place_and_one_leads(place: Path) -> None:
    """A place that was given up is taken again; who leads, leads until it ends."""
    one, other = SharedMemory(place, 2), SharedMemory(place, 2)
    assert (one.worker, other.worker) == (0, 1)
    assert [other.leads(), one.leads(), other.leads()] == [True, False, True]
    other.close()
    assert one.leads()
    again = SharedMemory(place, 2)
    assert again.worker == 1
    one.close()
    again.close()


def test_what_one_writes_the_other_reads(place: Path) -> None:
    """Numbers, cells and words; another name is another record."""
    one, other = SharedMemory(place, 2), SharedMemory(place, 2)
    mine, theirs = one.record("a"), other.record("a")
    mine.numbers[3] = 1.5
    mine.in_flight[0] = 2.0
    theirs.in_flight[1] = 1.0
    mine.text = "Verbindung abgelehnt: ü" * 20
    assert (theirs.numbers[3], sum(mine.in_flight)) == (1.5, 3.0)
    assert theirs.text.startswith("Verbindung abgelehnt: ü")
    assert len(theirs.text.encode()) <= 112
    assert other.record("b").numbers[3] == 0.0
    one.close()
    other.close()


def test_a_record_lasts_as_long_as_somebody_holds_it(place: Path) -> None:
    """Let go by all, it begins anew."""
    one, other = SharedMemory(place, 2), SharedMemory(place, 2)
    one.record("a").numbers[0] = 7.0
    other.record("a")
    one.release("a")
    assert one.record("a").numbers[0] == 7.0
    for memory in (one, other):
        memory.release("a")
    assert one.record("a").numbers[0] == 0.0
    one.close()
    other.close()


def test_the_dead_have_nothing_under_way(place: Path) -> None:
    """The one that leads clears their cells, and a new worker begins with empty ones."""
    one, other = SharedMemory(place, 2), SharedMemory(place, 2)
    assert one.leads()
    one.record("a").in_flight[0] = 1.0
    theirs = other.record("a")
    for column in (theirs.in_flight, theirs.waiting, theirs.permits):
        column[1] = 5.0
    one.clear_places_of_the_dead()
    assert sum(theirs.in_flight) == 6.0, "it lives"
    other.close()
    one.clear_places_of_the_dead()
    assert (sum(theirs.in_flight), sum(theirs.waiting), sum(theirs.permits)) == (1.0, 0.0, 0.0)
    one.close()


def test_there_is_an_end_to_places_and_records(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said in words."""
    monkeypatch.setattr(shared, "RECORDS", 3)
    memories = [SharedMemory(place, 1) for _ in range(5)]
    with pytest.raises(StateFull, match="too many workers: at most 5"):
        SharedMemory(place, 1)
    for name in "abc":
        memories[0].record(name)
    with pytest.raises(StateFull, match="too many instances: at most 3"):
        memories[0].record("d")
    memories[0].release("b")
    memories[0].record("d")
    for memory in memories:
        memory.close()


def test_what_a_killed_server_left_is_removed(place: Path) -> None:
    """By the next one; what belongs to one that runs is left alone."""
    dead = Folder()
    dead.close()
    with folder() as other:
        assert (place.exists(), other.path.exists(), dead.path.exists()) == (True, True, False)
    assert not other.path.exists()


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["hold", "release", "count"]), st.sampled_from("abcde"))))
def test_names_never_get_each_others_numbers(steps: list[tuple[int, str, str]]) -> None:
    """Records come and go in three workers, in a table that is nearly full: what a name has counted stays its own."""
    with folder(3) as made, pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared, "RECORDS", 5)
        memories = [SharedMemory(made.path, 3) for _ in range(3)]
        holders: dict[str, set[int]] = {name: set() for name in "abcde"}
        counts = dict.fromkeys("abcde", 0)
        for worker, step, name in steps:
            if step == "release":
                memories[worker].release(name)
                holders[name].discard(worker)
                counts[name] = counts[name] if holders[name] else 0
                continue
            record = memories[worker].record(name)
            holders[name].add(worker)
            if step == "count":
                record.numbers[0] += 1
                counts[name] += 1
            assert record.numbers[0] == counts[name]
        for memory in memories:
            memory.close()


COUNT = """
import sys
from pathlib import Path
from jairouter_cli.state.shared import SharedMemory
record = SharedMemory(Path(sys.argv[1]), 4).record("a")
for _ in range(5000):
    with record.lock:
        record.numbers[0] += 1
print(record.worker)
"""


def test_processes_do_not_lose_each_others_steps(place: Path) -> None:
    """Four processes count to five thousand each, under the lock: twenty thousand."""
    own = SharedMemory(place, 4)
    record = own.record("a")
    command = [sys.executable, "-c", COUNT, str(place)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for _ in range(5000):
        with record.lock:
            record.numbers[0] += 1
    workers = {one.communicate()[0].strip() for one in running}
    assert [one.returncode for one in running] == [0, 0, 0]
    assert "0" not in workers
    assert record.numbers[0] == 20_000.0
    own.close()


HOLD = """
import os, sys, time
from pathlib import Path
from jairouter_cli.state.shared import SharedMemory
record = SharedMemory(Path(sys.argv[1]), 2).record("a")
record.lock.__enter__()
print("held", flush=True)
time.sleep(60)
"""


def test_a_lock_dies_with_its_holder(place: Path) -> None:
    """Killed inside a step: the others go on."""
    own = SharedMemory(place, 2)
    record = own.record("a")
    with subprocess.Popen([sys.executable, "-c", HOLD, str(place)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        os.kill(holder.pid, 9)
        holder.wait()
    with record.lock:
        record.numbers[0] = 1.0
    own.close()


def test_a_ledger_over_shared_memory_counts_for_all(place: Path) -> None:
    """Two workers, three slots: together three leases; a breaker that one opens is open for the other."""
    memories = [SharedMemory(place, 2), SharedMemory(place, 2)]
    books = [Ledger(memory) for memory in memories]
    one = target("a", max_concurrency=3)
    for book in books:
        book.reconcile([one])
    leases: list[Lease] = []
    for turn in range(6):
        lease = books[turn % 2].lease(one, 1.0)
        leases += [lease] if lease is not None else []
    assert (len(leases), books[0].in_flight, books[1].live(one).slots.taken) == (3, 3, 3)
    for lease in leases:
        lease.settle(Outcome.OK, 2.0)
    assert books[1].in_flight == 0
    for memory in memories:
        memory.close()
