"""Asks backends as the gateway would: over the same connections, proxies and TLS settings, within bounds of its own."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final, NamedTuple

from jairouter_cli.gateway.upstream.exchange import FailureKind, UpstreamFailure, UpstreamRequest
from jairouter_cli.gateway.upstream.http1 import Http1Upstream
from jairouter_cli.routing.call import Timeouts

MOST_BYTES: Final = 4 << 20
"""Of a response that is read; a list of models has kilobytes."""

_AT_ONCE: Final = 64  # questions in flight, and
_OF_ONE: Final = 4  # of one backend
_ALL_S: Final = 30.0  # for all questions together
_NOT_ASKED: Final = "not asked: too many backends were slow"


class Question(NamedTuple):
    """What is asked once for all instances that it tells of: which models are behind `prefix`, with these headers."""

    origin: str
    proxy: str | None
    prefix: str
    headers: tuple[tuple[str, str], ...]

    @property
    def url(self) -> str:
        """The address that is asked."""
        return f"{self.origin}{self.prefix}/models"


class BackendReply(NamedTuple):
    """A response: `at` is this machine's time at half of the `took_s` that it took; the body is cut at `MOST_BYTES`."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    at: float
    took_s: float

    @property
    def is_html(self) -> bool:
        """Whether it is a web page."""
        return "text/html" in self.headers.get("content-type", "") or self.body[:200].lstrip().lower().startswith(
            (b"<!doctype html", b"<html")
        )


BackendOutcome = BackendReply | UpstreamFailure


async def ask(upstream: Http1Upstream, question: Question, path: str, timeout_s: float) -> BackendOutcome:
    """Send a GET; a response counts whatever its status."""
    loop = asyncio.get_running_loop()
    began, by = loop.time(), loop.time() + timeout_s
    timeouts = Timeouts(timeout_s, timeout_s, timeout_s, timeout_s, total_s=timeout_s)
    headers = list({"user-agent": "jairouter", "accept": "*/*", **dict(question.headers)}.items())
    request = UpstreamRequest(
        question.origin, path, headers, b"", timeouts, by, method="GET", proxy=question.proxy, anew=True
    )
    try:
        exchange = await upstream.send(request)
        at, took_s, body = time.time(), loop.time() - began, b""
        try:
            while len(body) < MOST_BYTES and (piece := await exchange.read()):
                body += piece
        finally:
            await exchange.aclose()
    except UpstreamFailure as failure:
        return failure
    return BackendReply(exchange.status, dict(exchange.headers), body[:MOST_BYTES], at - took_s / 2, took_s)


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
        async with asyncio.timeout(_ALL_S), asyncio.TaskGroup() as tasks:
            for same in by_place.values():
                tasks.create_task(_ask_one_backend(upstream, same, timeout_s, places, found))
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
