"""Polls a running gateway in a thread of its own, so that the screen never waits for the network."""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from jairouter_cli.cli import client
from jairouter_cli.cli.top.rates import Snapshot, snapshot
from jairouter_cli.errors import JAIRouterError, Unreachable

_PATH: Final = "/api/monitoring/live"

Found = Snapshot | JAIRouterError


def look(base: str, timeout_s: float, token: str | None) -> Snapshot:
    """Look once. Raises `Unreachable`, `Answered`, `UsageError`."""
    try:
        return snapshot(client.get(base, _PATH, timeout_s, token=token))
    except msgspec.ValidationError as error:
        reason = f"this version of jairouter does not understand the response ({error})"
        raise Unreachable(url=base, reason=reason) from None


class Feed:
    """What was found since it was last asked."""

    def __init__(self) -> None:
        self._found: Final = queue.SimpleQueue[Found]()
        self._is_over: Final = threading.Event()

    def put(self, found: Found) -> None:
        """Add what was found."""
        self._found.put(found)

    def take(self) -> Iterator[Found]:
        """Yield what there is, without waiting."""
        while not self._found.empty():
            yield self._found.get()

    def run(self, look: Callable[[], Snapshot], interval_s: float) -> None:
        """Look again and again, until it is over; what goes wrong is found, too."""
        while not self._is_over.wait(interval_s):
            try:
                self.put(look())
            except JAIRouterError as error:
                self.put(error)

    def end(self) -> None:
        """Look no more."""
        self._is_over.set()


@contextmanager
def feeding(look: Callable[[], Snapshot], interval_s: float) -> Iterator[Feed]:
    """Poll every so many seconds, in a thread, until the block ends; a request in flight is not waited for."""
    feed = Feed()
    threading.Thread(target=feed.run, args=(look, interval_s), name="feed", daemon=True).start()
    try:
        yield feed
    finally:
        feed.end()
