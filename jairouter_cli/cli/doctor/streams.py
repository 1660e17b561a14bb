"""Checks whether streams arrive event by event, or are held back by something in between: costs a few tokens."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from jairouter_cli.cli import models
from jairouter_cli.cli.doctor.finding import Finding, failed, ok, warning
from jairouter_cli.cli.doctor.setup import address
from jairouter_cli.cli.language import _
from jairouter_cli.config.model import ServiceType
from jairouter_cli.gateway.upstream.exchange import UpstreamFailure, UpstreamRequest
from jairouter_cli.gateway.upstream.http1 import Http1Upstream
from jairouter_cli.routing.call import Target, Timeouts

_CHECK: Final = "stream"
_MOST: Final = 8  # backends that are asked for a stream
_PATIENCE_S: Final = 30.0  # a model may have to be loaded
_TOKENS: Final = 48
_PROMPT: Final = "Count from 1 to 20, one number on each line."
_MOST_BYTES: Final = 1 << 20
_TELLING_S: Final = 0.1  # a stream that is complete sooner tells nothing
_FEW: Final = 4  # events that may come together by chance
_SPREAD: Final = 0.02  # of the whole time, within which all events come if they were held back


class StreamQuestion(NamedTuple):
    """Where a stream is asked for, and of which model."""

    origin: str
    path: str
    proxy: str | None
    headers: tuple[tuple[str, str], ...]
    model: str


class StreamArrival(NamedTuple):
    """How a stream came: its status, the number of its events, and when the first and the last came, in seconds."""

    status: int
    events: int
    first_s: float
    last_s: float

    @property
    def is_held_back(self) -> bool:
        """Whether all events came together at the end."""
        spread = self.last_s - self.first_s
        return self.events > _FEW and self.last_s > _TELLING_S and spread < max(0.01, _SPREAD * self.last_s)


def stream_questions(targets: Sequence[Target], gateway: str | None) -> list[StreamQuestion]:
    """Return what to ask: the gateway if one runs, and each backend that has a chat model, once."""
    found: dict[tuple[str, str | None], StreamQuestion] = {}
    for target in targets:
        if target.enabled and target.key[0] is ServiceType.CHAT:
            name = target.id.rpartition("@")[0]
            if gateway is not None and not found:
                headers = tuple(models.bearer(models.api_key()).items())
                found[gateway, ""] = StreamQuestion(gateway, "/v1/chat/completions", None, headers, name)
            model = target.upstream_model or name
            question = StreamQuestion(target.origin, target.path, target.proxy, target.headers, model)
            found.setdefault((target.origin, target.proxy), question)
    return list(found.values())[:_MOST]


async def streams(upstream: Http1Upstream, questions: Sequence[StreamQuestion]) -> list[Finding]:
    """Ask for streams side by side; return how they came."""
    arrivals = await asyncio.gather(*(_arrival(upstream, one) for one in questions))
    return [finding for one, arrival in zip(questions, arrivals, strict=True) for finding in _judged(one, arrival)]


def _judged(question: StreamQuestion, arrival: StreamArrival | UpstreamFailure) -> Iterator[Finding]:
    url = address(question.origin)
    why = _("clients wait for the complete response instead of reading along")
    if isinstance(arrival, UpstreamFailure) or arrival.status != 200:  # noqa: PLR2004
        reason = arrival.detail if isinstance(arrival, UpstreamFailure) else f"HTTP {arrival.status}"
        text = _("{url} did not send a stream: {reason}").format(url=url, reason=reason)
        yield failed(_CHECK, text, why=why, fix=f"curl -N {address(question.origin + question.path)}")
    elif arrival.is_held_back:
        text = _("{url}: all {number} events of a stream arrived together after {seconds:.1f} s").format(
            url=url, number=arrival.events, seconds=arrival.first_s
        )
        fix = _("switch off buffering in the proxy in between: docs/reverse-proxy.md (nginx: proxy_buffering off)")
        yield warning(_CHECK, text, why=why, fix=fix)
    else:
        text = _("{url}: {number} events of a stream arrived over {seconds:.1f} s").format(
            url=url, number=arrival.events, seconds=arrival.last_s - arrival.first_s
        )
        yield ok(_CHECK, text)


async def _arrival(upstream: Http1Upstream, question: StreamQuestion) -> StreamArrival | UpstreamFailure:
    loop = asyncio.get_running_loop()
    message = {"role": "user", "content": _PROMPT}
    body = {"model": question.model, "messages": [message], "stream": True, "max_tokens": _TOKENS}
    headers = {"user-agent": "jairouter", "content-type": "application/json", **dict(question.headers)}
    timeouts = Timeouts(_PATIENCE_S, _PATIENCE_S, _PATIENCE_S, _PATIENCE_S, total_s=_PATIENCE_S)
    began = loop.time()
    request = UpstreamRequest(
        question.origin,
        question.path,
        list(headers.items()),
        json.dumps(body).encode(),
        timeouts,
        began + _PATIENCE_S,
        proxy=question.proxy,
    )
    events, first_s, last_s, size = 0, 0.0, 0.0, 0
    try:
        exchange = await upstream.send(request)
        try:
            while size < _MOST_BYTES and (piece := await exchange.read()):
                size += len(piece)
                if number := piece.count(b"data:"):
                    events, last_s = events + number, loop.time() - began
                    first_s = first_s or last_s
        finally:
            await exchange.aclose()
    except UpstreamFailure as failure:
        return failure
    return StreamArrival(exchange.status, events, first_s, last_s)
