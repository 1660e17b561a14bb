"""The requests under way in a worker, and clients that leave, so that nothing is worked out for nobody.

Most answers are out before anybody could leave: a request is watched only once it has lasted, which keeps the watching
off the path of the fast ones. One timer serves all requests.
"""

import asyncio
from typing import Final

from jairouter_cli.web.doors.door import Door

LOOK_S: Final = 0.02  # a client's leaving is noticed this long after at the latest, for a request that is young


class Presence:
    """A request under way: its task is cancelled when the client leaves or the gateway ends it, until it is over."""

    __slots__ = ("_door", "_others", "_task", "_watcher", "is_over", "left")

    def __init__(self, others: "set[Presence]", task: "asyncio.Task[object] | None") -> None:
        self._others = others
        self._door: Door | None = None
        self._task = task
        self._watcher: asyncio.Task[None] | None = None
        self.left = False
        self.is_over = False

    @property
    def task(self) -> "asyncio.Task[object] | None":
        """The task that answers it, until it is over."""
        return self._task

    def can_leave(self, door: Door) -> None:
        """Note that its body was read: from now on its client can be watched."""
        self._door = door

    def watch(self) -> None:
        """Begin to watch."""
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        if self._door is not None:
            await self._door.left()
        if not self.is_over and self._task is not None:
            self.left = True
            self._task.cancel()

    def over(self) -> None:
        """Stop watching, and let go of the request."""
        self.is_over = True
        self._others.discard(self)
        self._door = self._task = None
        if self._watcher is not None:
            self._watcher.cancel()


class Departures:
    """All requests under way in a worker."""

    __slots__ = ("_new", "_present", "_timer")

    def __init__(self) -> None:
        self._present: set[Presence] = set()
        self._new: list[Presence] = []
        self._timer: asyncio.TimerHandle | None = None

    def enter(self, task: "asyncio.Task[object] | None") -> Presence:
        """Note a request, and the task that answers it."""
        presence = Presence(self._present, task)
        self._present.add(presence)
        return presence

    def watch(self, presence: Presence, door: Door) -> None:
        """Watch a request, whose body was read, for its client's leaving."""
        presence.can_leave(door)
        self._new.append(presence)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def end(self) -> int:
        """Cancel all requests that are under way; return how many they were."""
        tasks = [presence.task for presence in self._present if presence.task is not None]
        for task in tasks:
            task.cancel()
        return len(tasks)

    async def all_gone(self, timeout_s: float) -> None:
        """Return when no request is under way any more, or when that has lasted too long."""
        tasks = {presence.task for presence in self._present if presence.task is not None}
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_s)

    def _look(self) -> None:
        """Watch those that are still under way."""
        lasting, self._new = self._new, []
        self._timer = None
        for presence in lasting:
            if not presence.is_over:
                presence.watch()
