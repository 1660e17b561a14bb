"""Taking in requests' bodies: each is held once, in one piece, never over its size, and not waited for without end.

Memory grows with what comes, not with what was announced. One timer serves all bodies under way.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from jairouter_cli.config.model import BodyTimeout
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.request_errors import BodyLate, InvalidRequest, PayloadTooLarge

LOOK_S: Final = 0.5  # a body is found to be late this long after it is, at most
_MOST_DIGITS: Final = 18  # of a length that is one


class Body:
    """A body under way; what comes in one piece is not copied. Raises `PayloadTooLarge`."""

    __slots__ = ("_data", "_limit_bytes", "_rules", "_seen", "_silent_since", "_since", "_task", "late", "size")

    def __init__(self, limit_bytes: int, rules: BodyTimeout, task: "asyncio.Task[object] | None") -> None:
        self._limit_bytes = limit_bytes
        self._rules = rules
        self._data: bytes | bytearray = b""
        self.size = 0
        self._seen = -1
        self._silent_since = self._since = 0.0
        self._task = task
        self.late: tuple[str, float] | None = None
        """The setting, and its seconds, for which its reader was cancelled."""

    def add(self, piece: bytes) -> None:
        """Take a piece."""
        self.size += len(piece)
        if self.size > self._limit_bytes:
            raise PayloadTooLarge(limit_bytes=self._limit_bytes, setting="server.max-body-size")
        if not self._data:
            self._data = piece
        elif isinstance(self._data, bytearray):
            self._data += piece
        else:
            self._data = bytearray(self._data) + piece

    def whole(self) -> bytes | bytearray:
        """Return what has come."""
        return self._data

    def look(self, now: float) -> None:
        """Stop waiting if it has been silent, or under way, for too long; the first look begins the measuring."""
        if self._seen < 0:
            self._since = now
        if self.size != self._seen:
            self._seen, self._silent_since = self.size, now
        rules = self._rules
        if rules.idle_s and now - self._silent_since >= rules.idle_s:
            self._stop("idle", rules.idle_s)
        elif rules.total_s and now - self._since >= rules.total_s:
            self._stop("total", rules.total_s)

    def _stop(self, name: str, seconds: float) -> None:
        if self.late is None and self._task is not None:
            self.late = f"server.body-timeout.{name}", seconds
            self._task.cancel()

    def raise_if_late(self) -> None:
        """Take the cancellation back if it is ours. Raises `BodyLate` then."""
        if self.late is not None and self._task is not None:
            self._task.uncancel()
            setting, seconds = self.late
            raise BodyLate(setting=setting, seconds=seconds) from None


class Intake:
    """The bodies under way in a worker, by what `server` says now."""

    __slots__ = ("_gateway", "_timer", "_under_way")

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._under_way: set[Body] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def take(
        self,
        following: Callable[[], Awaitable[bytes]],
        announced: str | None,
        task: "asyncio.Task[object] | None",
    ) -> bytes | bytearray:
        """Read a body from what gives its pieces, and nothing at its end; `announced` is its length, if it has one.

        `task` is the one that reads it, to be stopped when that takes too long.

        Raises `PayloadTooLarge`, `BodyLate`, `InvalidRequest` if it is cut off.
        """
        server = self._gateway.table.config.server
        length = _length(announced)
        if length > server.max_body_size:
            raise PayloadTooLarge(limit_bytes=server.max_body_size, setting="server.max-body-size")
        body = Body(server.max_body_size, server.body_timeout, task)
        self._under_way.add(body)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)
        try:
            while body.size != length and (piece := await following()):
                body.add(piece)
        except asyncio.CancelledError:
            body.raise_if_late()
            raise
        finally:
            self._under_way.discard(body)
        if body.size < length:
            raise InvalidRequest(problem="it was cut off")
        return body.whole()

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        for body in self._under_way:
            body.look(loop.time())
        self._timer = loop.call_later(LOOK_S, self._look) if self._under_way else None


def _length(announced: str | None) -> int:
    """Return an announced length; -1 for none, or for what is no number (the server refuses most of that itself)."""
    if announced is None or not (announced.isascii() and announced.isdigit()):
        return -1
    return int(announced) if len(announced) <= _MOST_DIGITS else 10**_MOST_DIGITS
