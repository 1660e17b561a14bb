"""A backend's answer on its way out: head, pieces as they come, and a truthful end.

What is cut off ends for an SSE client with an error event, for any other with a broken transfer; never as if complete.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from litestar.types import Send

from jairouter_cli.adapters.sse import EventGate
from jairouter_cli.config.model import Locale
from jairouter_cli.errors import RequestError
from jairouter_cli.gateway.dispatch import HOP_BY_HOP, Reply
from jairouter_cli.routing.call import Outcome
from jairouter_cli.web.errors import error_object, header

# Proxies in front of us must neither hold events back nor keep them.
_SSE_HEADERS: Final = ((b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"))


async def relay(reply: Reply, send: Send, locale: Callable[[], Locale]) -> None:
    """Send the answer on and settle it, once, however it ends. Cancelling it is how a client leaves."""
    outcome = Outcome.LEFT
    try:
        outcome = await _pump(reply, send, locale)
    finally:
        await reply.settle(outcome)


async def _pump(reply: Reply, send: Send, locale: Callable[[], Locale]) -> Outcome:
    exchange = reply.exchange
    content_type = header(exchange.headers, b"content-type") or ""
    is_sse = content_type.startswith("text/event-stream")
    await send({"type": "http.response.start", "status": exchange.status, "headers": _head(reply, is_sse=is_sse)})
    gate = EventGate()
    try:
        async for chunk in reply.chunks():
            ready = gate.feed(chunk) if is_sse else chunk
            if ready:
                await send({"type": "http.response.body", "body": ready, "more_body": True})
    except RequestError as error:
        if is_sse:
            event = b"data: " + msgspec.json.encode(error_object(error, locale())) + b"\n\n"
            await send({"type": "http.response.body", "body": event, "more_body": False})
        return Outcome.FAILED  # without a last piece the server breaks the transfer off
    await send({"type": "http.response.body", "body": gate.rest(), "more_body": False})
    return Outcome.OK


def _head(reply: Reply, *, is_sse: bool) -> list[tuple[bytes, bytes]]:
    headers = [(name, value) for name, value in reply.exchange.headers if name not in HOP_BY_HOP]
    names = {name for name, _ in headers}
    if is_sse:
        headers += [pair for pair in _SSE_HEADERS if pair[0] not in names]
    if b"x-request-id" not in names:
        headers.append((b"x-request-id", reply.request_id.encode()))
    return headers
