"""Asks instances whether they work, for nothing: a connection, or the cheapest GET that their kind is known for.

Never a generation, and nothing that loads a model. One worker asks for all; what traffic has proved is not asked.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from random import Random
from typing import Final, NamedTuple

from msgspec.structs import replace

from jairouter_cli.config.model import HealthCheck
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.gateway.upstream.exchange import Exchange, FailureKind, UpstreamFailure, UpstreamRequest
from jairouter_cli.payloads.headers import Headers
from jairouter_cli.routing.call import Probe, Target, Timeouts, Turn
from jairouter_cli.routing.health import HealthState

_LOOK_S: Final = 0.25  # how soon a new instance is asked
_AT_ONCE: Final = 64  # questions under way together, of those that were answered in time when they were asked last
_SLOW_AT_ONCE: Final = 32  # and of the others, which hold their places for long
_LARGEST_BYTES: Final = 1024 * 1024  # of an answer that is read so that its connection can be kept
_OK: Final = range(200, 400)
_ALIVE: Final = range(200, 500)
_IN_WORDS: Final = frozenset({FailureKind.UNREACHABLE, FailureKind.BROKEN})  # else the kind says it all


class ProbeQuestion(NamedTuple):
    """What is asked once for all targets of which the answer tells."""

    origin: str
    proxy: str | None
    probe: Probe
    headers: tuple[tuple[str, str], ...]


class Places:
    """Who may ask at once. Machines that do not answer have places of their own, so that no other waits for them."""

    __slots__ = ("_few", "_many", "_slow")

    def __init__(self) -> None:
        self._many: Final = asyncio.Semaphore(_AT_ONCE)
        self._few: Final = asyncio.Semaphore(_SLOW_AT_ONCE)
        self._slow: set[str] = set()

    def of(self, question: ProbeQuestion) -> asyncio.Semaphore:
        """Return the places in which a question is asked."""
        return self._few if question.origin in self._slow else self._many

    def note(self, question: ProbeQuestion, *, slow: bool) -> None:
        """Note whether it took all the time that it had."""
        (self._slow.add if slow else self._slow.discard)(question.origin)

    def keep(self, origins: set[str]) -> None:
        """Forget machines that are gone."""
        self._slow &= origins


async def probe_all(gateway: Gateway, rng: Random, leads: Callable[[], bool]) -> AsyncIterator[None]:
    """Ask about every target when it is due, while this worker leads, and yield after every look.

    Instances that nobody has heard of yet are due at once.
    """
    due: dict[ProbeQuestion, float] = {}
    open_questions: set[ProbeQuestion] = set()
    places = Places()
    async with asyncio.TaskGroup() as tasks:
        while True:
            check = gateway.table.config.model.load_balance.health_check
            if check.enabled and leads():
                questions = _questions(gateway)
                now = gateway.clock()
                due = {question: at for question, at in due.items() if question in questions}
                places.keep({question.origin for question in questions})
                for question, targets in questions.items():
                    if due.get(question, 0.0) <= now and question not in open_questions:
                        # spread by a tenth, so that many gateways do not knock in step
                        due[question] = now + check.interval_s * rng.uniform(0.9, 1.1)
                        if not _proved(gateway, targets, check, now):
                            open_questions.add(question)
                            task = tasks.create_task(_ask(gateway, question, targets, places))
                            task.add_done_callback(partial(_close, open_questions, question))
            await asyncio.sleep(min(_LOOK_S, check.interval_s))
            yield


async def probe_now(gateway: Gateway, target: Target) -> None:
    """Ask about one target, and whatever else the answer tells of, out of turn."""
    question, targets = next((one, told) for one, told in _questions(gateway).items() if target in told)
    await _ask(gateway, question, targets, Places())


def _close(open_questions: set[ProbeQuestion], question: ProbeQuestion, _: asyncio.Task[None]) -> None:
    open_questions.discard(question)


def _questions(gateway: Gateway) -> dict[ProbeQuestion, list[Target]]:
    questions: dict[ProbeQuestion, list[Target]] = {}
    for target in gateway.table.targets:
        if target.enabled:
            headers = () if target.probe.path is None else target.headers
            question = ProbeQuestion(target.origin, target.proxy, target.probe, headers)
            questions.setdefault(question, []).append(target)
    return questions


def _proved(gateway: Gateway, targets: list[Target], check: HealthCheck, now: float) -> bool:
    """Whether traffic has shown of late that all of them work."""
    lives = [gateway.ledger.live(target) for target in targets]
    return all(live.health.state is HealthState.UP and live.answered_at > now - check.interval_s for live in lives)


async def _ask(gateway: Gateway, question: ProbeQuestion, targets: list[Target], places: Places) -> None:
    """Ask; what goes wrong with it goes no further than this question."""
    with gateway.tasks.trying(f"health-check of {question.origin}"):
        check = gateway.table.config.model.load_balance.health_check
        async with places.of(question):
            began = gateway.clock()
            if question.probe.path is None:
                reason: str | None = await _knock(gateway, question, check.timeout_s)
            else:
                reason = await _get(gateway, question, question.probe.path, check.timeout_s)
            now = gateway.clock()
        places.note(question, slow=now - began >= check.timeout_s)
        if reason is not None:
            _judge(gateway, targets, check, reason, began, now)


def _judge(gateway: Gateway, targets: list[Target], check: HealthCheck, reason: str, began: float, now: float) -> None:
    for target in targets:
        gateway.probed(target, now - began)
        if gateway.ledger.live(target).health.saw(check, ok=not reason, now=now, reason=reason):
            turn, said = (
                (Turn.DOWN, f"is {HealthState.DOWN}: {reason}") if reason else (Turn.UP, f"is {HealthState.UP}")
            )
            gateway.ledger.tell(target, turn, said)


async def _knock(gateway: Gateway, question: ProbeQuestion, timeout_s: float) -> str:
    """Open a connection and close it; return why that failed, or nothing."""
    try:
        await gateway.upstream.knock(question.origin, question.proxy, timeout_s)
    except UpstreamFailure as failure:
        return _said(failure)
    return ""


async def _get(gateway: Gateway, question: ProbeQuestion, path: str, timeout_s: float) -> str | None:
    """Ask over HTTP; return why the answer is not good, or nothing; None if it could not even be asked."""
    timeouts = Timeouts(timeout_s, timeout_s, timeout_s, timeout_s, total_s=timeout_s)
    by = gateway.clock() + timeout_s
    headers: Headers = list({"user-agent": "jairouter", "accept": "*/*", **dict(question.headers)}.items())
    try:
        request = UpstreamRequest(question.origin, path, headers, b"", timeouts, by, method="GET", proxy=question.proxy)
        exchange = await _send(gateway, request)
        read = 0
        try:
            while read < _LARGEST_BYTES and (piece := await exchange.read()):
                read += len(piece)
        finally:
            await exchange.aclose()
    except UpstreamFailure as failure:
        if failure.kind is FailureKind.POOL_TIMEOUT:  # all our connections are at work for clients
            return None
        return _said(failure)
    good = exchange.status in (_OK if question.probe.strict else _ALIVE)
    return "" if good else f"HTTP {exchange.status} from GET {path}"


def _said(failure: UpstreamFailure) -> str:
    return failure.detail if failure.kind in _IN_WORDS else failure.kind.value


async def _send(gateway: Gateway, request: UpstreamRequest) -> Exchange:
    """Send; once more if it was but an old connection that broke. Raises `UpstreamFailure`."""
    try:
        return await gateway.upstream.send(request)
    except UpstreamFailure as failure:
        if not failure.was_stale:
            raise
    return await gateway.upstream.send(replace(request, anew=True))
