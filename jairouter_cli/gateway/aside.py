"""Work that may hang, for it touches files whose file system may not answer: beside the event loop, one at a time."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any, Final, TypeVar, cast

T = TypeVar("T")
AsideResult = tuple[Any, BaseException | None]


class Aside:
    """Runs work in threads that nobody waits for longer than is said, not even when the process ends.

    What hangs takes one thread, however often it is tried again; the threads of `asyncio.to_thread` are few, and would
    all be gone soon.
    """

    def __init__(self) -> None:
        self._turn: Final = asyncio.Lock()  # given back when the work ends, not when nobody waits any more

    async def run(self, work: Callable[[], T], within_s: float) -> T:
        """Return what the work returns, and raise what it raises, in the order of asking.

        Raises `TimeoutError`; work that has begun goes on then.
        """
        async with asyncio.timeout(within_s):
            await self._turn.acquire()
            loop = asyncio.get_running_loop()
            running: asyncio.Future[AsideResult] = loop.create_future()
            running.add_done_callback(lambda _: self._turn.release())
            try:
                Thread(target=_do, args=(work, running, loop), name="aside", daemon=True).start()
            except RuntimeError as error:  # there can be no more threads
                running.set_result((None, error))
            result, failure = await asyncio.shield(running)
        if failure is not None:
            raise failure
        return cast("T", result)


def _do(work: Callable[[], Any], running: asyncio.Future[AsideResult], loop: asyncio.AbstractEventLoop) -> None:
    outcome: AsideResult
    try:
        outcome = work(), None
    except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
        outcome = None, error
    with suppress(RuntimeError):  # the loop has ended meanwhile
        loop.call_soon_threadsafe(running.set_result, outcome)


def bounded(work: Callable[[], T], within_s: float) -> T:
    """Return what the work returns, where there is no event loop yet. Raises `TimeoutError`, and what it raises."""
    outcome: list[AsideResult] = []

    def do() -> None:
        try:
            outcome.append((work(), None))
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            outcome.append((None, error))

    thread = Thread(target=do, name="aside", daemon=True)
    thread.start()
    thread.join(within_s)
    if not outcome:
        raise TimeoutError
    [(result, error)] = outcome
    if error is not None:
        raise error
    return cast("T", result)
