"""The way of an answer's bytes from a backend to the client's door, as stages in a row.

Why stages: what a stream has to go through differs from call to call (whole events only, the usage heard and perhaps
hidden, a copy for the cache, one day another dialect), and a relay that does all of it in its loops has those loops
many times over, each with its own way to count. Here a stage takes bytes as they come, and returns what may go on; at
the end it returns what it still holds. Where nothing needs to be done there is no stage, and bytes go straight
through; what goes out is heard, copied and counted in one place, behind the last stage.
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from jairouter_cli.gateway.record import CallRecord

Listener = Callable[[bytes], None]
"""Hears what goes out to the client."""


class Stage(Protocol):
    """One step of the way."""

    def feed(self, chunk: bytes, /) -> bytes:
        """Take in bytes as they come, return those that may go on."""

    def rest(self) -> bytes:
        """Return what is held back, when the answer has ended as it should."""


class Pipe:
    """The stages of one answer, and who hears of what comes out of them.

    Of events, `says_something` tells whether those that came out last have content; None for what is none.
    """

    __slots__ = ("_listeners", "_record", "_says_something", "_stages")

    def __init__(
        self,
        record: CallRecord,
        stages: Sequence[Stage] = (),
        listeners: Sequence[Listener] = (),
        says_something: Callable[[bytes], bool] | None = None,
    ) -> None:
        self._record: Final = record
        self._says_something: Final = says_something
        self._stages: Final = tuple(stages)
        self._listeners: Final = tuple(listeners)

    @property
    def has_events(self) -> bool:
        """Whether it is one of events."""
        return self._says_something is not None

    def says_something(self, events: bytes) -> bool:
        """Whether the events that came out last have content."""
        return self._says_something is None or self._says_something(events)

    def feed(self, chunk: bytes) -> bytes:
        """Take in bytes as they come, return those that go out now."""
        for stage in self._stages:
            chunk = stage.feed(chunk)
        return self._out(chunk) if chunk else chunk

    def rest(self) -> bytes:
        """Return what was held back, when the answer has ended as it should."""
        chunk = b""
        for stage in self._stages:
            chunk = (stage.feed(chunk) if chunk else chunk) + stage.rest()
        return self._out(chunk) if chunk else chunk

    def _out(self, chunk: bytes) -> bytes:
        for listener in self._listeners:
            listener(chunk)
        self._record.response_bytes += len(chunk)
        return chunk
