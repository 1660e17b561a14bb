"""One call's journey: pool, attempts, exchange, reply, or what takes the place of one.

Errors are raised as `RequestError`s; nothing here knows of ASGI.
"""

import asyncio
from typing import Final

from jairouter_cli.config.model import Fallback, FallbackStrategy
from jairouter_cli.errors import (
    Degraded,
    InstancesLimited,
    RateLimitExceeded,
    RequestError,
    ShuttingDown,
)
from jairouter_cli.gateway.attempts import CLIENT_LEFT, SERVER_ERROR, Journey, Reply, discard
from jairouter_cli.gateway.fallback import FALLBACK_HEADER, Copy, configured, key_of, may_keep, may_look
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.gateway.outbound import Inbound
from jairouter_cli.gateway.route import ROUTE_HEADER
from jairouter_cli.payloads.stream_usage import lacks_usage
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
    journey = Journey(gateway, _asking(gateway, inbound) if inbound.call.stream else inbound)
    try:
        pool = gateway.table.pool(inbound.call.service, inbound.call.model)
        if gateway.table.config.server.route_header:
            await journey.trace(pool)
        rules = pool.fallback
        reply = await (journey.travel(pool) if rules is None else _with_fallback(journey, pool, rules))
    except RequestError as error:
        journey.leave(None)
        journey.report(error.status, "failed")
        if journey.route is not None:
            error.headers[ROUTE_HEADER] = journey.describe()
        if gateway.drain.has_begun:
            error.headers.update((_LAST_ANSWER,))
        raise
    except asyncio.CancelledError:
        journey.leave(None)
        if gateway.drain.is_over:
            journey.report(ShuttingDown.status, "failed")
            raise ShuttingDown from None
        journey.report(CLIENT_LEFT, "left")
        raise
    except BaseException:
        journey.leave(None)
        journey.report(SERVER_ERROR, "failed")
        raise
    if journey.route is not None:
        reply.extra = [*reply.extra, (ROUTE_HEADER, journey.describe())]
    if gateway.drain.has_begun:
        reply.extra = [*reply.extra, _LAST_ANSWER]
    return reply


def _asking(gateway: Gateway, inbound: Inbound) -> Inbound:
    """Return a request for a stream, with the usage asked for if the configuration says so and the client nothing."""
    if not gateway.table.config.usage.ask_in_streams or inbound.endpoint not in _TAKE_STREAM_OPTIONS:
        return inbound
    return inbound._replace(asks_usage=lacks_usage(inbound.body))


async def _with_fallback(journey: Journey, pool: Pool, rules: Fallback) -> Reply:
    """Travel, and put something in the place of a failure. Raises a `RequestError`."""
    inbound, key = journey.inbound, b""
    if rules.strategy is FallbackStrategy.CACHE and not inbound.call.stream and may_look(inbound.headers):
        parts = (inbound.call.service.value, inbound.call.model, inbound.tail, inbound.query)
        key = key_of(parts, inbound.headers, inbound.body)
    try:
        reply = await journey.travel(pool)
    except RequestError as error:
        if isinstance(error, RateLimitExceeded) and not isinstance(error, InstancesLimited):
            raise  # the client's own doing, not that nobody can answer
        instead = await _instead(journey, rules, key, error)
        if instead is None:
            raise
        return instead
    if not reply.has_failed:
        if key and reply.exchange.status == _OK and may_keep(reply.exchange.headers):
            reply.copy = Copy(key, rules)
        return reply
    try:
        instead = await _instead(journey, rules, key, None)
    except BaseException:
        await discard(reply)
        raise
    if instead is None:
        return reply
    await discard(reply)
    return instead


async def _instead(journey: Journey, rules: Fallback, key: bytes, error: RequestError | None) -> Reply | None:
    """Return what takes the place of a failure, if anything does. Raises `Degraded`."""
    reply: Reply | None = None
    if rules.strategy is FallbackStrategy.MODEL and rules.model is not None:
        reply = await _ask_other_model(journey, rules.model)
    elif rules.strategy is FallbackStrategy.DEFAULT:
        canned = configured(rules)
        if canned is None:
            raise Degraded(text=rules.message, cause=error)
        reply = Reply(journey, canned, None)
    elif key:
        kept = journey.gateway.answers.find(key, journey.gateway.clock(), rules)
        reply = None if kept is None else Reply(journey, kept, None)
    if reply is not None:
        journey.fallback = rules.strategy.value
    return reply


async def _ask_other_model(journey: Journey, model: str) -> Reply | None:
    """Let another model of the same service answer; None if it cannot, either."""
    inbound = journey.inbound
    try:
        pool = journey.gateway.table.pool(inbound.call.service, model)
        journey.inbound = inbound._replace(call=inbound.call._replace(model=model), other_model=model)
        reply = await journey.travel(pool)
    except RequestError:
        return None
    finally:
        journey.inbound = inbound
    if reply.has_failed:
        await discard(reply)
        return None
    # a header takes no other letters; a model's name may have them
    name = model.encode("ascii", "backslashreplace").decode("ascii")
    reply.extra = [(FALLBACK_HEADER, f"model={name}")]
    return reply
