"""The attempts of one call, and the answer that comes of them on its way to the client.

Up to the first byte of an answer a failure leads to the next instance; with the answer in hand the lease goes over to
the `Reply`, whose holder settles it. Must not live here: what takes the place of an answer (see `dispatch`).
"""

from collections import Counter
from typing import Final

from jairouter_cli.config.model import Balancing
from jairouter_cli.errors import (
    CircuitBreakerOpen,
    InstancesCooling,
    InstancesDown,
    InstancesFull,
    RequestError,
    ServiceUnavailable,
    UpstreamError,
    UpstreamTimeout,
    UpstreamTruncated,
)
from jairouter_cli.gateway.charges import Bill
from jairouter_cli.gateway.fallback import Copy
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.gateway.limits import refused
from jairouter_cli.gateway.opening import Opened, opened
from jairouter_cli.gateway.outbound import Inbound, asks_usage, outbound
from jairouter_cli.gateway.route import Route
from jairouter_cli.gateway.upstream.exchange import Exchange, FailureKind, UpstreamFailure
from jairouter_cli.observe.events import LEFT, Attempt, Completed
from jairouter_cli.payloads.affinity import affinity
from jairouter_cli.payloads.answer_coding import Ear, Hear, is_packed
from jairouter_cli.payloads.headers import Headers
from jairouter_cli.payloads.retry_after import retry_after_s
from jairouter_cli.payloads.tokens import Meter
from jairouter_cli.routing.admission import Refusal
from jairouter_cli.routing.balance import USE_AFFINITY
from jairouter_cli.routing.call import CREDENTIALS, Outcome
from jairouter_cli.routing.failover import Ask, Exhausted, Obstacle, Plan, Result, Sent, Step, Wait, plan
from jairouter_cli.routing.ledger import Lease, Seat
from jairouter_cli.routing.slots import Slots
from jairouter_cli.routing.table import Pool

# Nothing was sent, so nothing was worked on.
_NOT_REACHED: Final = frozenset({FailureKind.UNREACHABLE, FailureKind.CONNECT_TIMEOUT, FailureKind.POOL_TIMEOUT})
# The names by which clients are told of timeouts; other failures are no timeouts.
_TIMEOUTS: Final = {
    FailureKind.CONNECT_TIMEOUT: "connect",
    FailureKind.FIRST_BYTE_TIMEOUT: "first-byte",
    FailureKind.FIRST_CONTENT_TIMEOUT: "first-content",
    FailureKind.IDLE_TIMEOUT: "idle",
    FailureKind.TOTAL_TIMEOUT: "total",
}
# What a client is told when nobody could even be tried: the obstacle that will go away first.
_NOBODY: Final[tuple[tuple[Obstacle, type[ServiceUnavailable]], ...]] = (
    (Obstacle.FULL, InstancesFull),
    (Obstacle.COOLING_DOWN, InstancesCooling),
    (Obstacle.BREAKER_OPEN, CircuitBreakerOpen),
    (Obstacle.DOWN, InstancesDown),
)

CLIENT_LEFT: Final = 499  # nginx's number for it; never sent, only recorded
_BAD_REQUEST: Final = 400
SERVER_ERROR: Final = 500
_TOO_MANY_REQUESTS: Final = 429
_MAY_SAY_WHEN: Final = frozenset({_TOO_MANY_REQUESTS, 503})  # those whose Retry-After is about the backend
_TRY_AGAIN_S: Final = 1.0  # nobody was reached, and the next request will look anew

_TELLING: Final = ("application/json", "text/event-stream")  # kinds of answers

_ENDINGS: Final = {
    Outcome.OK: "ok",
    Outcome.FAILED: "truncated",
    Outcome.STOPPED: "truncated",
    Outcome.REFUSED: "failed",
    Outcome.LEFT: "left",
}


class Reply:
    """A backend's answer on its way to the client. Whoever holds it calls `settle` once, at the end.

    `first` is what was read of a stream's body already. `extra` are headers that it gets beside its own; `copy` takes
    what is to be kept of it, if anything is; `meter` knows what it cost, if it can say so, and hears of its bytes by
    `hear`, packed or not. `sent_bytes` are counted by whoever sends it on.
    """

    __slots__ = (
        "_first_token_at",
        "_journey",
        "_lease",
        "copy",
        "exchange",
        "extra",
        "first",
        "hear",
        "meter",
        "sent_bytes",
    )

    def __init__(self, journey: "Journey", exchange: Exchange, lease: Lease | None, first: bytes = b"") -> None:
        self._journey = journey
        self._lease = lease
        self.exchange = exchange
        self.first = first
        self.extra: Headers = ()
        self.copy: Copy | None = None
        self.meter: Meter | None = None
        self.hear: Hear | None = None
        self.sent_bytes = 0
        self._first_token_at: float | None = None

    @property
    def has_failed(self) -> bool:
        """Whether it is but the best of several failures; its lease has ended already."""
        return self._lease is None and self.exchange.status >= SERVER_ERROR

    @property
    def request_id(self) -> str:
        """The id under which the request is logged."""
        return self._journey.inbound.request_id

    @property
    def hides_usage(self) -> bool:
        """Whether its stream tells the usage because we, and not the client, have asked."""
        return self._lease is not None and asks_usage(self._journey.inbound, self._lease.target)

    def listen(self, content_type: str, coding: str) -> None:
        """Find out how many tokens the answer cost, if it is of a kind that tells."""
        if self._lease is not None and self.exchange.status < _BAD_REQUEST and content_type.startswith(_TELLING):
            meter = self.meter = Meter()
            self.hear = Ear(coding, meter.add).add if is_packed(coding) else meter.add

    def has_content(self) -> None:
        """Note that the first content of a stream is on its way to the client."""
        self._first_token_at = self._journey.gateway.clock()

    @property
    def first_token_s(self) -> float | None:
        """How long the first content of a stream took, None if there was none."""
        return None if self._first_token_at is None else self._first_token_at - self._journey.started

    def cut_off(self, failure: UpstreamFailure) -> RequestError:
        """Return what the client is told when the answer breaks off in its midst."""
        return self._journey.cut_off(failure)

    @property
    def is_stopped(self) -> bool:
        """Whether its task, being cancelled, was ended by the gateway and not left by its client."""
        return self._journey.gateway.drain.is_over

    async def settle(self, outcome: Outcome, status: int) -> None:
        """End the lease, report the call with the status that the client was told, and let the connection go."""
        journey, copy = self._journey, self.copy
        if self._lease is not None:
            self._lease.settle(outcome, journey.gateway.clock(), journey.last_failure)
        if copy is not None and outcome is Outcome.OK and (body := copy.body) is not None:
            now = journey.gateway.clock()
            journey.gateway.answers.keep(copy.key, self.exchange.headers, body, now, copy.rules)
        journey.leave(self.meter)
        status = CLIENT_LEFT if outcome is Outcome.LEFT else status
        journey.report(status, _ENDINGS[outcome], self)
        await self.exchange.aclose()


class Journey:
    """The attempts of one call, and what is to be told of them."""

    __slots__ = (
        "attempts",
        "bill",
        "failures",
        "fallback",
        "gateway",
        "head_s",
        "inbound",
        "is_known",
        "last_failure",
        "passed_over",
        "queued_s",
        "route",
        "started",
        "strategy",
        "trail",
    )

    def __init__(self, gateway: Gateway, inbound: Inbound) -> None:
        self.gateway = gateway
        self.inbound = inbound
        self.started = gateway.clock()
        self.attempts: list[Attempt] = []
        self.failures: list[UpstreamFailure] = []
        self.passed_over: tuple[tuple[str, str], ...] = ()
        self.last_failure = ""
        self.queued_s = 0.0
        self.fallback = ""
        self.route: Route | None = None
        self.bill: Bill | None = None
        self.is_known = False
        self.strategy = ""
        self.head_s: float | None = None
        self.trail = None if gateway.tracer is None else gateway.tracer.begin(inbound.headers)

    async def travel(self, pool: Pool) -> Reply:
        """Try instance after instance. Raises a `RequestError`."""
        gateway, call = self.gateway, self.inbound.call
        self.is_known, self.strategy = True, pool.balancing.value
        if pool.balancing in USE_AFFINITY:
            call = call._replace(affinity=self._affinity(pool))
        if pool.caps and (refusal := self._open_bill().enter(pool)) is not None:
            raise refusal
        steps = plan(pool, call, gateway.around)
        step = _advance(steps, None)
        answer: Reply | None = None
        before: Lease | None = None
        try:
            while not isinstance(step, Exhausted):
                if isinstance(step, Wait):
                    step = _advance(steps, await self._wait(step))
                    continue
                if not isinstance(step, Lease):
                    step = _advance(steps, await self._charge(step, pool))
                    continue
                found, result = await self._attempt(step, pool, anew=step is before)
                before = step
                if found is not None:
                    await discard(answer)
                    if result is None:
                        return Reply(self, found.exchange, step, found.first)
                    answer = Reply(self, found.exchange, None)
                step = _advance(steps, result)
        except BaseException:
            await discard(answer)
            raise
        self.passed_over = tuple((name, what.value) for name, what in step.obstacles.items())
        if answer is not None:
            return answer
        raise self._error(step)

    # --- limits ---

    def _open_bill(self) -> Bill:
        if self.bill is None:
            self.bill = Bill(self.gateway.limits, self.inbound)
        return self.bill

    async def _charge(self, step: Seat | Ask, pool: Pool) -> Refusal | None:
        """Let the limits charge the call; what it is held back for is time in a queue."""
        began = self.gateway.clock()
        refusal = await self._open_bill().charge(step, pool)
        self.queued_s += self.gateway.clock() - began
        return refusal

    def leave(self, meter: Meter | None) -> None:
        """Put right what the call was charged."""
        if self.bill is not None:
            self.bill.settle(meter, self.gateway.clock() - self.started, tried=bool(self.attempts))

    # --- attempts ---

    async def _attempt(self, lease: Lease, pool: Pool, *, anew: bool) -> tuple[Opened | None, Result | None]:
        """Try an instance; return its answer and, unless it will do, what to tell the plan. Raises a `RequestError`."""
        gateway, target = self.gateway, lease.target
        if self.bill is not None:
            self.bill.use()
        began = gateway.clock()
        total_s = target.timeouts.total_s
        expires_at = float("inf") if total_s is None else self.started + total_s
        patience_s = max(0.0, self.started + pool.failover.deadline_s - began)
        try:
            request = outbound(self.inbound, target, expires_at, patience_s)
            if anew:
                request = request._replace(anew=True)
            if self.trail is not None:
                model = target.upstream_model or self.inbound.call.model
                request = request._replace(headers=self.trail.attempt(target, model, request.headers))
            heartbeat_s = gateway.table.config.webclient.heartbeat_interval_s
            within_s = patience_s if heartbeat_s is None else min(patience_s, heartbeat_s)
            answer = await opened(gateway.upstream, request, within_s, unpacks=asks_usage(self.inbound, target))
        except UpstreamFailure as failure:
            now = gateway.clock()
            self.attempts.append(Attempt(target, None, str(failure), now - began))
            self.failures.append(failure)
            if failure.kind is FailureKind.TOTAL_TIMEOUT:
                lease.settle(Outcome.FAILED, now, str(failure))
                raise self._error(Exhausted()) from None
            ours = failure.kind is FailureKind.POOL_TIMEOUT
            outcome = Outcome.REFUSED if ours else Outcome.FAILED
            was_work, reason = failure.kind not in _NOT_REACHED, failure.detail or failure.kind.value
            return None, Result(outcome, reason, was_work, was_stale=failure.was_stale)
        except RequestError:  # it cannot be made ready: nothing was sent
            lease.settle(Outcome.LEFT, gateway.clock())
            raise
        except BaseException:
            now = gateway.clock()
            self.attempts.append(Attempt(target, None, LEFT, now - began))
            lease.settle(Outcome.LEFT, now)
            raise
        now, status = gateway.clock(), answer.exchange.status
        self.attempts.append(Attempt(target, status, "", now - began))
        # the status of an error with which a stream began is ours, and no list of statuses speaks of it
        if status in pool.failover.retry_on or (answer.is_error and status >= SERVER_ERROR):
            return answer, self._result(answer.exchange, has_own_key=target.has_own_key)
        lease.answered(now)
        self.head_s = now - self.started
        return answer, None

    def _result(self, exchange: Exchange, *, has_own_key: bool) -> Result:
        """Return what an answer that another instance may better says of this one."""
        status = exchange.status
        cooldown_s = 0.0
        # what a backend refuses to a client's own key says nothing about the other clients
        is_about_all = has_own_key or not any(name in CREDENTIALS for name, _ in self.inbound.headers)
        if status in _MAY_SAY_WHEN and (status != _TOO_MANY_REQUESTS or is_about_all):
            cooldown_s = retry_after_s(dict(exchange.headers).get("retry-after", ""), self.gateway.wall_clock())
        if status >= SERVER_ERROR:
            return Result(Outcome.FAILED, f"HTTP {status}", cooldown_s=cooldown_s)
        return Result(Outcome.REFUSED, f"HTTP {status}", was_work=False, cooldown_s=cooldown_s)

    async def _wait(self, step: Wait) -> Slots | None:
        """Wait for a slot."""
        gateway = self.gateway
        began = gateway.clock()
        rules = gateway.table.config.model.queue
        try:
            return await gateway.waiting.wait(step.machines, self.inbound.call.client_ip, rules, step.until - began)
        finally:
            self.queued_s += gateway.clock() - began

    def _affinity(self, pool: Pool) -> str:
        by_prefix = pool.balancing is Balancing.PREFIX_AFFINITY
        return affinity(dict(self.inbound.headers), self.inbound.body, by_prefix=by_prefix)

    # --- what is told ---

    def cut_off(self, failure: UpstreamFailure) -> RequestError:
        """Return what the client is told when an answer breaks off in its midst."""
        if self.attempts:
            self.attempts[-1] = self.attempts[-1]._replace(failure=str(failure))
        self.last_failure = str(failure)
        model = self.inbound.call.model
        if name := _TIMEOUTS.get(failure.kind):
            return UpstreamTimeout(model=model, timeout=name, seconds=failure.after_s)
        return UpstreamTruncated(model=model)

    def _error(self, end: Exhausted) -> RequestError:
        """Return what the client is told when no instance answered: counts, never addresses."""
        model = self.inbound.call.model
        details: dict[str, object] = {"attempts": len(self.attempts)}
        if self.failures:
            details["failures"] = dict(Counter(failure.kind.value for failure in self.failures))
        if end.obstacles:
            details["passed_over"] = dict(Counter(what.value for what in end.obstacles.values()))
        if end.bound is not None:
            details["bound"] = end.bound.value
        if end.refusal is not None and not self.failures:
            return refused(end.refusal, **details)
        if not self.failures:
            found = set(end.obstacles.values())
            error = next((error for what, error in _NOBODY if what in found), ServiceUnavailable)
            wait_s = _TRY_AGAIN_S if end.retry_after_s is None else end.retry_after_s
            return error(model=model, details=details, retry_after_s=wait_s)
        failure = self.failures[-1]
        if name := _TIMEOUTS.get(failure.kind):
            return UpstreamTimeout(model=model, timeout=name, seconds=failure.after_s, details=details)
        if failure.kind is FailureKind.BROKEN:
            return UpstreamError(model=model, details=details)
        return ServiceUnavailable(model=model, details=details, retry_after_s=_TRY_AGAIN_S)

    async def trace(self, pool: Pool) -> None:
        """Note how things stand before the first attempt, for the header that tells of the route."""
        gateway = self.gateway
        self.route = await Route.begin(gateway, pool, self.inbound.call._replace(affinity=self._affinity(pool)))

    def describe(self) -> str:
        """Return the header's value."""
        total_s = self.gateway.clock() - self.started
        return self.route.header(self.attempts, self.passed_over, self.queued_s, total_s) if self.route else ""

    def report(self, status: int, ended: str, reply: Reply | None = None) -> None:
        """Tell the sinks how the call ended."""
        inbound, gateway, meter = self.inbound, self.gateway, None if reply is None else reply.meter
        duration_s = gateway.clock() - self.started
        event = Completed(
            inbound.call,
            inbound.request_id,
            status,
            ended,
            self.attempts,
            duration_s,
            self.queued_s,
            self.passed_over,
            self.fallback,
            inbound.endpoint,
            self.strategy,
            self.is_known,
            duration_s if self.head_s is None else self.head_s,
            None if reply is None else reply.first_token_s,
            0 if meter is None else meter.events,
            len(inbound.body),
            0 if reply is None else reply.sent_bytes,
            None if meter is None else meter.spent(inbound.body, cut=ended != "ok"),
            () if self.bill is None else self.bill.decisions,
            inbound.credential,
        )
        gateway.report(event)
        if self.trail is not None:
            self.trail.end(event, "" if meter is None else meter.model())


def _advance(steps: Plan, sent: Sent) -> Step | Exhausted:
    """Tell the plan what became of its last step; return the next one, or why there is none."""
    try:
        return steps.send(sent)
    except StopIteration as end:
        exhausted: Exhausted = end.value
        return exhausted


async def discard(reply: Reply | None) -> None:
    """Let an answer go that nobody will get."""
    if reply is not None:
        await reply.exchange.aclose()
