"""Names to addresses, without one name's silence keeping others waiting.

Each name is looked up by a thread of its own, at most one at a time and for all who wait; the threads are bounded, and
none of them is the event loop's. Answers are kept for a while, as the system does not say how long they hold.
"""

import asyncio
import contextlib
import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

MOST_THREADS: Final = 32  # names that are looked up at once
FAILED_S: Final = 3.0  # how long a failure is remembered, at most
_NO_SUCH_NAME: Final = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
_STALE_S: Final = 1.0  # how long the resolver may take to renew an answer before the old one is used


class SocketAddress(NamedTuple):
    """Where a socket connects to; `name` is for the port to be put in."""

    family: int
    name: tuple[Any, ...]

    def at(self, port: int) -> "SocketAddress":
        """Return it with a port."""
        host, _, *rest = self.name
        return SocketAddress(self.family, (host, port, *rest))


def look_up(host: str, flags: int = 0) -> list[SocketAddress]:
    """Ask the system, which may take long. Raises `OSError`."""
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=flags)
    except UnicodeError:
        raise socket.gaierror(socket.EAI_NONAME, "not a valid host name") from None
    return [SocketAddress(family, name) for family, _, _, _, name in found]


class _Name:
    """What is known of a name."""

    __slots__ = ("addresses", "error", "fresh_until", "pending")

    def __init__(self) -> None:
        self.addresses: Sequence[SocketAddress] = ()
        self.error: OSError | None = None
        self.fresh_until = float("-inf")
        self.pending: asyncio.Future[None] | None = None

    def answer(self) -> Sequence[SocketAddress]:
        """Return the addresses. Raises `OSError` if the name has none."""
        if self.error is not None:
            raise type(self.error)(*self.error.args)
        return self.addresses


class Resolver:
    """The names of a worker's backends. `ask` is who knows; it may take as long as it likes."""

    def __init__(self, cache_s: float, ask: Callable[[str], Sequence[SocketAddress]] = look_up) -> None:
        self._cache_s: Final = cache_s
        self._ask: Final = ask
        self._names: Final[dict[str, _Name]] = {}
        self._waiting: Final[deque[str]] = deque()
        self._threads = 0

    async def resolve(self, host: str) -> Sequence[SocketAddress]:
        """Return a name's addresses, in the order of the system's preference. Raises `OSError`."""
        with contextlib.suppress(OSError):
            return look_up(host, socket.AI_NUMERICHOST)
        name = self._names.setdefault(host, _Name())
        loop = asyncio.get_running_loop()
        if loop.time() >= name.fresh_until:
            pending = name.pending or self._begin(host, name)
            await asyncio.wait([pending], timeout=_STALE_S if name.addresses else None)
            if not pending.done():
                name.fresh_until = loop.time() + FAILED_S
        return name.answer()

    def is_looking_up(self, host: str) -> bool:
        """Whether a name is waited for that nothing is known of."""
        name = self._names.get(host)
        return name is not None and name.pending is not None and not name.addresses

    def doubt(self, host: str) -> None:
        """Note that a name's addresses did not work: they may be old, and are looked up again soon."""
        if (name := self._names.get(host)) is not None:
            name.fresh_until = min(name.fresh_until, asyncio.get_running_loop().time() + FAILED_S)

    def _begin(self, host: str, name: _Name) -> "asyncio.Future[None]":
        pending = name.pending = asyncio.get_running_loop().create_future()
        self._waiting.append(host)
        self._start()
        return pending

    def _start(self) -> None:
        """Start as many look-ups as may run."""
        loop = asyncio.get_running_loop()
        while self._waiting and self._threads < MOST_THREADS:
            host = self._waiting.popleft()
            self._threads += 1
            thread = threading.Thread(target=self._work, args=(loop, host), daemon=True, name=f"look up {host}")
            try:
                thread.start()
            except RuntimeError as error:  # the system allows no more threads
                self._done(host, OSError(str(error)))

    def _work(self, loop: asyncio.AbstractEventLoop, host: str) -> None:
        try:
            found: Sequence[SocketAddress] | OSError = self._ask(host)
        except OSError as error:
            found = error
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(self._done, host, found)

    def _done(self, host: str, found: Sequence[SocketAddress] | OSError) -> None:
        name, now = self._names[host], asyncio.get_running_loop().time()
        self._threads -= 1
        if not isinstance(found, OSError):
            name.addresses, name.error, name.fresh_until = found, None, now + self._cache_s
        else:
            name.fresh_until = now + min(FAILED_S, self._cache_s)
            if not name.addresses or found.errno in _NO_SUCH_NAME:
                name.addresses, name.error = (), found
        if name.pending is not None:
            name.pending.set_result(None)
            name.pending = None
        self._start()
