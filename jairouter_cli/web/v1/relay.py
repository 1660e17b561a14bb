"""A backend's answer on its way out: head, pieces as they come, and a truthful end.

What is cut off ends for an SSE client with an error event, for any other with a broken transfer; never as if complete.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from jairouter_cli.config.model import Locale
from jairouter_cli.gateway.outbound import NOT_RETURNED
from jairouter_cli.gateway.pipe import Pipe
from jairouter_cli.gateway.reply import EVENTS, Reply
from jairouter_cli.gateway.upstream.exchange import UpstreamFailure
from jairouter_cli.payloads.answer_coding import is_packed
from jairouter_cli.payloads.headers import Headers
from jairouter_cli.request_errors import RequestError, ShuttingDown
from jairouter_cli.routing.call import Outcome
from jairouter_cli.web.doors.door import ClientLeft, Door
from jairouter_cli.web.errors import error_object
from jairouter_cli.web.v1.forms import ErrorForm, ToldError

# Proxies in front of us must neither hold events back nor keep them.
_SSE_HEADERS: Final = (("cache-control", "no-cache"), ("x-accel-buffering", "no"))

# An answer this small is taken whole before its head goes out: one write, and if it is cut, an honest status.
_WHOLE_BYTES: Final = 65_536

_BUG: Final = 500  # of ours: the instance has no part in it

Farewell = Callable[[RequestError], bytes]
"""Makes the last event of a stream that does not end as it should."""

HEARTBEAT: Final = b": waiting for the model\n\n"


async def relay(
    reply: Reply, door: Door, form: ErrorForm, locale: Callable[[], Locale], heartbeat_s: float | None
) -> None:
    """Send the answer on and settle it, once, however it ends.

    Cancelling it is how a client leaves, or how a gateway that shuts down ends it. Raises a `RequestError` if the
    answer was cut off before anything of it went out.
    """
    outcome, status = Outcome.LEFT, reply.exchange.status
    try:
        headers = _headers(reply)
        names = dict(headers)
        content_type, coding = names.get("content-type", ""), names.get("content-encoding", "")
        pipe = reply.pipe(content_type, coding)
        if content_type.startswith(EVENTS):
            stream = Stream(reply, door, pipe, None if is_packed(coding) else _farewell(reply, form, locale))
            outcome = await stream.send(_with_sse(headers, reply), heartbeat_s)
        elif 0 <= int(names.get("content-length", -1)) <= _WHOLE_BYTES:
            await door.whole(reply.exchange.status, headers, await _all(reply, pipe))
            outcome = Outcome.OK
        else:
            outcome = await Stream(reply, door, pipe, None).send(headers, None)
    except RequestError as error:
        outcome, status = Outcome.STOPPED if isinstance(error, ShuttingDown) else Outcome.FAILED, error.status
        raise
    except (ClientLeft, asyncio.CancelledError):
        raise
    except BaseException:
        outcome, status = Outcome.REFUSED, _BUG
        raise
    finally:
        await reply.settle(outcome, status)


def _farewell(reply: Reply, form: ErrorForm, locale: Callable[[], Locale]) -> Farewell:
    """Return what makes the last event of a stream that ends badly."""

    def farewell(error: RequestError) -> bytes:
        language = locale()
        failed = reply.failed(str(error_object(error, language)["error"]["message"]))
        return failed + form.event(ToldError(error, language, reply.request_id, reply.events))

    return farewell


def _with_sse(headers: Headers, reply: Reply) -> Headers:
    present = {name for name, _ in headers}
    if reply.hides_usage:  # it gets shorter
        headers = [pair for pair in headers if pair[0] != "content-length"]
    return [*headers, *(pair for pair in _SSE_HEADERS if pair[0] not in present)]


def _headers(reply: Reply) -> Headers:
    headers = [pair for pair in reply.exchange.headers if pair[0] not in NOT_RETURNED and pair[0] != "x-request-id"]
    headers.append(("x-request-id", reply.request_id))
    headers.extend(reply.extra)
    return headers


async def _all(reply: Reply, pipe: Pipe) -> bytes:
    """Read a small body to its end. Raises a `RequestError`."""
    exchange = reply.exchange
    try:
        body = await exchange.read()
        while piece := await exchange.read():
            body += piece
    except UpstreamFailure as failure:
        raise reply.cut_off(failure) from failure
    except asyncio.CancelledError:
        if reply.is_stopped:
            raise ShuttingDown from None
        raise
    return pipe.feed(body) + pipe.rest()


class Stream:
    """An answer that goes on piece by piece as it comes.

    With a `farewell` it is one of events that can be read, and tells how it ends if not as it should; without one, its
    transfer is broken off.
    """

    __slots__ = ("_door", "_exchange", "_farewell", "_pipe", "_reply")

    def __init__(self, reply: Reply, door: Door, pipe: Pipe, farewell: Farewell | None) -> None:
        self._reply: Final = reply
        self._exchange: Final = reply.exchange
        self._door: Final = door
        self._pipe: Final = pipe
        self._farewell: Final = farewell

    async def send(self, headers: Headers, heartbeat_s: float | None) -> Outcome:
        """Send it to its end; return how it ended."""
        exchange, pipe, door = self._exchange, self._pipe, self._door
        try:
            await door.start(exchange.status, headers)
            if pipe.has_events:
                await self._first_content(heartbeat_s if self._farewell is not None else None)
            while data := await exchange.read():
                if out := pipe.feed(data):
                    await door.piece(out)
        except UpstreamFailure as failure:
            await self._end_badly(self._reply.cut_off(failure))
            return Outcome.FAILED
        except asyncio.CancelledError:
            meter = self._reply.meter
            if pipe.has_events and meter is not None and meter.has_ended:
                return Outcome.OK  # clients close as soon as they have seen the last event
            if not self._reply.is_stopped:
                raise
            await self._end_badly(ShuttingDown())
            return Outcome.STOPPED
        if rest := pipe.rest():
            await door.piece(rest)
        await door.end()
        return Outcome.OK

    async def _end_badly(self, error: RequestError) -> None:
        """End it so that no client takes it for complete."""
        if self._farewell is None:
            await self._door.break_off()
            return
        await self._door.piece(self._farewell(error))
        await self._door.end()

    async def _first_content(self, heartbeat_s: float | None) -> None:
        """Send events on until one has content; only here anything looks into them."""
        reply, pipe, data = self._reply, self._pipe, self._reply.first
        while True:
            if not data:
                try:
                    async with asyncio.timeout(heartbeat_s):
                        data = await self._exchange.read()
                except TimeoutError:
                    await self._door.piece(HEARTBEAT)
                    continue
            out = pipe.feed(data)
            if out:
                await self._door.piece(out)
            if not data or pipe.says_something(out):
                self._exchange.expect_content(None)
                if data:
                    reply.has_content()
                return
            data = b""
