"""`/v1/chat/completions`, complete and streamed."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
from litestar import Response, post
from litestar.response import Stream
from msgspec import Meta, Struct

from jairouter_cli.mock import text
from jairouter_cli.mock.answer import StreamOptions, chunks, events, head, usage
from jairouter_cli.mock.body import JSON, MockRequest, Model, read_json
from jairouter_cli.mock.tools import Choice, Tool, arguments, insisted

ChatCount = Annotated[int, Meta(ge=1)]
Times = Annotated[int, Meta(ge=1, le=128)]


class ChatRequest(Struct, frozen=True):
    """What is looked at of a chat request."""

    model: Model
    messages: Annotated[list[text.Message], Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: ChatCount | None = None
    max_completion_tokens: ChatCount | None = None
    n: Times | None = None
    tools: list[Tool] | None = None
    tool_choice: Choice = None


@dataclass(frozen=True, slots=True)
class ChatSaid:
    """An answer in words."""

    pieces: Sequence[str]
    finish: str

    def message(self) -> JSON:
        """Return the answer in one."""
        return {"role": "assistant", "content": "".join(self.pieces), "refusal": None}

    def deltas(self) -> Iterator[JSON]:
        """Yield the answer word by word."""
        yield {"role": "assistant", "content": "", "refusal": None}
        for piece in self.pieces:
            yield {"content": piece}


@dataclass(frozen=True, slots=True)
class Called:
    """An answer that is a tool call; `pieces` are its arguments as JSON."""

    id: str
    name: str
    pieces: Sequence[str]
    finish: str = "tool_calls"

    def message(self) -> JSON:
        """Return the answer in one."""
        return {"role": "assistant", "content": None, "refusal": None, "tool_calls": [self._call("".join(self.pieces))]}

    def deltas(self) -> Iterator[JSON]:
        """Yield the call: its name with the first piece of the arguments, then the others."""
        yield {"role": "assistant", "content": None, "refusal": None}
        first, *others = self.pieces
        yield {"tool_calls": [{"index": 0, **self._call(first)}]}
        for piece in others:
            yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}

    def _call(self, passed: str) -> JSON:
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": passed}}


@post("/v1/chat/completions", status_code=200)
async def chat(request: MockRequest) -> Response[JSON] | Stream:
    """Repeat what the user said last, or call the tool that the request insists on."""
    asked = await read_json(request, ChatRequest)
    answer, count = _answer(asked), asked.n or 1
    used = usage((message.text for message in asked.messages), len(answer.pieces) * count)
    if asked.stream:
        begin = head("chatcmpl", "chat.completion.chunk", asked.model)
        return events(request, chunks(begin, _parts(answer, count), used, asked.stream_options))
    whole: JSON = {"message": answer.message(), "logprobs": None, "finish_reason": answer.finish}
    choices = [{"index": index} | whole for index in range(count)]
    return Response(head("chatcmpl", "chat.completion", asked.model) | {"choices": choices, "usage": used})


def _answer(asked: ChatRequest) -> ChatSaid | Called:
    question = text.last_user_text(asked.messages)
    function = insisted(asked.tools or (), asked.tool_choice)
    if function is None:
        return ChatSaid(*text.reply(question, asked.max_completion_tokens or asked.max_tokens))
    passed = msgspec.json.encode(arguments(function, question)).decode()
    return Called(f"call_{secrets.token_hex(12)}", function.name, text.words(passed))


def _parts(answer: ChatSaid | Called, count: int) -> Iterator[JSON]:
    """Yield the choices of a stream, one at a time: each delta for all of them before the next."""
    deltas: list[tuple[JSON, str | None]] = [(delta, None) for delta in answer.deltas()]
    for delta, finish in [*deltas, ({}, answer.finish)]:
        for index in range(count):
            yield {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
