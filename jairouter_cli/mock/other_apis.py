"""Endpoints of other APIs: OpenAI's responses and moderations, Anthropic's messages, vLLM's score."""

import secrets
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from litestar import Response, post
from litestar.response import Stream
from msgspec import Struct

from jairouter_cli.mock import text
from jairouter_cli.mock.answer import paced
from jairouter_cli.mock.body import JSON, MockRequest, Model, read_json
from jairouter_cli.mock.chat import ChatCount


class ResponsesRequest(Struct, frozen=True):
    """What is looked at of a request to OpenAI's Responses API."""

    model: Model
    input: str | list[text.Message]
    stream: bool | None = None


class MessagesRequest(Struct, frozen=True):
    """What is looked at of a request to Anthropic's Messages API."""

    model: Model
    messages: list[text.Message]
    max_tokens: ChatCount | None = None
    stream: bool | None = None


class ModerationRequest(Struct, frozen=True):
    """What is looked at of a moderation request."""

    model: Model
    input: str | list[str]


class ScoreRequest(Struct, frozen=True):
    """What is looked at of a request to vLLM's score API."""

    model: Model
    text_1: str
    text_2: str | list[str]


@post("/v1/responses", status_code=200)
async def responses(request: MockRequest) -> Response[JSON] | Stream:
    """Repeat the input."""
    asked = await read_json(request, ResponsesRequest)
    question = asked.input if isinstance(asked.input, str) else text.last_user_text(asked.input)
    pieces, _ = text.reply(question)
    item: JSON = {
        "id": f"msg_{secrets.token_hex(8)}",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [_output_text("".join(pieces))],
    }
    tokens_in, tokens_out = text.count_tokens(question), len(pieces)
    whole: JSON = {
        "id": f"resp_{secrets.token_hex(8)}",
        "object": "response",
        "created_at": 0,
        "status": "completed",
        "model": asked.model,
        "output": [item],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": tokens_in,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": tokens_out,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": tokens_in + tokens_out,
        },
    }
    return _named(request, _numbered(_response_events(whole, item, pieces))) if asked.stream else Response(whole)


def _output_text(said: str) -> JSON:
    return {"type": "output_text", "text": said, "annotations": []}


def _response_events(whole: JSON, item: JSON, pieces: Sequence[str]) -> Iterator[JSON]:
    """Yield the events of one message with one part, in the order in which OpenAI sends them."""
    begun = whole | {"status": "in_progress", "output": [], "usage": None}
    place: JSON = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    said = "".join(pieces)
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    opened = item | {"status": "in_progress", "content": []}
    yield {"type": "response.output_item.added", "output_index": 0, "item": opened}
    yield {"type": "response.content_part.added", "part": _output_text("")} | place
    for piece in pieces:
        yield {"type": "response.output_text.delta", "delta": piece, "logprobs": []} | place
    yield {"type": "response.output_text.done", "text": said, "logprobs": []} | place
    yield {"type": "response.content_part.done", "part": _output_text(said)} | place
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}
    yield {"type": "response.completed", "response": whole}


def _numbered(events: Iterable[JSON]) -> Iterator[JSON]:
    for number, event in enumerate(events):
        yield event | {"sequence_number": number}


@post("/v1/messages", status_code=200)
async def messages(request: MockRequest) -> Response[JSON] | Stream:
    """Repeat what the user said last."""
    asked = await read_json(request, MessagesRequest)
    question = text.last_user_text(asked.messages)
    pieces, finish = text.reply(question, asked.max_tokens)
    stop = "end_turn" if finish == "stop" else "max_tokens"
    base: JSON = {
        "id": f"msg_{secrets.token_hex(8)}",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "stop_sequence": None,
        "usage": {"input_tokens": text.count_tokens(question), "output_tokens": len(pieces)},
    }
    if asked.stream:
        return _named(request, _message_events(base | {"content": [], "stop_reason": None}, pieces, stop))
    content = [{"type": "text", "text": "".join(pieces)}]
    return Response(base | {"content": content, "stop_reason": stop})


@post("/v1/messages/count_tokens", status_code=200)
async def count_tokens(request: MockRequest) -> Response[JSON]:
    """Count what the user said last."""
    asked = await read_json(request, MessagesRequest)
    return Response({"input_tokens": text.count_tokens(text.last_user_text(asked.messages))})


def _message_events(start: JSON, pieces: Sequence[str], stop: str) -> Iterator[JSON]:
    yield {"type": "message_start", "message": start}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    for piece in pieces:
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
    yield {"type": "content_block_stop", "index": 0}
    delta = {"stop_reason": stop, "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": len(pieces)}}
    yield {"type": "message_stop"}


def _named(request: MockRequest, events: Iterable[JSON]) -> Stream:
    """Send each message as an event of its type's name, as both APIs do."""
    encoded = (f"event: {event['type']}\ndata: ".encode() + msgspec.json.encode(event) + b"\n\n" for event in events)
    return Stream(paced(request, encoded), media_type="text/event-stream")


@post("/v1/moderations", status_code=200)
async def moderations(request: MockRequest) -> Response[JSON]:
    """Flag what has the word `forbidden` in it."""
    asked = await read_json(request, ModerationRequest)
    inputs = asked.input if isinstance(asked.input, list) else [asked.input]
    results = [_verdict(is_bad="forbidden" in one.lower()) for one in inputs]
    return Response({"id": f"modr-{secrets.token_hex(8)}", "model": asked.model, "results": results})


def _verdict(*, is_bad: bool) -> JSON:
    return {"flagged": is_bad, "categories": {"violence": is_bad}, "category_scores": {"violence": float(is_bad)}}


@post("/v1/score", status_code=200)
async def score(request: MockRequest) -> Response[JSON]:
    """Tell how much of the first text's words each second text has."""
    asked = await read_json(request, ScoreRequest)
    seconds = [asked.text_2] if isinstance(asked.text_2, str) else asked.text_2
    scores = [text.relevance(asked.text_1, one) for one in seconds]
    data = [{"index": index, "object": "score", "score": value} for index, value in enumerate(scores)]
    return Response({"id": "score-mock", "object": "list", "model": asked.model, "data": data})
