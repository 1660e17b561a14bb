"""Slots of one backend: how many requests it has in flight, for all models, services and workers.

Taking and returning a slot are steps on the numbers of a record. The order of waiting requests is in
`gateway/waiting_room.py`.
"""

from typing import Final

from jairouter_cli.routing.record import Number, Record

_TURN: Final = int(Number.SLOTS_TURN)
_HELD_S: Final = int(Number.SLOTS_HELD_S)

_NEWEST_WEIGHT: Final = 0.1  # of the last request in the average time that slots are held
_UNTRIED_HELD_S: Final = 1.0  # what is said before any request has ended


class Slots:
    """The slots of one machine; `limit` changes with the configuration, None is no limit."""

    __slots__ = ("limit", "name", "record")

    def __init__(self, name: str, record: Record, limit: int | None = None) -> None:
        self.name: Final = name
        self.record: Final = record
        self.limit = limit

    @property
    def taken(self) -> int:
        """Slots that are taken, by all workers."""
        return int(sum(self.record.in_flight))

    @property
    def waiting(self) -> int:
        """Requests that wait for one, in all workers."""
        return int(sum(self.record.waiting))

    @property
    def is_idle(self) -> bool:
        """Whether no request of this worker holds a slot or waits for one."""
        record = self.record
        return not record.in_flight[record.worker] and not record.waiting[record.worker]

    @property
    def has_room(self) -> bool:
        """Whether a request that nobody waits before could have a slot."""
        limit = self.limit
        return limit is None or (self.taken < limit and not self.waiting)

    def take(self, *, waited: bool = False) -> bool:
        """Take a slot, if there is one and nobody waits before; return whether it was so."""
        record, limit = self.record, self.limit
        if limit is None:
            record.in_flight[record.worker] += 1
            return True
        with record.lock:
            if self.taken >= limit or (self.waiting and not waited):
                return False
            record.in_flight[record.worker] += 1
        return True

    def give(self, held_s: float) -> None:
        """Give a slot back that was held for so long."""
        record = self.record
        if self.limit is None:
            record.in_flight[record.worker] -= 1
            return
        with record.lock:
            record.in_flight[record.worker] -= 1
            before = record.numbers[_HELD_S]
            record.numbers[_HELD_S] = before + (held_s - before) * _NEWEST_WEIGHT if before else held_s

    def return_unused(self) -> None:
        """Give a slot back that no request was sent with."""
        self.record.in_flight[self.record.worker] -= 1

    def join_queue(self, size: int) -> bool:
        """Note that a request of this worker waits, if fewer than `size` do; return whether it was so."""
        record = self.record
        with record.lock:
            if self.waiting >= size:
                return False
            record.waiting[record.worker] += 1
        return True

    def leave_queue(self) -> None:
        """Note that it waits no more."""
        self.record.waiting[self.record.worker] -= 1

    def next_worker(self) -> int | None:
        """Return the worker whose turn it is to have a slot among those where somebody waits; None if nobody does."""
        record = self.record
        count = len(record.waiting)
        with record.lock:
            turn = int(record.numbers[_TURN])
            for step in range(1, count + 1):
                worker = (turn + step) % count
                if record.waiting[worker] > 0:
                    record.numbers[_TURN] = worker
                    return worker
        return None

    def expected_wait_s(self) -> float:
        """Return how long a request that joins the queue now would wait, estimated from how long slots were held."""
        held_s = self.record.numbers[_HELD_S] or _UNTRIED_HELD_S
        return held_s * (self.waiting + 1) / max(1, self.limit or 1)
