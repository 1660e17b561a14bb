"""One call's way: pool, attempts, reply, or what takes the place of one.

Errors are raised as `RequestError`s; nothing here knows of ASGI.
"""

import asyncio
from typing import Final

from msgspec.structs import replace

from jairouter_cli.config.model import Fallback, FallbackStrategy
from jairouter_cli.gateway.attempts import Attempts
from jairouter_cli.gateway.fallback import FALLBACK_HEADER, Copy, configured, key_of, may_keep, may_look
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.gateway.inbound import Inbound
from jairouter_cli.gateway.open_call import OpenCall
from jairouter_cli.gateway.reply import CLIENT_LEFT, SERVER_ERROR, Reply
from jairouter_cli.gateway.route import ROUTE_HEADER
from jairouter_cli.payloads.headers import Headers
from jairouter_cli.request_errors import Degraded, InstancesLimited, RateLimitExceeded, RequestError, ShuttingDown
from jairouter_cli.routing.table import Pool

_OK: Final = 200
_TAKE_STREAM_OPTIONS: Final = frozenset({"/v1/chat/completions", "/v1/completions"})
# While the gateway drains, a client's next request is to go elsewhere.
_LAST_ANSWER: Final = ("connection", "close")


async def dispatch(gateway: Gateway, inbound: Inbound) -> Reply:
    """Find an instance that answers, or what takes the place of its answer.

    When every attempt failed, and one of them with an answer, the last answer is the reply. Cancelling it is how a
    client leaves, or how the gateway ends what it waits for no longer. Raises `ModelNotFound`, `ServiceUnavailable`
    and its kin, `UpstreamError`, `UpstreamTimeout`.
    """
    if inbound.call.stream:
        inbound = _asking(inbound)
    call = OpenCall(gateway, inbound)
    try:
        attempts, pool = Attempts(call), inbound.table.pool(inbound.call.service, inbound.call.model)
        if inbound.table.config.server.route_header:
            await attempts.note_route(inbound, pool)
        rules = pool.fallback
        reply = await (attempts.make(inbound, pool) if rules is None else _with_fallback(call, attempts, pool, rules))
    except RequestError as error:
        call.end(error.status, "failed")
        error.headers.update(_added(call))
        raise
    except asyncio.CancelledError:
        if gateway.drain.is_over:
            call.end(ShuttingDown.status, "failed")
            raise ShuttingDown from None
        call.end(CLIENT_LEFT, "left")
        raise
    except BaseException:
        call.end(SERVER_ERROR, "failed")
        raise
    if added := _added(call):
        reply.extra = (*reply.extra, *added)
    return reply


def _added(call: OpenCall) -> Headers:
    """Return what the gateway adds to an answer of its own or of a backend."""
    told = () if call.route is None else ((ROUTE_HEADER, call.described()),)
    return (*told, _LAST_ANSWER) if call.gateway.drain.has_begun else told


def _asking(inbound: Inbound) -> Inbound:
    """Return a request for a stream, with the usage asked for if the configuration says so and the client nothing."""
    if not inbound.table.config.usage.ask_in_streams or inbound.endpoint not in _TAKE_STREAM_OPTIONS:
        return inbound
    return replace(inbound, asks_usage=inbound.request.lacks_usage)


async def _with_fallback(call: OpenCall, attempts: Attempts, pool: Pool, rules: Fallback) -> Reply:
    """Make the attempts, and put something in the place of a failure. Raises a `RequestError`."""
    inbound, key = call.inbound, b""
    if rules.strategy is FallbackStrategy.CACHE and not inbound.call.stream and may_look(inbound.headers.lines):
        parts = (inbound.call.service.value, inbound.call.model, inbound.tail, inbound.query)
        key = key_of(parts, inbound.headers.lines, inbound.request.raw)
    try:
        reply = await attempts.make(inbound, pool)
    except RequestError as error:
        if isinstance(error, RateLimitExceeded) and not isinstance(error, InstancesLimited):
            raise  # the client's own doing, not that nobody can answer
        instead = await _instead(call, attempts, rules, key, error)
        if instead is None:
            raise
        return instead
    if not reply.has_failed:
        if key and reply.exchange.status == _OK and may_keep(reply.exchange.headers):
            reply.copy = Copy(key, rules)
        return reply
    try:
        instead = await _instead(call, attempts, rules, key, None)
    except BaseException:
        await reply.discard()
        raise
    if instead is None:
        return reply
    await reply.discard()
    return instead


async def _instead(
    call: OpenCall, attempts: Attempts, rules: Fallback, key: bytes, error: RequestError | None
) -> Reply | None:
    """Return what takes the place of a failure, if anything does. Raises `Degraded`."""
    reply: Reply | None = None
    if rules.strategy is FallbackStrategy.MODEL and rules.model is not None:
        reply = await _ask_other_model(call, attempts, rules.model)
    elif rules.strategy is FallbackStrategy.DEFAULT:
        canned = configured(rules)
        if canned is None:
            raise Degraded(text=rules.message, cause=error)
        reply = Reply(call, canned, None)
    elif key:
        kept = call.gateway.answers.find(key, call.gateway.clock(), rules)
        reply = None if kept is None else Reply(call, kept, None)
    if reply is not None:
        call.record.fallback = rules.strategy.value
    return reply


async def _ask_other_model(call: OpenCall, attempts: Attempts, model: str) -> Reply | None:
    """Let another model of the same service answer; None if it cannot, either."""
    inbound = call.inbound
    try:
        pool = inbound.table.pool(inbound.call.service, model)
        other = replace(inbound, call=replace(inbound.call, model=model), other_model=model)
        reply = await attempts.make(other, pool)
    except RequestError:
        return None
    if reply.has_failed:
        await reply.discard()
        return None
    # a header takes no other letters; a model's name may have them
    name = model.encode("ascii", "backslashreplace").decode("ascii")
    reply.extra = [(FALLBACK_HEADER, f"model={name}")]
    return reply
