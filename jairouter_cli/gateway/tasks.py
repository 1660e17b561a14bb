"""What a worker does beside its requests: each task goes on whatever happens to it, and what failed is known.

A task is a generator that yields after every round that went well. One that raises, or comes to its end, is begun
anew after a pause that grows. It is said once, when it begins to fail, and once more when it is well again.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

logger: Final = logging.getLogger("jairouter")

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0

Task = Callable[[], AsyncIterator[None]]
"""Begins a task."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a task; when it failed first and last is wall clock."""

    error: str
    since: float
    last: float
    failures: int


class Tasks:
    """The tasks of a worker, and what is wrong with them."""

    def __init__(self) -> None:
        self._troubles: dict[str, Trouble] = {}

    @property
    def is_troubled(self) -> bool:
        """Whether anything is wrong."""
        return bool(self._troubles)

    @property
    def troubles(self) -> Mapping[str, Trouble]:
        """What is wrong now, by the name of the task."""
        return MappingProxyType(self._troubles)

    async def keep(self, name: str, task: Task) -> None:
        """Do a task until cancelled."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                async for _ in task():
                    pause_s = FIRST_PAUSE_S
                    self.went_well(name)
                self.failed(name, RuntimeError("it ended unexpectedly"))
            except asyncio.CancelledError as error:
                if _is_told_to_end():
                    raise
                self.failed(name, error)  # something in it was cancelled, not we
            except Exception as error:  # noqa: BLE001 - whatever it is, the others need this task
                self.failed(name, error)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    @contextmanager
    def trying(self, name: str) -> Iterator[None]:
        """Note whether the block went well; what it raises goes no further."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - as above
            self.failed(name, error)
        else:
            self.went_well(name)

    def failed(self, name: str, error: BaseException) -> None:
        """Note that something failed; said if it is the first time in a row."""
        known, now = self._troubles.get(name), time.time()
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        if known is None:
            self._troubles[name] = Trouble(text, now, now, 1)
            logger.error("background task %s failed; retrying: %s", name, text, exc_info=error)
        else:
            self._troubles[name] = Trouble(text, known.since, now, known.failures + 1)

    def tell(self, name: str, error: Exception | None) -> None:
        """Note what stands in the way of something, or that nothing does; from any thread."""
        if error is not None:
            self.failed(name, error)
        elif self._troubles:
            self.went_well(name)

    def went_well(self, name: str, calm_s: float = 0.0) -> None:
        """Note that something went well; it is well again if it has not failed for so long."""
        known = self._troubles.get(name)
        if known is not None and time.time() - known.last >= calm_s:
            del self._troubles[name]
            logger.warning("background task %s recovered after %d failures", name, known.failures)


def _is_told_to_end() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
