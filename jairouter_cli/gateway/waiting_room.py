"""Requests that wait for a slot: on one machine or several, fair between clients, for a bounded time.

A slot is taken on behalf of the one who is next before it is woken, so that nobody else can have it in between.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from jairouter_cli.config.model import Queue
from jairouter_cli.routing.fair_queue import FairQueue
from jairouter_cli.routing.ledger import Ledger
from jairouter_cli.routing.slots import Slots

# How often those who wait look by themselves: only what a worker that died had, or a bell that was missed, is late.
_LOOK_S: Final = 0.1

QueuePlace = asyncio.Future[Slots]


class WaitingRoom:
    """Everybody in this worker who waits."""

    __slots__ = ("_ledger", "_queues", "_timer", "_worker")

    def __init__(self, ledger: Ledger, worker: int = 0) -> None:
        self._ledger: Final = ledger
        self._worker: Final = worker
        self._queues: dict[str, tuple[Slots, FairQueue[QueuePlace]]] = {}
        self._timer: asyncio.TimerHandle | None = None
        ledger.on_free = self.freed

    async def wait(self, machines: Sequence[Slots], client: str, rules: Queue, timeout_s: float) -> Slots | None:
        """Wait for a slot of any of the machines; return the one on which a slot was taken.

        None if there is no room to wait, or none came in time. Cancelling it is how a client leaves.
        """
        joined = [slots for slots in machines if slots.join_queue(rules.size)]
        if not joined:
            return None
        place: QueuePlace = asyncio.get_running_loop().create_future()
        for slots in joined:
            self._queues.setdefault(slots.name, (slots, FairQueue()))[1].join(client, place)
        self._look_later()
        try:
            async with asyncio.timeout(min(timeout_s, rules.timeout_s)):
                return await place
        except TimeoutError:
            return self._taken(place)
        except asyncio.CancelledError:
            slot = self._taken(place)
            if slot is not None:  # it came too late
                slot.return_unused()
                self.freed(slot)
            raise
        finally:
            for slots in joined:
                self._leave(slots, client, place)

    @staticmethod
    def _taken(place: QueuePlace) -> Slots | None:
        """Return the slot that was taken at the very moment when the wait ended."""
        return place.result() if place.done() and not place.cancelled() else None

    def _leave(self, slots: Slots, client: str, place: QueuePlace) -> None:
        slots.leave_queue()
        known = self._queues.get(slots.name)
        if known is not None:  # else it was the last one in it, and has its slot
            known[1].leave(client, place)
            if not known[1]:
                del self._queues[slots.name]
        if slots.waiting and slots.limit is not None and slots.taken < slots.limit:
            self.freed(slots)  # it was this one's turn

    def freed(self, slots: Slots) -> None:
        """Give a slot that is free to the worker whose turn it is."""
        worker = slots.next_worker()
        if worker == self._worker:
            self.serve(slots)
        elif worker is not None:
            self._ledger.nudge(worker)

    def serve(self, slots: Slots) -> None:
        """Wake as many of this worker as there are slots."""
        known = self._queues.get(slots.name)
        if known is None:
            return
        _, queue = known
        while queue and slots.take(waited=True):
            place = queue.pop()
            while place is not None and place.done():  # has a slot of another machine, or has gone
                place = queue.pop()
            if place is None:
                slots.return_unused()
                return
            place.set_result(slots)

    def serve_all(self) -> None:
        """Look at every machine that somebody waits for."""
        for slots, _ in list(self._queues.values()):
            self.serve(slots)

    def _look_later(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_LOOK_S, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._queues:
            self.serve_all()
            self._look_later()
