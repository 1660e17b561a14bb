"""Chat and completions of the pretend model server, whole and streamed."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import msgspec
from litestar import Response, post
from litestar.response import Stream

from jairouter_cli.mock import text
from jairouter_cli.mock.behaviour import Behaviour

Event = dict[str, Any]


class StreamOptions(msgspec.Struct):
    """`stream_options`."""

    include_usage: bool = False


class ChatRequest(msgspec.Struct):
    """What is looked at of a chat request; other members are accepted."""

    model: str
    messages: list[dict[str, Any]]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: Any = None


class CompletionRequest(msgspec.Struct):
    """What is looked at of a completion request."""

    model: str
    prompt: Any = ""
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None


def chat_routes(behaviour: Behaviour) -> list[Any]:
    """Return the routes of chat and completions."""

    @post("/v1/chat/completions", status_code=200)
    async def chat(data: ChatRequest) -> Response[Any] | Stream:
        """Repeat what the user said last, or call the tool that the request insists on."""
        base = {"id": f"chatcmpl-{secrets.token_hex(8)}", "created": int(time.time()), "model": data.model}
        tool = _wanted_tool(data)
        pieces, finish = text.reply(text.last_user_text(data.messages), data.max_completion_tokens or data.max_tokens)
        prompt = " ".join(text.content_text(message.get("content")) for message in data.messages)
        usage = _usage(prompt, pieces)
        if data.stream:
            base["object"] = "chat.completion.chunk"
            deltas = _tool_deltas(tool) if tool else _deltas(pieces, finish)
            return _stream(behaviour, _chunks(base, deltas, usage, data.stream_options))
        message = _tool_message(tool) if tool else {"role": "assistant", "content": "".join(pieces)}
        choice = {"message": message, "finish_reason": "tool_calls" if tool else finish, "logprobs": None}
        choices = [{"index": index, **choice} for index in range(data.n or 1)]
        return Response({**base, "object": "chat.completion", "choices": choices, "usage": usage})

    @post("/v1/completions", status_code=200)
    async def completions(data: CompletionRequest) -> Response[Any] | Stream:
        """Repeat the prompt."""
        base = {"id": f"cmpl-{secrets.token_hex(8)}", "created": int(time.time()), "model": data.model}
        base["object"] = "text_completion"
        prompt = data.prompt if isinstance(data.prompt, str) else json.dumps(data.prompt)
        pieces, finish = text.reply(prompt, data.max_tokens)
        usage = _usage(prompt, pieces)
        if data.stream:
            parts = [{"text": piece, "finish_reason": None} for piece in pieces]
            return _stream(
                behaviour, _chunks(base, [*parts, {"text": "", "finish_reason": finish}], usage, data.stream_options)
            )
        choice = {"index": 0, "text": "".join(pieces), "finish_reason": finish, "logprobs": None}
        return Response({**base, "choices": [choice], "usage": usage})

    return [chat, completions]


def _wanted_tool(data: ChatRequest) -> str | None:
    """Return the tool that a request insists on."""
    if (
        not data.tools or data.tool_choice in {None, "none", "auto"}
        if isinstance(data.tool_choice, str | None)
        else False
    ):
        return None
    if isinstance(data.tool_choice, dict):
        return str(data.tool_choice.get("function", {}).get("name"))
    return str(data.tools[0].get("function", {}).get("name")) if data.tools else None


def _tool_call(tool: str) -> Event:
    return {"id": f"call_{secrets.token_hex(8)}", "type": "function", "function": {"name": tool, "arguments": "{}"}}


def _tool_message(tool: str) -> Event:
    return {"role": "assistant", "content": None, "tool_calls": [_tool_call(tool)]}


def _tool_deltas(tool: str) -> Iterator[Event]:
    call = _tool_call(tool)
    yield {"delta": {"role": "assistant", "content": None}, "finish_reason": None}
    yield {"delta": {"tool_calls": [{"index": 0, **call}]}, "finish_reason": None}
    yield {"delta": {}, "finish_reason": "tool_calls"}


def _deltas(pieces: Iterable[str], finish: str) -> Iterator[Event]:
    yield {"delta": {"role": "assistant", "content": ""}, "finish_reason": None}
    for piece in pieces:
        yield {"delta": {"content": piece}, "finish_reason": None}
    yield {"delta": {}, "finish_reason": finish}


def _usage(prompt: str, pieces: list[str]) -> dict[str, int]:
    asked = text.count_tokens(prompt)
    return {"prompt_tokens": asked, "completion_tokens": len(pieces), "total_tokens": asked + len(pieces)}


def _chunks(
    base: Event, parts: Iterable[Event], usage: dict[str, int], options: StreamOptions | None
) -> Iterator[Event]:
    """Yield the events of a stream; with `include_usage` the last one has the usage and no choices."""
    with_usage = options is not None and options.include_usage
    for part in parts:
        yield {**base, "choices": [{"index": 0, **part}], **({"usage": None} if with_usage else {})}
    if with_usage:
        yield {**base, "choices": [], "usage": usage}


def _stream(behaviour: Behaviour, events: Iterable[Event]) -> Stream:
    async def body() -> AsyncIterator[bytes]:
        for event in events:
            yield b"data: " + msgspec.json.encode(event) + b"\n\n"
            await asyncio.sleep(behaviour.chunk_interval_s)
        yield b"data: [DONE]\n\n"

    return Stream(body(), media_type="text/event-stream", headers={"cache-control": "no-cache"})
