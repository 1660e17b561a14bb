"""Asks a backend what it is, with GET requests that change and cost nothing, bounded in time and size."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from jairouter_cli.config.model import Config, Instance, Service, ServiceType
from jairouter_cli.discovery.kinds import (
    PATHS,
    BackendKind,
    FoundBackend,
    ProbeReplies,
    ProbeReply,
    recognised,
    refuses_key,
)
from jairouter_cli.errors import BackendUnknown, BackendUnreachable
from jairouter_cli.gateway.upstream.asking import BackendOutcome, BackendReply, Question, ask
from jairouter_cli.gateway.upstream.exchange import Upstream, UpstreamFailure
from jairouter_cli.payloads.reading import read
from jairouter_cli.routing.table import compile_table

TIMEOUT_S: Final = 5.0
_AT_ONCE: Final = 4  # questions to one backend
_DECODER: Final = msgspec.json.Decoder()


def question_for(config: Config, instance: Instance) -> Question:
    """Return how the backend of an instance is asked: with the instance's key, headers and proxy."""
    alone = replace(config.model, services={ServiceType.CHAT: Service(instances=(instance,))})
    target = compile_table(replace(config, model=alone)).targets[0]
    root = urlsplit(instance.base_url).path.rstrip("/").removesuffix("/v1")
    return Question(target.origin, target.proxy, root, target.headers)


async def probe(upstream: Upstream, question: Question, timeout_s: float = TIMEOUT_S) -> FoundBackend:
    """Return what is at an address; `question.prefix` is its path without `/v1`.

    Raises `BackendUnreachable`; `BackendUnknown` if something answers that is no model server, or wants a key.
    """
    url = question.origin + question.prefix
    first = await ask(upstream, question, question.prefix + PATHS[0], timeout_s)
    if isinstance(first, UpstreamFailure):
        raise BackendUnreachable(url=url, reason=first.detail or first.kind.value)
    replies = {PATHS[0]: _reply(first), **await _others(upstream, question, timeout_s)}
    found = recognised(replies)
    if found is None or (not found.models and found.kind is not BackendKind.JAIROUTER and refuses_key(replies)):
        raise _unknown(url, replies)
    return found


async def what_is(
    upstream: Upstream, question: Question, listed: BackendReply, timeout_s: float
) -> FoundBackend | None:
    """Return what is at an address that has answered with its list of models; None if it is not recognized."""
    return recognised({PATHS[0]: _reply(listed), **await _others(upstream, question, timeout_s)})


async def _others(upstream: Upstream, question: Question, timeout_s: float) -> ProbeReplies:
    """Ask for all other paths; what does not come in time is not there."""
    found: dict[str, ProbeReply] = {}
    turns = asyncio.Semaphore(_AT_ONCE)

    async def one(path: str) -> None:
        async with turns:
            found[path] = _reply(await ask(upstream, question, question.prefix + path, timeout_s))

    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await asyncio.gather(*map(one, PATHS[1:]))
    return found


def _reply(outcome: BackendOutcome) -> ProbeReply:
    if isinstance(outcome, UpstreamFailure):  # a path that it does not have may be cut off instead of refused
        return ProbeReply(0)
    data: Any = read(_DECODER, outcome.body)
    headers: Mapping[str, str] = outcome.headers
    return ProbeReply(outcome.status, data, headers.get("server", ""), headers.get("content-type", ""))


def _unknown(url: str, replies: ProbeReplies) -> BackendUnknown:
    if refuses_key(replies):
        what = "it refuses the request without a key, or with this one"
        return BackendUnknown(url=url, what=what, hint="give the backend's key with --api-key")
    reply = replies[PATHS[0]]
    kind = f", {reply.content_type.partition(';')[0][:60]}" if reply.content_type else ""
    return BackendUnknown(
        url=url,
        what=f"GET /v1/models: HTTP {reply.status}{kind}",
        hint="check host and port, or add a model by hand: jairouter instances add SERVICE MODEL BASE_URL",
    )
