"""`/v1/completions`, complete and streamed."""

from collections.abc import Iterator, Sequence

from litestar import Response, post
from litestar.response import Stream
from msgspec import Struct

from jairouter_cli.mock import text
from jairouter_cli.mock.answer import StreamOptions, chunks, events, head, usage
from jairouter_cli.mock.body import JSON, MockRequest, Model, read_json
from jairouter_cli.mock.chat import ChatCount, Times

Replies = Sequence[tuple[list[str], str]]


class CompletionRequest(Struct, frozen=True):
    """What is looked at of a completion request."""

    model: Model
    prompt: text.Input = ""
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: ChatCount | None = None
    n: Times | None = None


@post("/v1/completions", status_code=200)
async def completions(request: MockRequest) -> Response[JSON] | Stream:
    """Repeat each prompt, `n` times."""
    asked = await read_json(request, CompletionRequest)
    prompts = text.texts(asked.prompt)
    replies = [text.reply(prompt, asked.max_tokens) for prompt in prompts for _ in range(asked.n or 1)]
    used = usage(prompts, sum(len(pieces) for pieces, _ in replies))
    begin = head("cmpl", "text_completion", asked.model)
    if asked.stream:
        return events(request, chunks(begin, _parts(replies), used, asked.stream_options))
    choices = [_choice(index, "".join(pieces), finish) for index, (pieces, finish) in enumerate(replies)]
    return Response(begin | {"choices": choices, "usage": used})


def _choice(index: int, said: str, finish: str | None) -> JSON:
    return {"text": said, "index": index, "logprobs": None, "finish_reason": finish}


def _parts(replies: Replies) -> Iterator[JSON]:
    """Yield the choices of a stream, one after the other."""
    for index, (pieces, finish) in enumerate(replies):
        yield from (_choice(index, piece, None) for piece in pieces)
        yield _choice(index, "", finish)
