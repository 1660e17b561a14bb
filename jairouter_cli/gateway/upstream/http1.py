"""The upstream role over HTTP/1.1: asyncio's transports and the llhttp parser, pooled connections, TLS.

One `_Connection` is one socket and speaks one exchange at a time; `Http1Upstream` owns a `_Pool` per origin. The
parser's callbacks run inside `data_received`, so a piece of a body costs one append; a reader takes all that is there
at once. Silence is watched by one timer for all connections, not by one per piece.
"""

import asyncio
import os
import ssl
from collections import deque
from typing import Final, cast
from urllib.parse import urlsplit

import httptools

from jairouter_cli.config.model import ConnectionPool, Tls
from jairouter_cli.errors import ConfigUnreadable
from jairouter_cli.gateway.upstream.exchange import FailureKind, Headers, UpstreamFailure, UpstreamRequest
from jairouter_cli.routing.call import Timeouts

_HEAD_LIMIT_BYTES: Final = 64 * 1024  # of an answer's headers; nginx and Node stop at 8 to 16 KiB
_READ_AHEAD_BYTES: Final = 256 * 1024  # of a body that the client is slow to take, before the backend is made to wait
_WRITE_SLICE_BYTES: Final = 256 * 1024  # of a large upload, so that a slow backend is noticed
_TICK_S: Final = 0.1  # how often silence is looked for; a timeout is late by this at most


class Http1Upstream:
    """Sends requests over kept connections, a pool per origin."""

    def __init__(self, settings: ConnectionPool, tls: Tls | None = None) -> None:
        self._settings = settings
        self._tls_settings = tls or Tls()
        self._tls: ssl.SSLContext | None = None
        self._pools: dict[str, _Pool] = {}
        self._ticker: asyncio.TimerHandle | None = None

    async def send(self, request: UpstreamRequest) -> "_Connection":
        """Send, and return when the answer's headers have come. Raises `UpstreamFailure`."""
        pool = self._pools.get(request.origin) or self._open_pool(request.origin)
        head = _head(request, pool.host_header)
        while True:
            connection, is_kept = await pool.take(request)
            try:
                await connection.exchange(head, request)
            except UpstreamFailure as failure:
                connection.abort()
                # A kept connection that the backend closed just now: nothing of the request was answered.
                if is_kept and failure.kind is FailureKind.BROKEN and not connection.has_answered:
                    continue
                raise
            except BaseException:
                connection.abort()
                raise
            return connection

    async def aclose(self) -> None:
        """Close every connection."""
        if self._ticker is not None:
            self._ticker.cancel()
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()

    @property
    def connections(self) -> int:
        """Open connections, over all origins."""
        return sum(pool.open for pool in self._pools.values())

    def _open_pool(self, origin: str) -> "_Pool":
        if origin.startswith("https:") and self._tls is None:
            self._tls = tls_context(self._tls_settings)
        pool = self._pools[origin] = _Pool(origin, self._settings, self._tls)
        if self._ticker is None:
            self._tick()
        return pool

    def _tick(self) -> None:
        """Fail what has been silent for too long; close what has been idle for too long."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for pool in self._pools.values():
            pool.tick(now)
        self._ticker = loop.call_later(_TICK_S, self._tick)


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

    def __init__(self, origin: str, settings: ConnectionPool, tls: ssl.SSLContext | None) -> None:
        url = urlsplit(origin)
        self._host = url.hostname or ""
        self._port = url.port or (443 if url.scheme == "https" else 80)
        self._tls = tls if url.scheme == "https" else None
        self._settings = settings
        self._idle: deque[_Connection] = deque()
        self._busy: set[_Connection] = set()
        self._connecting = 0
        self._waiters: deque[asyncio.Future[None]] = deque()
        self.host_header: Final = url.netloc.encode("idna").decode() if not url.netloc.isascii() else url.netloc

    @property
    def open(self) -> int:
        """Connections that are open or being opened."""
        return len(self._idle) + len(self._busy) + self._connecting

    async def take(self, request: UpstreamRequest) -> "tuple[_Connection, bool]":
        """Return a connection and whether it was used before. Raises `UpstreamFailure`."""
        while self._idle:
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
            detail = f"all {self._settings.max_connections} connections stayed busy for {seconds:g} s"
            raise UpstreamFailure(FailureKind.POOL_TIMEOUT, detail, seconds) from None
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            elif waiter.cancelled():
                self._wake()  # the place went to one who no longer wants it

    async def _connect(self, request: UpstreamRequest) -> "_Connection":
        loop = asyncio.get_running_loop()
        connect_s = min(request.timeouts.connect_s, request.expires_at - loop.time())
        self._connecting += 1
        try:
            async with asyncio.timeout(connect_s):
                _, connection = await loop.create_connection(
                    lambda: _Connection(self, loop),
                    self._host,
                    self._port,
                    ssl=self._tls,
                    server_hostname=self._host if self._tls else None,
                )
        except TimeoutError:
            if loop.time() >= request.expires_at:
                total_s = request.timeouts.total_s or 0.0
                raise UpstreamFailure(FailureKind.TOTAL_TIMEOUT, f"after {total_s:g} s", total_s) from None
            detail = f"no connection within {connect_s:g} s"
            raise UpstreamFailure(FailureKind.CONNECT_TIMEOUT, detail, connect_s) from None
        except (OSError, ssl.SSLError) as error:
            reason = os.strerror(error.errno) if error.errno else error.strerror or str(error)
            raise UpstreamFailure(FailureKind.UNREACHABLE, reason) from error
        finally:
            self._connecting -= 1
            if self.open < self._settings.max_connections:
                self._wake()
        self._busy.add(connection)
        return connection

    def give_back(self, connection: "_Connection") -> None:
        """Take back a connection whose exchange is complete."""
        self._busy.discard(connection)
        if connection.is_usable:
            connection.idle_since = connection.loop.time()
            self._idle.append(connection)
        self._wake()

    def drop(self, connection: "_Connection") -> None:
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


class _Connection(asyncio.Protocol):
    """One socket; during an exchange also the `Exchange` that its holder reads from."""

    __slots__ = (
        "_body",
        "_buffered",
        "_can_write",
        "_complete",
        "_content_s",
        "_expires_at",
        "_failure",
        "_framed",
        "_head_bytes",
        "_headers",
        "_in_body",
        "_parser",
        "_paused",
        "_pool",
        "_reader",
        "_reusable",
        "_silence_s",
        "_timeouts",
        "_transport",
        "deadline",
        "has_answered",
        "idle_since",
        "limit",
        "loop",
        "status",
    )

    def __init__(self, pool: _Pool, loop: asyncio.AbstractEventLoop) -> None:
        self._pool = pool
        self.loop: Final = loop
        self._transport: asyncio.Transport | None = None
        self._can_write: asyncio.Future[None] | None = None
        self._reader: asyncio.Future[None] | None = None
        self.idle_since = 0.0
        self._reusable = True
        self._paused = False
        self._parser = httptools.HttpResponseParser(self)
        self._body: deque[bytes] = deque()
        self._begin(_NO_TIMEOUTS, float("inf"))

    def _begin(self, timeouts: Timeouts, expires_at: float) -> None:
        """Make ready for an exchange."""
        self.status = 0
        self._headers: list[tuple[str, str]] = []
        self._head_bytes = 0
        self._buffered = 0
        self._in_body = False
        self._complete = False
        self._framed = False
        self._failure: UpstreamFailure | None = None
        self.has_answered = False
        self._timeouts = timeouts
        self._silence_s = timeouts.first_byte_s
        self._expires_at = expires_at
        self._content_s = 0.0
        self.deadline = self.loop.time() + timeouts.first_byte_s
        self.limit = expires_at

    # --- what the pool and `send` use ---

    @property
    def is_usable(self) -> bool:
        """Whether another exchange can begin on it."""
        return self._reusable and self._transport is not None and not self._transport.is_closing()

    async def exchange(self, head: bytes, request: UpstreamRequest) -> None:
        """Send a request and wait for the head of the answer. Raises `UpstreamFailure`."""
        self._begin(request.timeouts, request.expires_at)
        body = request.body
        if len(body) <= _WRITE_SLICE_BYTES:
            self._write(head + body)
        else:
            self._write(head)
            await self._write_slices(body, request.timeouts.write_s)
        while not self._in_body:
            await self._more()

    def abort(self) -> None:
        """Close at once, without goodbye."""
        self._reusable = False
        if self._transport is not None:
            self._transport.abort()
        self._pool.drop(self)

    def fail_late(self, now: float) -> None:
        """Fail the exchange because something took too long; tell which of the named timeouts it was."""
        if self._expires_at < now:
            kind, seconds = FailureKind.TOTAL_TIMEOUT, self._timeouts.total_s or 0.0
        elif self.limit < now:
            kind, seconds = FailureKind.FIRST_CONTENT_TIMEOUT, self._content_s
        else:
            kind = FailureKind.IDLE_TIMEOUT if self._in_body else FailureKind.FIRST_BYTE_TIMEOUT
            seconds = self._silence_s
        self.deadline = self.limit = float("inf")
        self._fail(UpstreamFailure(kind, f"after {seconds:g} s", seconds))

    # --- the exchange, as its holder sees it ---

    @property
    def headers(self) -> Headers:
        """The headers as they came, names in lower case."""
        return self._headers

    async def read(self) -> bytes:
        """Return what has come of the body since, at least a byte; nothing at its end. Raises `UpstreamFailure`."""
        body = self._body
        while not body:
            if self._complete:
                return b""
            await self._more()
        data = body[0] if len(body) == 1 else b"".join(body)
        body.clear()
        self._buffered = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return data

    def expect_content(self, within_s: float | None) -> None:
        """Bound the time to the first content, or lift the bound."""
        self._content_s = within_s or 0.0
        by = float("inf") if within_s is None else self.loop.time() + within_s
        self.limit = min(self._expires_at, by)

    async def aclose(self) -> None:
        """Give the connection back, or close it if the body was not read to its end."""
        if self._complete and not self._body and self.is_usable:
            self.limit = float("inf")
            self._pool.give_back(self)
        else:
            self.abort()

    # --- asyncio's side ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport. asyncio and uvloop set TCP_NODELAY themselves."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        """Feed the parser, whose callbacks below fill the exchange; then wake the reader."""
        if self._complete:
            self._reusable = False  # nobody asked for this
            self.abort()
            return
        self.has_answered = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._reusable = False
            if not self._complete:
                self._fail(UpstreamFailure(FailureKind.BROKEN, f"not HTTP/1.1: {error}"))
        if not self._complete:
            self.deadline = self.loop.time() + self._silence_s
        if self._buffered > _READ_AHEAD_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """Let the transport close; `connection_lost` judges what that means."""

    def connection_lost(self, error: Exception | None) -> None:
        """End the exchange: as complete if the body was to end with the connection, else as broken."""
        self._reusable = False
        if self._in_body and not self._framed and error is None:
            self._complete = True
        if not self._complete:
            detail = str(error) if error else "the backend closed the connection"
            self._fail(UpstreamFailure(FailureKind.BROKEN, detail))
        if self._can_write is not None and not self._can_write.done():
            self._can_write.set_result(None)
        self._pool.drop(self)
        self._wake()

    def pause_writing(self) -> None:
        """Make the sender wait: the backend is slower than it."""
        self._can_write = self.loop.create_future()

    def resume_writing(self) -> None:
        """Let the sender go on."""
        if self._can_write is not None and not self._can_write.done():
            self._can_write.set_result(None)

    # --- the parser's side ---

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; one that follows the body is a trailer, which is not passed on."""
        if self._in_body:
            return
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > _HEAD_LIMIT_BYTES:
            raise ValueError
        self._headers.append((name.lower().decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """Begin the body, unless this was an interim answer (RFC 9110, 15.2)."""
        status = self._parser.get_status_code()
        if status < 200:  # noqa: PLR2004 - 1xx
            return
        self.status = status
        self._framed = any(name in _FRAMING for name, _ in self._headers)
        self._in_body = True
        self._silence_s = self._timeouts.idle_s

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        self._body.append(data)
        self._buffered += len(data)

    def on_message_complete(self) -> None:
        """End the body; after an interim answer, begin anew."""
        if not self._in_body:
            self._headers.clear()
            return
        self._complete = True
        self._reusable = self._reusable and self._parser.should_keep_alive()
        self.deadline = float("inf")

    def on_message_begin(self) -> None:
        """Refuse a second answer on the heels of the first: nobody asked for it."""
        if self._complete:
            raise httptools.HttpParserError("an answer that nobody asked for")

    # --- small things ---

    async def _more(self) -> None:
        """Wait until something has happened. Raises `UpstreamFailure`."""
        if self._failure is not None:
            raise self._failure
        self._reader = self.loop.create_future()
        try:
            await self._reader
        finally:
            self._reader = None
        if self._failure is not None and not self._body:
            raise self._failure

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _fail(self, failure: UpstreamFailure) -> None:
        if self._failure is None:
            self._failure = failure
        self._reusable = False
        if self._transport is not None:
            self._transport.abort()
        self._wake()

    def _write(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            raise UpstreamFailure(FailureKind.BROKEN, "the backend closed the connection")
        self._transport.write(data)

    async def _write_slices(self, body: bytes | bytearray, write_s: float) -> None:
        """Send a large body in slices; a backend that answers before its end is listened to."""
        view = memoryview(body)
        for start in range(0, len(body), _WRITE_SLICE_BYTES):
            if self._in_body or self._failure is not None:
                self._reusable = False  # the rest of the request was never sent
                return
            self.deadline = self.loop.time() + max(write_s, self._silence_s)
            self._write(bytes(view[start : start + _WRITE_SLICE_BYTES]))
            if self._can_write is not None:
                try:
                    async with asyncio.timeout(write_s):
                        await self._can_write
                except TimeoutError:
                    detail = f"the backend took nothing for {write_s:g} s"
                    raise UpstreamFailure(FailureKind.BROKEN, detail, write_s) from None
                self._can_write = None


_FRAMING: Final = frozenset({"content-length", "transfer-encoding"})
_NO_TIMEOUTS: Final = Timeouts(0, float("inf"), float("inf"), 0)


def _head(request: UpstreamRequest, host: str) -> bytes:
    """Return the request line and headers, ready to be sent."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in request.headers])
    start = f"POST {request.path} HTTP/1.1\r\nhost: {host}\r\n"
    return f"{start}{lines}content-length: {len(request.body)}\r\n\r\n".encode("latin-1")
