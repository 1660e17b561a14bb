"""The upstream role over HTTP/1.1: kept connections, a pool per origin, TLS.

Why a client of our own: a request through a general one costs ten times what the gateway may spend on it in all
(requests are objects with hooks, bodies are generators, each timeout is a timer), and none of them says whether a kept
connection broke before a byte of an answer, which decides whether a request may be sent again. This one does what a
gateway needs and nothing else: no redirects, no cookies, no decoding. A connection serves one exchange at a time and
is kept afterwards if both sides left it clean. Silence is watched by one timer for all connections, not by one per
exchange or piece.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Mapping
from typing import Final

from jairouter_cli.config.model import ConnectionPool, Tls, WebClient
from jairouter_cli.errors import ConfigUnreadable
from jairouter_cli.gateway.upstream.connection import Connection
from jairouter_cli.gateway.upstream.exchange import FailureKind, PoolState, UpstreamFailure, UpstreamRequest
from jairouter_cli.gateway.upstream.head import written
from jairouter_cli.gateway.upstream.proxies import Proxies
from jairouter_cli.gateway.upstream.resolver import Resolver
from jairouter_cli.gateway.upstream.way import Way

_TICK_S: Final = 0.1  # how often silence is looked for; a timeout is late by this at most


class Http1Upstream:
    """Sends requests over kept connections, a pool per origin."""

    def __init__(
        self, settings: ConnectionPool, client: WebClient | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        client = client or WebClient()
        self._settings = settings
        self._tls_settings = client.ssl
        self._tls: ssl.SSLContext | None = None
        self._resolver = Resolver(client.dns_cache_s)
        self._proxies = Proxies(None if client.proxy is None else client.proxy.value, environ or {})
        self._pools: dict[tuple[str, str | None], _Pool] = {}
        self._ticker: asyncio.TimerHandle | None = None

    async def send(self, request: UpstreamRequest) -> Connection:
        """Send, and return when the answer's headers have come. Raises `UpstreamFailure`."""
        pool = self._pools.get((request.origin, request.proxy)) or self._open_pool(request.origin, request.proxy)
        head = written(request, pool.way)
        connection, is_kept = await pool.take(request)
        try:
            await connection.exchange(head, request)
        except UpstreamFailure as failure:
            connection.abort()
            failure.was_stale = is_kept and failure.kind is FailureKind.BROKEN and not connection.has_answered
            raise
        except BaseException:
            connection.abort()
            raise
        if fault := pool.way.fault(connection.status):
            connection.abort()
            raise UpstreamFailure(FailureKind.UNREACHABLE, fault)
        return connection

    async def knock(self, origin: str, proxy: str | None, within_s: float) -> None:
        """Open a connection and close it. Raises `UpstreamFailure`."""
        await self._way(origin, proxy).knock(within_s)

    def pools(self) -> list[PoolState]:
        """Return how the connections to each backend stand."""
        return [pool.state for pool in self._pools.values()]

    async def aclose(self) -> None:
        """Close every connection."""
        if self._ticker is not None:
            self._ticker.cancel()
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()

    def _way(self, origin: str, proxy: str | None) -> Way:
        return Way(origin, self._resolver, self._proxies, proxy, self._context)

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = tls_context(self._tls_settings)
        return self._tls

    def _open_pool(self, origin: str, proxy: str | None) -> "_Pool":
        pool = self._pools[origin, proxy] = _Pool(self._way(origin, proxy), self._settings)
        if self._ticker is None:
            self._tick()
        return pool

    def _tick(self) -> None:
        """Fail what has been silent for too long; close what has been idle for too long."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._ticker = loop.call_later(_TICK_S, self._tick)  # first: whatever comes of this time, there is a next
        for pool in self._pools.values():
            pool.tick(now)


def tls_context(settings: Tls) -> ssl.SSLContext:
    """Return a context that trusts the system's authorities and those of the settings. Raises `ConfigUnreadable`."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if settings.trust_store is not None:
        try:
            context.load_verify_locations(settings.trust_store)
        except (OSError, ssl.SSLError) as error:
            raise ConfigUnreadable(file=settings.trust_store, reason=error.strerror or str(error)) from error
    if settings.trust_all:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class _Pool:
    """The connections to one origin, and who waits for one."""

    def __init__(self, way: Way, settings: ConnectionPool) -> None:
        self.way: Final = way
        self._settings = settings
        self._idle: deque[Connection] = deque()
        self._busy: set[Connection] = set()
        self._connecting = 0
        self._waiters: deque[asyncio.Future[None]] = deque()

    @property
    def open(self) -> int:
        """Connections that are open or being opened."""
        return len(self._idle) + len(self._busy) + self._connecting

    @property
    def state(self) -> PoolState:
        """How it stands; one that is being opened is at work."""
        at_work, most = len(self._busy) + self._connecting, self._settings.max_connections
        return PoolState(self.way.name, at_work, len(self._idle), len(self._waiters), most)

    async def take(self, request: UpstreamRequest) -> tuple[Connection, bool]:
        """Return a connection and whether it was used before. Raises `UpstreamFailure`."""
        if request.anew and self._idle and self.open >= self._settings.max_connections:
            self._idle.popleft().abort()  # to make room: the place is there, but not the connection
        while self._idle and not request.anew:
            connection = self._idle.pop()  # the one used last is the least likely to have been closed
            if connection.is_usable:
                self._busy.add(connection)
                return connection, True
        if self.open >= self._settings.max_connections:
            await self._wait()
            return await self.take(request)
        return await self._connect(request), False

    async def _wait(self) -> None:
        """Wait for a place, first come first served."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(self._settings.pending_acquire_timeout_s):
                await waiter
        except TimeoutError:
            seconds = self._settings.pending_acquire_timeout_s
            detail = f"all {self._settings.max_connections} connections were in use for {seconds:g} s"
            raise UpstreamFailure(FailureKind.POOL_TIMEOUT, detail, seconds) from None
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            elif waiter.cancelled():
                self._wake()  # the place went to one who no longer wants it

    async def _connect(self, request: UpstreamRequest) -> Connection:
        loop = asyncio.get_running_loop()
        connect_s = max(0.0, min(request.timeouts.connect_s, request.expires_at - loop.time()))
        self._connecting += 1
        try:
            connection = await self.way.open(lambda: Connection(self, loop), connect_s)
        except UpstreamFailure as failure:
            if failure.kind is FailureKind.CONNECT_TIMEOUT and loop.time() >= request.expires_at:
                total_s = request.timeouts.total_s or 0.0
                raise UpstreamFailure(FailureKind.TOTAL_TIMEOUT, f"after {total_s:g} s", total_s) from None
            raise
        finally:
            self._connecting -= 1
            if self.open < self._settings.max_connections:
                self._wake()
        self._busy.add(connection)
        return connection

    def give_back(self, connection: Connection) -> None:
        """Take back a connection whose exchange is complete."""
        self._busy.discard(connection)
        if connection.is_usable:
            connection.idle_since = connection.loop.time()
            self._idle.append(connection)
        self._wake()

    def drop(self, connection: Connection) -> None:
        """Forget a connection that was closed."""
        self._busy.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._wake()

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def tick(self, now: float) -> None:
        """Fail what has been silent for too long; close what has been idle for too long."""
        for connection in [one for one in self._busy if one.deadline < now or one.limit < now]:
            connection.fail_late(now)
        oldest = now - self._settings.max_idle_time_s
        while self._idle and self._idle[0].idle_since < oldest:
            self._idle.popleft().abort()

    def close(self) -> None:
        """Close every connection."""
        for connection in (*self._idle, *self._busy):
            connection.abort()
