"""One call's journey: pool, attempts, exchange, reply.

Up to the first byte of an answer a failure leads to the next instance; with the answer in hand the lease goes over to
the `Reply`, whose holder settles it. Errors are raised as `RequestError`s; nothing here knows of ASGI.
"""

from collections import Counter
from typing import Final, NamedTuple

from jairouter_cli.adapters.dialects import MANNERS
from jairouter_cli.adapters.rename import rename_form, rename_json
from jairouter_cli.config.model import HealthCheck
from jairouter_cli.errors import RequestError, ServiceUnavailable, UpstreamError, UpstreamTimeout, UpstreamTruncated
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.gateway.upstream.exchange import Exchange, FailureKind, Headers, UpstreamFailure, UpstreamRequest
from jairouter_cli.observe.events import Attempt, Completed
from jairouter_cli.routing.attempts import Plan, plan
from jairouter_cli.routing.call import Call, Outcome, Target
from jairouter_cli.routing.health import State
from jairouter_cli.routing.ledger import Lease

# Answers that another instance may better: the backend, or a proxy before it, could not serve (contract 1.9).
RETRYABLE_STATUSES: Final = frozenset({502, 503, 504})

# Meant for one connection, not for the message (RFC 9110, 7.6.1).
HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# `host` and `content-length` are made anew; `expect` was answered by our own server.
_NOT_FORWARDED: Final = HOP_BY_HOP | {"host", "content-length", "expect"}

_NOT_REACHED: Final = frozenset({FailureKind.UNREACHABLE, FailureKind.CONNECT_TIMEOUT})
# A backend that is slow has the request already: a second copy elsewhere would double the load and the wait.
_NOT_RETRIED: Final = frozenset({FailureKind.FIRST_BYTE_TIMEOUT, FailureKind.TOTAL_TIMEOUT})
# The names by which clients are told of timeouts; other failures are no timeouts.
_TIMEOUTS: Final = {
    FailureKind.CONNECT_TIMEOUT: "connect",
    FailureKind.FIRST_BYTE_TIMEOUT: "first-byte",
    FailureKind.FIRST_CONTENT_TIMEOUT: "first-content",
    FailureKind.IDLE_TIMEOUT: "idle",
    FailureKind.TOTAL_TIMEOUT: "total",
}

CLIENT_LEFT: Final = 499  # nginx's number for it; never sent, only recorded

_ENDINGS: Final = {Outcome.OK: "ok", Outcome.FAILED: "truncated", Outcome.LEFT: "left"}


class Inbound(NamedTuple):
    """A client's request, as it will be forwarded. `tail` is the endpoint's path behind the version segment."""

    call: Call
    tail: str
    is_main: bool
    query: str
    headers: Headers
    body: bytes | bytearray
    request_id: str


class Reply:
    """A backend's answer on its way to the client. Whoever holds it calls `settle` once, at the end.

    `lease` is None for an answer that was the best of several failures: its lease has ended already.
    """

    __slots__ = ("_journey", "_lease", "exchange", "target")

    def __init__(self, journey: "Journey", exchange: Exchange, target: Target, lease: Lease | None) -> None:
        self._journey = journey
        self._lease = lease
        self.exchange = exchange
        self.target = target

    @property
    def request_id(self) -> str:
        """The id under which the request is logged."""
        return self._journey.inbound.request_id

    def cut_off(self, failure: UpstreamFailure) -> RequestError:
        """Return what the client is told when the answer breaks off in its midst."""
        return self._journey.cut_off(failure)

    async def settle(self, outcome: Outcome, status: int) -> None:
        """End the lease, report the call with the status that the client was told, and let the connection go."""
        if self._lease is not None:
            self._lease.settle(outcome)
        status = CLIENT_LEFT if outcome is Outcome.LEFT else status
        self._journey.report(status, _ENDINGS[outcome])
        await self.exchange.aclose()


async def dispatch(gateway: Gateway, inbound: Inbound) -> Reply:
    """Find an instance that answers.

    When every attempt failed, and one of them with an answer, the last answer is the reply. Cancelling it is how a
    client leaves. Raises `ModelNotFound`, `ServiceUnavailable`, `UpstreamError`, `UpstreamTimeout`.
    """
    journey = Journey(gateway, inbound)
    try:
        return await journey.travel()
    except RequestError as error:
        journey.report(error.status, "failed")
        raise
    except BaseException:
        journey.report(CLIENT_LEFT, "left")
        raise


class Journey:
    """The attempts of one call, and what is to be told of them."""

    __slots__ = ("attempts", "failures", "gateway", "inbound", "started")

    def __init__(self, gateway: Gateway, inbound: Inbound) -> None:
        self.gateway = gateway
        self.inbound = inbound
        self.started = gateway.clock()
        self.attempts: list[Attempt] = []
        self.failures: list[UpstreamFailure] = []

    async def travel(self) -> Reply:
        """Try instance after instance. Raises a `RequestError`."""
        gateway, call = self.gateway, self.inbound.call
        pool = gateway.table.pool(call.service, call.model)
        attempts = plan(pool, gateway.ledger, call, gateway.rng)
        lease: Lease | None = next(attempts)
        answer: tuple[Exchange, Target] | None = None
        while lease is not None:
            target = lease.target
            try:
                exchange = await self._attempt(lease)
            except UpstreamFailure as failure:
                self.failures.append(failure)
                if failure.kind in _NOT_RETRIED:
                    lease.settle(Outcome.FAILED)
                    raise self._error(failure) from None
            except BaseException:
                lease.settle(Outcome.LEFT)
                await _discard(answer)
                raise
            else:
                await _discard(answer)
                if exchange.status not in RETRYABLE_STATUSES:
                    return Reply(self, exchange, target, lease)
                answer = exchange, target
            lease = _next(attempts)
        if answer is not None:
            return Reply(self, *answer, None)
        raise self._error(self.failures[-1])

    async def _attempt(self, lease: Lease) -> Exchange:
        target, health = lease.target, lease.live.health
        try:
            exchange = await self.gateway.upstream.send(self._outbound(target))
        except UpstreamFailure as failure:
            self.attempts.append(Attempt(target.id, None, str(failure)))
            if failure.kind in _NOT_REACHED:
                health.saw(self._health_check, ok=False, at=self.gateway.wall_clock(), reason=failure.detail)
            raise
        self.attempts.append(Attempt(target.id, exchange.status))
        if health.state is not State.UP:
            health.saw(self._health_check, ok=True, at=self.gateway.wall_clock())
        return exchange

    def _outbound(self, target: Target) -> UpstreamRequest:
        inbound = self.inbound
        path = target.path if inbound.is_main else target.prefix + inbound.tail
        if inbound.query:
            path = f"{path}{'&' if '?' in path else '?'}{inbound.query}"
        total_s = target.timeouts.total_s
        expires_at = float("inf") if total_s is None else self.started + total_s
        headers = _outbound_headers(inbound.headers, target)
        body = inbound.body if target.upstream_model is None else _renamed(inbound, target.upstream_model)
        return UpstreamRequest(target.origin, path, headers, body, target.timeouts, expires_at)

    @property
    def _health_check(self) -> HealthCheck:
        return self.gateway.table.config.model.load_balance.health_check

    def cut_off(self, failure: UpstreamFailure) -> RequestError:
        """Return what the client is told when an answer breaks off in its midst."""
        last = self.attempts[-1]
        self.attempts[-1] = Attempt(last.instance, last.status, str(failure))
        model = self.inbound.call.model
        if name := _TIMEOUTS.get(failure.kind):
            return UpstreamTimeout(model=model, timeout=name, seconds=failure.after_s)
        return UpstreamTruncated(model=model)

    def _error(self, failure: UpstreamFailure) -> RequestError:
        """Return what the client is told when no instance answered: counts, never addresses."""
        counts = Counter(failure.kind.value for failure in self.failures)
        details = {"attempts": len(self.attempts), "failures": dict(counts)}
        model = self.inbound.call.model
        if name := _TIMEOUTS.get(failure.kind):
            return UpstreamTimeout(model=model, timeout=name, seconds=failure.after_s, details=details)
        error = UpstreamError if failure.kind is FailureKind.BROKEN else ServiceUnavailable
        return error(model=model, details=details)

    def report(self, status: int, ended: str) -> None:
        """Tell the sinks how the call ended."""
        inbound, gateway = self.inbound, self.gateway
        duration_s = gateway.clock() - self.started
        gateway.report(Completed(inbound.call, inbound.request_id, status, ended, tuple(self.attempts), duration_s))


def _next(attempts: Plan) -> Lease | None:
    """Tell the plan that its lease failed; return the next one, if there is another."""
    try:
        return attempts.send(Outcome.FAILED)
    except StopIteration:
        return None


async def _discard(answer: tuple[Exchange, Target] | None) -> None:
    if answer is not None:
        await answer[0].aclose()


def _renamed(inbound: Inbound, model: str) -> bytes:
    """Return the body with the name by which the backend knows the model."""
    content_type = dict(inbound.headers).get("content-type", "")
    if content_type.startswith("multipart/"):
        return rename_form(inbound.body, content_type, model)
    return rename_json(inbound.body, model)


def _outbound_headers(headers: Headers, target: Target) -> Headers:
    """Return the client's headers without those of its own connection, and with the instance's own in their place."""
    dropped = _NOT_FORWARDED
    if target.headers:
        dropped = dropped.union(name for name, _ in target.headers)
    if named := [value for name, value in headers if name == "connection" and value != "keep-alive"]:
        dropped = dropped.union(token.strip().lower() for value in named for token in value.split(","))
    manner = MANNERS[target.dialect]
    if not manner.bearer:
        return [pair for pair in headers if pair[0] not in dropped] + list(target.headers)
    kept = [
        (name, manner.authorization(value) if name == "authorization" else value)
        for name, value in headers
        if name not in dropped
    ]
    return kept + list(target.headers)
