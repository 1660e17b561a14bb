"""One socket to a backend that speaks HTTP/1.1: an exchange at a time, read by llhttp's parser.

The parser's callbacks run inside `data_received`, so a piece of a body costs one append; a reader takes all that is
there at once. Time is only compared when the owner asks (`fail_late`), never per piece.
"""

import asyncio
from collections import deque
from typing import Final, Protocol, cast

import httptools

from jairouter_cli.gateway.upstream.exchange import FailureKind, UpstreamFailure, UpstreamRequest
from jairouter_cli.gateway.upstream.head import (
    MOST_BYTES,
    MOST_LINES,
    TOO_LONG,
    TOO_MANY,
    coding_fault,
    passed_on,
    status_fault,
)
from jairouter_cli.gateway.upstream.words import reason
from jairouter_cli.payloads.headers import Headers
from jairouter_cli.routing.call import Timeouts

_HEAD_SLICE_BYTES: Final = 16 * 1024  # of what comes before a body is known to have begun, between looks at the limit
_READ_AHEAD_BYTES: Final = 256 * 1024  # of a body that the client is slow to take, before the backend is made to wait
_WRITE_SLICE_BYTES: Final = 256 * 1024  # of a large upload, so that a slow backend is noticed
_FRAMING: Final = frozenset({"content-length", "transfer-encoding"})
_VERSIONS: Final = frozenset({"1.1", "1.0"})
_TLS_ALERT: Final = b"\x15\x03"  # how a server that speaks TLS answers plain HTTP
_NO_TIMEOUTS: Final = Timeouts(0, float("inf"), float("inf"), 0)


class Owner(Protocol):
    """Who keeps connections that nobody uses."""

    def give_back(self, connection: "Connection") -> None:
        """Take back a connection whose exchange is complete."""

    def drop(self, connection: "Connection") -> None:
        """Forget a connection that was closed."""


class Connection(asyncio.Protocol):
    """One socket; during an exchange also the `Exchange` that its holder reads from."""

    __slots__ = (
        "_body",
        "_buffered",
        "_can_write",
        "_complete",
        "_content_s",
        "_expires_at",
        "_failure",
        "_fault",
        "_framed",
        "_head_bytes",
        "_headers",
        "_in_body",
        "_lines",
        "_overhead_bytes",
        "_owner",
        "_parser",
        "_paused",
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

    def __init__(self, owner: Owner, loop: asyncio.AbstractEventLoop) -> None:
        self._owner = owner
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
        self._lines = 0
        self._head_bytes = 0
        self._overhead_bytes = 0
        self._fault = ""
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

    # --- what its owner uses ---

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
        self._owner.drop(self)

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
            self._owner.give_back(self)
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
        in_body, before = self._in_body, self._buffered
        try:
            self._parse(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._reusable = False
            if not self._complete:
                self._fail(UpstreamFailure(FailureKind.BROKEN, self._fault or _said(error, data)))
        if in_body and not self._complete:  # what drips beside a body is none: its time does not begin anew
            if self._buffered > before:
                self.deadline = self.loop.time() + self._silence_s
                self._overhead_bytes = 0
            else:
                self._judge_overhead(len(data))
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
            detail = reason(error) if error else "the backend closed the connection"
            self._fail(UpstreamFailure(FailureKind.BROKEN, detail))
        if self._can_write is not None and not self._can_write.done():
            self._can_write.set_result(None)
        self._owner.drop(self)
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
        self._lines += 1
        self._head_bytes += len(name) + len(value) + 4  # with ": " and the end of the line
        if self._lines > MOST_LINES:
            self._refuse(TOO_MANY)
        if self._head_bytes > MOST_BYTES:
            self._refuse(TOO_LONG)
        self._headers.append((name.lower().decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """Begin the body, unless this was an interim answer (RFC 9110, 15.2)."""
        status = self._parser.get_status_code()
        if (version := self._parser.get_http_version()) not in _VERSIONS:
            self._refuse(f"the backend responded in HTTP/{version}, not HTTP/1.1")
        if fault := status_fault(status) or coding_fault(self._headers):
            self._refuse(fault)
        if status < 200:  # noqa: PLR2004 - 1xx
            return
        self.status = status
        self._framed = any(name in _FRAMING for name, _ in self._headers)
        self._headers = passed_on(self._headers)
        self._in_body = True
        self._overhead_bytes = 0
        self._silence_s = self._timeouts.idle_s
        self.deadline = self.loop.time() + self._silence_s

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
            raise httptools.HttpParserError("an unexpected response")

    # --- small things ---

    def _parse(self, data: bytes) -> None:
        """Feed the parser; as long as the head has not ended, in slices, so that it is bounded before it is read."""
        start = 0
        while not self._in_body and start < len(data):
            piece = data if len(data) <= _HEAD_SLICE_BYTES else data[start : start + _HEAD_SLICE_BYTES]
            start += len(piece)
            self._overhead_bytes += len(piece)
            self._parser.feed_data(piece)
            if self._overhead_bytes > MOST_BYTES + _HEAD_SLICE_BYTES and not self._in_body:
                self._fault = TOO_LONG
                raise httptools.HttpParserError
        if start < len(data):
            self._parser.feed_data(data[start:] if start else data)

    def _judge_overhead(self, count: int) -> None:
        """Bound what is neither head nor body: extensions of chunks, and trailers."""
        self._overhead_bytes += count
        if self._overhead_bytes > MOST_BYTES:
            detail = f"the backend sent more than {MOST_BYTES // 1024} KiB of chunk headers and trailers"
            self._fail(UpstreamFailure(FailureKind.BROKEN, detail))

    def _refuse(self, fault: str) -> None:
        """Make the parser stop, inside one of its callbacks."""
        self._fault = fault
        raise ValueError(fault)

    async def _more(self) -> None:
        """Wait until something has happened. Raises `UpstreamFailure`."""
        self._raise_failure()
        self._reader = self.loop.create_future()
        try:
            await self._reader
        finally:
            self._reader = None
        if not self._body:
            self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure is not None:
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
                    detail = f"the backend read nothing for {write_s:g} s"
                    raise UpstreamFailure(FailureKind.BROKEN, detail, write_s) from None
                self._can_write = None


def _said(error: Exception, data: bytes) -> str:
    """Return why an answer is none."""
    if data.startswith(_TLS_ALERT):
        return "the backend speaks TLS, not plain HTTP: its base-url should begin with https://"
    return f"the backend's response is not HTTP/1.1: {error}"
