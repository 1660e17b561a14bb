"""Waiting for a slot, with real tasks: who gets it, and that none is lost when somebody leaves."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jairouter_cli.config.model import Queue
from jairouter_cli.gateway.waiting_room import WaitingRoom
from jairouter_cli.routing.call import Outcome, Target
from jairouter_cli.routing.ledger import Lease, Ledger
from jairouter_cli.routing.slots import Slots
from tests.routing.factory import leased, ledger, target

RULES = Queue(size=100, timeout_s=60.0)


class Rig:
    """A machine or two, and those who wait for them."""

    def __init__(self, *limits: int) -> None:
        self.targets = [target(f"t{number}", max_concurrency=limit) for number, limit in enumerate(limits)]
        self.ledger: Ledger = ledger(self.targets)
        self.room = WaitingRoom(self.ledger)
        self.machines = [self.ledger.live(one).slots for one in self.targets]

    async def wait(self, client: str = "c", timeout_s: float = 60.0, rules: Queue = RULES) -> Slots | None:
        """Wait for any of them."""
        return await self.room.wait(self.machines, client, rules, timeout_s)

    def lease(self, one: Target | None = None) -> Lease:
        """Take a lease that there is."""
        return leased(self.ledger, one or self.targets[0])


def runs(test: Callable[[], Awaitable[None]]) -> None:
    """Run a test's coroutine."""
    asyncio.run(asyncio.wait_for(test(), 20))


async def until_waiting(rig: Rig, count: int) -> None:
    """Let others run until so many wait."""
    for _ in range(count + 1):
        await asyncio.sleep(0)
    assert rig.machines[0].waiting == count


def test_what_is_given_back_goes_to_the_one_who_waits() -> None:
    """Taken on its behalf before it runs again: nobody can have it in between."""

    async def test() -> None:
        rig = Rig(1)
        held = rig.lease()
        waiting = asyncio.create_task(rig.wait())
        await until_waiting(rig, 1)
        held.settle(Outcome.OK, 1001.0)
        assert not rig.machines[0].has_room
        assert await waiting is rig.machines[0]
        assert (rig.machines[0].taken, rig.machines[0].waiting) == (1, 0)

    runs(test)


def test_any_of_several_machines_will_do() -> None:
    """The first that is free; the wait for the other is over, too."""

    async def test() -> None:
        rig = Rig(1, 1)
        first, second = rig.lease(), rig.lease(rig.targets[1])
        waiting = asyncio.create_task(rig.wait())
        await until_waiting(rig, 1)
        second.settle(Outcome.OK, 1001.0)
        first.settle(Outcome.OK, 1001.0)
        assert await waiting is rig.machines[1]
        assert [(slots.taken, slots.waiting) for slots in rig.machines] == [(0, 0), (1, 0)]

    runs(test)


@pytest.mark.parametrize("late", [True, False])
def test_one_that_leaves_passes_its_slot_on(late: bool) -> None:
    """Whether it leaves while it waits, or at the moment when the slot came."""

    async def test() -> None:
        rig = Rig(1)
        held = rig.lease()
        leaving, staying = asyncio.create_task(rig.wait("a")), asyncio.create_task(rig.wait("b"))
        await until_waiting(rig, 2)
        if late:
            held.settle(Outcome.OK, 1001.0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        if not late:
            held.settle(Outcome.OK, 1001.0)
        assert await staying is rig.machines[0]
        assert (rig.machines[0].taken, rig.machines[0].waiting) == (1, 0)

    runs(test)


def test_no_room_and_no_time() -> None:
    """None, at once or at the end of the wait; nothing is left behind."""

    async def test() -> None:
        rig = Rig(1)
        rig.lease()
        assert await rig.wait(rules=Queue(size=0)) is None
        assert await rig.wait(timeout_s=0.01) is None
        assert await rig.wait(rules=Queue(timeout_s=0.01)) is None
        assert rig.machines[0].waiting == 0

    runs(test)


def test_what_was_freed_unheard_is_found() -> None:
    """A slot that was given back without a word, as by a worker that died: a look every now and then finds it."""

    async def test() -> None:
        rig = Rig(1)
        rig.lease()
        waiting = asyncio.create_task(rig.wait())
        await until_waiting(rig, 1)
        rig.machines[0].record.in_flight[0] = 0.0
        assert await waiting is rig.machines[0]

    runs(test)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(["come", "leave", "end", "run"]), st.integers(0, 5)), max_size=60))
def test_slots_are_neither_lost_nor_doubled(steps: list[tuple[str, int]]) -> None:
    """Whoever comes, leaves and ends, in any order: never more than two at work, and all are served in the end."""

    async def test() -> None:
        rig = Rig(2)
        tasks: list[asyncio.Task[Slots | None]] = []
        for step, number in steps:
            if step == "come":
                tasks.append(asyncio.create_task(rig.wait(f"c{number % 2}")))
            elif step == "leave" and tasks:
                tasks[number % len(tasks)].cancel()
            elif step == "end" and (done := [task for task in tasks if task.done()]):
                tasks.remove(done[0])
                _give_back(rig, done[0])
            await asyncio.sleep(0)
            assert rig.machines[0].taken <= 2
        rig.room.serve_all()
        while tasks:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in [task for task in tasks if task.done()]:
                tasks.remove(task)
                _give_back(rig, task)
        assert (rig.machines[0].taken, rig.machines[0].waiting) == (0, 0)

    runs(test)


def _give_back(rig: Rig, task: "asyncio.Task[Slots | None]") -> None:
    if not task.cancelled() and (slot := task.result()) is not None:
        slot.give(1.0)
        rig.room.freed(slot)
