"""The attempts of one call: instance after instance, until one answers.

Why a loop around a plan: which instance is next, and when to give up, is pure policy and stands in `routing.failover`
as a generator. It yields what it wants done (wait for a slot, let the limits charge, try this lease), and is told what
became of it; all that takes time or touches a socket is done here. Up to the first byte of an answer a failure leads to
the next step; with an answer in hand the lease goes over to a `Reply`, whose holder settles it.
"""

from typing import Final

from msgspec.structs import replace

from jairouter_cli.gateway.failures import unanswered
from jairouter_cli.gateway.inbound import Inbound
from jairouter_cli.gateway.open_call import OpenCall
from jairouter_cli.gateway.opening import Opened, opened
from jairouter_cli.gateway.outbound import asks_usage, outbound
from jairouter_cli.gateway.reply import SERVER_ERROR, Reply
from jairouter_cli.gateway.route import Route
from jairouter_cli.gateway.translation import TRANSLATORS, Translator, answered, translated_request
from jairouter_cli.gateway.upstream.exchange import Exchange, FailureKind, UpstreamFailure, UpstreamRequest
from jairouter_cli.observe.events import LEFT
from jairouter_cli.payloads.retry_after import retry_after_s
from jairouter_cli.request_errors import RequestError
from jairouter_cli.routing.admission import Refusal
from jairouter_cli.routing.balance import USE_AFFINITY, USE_PREFIX
from jairouter_cli.routing.call import Call, Outcome, Target
from jairouter_cli.routing.failover import Ask, AttemptResult, Exhausted, Plan, Sent, Step, Wait, plan
from jairouter_cli.routing.ledger import Lease, Seat
from jairouter_cli.routing.slots import Slots
from jairouter_cli.routing.table import Pool

# Nothing was sent, so nothing was worked on.
_NOT_REACHED: Final = frozenset({FailureKind.UNREACHABLE, FailureKind.CONNECT_TIMEOUT, FailureKind.POOL_TIMEOUT})
_TOO_MANY_REQUESTS: Final = 429
_MAY_SAY_WHEN: Final = frozenset({_TOO_MANY_REQUESTS, 503})  # those whose Retry-After is about the backend
_FOREVER: Final = float("inf")


class Attempts:
    """The attempts of a call, all that are made in its name."""

    __slots__ = ("_best", "_call", "_failures", "_gateway", "_record")

    def __init__(self, call: OpenCall) -> None:
        self._call: Final = call
        self._gateway: Final = call.gateway
        self._record: Final = call.record
        self._failures: list[UpstreamFailure] = []
        self._best: Exchange | None = None
        """The answer to be given if no instance has a better one."""

    async def make(self, inbound: Inbound, pool: Pool) -> Reply:
        """Try instance after instance of a pool. Raises a `RequestError`."""
        self._record.is_known, self._record.strategy = True, pool.balancing.value
        try:
            found = await self._follow(plan(pool, _placed(inbound, pool), self._gateway.around), inbound, pool)
        except BaseException:
            await self._let_go()
            raise
        if not isinstance(found, Exhausted):
            return found
        self._record.passed_over = tuple((name, what.value) for name, what in found.obstacles.items())
        best, self._best = self._best, None
        if best is not None:
            return Reply(self._call, best, None)
        raise self._error(found, inbound)

    async def _follow(self, steps: Plan, inbound: Inbound, pool: Pool) -> Reply | Exhausted:
        """Do what the plan says until an instance answers well, or the plan ends."""
        before: Lease | None = None
        step = _advance(steps, None)
        while not isinstance(step, Exhausted):
            if isinstance(step, Wait):
                step = _advance(steps, await self._wait(step, inbound))
                continue
            if not isinstance(step, Lease):
                step = _advance(steps, await self._ask_limits(step, pool))
                continue
            found, result = await self._try(step, inbound, pool, anew=step is before)
            if found is not None:
                if self._best is not None:
                    await self._let_go()
                if result is None:
                    return Reply(self._call, found.exchange, step, found.first)
                self._best = found.exchange
            before, step = step, _advance(steps, result)
        return step

    async def _let_go(self) -> None:
        """Let the best of the answers go that another instance was to better."""
        best, self._best = self._best, None
        if best is not None:
            await best.aclose()

    async def note_route(self, inbound: Inbound, pool: Pool) -> None:
        """Note how things stand before the first attempt, for the header that tells of the route."""
        self._call.route = await Route.begin(self._gateway, pool, _with_affinity(inbound, pool))

    async def _ask_limits(self, step: Seat | Ask, pool: Pool) -> Refusal | None:
        """Ask the limits; what they hold the call back for is time in a queue."""
        began = self._gateway.clock()
        refusal = await self._call.admission.ask(step, pool)
        self._record.waited(began)
        return refusal

    async def _wait(self, step: Wait, inbound: Inbound) -> Slots | None:
        """Wait for a slot."""
        gateway, began, rules = self._gateway, self._gateway.clock(), inbound.table.config.model.queue
        try:
            return await gateway.waiting.wait(step.machines, inbound.caller.address, rules, step.until - began)
        finally:
            self._record.waited(began)

    async def _try(
        self, lease: Lease, inbound: Inbound, pool: Pool, *, anew: bool
    ) -> tuple[Opened | None, AttemptResult | None]:
        """Try an instance; return its answer and, unless it will do, what to tell the plan. Raises a `RequestError`."""
        clock, record, target = self._gateway.clock, self._record, lease.target
        self._call.used()
        began = clock()
        try:
            answer = await self._send(target, inbound, pool, began, anew=anew)
        except UpstreamFailure as failure:
            return None, self._failed(lease, inbound, failure, record.tried(target, None, began, str(failure)))
        except RequestError:  # it cannot be made ready: nothing was sent
            lease.settle(Outcome.LEFT, clock())
            raise
        except BaseException:
            lease.settle(Outcome.LEFT, record.tried(target, None, began, LEFT))
            raise
        status = answer.exchange.status
        now = record.tried(target, status, began)
        # the status of an error with which a stream began is ours, and no list of statuses speaks of it
        if status in pool.failover.retry_on or (answer.is_error and status >= SERVER_ERROR):
            return answer, self._unwelcome(answer.exchange, target, inbound)
        lease.answered(now)
        record.head_s = now - record.started
        return answer, None

    async def _send(self, target: Target, inbound: Inbound, pool: Pool, now: float, *, anew: bool) -> Opened:
        """Send the request; return its answer when it has begun. Raises `UpstreamFailure`, `RequestError`."""
        started, total_s = self._record.started, target.timeouts.total_s
        patience_s = max(0.0, started + pool.failover.deadline_s - now)
        request = outbound(inbound, target, _FOREVER if total_s is None else started + total_s, patience_s)
        if anew:
            request = replace(request, anew=True)
        if self._call.trail is not None:
            model = target.upstream_model or inbound.call.model
            request = replace(request, headers=self._call.trail.attempt(target, model, request.headers))
        heartbeat_s = inbound.table.config.webclient.heartbeat_interval_s
        within_s = patience_s if heartbeat_s is None else min(patience_s, heartbeat_s)
        if (translator := TRANSLATORS.get(inbound.tail)) is not None:
            return await self._in_dialect(translator, inbound, target, request, within_s)
        return await opened(self._gateway.upstream, request, within_s, unpacks=asks_usage(inbound, target))

    async def _in_dialect(
        self, translator: Translator, inbound: Inbound, target: Target, request: UpstreamRequest, within_s: float
    ) -> Opened:
        """Send a request as it is to an instance that speaks its dialect, and translated to any other one."""
        upstream, spoken = self._gateway.upstream, self._gateway.spoken
        if spoken.is_native(target, translator, inbound.tail):
            answer = await answered(translator, inbound, await opened(upstream, request, within_s, unpacks=False))
            if answer is not None:
                return answer
            spoken.learn(target, inbound.tail)
        if translator.estimate is not None:
            return translator.estimate(inbound)
        translated = translated_request(translator, inbound, target, request)
        return await translated.answer(await opened(upstream, translated.request, within_s, unpacks=True))

    def _failed(self, lease: Lease, inbound: Inbound, failure: UpstreamFailure, now: float) -> AttemptResult:
        """Return what a failure says of an instance. Raises a `RequestError` if the call may not last any longer."""
        self._failures.append(failure)
        if failure.kind is FailureKind.TOTAL_TIMEOUT:
            lease.settle(Outcome.FAILED, now, str(failure))
            raise self._error(Exhausted(), inbound) from None
        outcome = Outcome.REFUSED if failure.kind is FailureKind.POOL_TIMEOUT else Outcome.FAILED  # the pool is ours
        was_work, reason = failure.kind not in _NOT_REACHED, failure.detail or failure.kind.value
        return AttemptResult(outcome, reason, was_work, was_stale=failure.was_stale)

    def _unwelcome(self, exchange: Exchange, target: Target, inbound: Inbound) -> AttemptResult:
        """Return what an answer that another instance may better says of this one."""
        status, cooldown_s = exchange.status, 0.0
        # what a backend refuses to a client's own key says nothing about the other clients
        is_about_all = not (inbound.caller.has_credential and target.sees_credentials)
        if status in _MAY_SAY_WHEN and (status != _TOO_MANY_REQUESTS or is_about_all):
            cooldown_s = retry_after_s(dict(exchange.headers).get("retry-after", ""), self._gateway.wall_clock())
        if status >= SERVER_ERROR:
            return AttemptResult(Outcome.FAILED, f"HTTP {status}", cooldown_s=cooldown_s)
        return AttemptResult(Outcome.REFUSED, f"HTTP {status}", was_work=False, cooldown_s=cooldown_s)

    def _error(self, end: Exhausted, inbound: Inbound) -> RequestError:
        return unanswered(inbound.call.model, end, self._failures, len(self._record.attempts))


def _placed(inbound: Inbound, pool: Pool) -> Call:
    """Return the call as the pool's strategy looks at it."""
    return _with_affinity(inbound, pool) if pool.balancing in USE_AFFINITY else inbound.call


def _with_affinity(inbound: Inbound, pool: Pool) -> Call:
    by_prefix = pool.balancing in USE_PREFIX
    return replace(inbound.call, affinity=inbound.request.affinity(inbound.headers, by_prefix=by_prefix))


def _advance(steps: Plan, sent: Sent) -> Step | Exhausted:
    """Tell the plan what became of its last step; return the next one, or why there is none."""
    try:
        return steps.send(sent)
    except StopIteration as end:
        exhausted: Exhausted = end.value
        return exhausted
