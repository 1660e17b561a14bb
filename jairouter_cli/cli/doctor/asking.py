"""Asks many backends side by side, within bounds for each and for all."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from jairouter_cli.gateway.upstream.asking import BackendOutcome, Question, ask
from jairouter_cli.gateway.upstream.exchange import FailureKind, UpstreamFailure
from jairouter_cli.gateway.upstream.http1 import Http1Upstream

_AT_ONCE: Final = 64  # questions in flight, and
_OF_ONE: Final = 4  # of one backend
_ALL_S: Final = 30.0  # for all questions together
_NOT_ASKED: Final = "not asked: too many backends were slow"


async def ask_all(
    upstream: Http1Upstream, questions: Iterable[Question], timeout_s: float
) -> dict[Question, BackendOutcome]:
    """Ask all questions side by side; a backend that cannot be reached is asked once, whatever the questions."""
    by_place: dict[tuple[str, str | None], list[Question]] = defaultdict(list)
    for question in questions:
        by_place[question.origin, question.proxy].append(question)
    found: dict[Question, BackendOutcome] = {}
    places = asyncio.Semaphore(_AT_ONCE)
    with suppress(TimeoutError):
        async with asyncio.timeout(_ALL_S):
            await asyncio.gather(
                *(_ask_one_backend(upstream, same, timeout_s, places, found) for same in by_place.values())
            )
    unknown = UpstreamFailure(FailureKind.TOTAL_TIMEOUT, _NOT_ASKED)
    return {question: found.get(question, unknown) for same in by_place.values() for question in same}


async def _ask_one_backend(
    upstream: Http1Upstream,
    questions: list[Question],
    timeout_s: float,
    places: asyncio.Semaphore,
    found: dict[Question, BackendOutcome],
) -> None:
    turns = asyncio.Semaphore(_OF_ONE)

    async def one(question: Question) -> None:
        async with turns, places:
            found[question] = await ask(upstream, question, f"{question.prefix}/models", timeout_s)

    first, *others = questions
    await one(first)
    outcome = found[first]
    if isinstance(outcome, UpstreamFailure):
        found.update(dict.fromkeys(others, outcome))
        return
    await asyncio.gather(*map(one, others))
