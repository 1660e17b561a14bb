"""Asks a backend about itself as the gateway would: over the same connections, proxies and TLS settings, bounded."""

import asyncio
import time
from collections.abc import Mapping
from typing import Final, NamedTuple

from jairouter_cli.gateway.upstream.exchange import Upstream, UpstreamFailure, UpstreamRequest
from jairouter_cli.routing.call import Timeouts

MOST_BYTES: Final = 4 << 20
"""Of a response that is read; a list of models has kilobytes."""


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


async def ask(upstream: Upstream, question: Question, path: str, timeout_s: float) -> BackendOutcome:
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
