"""A backend's answer on its way out: head, pieces as they come, and a truthful end.

What is cut off ends for an SSE client with an error event, for any other with a broken transfer; never as if complete.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from jairouter_cli.config.model import Locale
from jairouter_cli.errors import RequestError, ShuttingDown
from jairouter_cli.gateway.attempts import Reply
from jairouter_cli.gateway.outbound import NOT_RETURNED
from jairouter_cli.gateway.upstream.exchange import UpstreamFailure
from jairouter_cli.payloads.answer_coding import PackedGate, is_packed
from jairouter_cli.payloads.headers import Headers
from jairouter_cli.payloads.sse import EventGate
from jairouter_cli.payloads.stream_usage import HidingGate
from jairouter_cli.routing.call import Outcome
from jairouter_cli.web.doors.door import ClientLeft, Door
from jairouter_cli.web.v1.forms import Form, Told

# Proxies in front of us must neither hold events back nor keep them.
_SSE_HEADERS: Final = (("cache-control", "no-cache"), ("x-accel-buffering", "no"))

# An answer this small is taken whole before its head goes out: one write, and if it is cut, an honest status.
_WHOLE_BYTES: Final = 65_536

_BUG: Final = 500  # of ours: the instance has no part in it

Farewell = Callable[[RequestError], bytes]
"""Makes the last event of a stream that does not end as it should."""

HEARTBEAT: Final = b": waiting for the model\n\n"


async def relay(reply: Reply, door: Door, form: Form, locale: Callable[[], Locale], heartbeat_s: float | None) -> None:
    """Send the answer on and settle it, once, however it ends.

    Cancelling it is how a client leaves, or how a gateway that shuts down ends it. Raises a `RequestError` if the
    answer was cut off before anything of it went out.
    """

    def farewell(error: RequestError) -> bytes:
        events = 0 if reply.meter is None else reply.meter.events
        return form.event(Told(error, locale(), reply.request_id, events))

    outcome, status = Outcome.LEFT, reply.exchange.status
    try:
        headers = _headers(reply)
        names = dict(headers)
        content_type = names.get("content-type", "")
        reply.listen(content_type, coding := names.get("content-encoding", ""))
        if content_type.startswith("text/event-stream"):
            headers = _with_sse(headers)
            if is_packed(coding):
                outcome = await _pump_packed(reply, door, headers, coding)
            else:
                outcome = await _pump_events(reply, door, headers, farewell, heartbeat_s)
        elif 0 <= int(names.get("content-length", -1)) <= _WHOLE_BYTES:
            body = await _all(reply)
            reply.sent_bytes = len(body)
            await door.whole(reply.exchange.status, headers, body)
            outcome = Outcome.OK
        else:
            outcome = await _pump(reply, door, headers)
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


def _with_sse(headers: Headers) -> Headers:
    present = {name for name, _ in headers}
    return [*headers, *(pair for pair in _SSE_HEADERS if pair[0] not in present)]


def _headers(reply: Reply) -> Headers:
    headers = [pair for pair in reply.exchange.headers if pair[0] not in NOT_RETURNED and pair[0] != "x-request-id"]
    headers.append(("x-request-id", reply.request_id))
    headers.extend(reply.extra)
    return headers


async def _all(reply: Reply) -> bytes:
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
    if reply.copy is not None:
        reply.copy.add(body)
    if reply.hear is not None:
        reply.hear(body)
    return body


async def _pump(reply: Reply, door: Door, headers: Headers) -> Outcome:
    """Send the pieces on as they come."""
    exchange, copy, hear = reply.exchange, reply.copy, reply.hear
    try:
        await door.start(exchange.status, headers)
        while data := await exchange.read():
            if copy is not None:
                copy.add(data)
            if hear is not None:
                hear(data)
            reply.sent_bytes += len(data)
            await door.piece(data)
    except UpstreamFailure as failure:
        reply.cut_off(failure)
        await door.break_off()
        return Outcome.FAILED
    except asyncio.CancelledError:
        if not reply.is_stopped:
            raise
        await door.break_off()
        return Outcome.STOPPED
    await door.end()
    return Outcome.OK


async def _pump_packed(reply: Reply, door: Door, headers: Headers, coding: str) -> Outcome:
    """Send a stream on as it is packed: where its events end is not to be seen, and nothing can be put between them."""
    gate = PackedGate(coding, None if reply.meter is None else reply.meter.add)
    try:
        await door.start(reply.exchange.status, headers)
        await _first_content(reply, door, gate, None)
        while data := await reply.exchange.read():
            gate.feed(data)
            reply.sent_bytes += len(data)
            await door.piece(data)
    except UpstreamFailure as failure:
        reply.cut_off(failure)
        await door.break_off()
        return Outcome.FAILED
    except asyncio.CancelledError:
        if reply.meter is not None and reply.meter.has_ended:
            return Outcome.OK
        if not reply.is_stopped:
            raise
        await door.break_off()
        return Outcome.STOPPED
    gate.rest()
    await door.end()
    return Outcome.OK


async def _pump_events(
    reply: Reply, door: Door, headers: Headers, farewell: Farewell, heartbeat_s: float | None
) -> Outcome:
    """Send whole events on as they come."""
    exchange, meter = reply.exchange, reply.meter
    gate = EventGate()
    if meter is not None and reply.hides_usage:
        gate = HidingGate(meter.add)
        headers = [pair for pair in headers if pair[0] != "content-length"]  # it gets shorter
    try:
        await door.start(exchange.status, headers)
        await _first_content(reply, door, gate, heartbeat_s)
        while data := await exchange.read():
            if events := gate.feed(data):
                if meter is not None:
                    meter.add(events)
                reply.sent_bytes += len(events)
                await door.piece(events)
    except UpstreamFailure as failure:
        await door.piece(farewell(reply.cut_off(failure)))
        await door.end()
        return Outcome.FAILED
    except asyncio.CancelledError:
        outcome = await _cancelled(reply, door, farewell)
        if outcome is Outcome.LEFT:
            raise
        return outcome
    if rest := gate.rest():
        if meter is not None:
            meter.add(rest)
        reply.sent_bytes += len(rest)
        await door.piece(rest)
    await door.end()
    return Outcome.OK


async def _cancelled(reply: Reply, door: Door, farewell: Farewell) -> Outcome:
    """Return what it means that a stream is not to go on."""
    if reply.meter is not None and reply.meter.has_ended:  # clients close as soon as they have seen the last event
        return Outcome.OK
    if not reply.is_stopped:
        return Outcome.LEFT
    await door.piece(farewell(ShuttingDown()))
    await door.end()
    return Outcome.STOPPED


async def _first_content(reply: Reply, door: Door, gate: EventGate, heartbeat_s: float | None) -> None:
    """Send events on until one has content; only here anything looks into them."""
    exchange, data = reply.exchange, reply.first
    while True:
        if not data:
            try:
                async with asyncio.timeout(heartbeat_s):
                    data = await exchange.read()
            except TimeoutError:
                await door.piece(HEARTBEAT)
                continue
        events = gate.feed(data)
        if events:
            if reply.meter is not None and gate.is_plain:
                reply.meter.add(events)
            reply.sent_bytes += len(events)
            await door.piece(events)
        if not data or gate.says_something(events):
            exchange.expect_content(None)
            if data:
                reply.has_content()
            return
        data = b""
