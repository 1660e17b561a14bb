"""The answer of an attempt, and of a stream its first event: until then another instance may still be asked."""

import asyncio
import zlib
from collections.abc import Iterator
from typing import Final

from jairouter_cli.gateway.fallback import Canned
from jairouter_cli.gateway.upstream.exchange import Exchange, FailureKind, Upstream, UpstreamFailure, UpstreamRequest
from jairouter_cli.payloads.answer_coding import Unpacker, is_packed, unpacker
from jairouter_cli.payloads.first_event import Beginning
from jairouter_cli.payloads.headers import Headers

_BAD_REQUEST: Final = 400
_EVENTS: Final = "text/event-stream"
# A client is not to wait for longer for the head of an answer that has begun.
_LONGEST_S: Final = 30.0


class Opened:
    """An answer that has begun. `first` is what was read of a stream's body already.

    `is_error` tells an answer that is made of an error with which a stream began.
    """

    __slots__ = ("exchange", "first", "is_error")

    def __init__(self, exchange: Exchange, first: bytes = b"", *, is_error: bool = False) -> None:
        self.exchange: Final = exchange
        self.first: Final = first
        self.is_error: Final = is_error


async def opened(upstream: Upstream, request: UpstreamRequest, within_s: float, *, unpacks: bool) -> Opened:
    """Send a request; return its answer when it has begun, of a stream when its first event is there.

    The wait for that event ends after `within_s`, and what was read of the stream is the answer. With `unpacks` a
    stream that the backend has packed is unpacked. Raises `UpstreamFailure`.
    """
    exchange = await upstream.send(request)
    headers = dict(exchange.headers)
    if exchange.status >= _BAD_REQUEST or not headers.get("content-type", "").startswith(_EVENTS):
        return Opened(exchange)
    coding = headers.get("content-encoding", "")
    try:
        if unpacks and is_packed(coding) and (reader := unpacker(coding)) is not None:
            exchange, coding = Unpacked(exchange, reader), ""
        return await _begin(exchange, coding, request.timeouts.first_content_s, min(within_s, _LONGEST_S))
    except BaseException:
        await exchange.aclose()
        raise


async def _begin(exchange: Exchange, coding: str, first_content_s: float | None, within_s: float) -> Opened:
    exchange.expect_content(first_content_s)
    beginning, pieces = Beginning(coding), list[bytes]()
    try:
        async with asyncio.timeout(within_s):
            while not beginning.is_over:
                piece = await exchange.read()
                pieces.append(piece)
                beginning.add(piece)
    except TimeoutError:
        return Opened(exchange, b"".join(pieces))
    if beginning.error is None:
        return Opened(exchange, b"".join(pieces))
    await exchange.aclose()
    status, body = beginning.error
    kept = [pair for pair in exchange.headers if pair[0] == "retry-after"]
    return Opened(Canned(status, [("content-type", "application/json"), *kept], body), is_error=True)


class Unpacked:
    """An answer whose backend has packed it, as it would be if it had not."""

    __slots__ = ("_exchange", "_plain", "_unpacker", "headers", "status")

    def __init__(self, exchange: Exchange, reader: Unpacker) -> None:
        self._exchange: Final = exchange
        self._unpacker: Final = reader
        self._plain: Iterator[bytes] = iter(())
        self.status = exchange.status
        changed = {"content-encoding", "content-length"}
        self.headers: Headers = [pair for pair in exchange.headers if pair[0] not in changed]

    async def read(self) -> bytes:
        """Return what has come of the body since, unpacked. Raises `UpstreamFailure`."""
        while True:
            try:
                if plain := next(self._plain, b""):
                    return plain
            except zlib.error as error:
                raise UpstreamFailure(
                    FailureKind.BROKEN, f"the response does not match its content-encoding: {error}"
                ) from None
            piece = await self._exchange.read()
            if not piece:
                if not self._unpacker.is_complete:
                    raise UpstreamFailure(FailureKind.BROKEN, "the compressed response is cut off")
                return b""
            self._plain = self._unpacker.unpack(piece)

    def expect_content(self, within_s: float | None) -> None:
        """Bound the time to the first content, or lift the bound."""
        self._exchange.expect_content(within_s)

    async def aclose(self) -> None:
        """Let the connection go."""
        await self._exchange.aclose()
