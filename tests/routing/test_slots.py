"""Slots of a machine, and who is next for one."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from jairouter_cli.routing.fair_queue import FairQueue
from jairouter_cli.routing.record import Record
from jairouter_cli.routing.slots import Slots


def record(workers: int, worker: int = 0) -> Record:
    """Make a record that several workers share."""
    made = Record()
    made.in_flight, made.waiting, made.permits = ([0.0] * workers for _ in range(3))
    made.worker = worker
    return made


def test_nobody_overtakes_those_who_wait() -> None:
    """With somebody waiting, a free slot is for them."""
    slots = Slots("gpu:80", record(1), 1)
    assert slots.take()
    assert slots.join_queue(5)
    slots.give(1.0)
    assert not slots.has_room
    assert not slots.take()
    assert slots.take(waited=True)


def test_workers_take_turns() -> None:
    """The one that waits longest for its turn has it, whoever gave the slot back."""
    shared = record(3)
    shared.waiting = [2.0, 0.0, 5.0]
    slots = Slots("gpu:80", shared, 1)
    assert [slots.next_worker() for _ in range(4)] == [2, 0, 2, 0]
    shared.waiting = [0.0] * 3
    assert slots.next_worker() is None


def test_the_queue_is_bounded() -> None:
    """Over all workers."""
    shared = record(2)
    shared.waiting[1] = 2.0
    slots = Slots("gpu:80", shared, 1)
    assert [slots.join_queue(4) for _ in range(3)] == [True, True, False]
    slots.leave_queue()
    assert slots.waiting == 3


def test_the_expected_wait_follows_how_long_slots_are_held() -> None:
    """Two slots, held four seconds each, five waiting: the sixth waits about twelve."""
    slots = Slots("gpu:80", record(1), 2)
    for _ in range(3):
        assert slots.take()
        slots.give(4.0)
    for _ in range(5):
        slots.join_queue(9)
    assert slots.expected_wait_s() == 12.0


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), max_size=60))
def test_the_queue_loses_and_invents_nothing(steps: list[tuple[str, int]]) -> None:
    """What joined comes out once or leaves, a client's own in their order."""
    queue: FairQueue[tuple[str, int]] = FairQueue()
    inside: list[tuple[str, int]] = []
    for number, (client, step) in enumerate(steps):
        if step == 0:
            queue.join(client, (client, number))
            inside.append((client, number))
        elif step == 1:
            popped = queue.pop()
            assert (popped is None) == (not inside)
            if popped is not None:
                assert popped == next(item for item in inside if item[0] == popped[0])
                inside.remove(popped)
        elif inside:
            item = inside.pop()
            queue.leave(item[0], item)
        assert len(queue) == len(inside)


def test_a_client_with_few_requests_is_not_kept_waiting_by_one_with_many() -> None:
    """A hundred of one, then three of another: these come out second, fourth and sixth."""
    queue: FairQueue[str] = FairQueue()
    for _ in range(100):
        queue.join("many", "many")
    for _ in range(3):
        queue.join("few", "few")
    first = [queue.pop() for _ in range(6)]
    assert first == ["many", "few"] * 3
    assert Counter(queue.pop() for _ in range(97)) == {"many": 97}
