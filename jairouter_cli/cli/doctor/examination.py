"""The examination: all checks, in the order of the report."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from jairouter_cli.cli.client import base_url
from jairouter_cli.cli.doctor import file
from jairouter_cli.cli.doctor.asking import ask_all
from jairouter_cli.cli.doctor.backends import AskedBackend, backends, is_lost, not_asked, questions
from jairouter_cli.cli.doctor.environment_proxies import environment_proxies
from jairouter_cli.cli.doctor.exposure import exposure, settings
from jairouter_cli.cli.doctor.finding import Finding
from jairouter_cli.cli.doctor.kinds import models_in
from jairouter_cli.cli.doctor.machine import machine
from jairouter_cli.cli.doctor.port import port
from jairouter_cli.cli.doctor.redis_server import redis_server
from jairouter_cli.cli.doctor.setup import Setup
from jairouter_cli.cli.doctor.streams import stream_questions, streams
from jairouter_cli.config.masking import masked
from jairouter_cli.config.store import Loaded
from jairouter_cli.discovery.probe import what_is
from jairouter_cli.errors import JAIRouterError
from jairouter_cli.gateway.upstream.asking import BackendReply, Question, ask
from jairouter_cli.gateway.upstream.http1 import Http1Upstream
from jairouter_cli.routing.call import Target
from jairouter_cli.routing.table import compile_table

_GATEWAY: Final = "gateway"
_RECOGNIZED: Final = 16  # backends whose kind is found out, with a dozen questions each


def examine(setup: Setup, error: JAIRouterError | None) -> list[Finding]:
    """Return all findings, without secrets; `error` is why there is no configuration, if there is none."""
    secrets = frozenset(setup.secrets())
    return [
        replace(one, found=masked(one.found, secrets), why=masked(one.why, secrets), fix=masked(one.fix, secrets))
        for one in _all(setup, error)
    ]


def _all(setup: Setup, error: JAIRouterError | None) -> Iterator[Finding]:
    if setup.loaded is None:
        if error is not None:
            yield from file.unusable(error, setup.file, setup.environ)
        yield from machine(setup)
        return
    yield from file.usable(setup, setup.loaded)
    yield from machine(setup)
    listening = list(port(setup))
    yield from listening
    yield from exposure(setup)
    yield from settings(setup)
    yield from redis_server(setup)
    is_running = any(one.check == _GATEWAY for one in listening)
    gateway = (setup.url or base_url(setup.config.server)).rstrip("/").removesuffix("/v1") if is_running else None
    yield from _of_backends(setup, setup.loaded, gateway)


def _of_backends(setup: Setup, loaded: Loaded, gateway: str | None) -> Iterator[Finding]:
    targets = compile_table(loaded.config).targets
    yield from environment_proxies(setup, targets)
    try:
        asked, more = asyncio.run(_ask(setup, loaded, targets, gateway))
    except JAIRouterError:  # the certificates of webclient.ssl, which are reported with the start
        return
    yield from backends(setup, asked)
    yield from more


async def _ask(
    setup: Setup, loaded: Loaded, targets: Sequence[Target], gateway: str | None
) -> tuple[list[AskedBackend], list[Finding]]:
    client = loaded.config.webclient
    upstream = Http1Upstream(client.connection_pool, client, setup.environ)
    try:
        by_question, left_out = questions(targets)
        outcomes = await ask_all(upstream, by_question, setup.timeout_s)
        asked = [AskedBackend(one, by_question[one], outcome) for one, outcome in outcomes.items()]
        asked = await asyncio.gather(*(_sought(upstream, one, setup.timeout_s) for one in asked))
        asked = await _recognized(upstream, asked, setup.timeout_s)
        streamed = await streams(upstream, stream_questions(targets, gateway)) if setup.streams else []
    finally:
        await upstream.aclose()
    return list(asked), [*not_asked(setup, left_out), *streamed]


async def _recognized(upstream: Http1Upstream, asked: Sequence[AskedBackend], timeout_s: float) -> list[AskedBackend]:
    """Return what was asked, with what each backend is, for the first ones that have a list of models."""
    first: dict[str, int] = {}
    for place, one in enumerate(asked):
        if isinstance(one.outcome, BackendReply) and models_in(one.outcome) is not None:
            first.setdefault(one.question.origin, place)
    chosen = set(list(first.values())[:_RECOGNIZED])

    async def found(place: int, one: AskedBackend) -> AskedBackend:
        if place not in chosen or not isinstance(one.outcome, BackendReply):
            return one
        root = one.question._replace(prefix=one.question.prefix.removesuffix("/v1"))
        return one._replace(backend=await what_is(upstream, root, one.outcome, timeout_s))

    return await asyncio.gather(*(found(place, one) for place, one in enumerate(asked)))


async def _sought(upstream: Http1Upstream, one: AskedBackend, timeout_s: float) -> AskedBackend:
    """Return what was asked, with the address that was meant if the one that is configured leads nowhere."""
    if not is_lost(one.outcome) or one.question.prefix == "/v1":
        return one
    other: Question = one.question._replace(prefix="/v1")
    reply = await ask(upstream, other, f"{other.prefix}/models", timeout_s)
    works = isinstance(reply, BackendReply) and not is_lost(reply) and models_in(reply) is not None
    return one._replace(elsewhere=other.origin) if works else one
