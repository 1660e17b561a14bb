"""Notices clients that leave, so that nothing is worked out for nobody.

Most answers are out before anybody could leave: a request is watched only once it has lasted, which keeps the watching
off the path of the fast ones. One timer serves all requests.
"""

import asyncio
from typing import Final

from jairouter_cli.web.door import Door

LOOK_S: Final = 0.02  # a client's leaving is noticed this long after at the latest, for a request that is young


class Presence:
    """A request under way: cancels its task when the client leaves, until told that it is over."""

    __slots__ = ("_door", "_task", "_watcher", "is_over", "left")

    def __init__(self, door: Door, task: "asyncio.Task[object] | None") -> None:
        self._door: Door | None = door
        self._task = task
        self._watcher: asyncio.Task[None] | None = None
        self.left = False
        self.is_over = False

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
        self._door = self._task = None
        if self._watcher is not None:
            self._watcher.cancel()


class Departures:
    """All requests under way in a worker."""

    __slots__ = ("_new", "_timer")

    def __init__(self) -> None:
        self._new: list[Presence] = []
        self._timer: asyncio.TimerHandle | None = None

    def enter(self, door: Door) -> Presence:
        """Note a request of the current task."""
        presence = Presence(door, asyncio.current_task())
        self._new.append(presence)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)
        return presence

    def _look(self) -> None:
        """Watch those that are still under way."""
        lasting, self._new = self._new, []
        for presence in lasting:
            if not presence.is_over:
                presence.watch()
        self._timer = None
