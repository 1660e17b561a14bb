"""The parts of text responses, complete and streamed."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import chain
from typing import Final

import msgspec
from litestar.response import Stream

from jairouter_cli.mock import text
from jairouter_cli.mock.behaviour import Behaviour
from jairouter_cli.mock.body import JSON, MockRequest

_DONE: Final = b"data: [DONE]\n\n"


class StreamOptions(msgspec.Struct, frozen=True):
    """`stream_options`."""

    include_usage: bool = False


def head(prefix: str, kind: str, model: str) -> JSON:
    """Return what an answer, and each chunk of one, begins with."""
    return {
        "id": f"{prefix}-{secrets.token_hex(12)}",
        "object": kind,
        "created": int(time.time()),
        "model": model,
        "system_fingerprint": "fp_mock",
    }


def usage(prompts: Iterable[str], written: int) -> JSON:
    """Return what was read and written, in words."""
    read = sum(map(text.count_tokens, prompts))
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def chunks(head: JSON, choices: Iterable[JSON], used: JSON, options: StreamOptions | None) -> Iterator[JSON]:
    """Yield a chunk per choice. If usage is asked for, a last chunk has it, no choices, and the others have null."""
    wanted = options is not None and options.include_usage
    tail: JSON = {"usage": None} if wanted else {}
    for choice in choices:
        yield head | {"choices": [choice]} | tail
    if wanted:
        yield head | {"choices": [], "usage": used}


def events(request: MockRequest, messages: Iterable[JSON]) -> Stream:
    """Send each message as an event, and `[DONE]` after the last."""
    encoded = (b"data: " + msgspec.json.encode(message) + b"\n\n" for message in messages)
    return Stream(
        paced(request, chain(encoded, [_DONE])), media_type="text/event-stream", headers={"cache-control": "no-cache"}
    )


async def paced(request: MockRequest, pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Yield the pieces, as far apart as the server was told."""
    behaviour: Behaviour = request.app.state.behaviour
    for number, piece in enumerate(pieces):
        # Awaited even for no time at all: the server's `send` need not wait, and other requests want their turn.
        await asyncio.sleep(behaviour.chunk_interval_s if number else 0)
        yield piece
