"""Anthropic's Messages API in front of any backend, by Anthropic's own SDK, over real gateways."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anthropic
import httpx
import pytest

from tests.backend import Backend, Received, Wire, answer, backend, raw
from tests.process import Served, config, kill, mock, services, serving

TOOLS: list[Any] = [
    {
        "name": "read",
        "description": "reads",
        "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
    }
]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def chunk(finish: str | None = None, usage: Any = None, **delta: Any) -> bytes:
    """Return an event of a chat."""
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}] if delta or finish else []
    return b"data: " + json.dumps({"id": "c1", "choices": choices, "usage": usage}).encode() + b"\n\n"


def sdk(served: Served, key: str = "sk-client") -> anthropic.Anthropic:
    """Return the SDK, pointed at a gateway; it gives up at once."""
    http = anthropic.DefaultHttpxClient(trust_env=False)
    return anthropic.Anthropic(base_url=served.url, api_key=key, max_retries=0, http_client=http)


def ask(client: anthropic.Anthropic, text: str = "one two", **more: Any) -> anthropic.types.Message:
    """Ask for a whole answer."""
    said: list[Any] = [{"role": "user", "content": text}]
    found: anthropic.types.Message = client.messages.create(model="m", max_tokens=50, messages=said, **more)
    return found


def streamed(client: anthropic.Anthropic, text: str = "one two", **more: Any) -> anthropic.types.Message:
    """Ask for a stream, and put it together."""
    said: list[Any] = [{"role": "user", "content": text}]
    with client.messages.stream(model="m", max_tokens=50, messages=said, **more) as stream:
        return stream.get_final_message()


def text_of(message: anthropic.types.Message) -> str:
    """Return the words of an answer."""
    return "".join(block.text for block in message.content if block.type == "text")


@contextmanager
def chat_only(folder: Path, *pieces: bytes, then: str = "fin") -> Iterator[tuple[Served, Backend]]:
    """Run a gateway in front of a backend that has chat completions alone, and sends these bytes."""
    with backend(answer({})) as behind:
        stream = raw(HEAD, *pieces, then=then)

        async def behave(received: Received, wire: Wire) -> None:
            has_path = received.line.startswith("POST /v1/chat/completions ")
            await (stream if has_path else answer({"detail": "Not Found"}, "404 Not Found"))(received, wire)

        behind.behave = behave
        with serving("--config", str(config(folder, services(chat=[behind.url])))) as served:
            yield served, behind


@pytest.mark.parametrize("speaks", ["[chat]", "[chat, messages]"])
def test_words_tools_and_counts(tmp_path: Path, speaks: str) -> None:
    """The same answers, whether they are translated or pass through."""
    with mock("m") as (_, url):
        text = services(chat=[url]).replace(f"base-url: {url}\n", f"base-url: {url}\n          speaks: {speaks}\n")
        with serving("--config", str(config(tmp_path, text))) as served, sdk(served) as client:
            for message in (ask(client), streamed(client)):
                assert (text_of(message), message.stop_reason, message.model) == ("You said: one two", "end_turn", "m")
                assert (message.usage.input_tokens, message.usage.output_tokens) == (2, 4)
            tools: dict[str, Any] = {"tools": TOOLS, "tool_choice": {"type": "any"}}
            called = [ask(client, **tools), streamed(client, **tools)] if speaks == "[chat]" else []
            for message in called:
                [block] = message.content
                assert (block.type, message.stop_reason) == ("tool_use", "tool_use")
                assert block.type == "tool_use"
                assert block.input == {"path": "one two"}
            said: list[Any] = [{"role": "user", "content": "one two"}]
            assert client.messages.count_tokens(model="m", messages=said).input_tokens > 0
            usage = served.get("/api/token-usage/statistics").json()
        assert usage["data"]["totalTokens"] > 0


def test_a_backend_without_the_path_is_learned(tmp_path: Path) -> None:
    """It is asked once, and in chat completions from then on; counting is learned for itself."""
    pieces = (chunk(role="assistant", content="hi"), chunk("stop"), b"data: [DONE]\n\n")
    with chat_only(tmp_path, *pieces) as (served, behind), sdk(served) as client:
        for _ in range(3):
            assert text_of(streamed(client)) == "hi"
        counted = client.messages.with_raw_response.count_tokens(
            model="m", messages=[{"role": "user", "content": "a" * 400}]
        )
        assert 80 < counted.parse().input_tokens < 130
        assert counted.headers["x-jairouter-estimated"] == "input_tokens"
        assert [one.line.split()[1] for one in behind.requests] == [
            "/v1/messages",
            *["/v1/chat/completions"] * 3,
            "/v1/messages/count_tokens",
        ]
        sent = behind.requests[1]
        assert json.loads(sent.body)["messages"] == [{"role": "user", "content": "one two"}]
        assert (sent.header("x-api-key"), sent.header("anthropic-version")) == (None, None)
        assert sent.header("authorization") == "Bearer sk-client"


def test_a_server_that_says_yes_to_everything(tmp_path: Path) -> None:
    """Its count is none; ours is an estimate."""
    with (
        backend(answer({"status": "ok"})) as behind,
        serving("--config", str(config(tmp_path, services(chat=[behind.url])))) as served,
        sdk(served) as client,
    ):
        counted = client.messages.count_tokens(model="m", messages=[{"role": "user", "content": "hello"}])
    assert counted.input_tokens > 0


def test_what_is_left_out_is_named(tmp_path: Path) -> None:
    """In a header."""
    with chat_only(tmp_path, chunk(content="x"), chunk("stop"), b"data: [DONE]\n\n") as (served, _):
        body = {
            "model": "m",
            "max_tokens": 5,
            "top_k": 3,
            "stream": True,
            "messages": [{"role": "user", "content": "x"}],
        }
        done = served.post("/v1/messages?beta=true", json=body)
    assert (done.status_code, done.headers["x-jairouter-dropped"]) == (200, "top_k")
    assert done.headers["content-type"].startswith("text/event-stream")


def test_a_cut_stream_ends_with_an_error(tmp_path: Path) -> None:
    """In Anthropic's form, and never as if it were complete."""
    with chat_only(tmp_path, chunk(content="half")) as (served, _):
        body = {"model": "m", "max_tokens": 5, "stream": True, "messages": [{"role": "user", "content": "x"}]}
        done = served.post("/v1/messages", json=body)
        with sdk(served) as client, pytest.raises(anthropic.APIStatusError):
            streamed(client)
    assert "message_stop" not in done.text
    last = done.text.strip().split("\n\n")[-1]
    assert last.startswith("event: error\n")
    assert json.loads(last.split("data: ")[1])["type"] == "error"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("400 Bad Request", anthropic.BadRequestError),
        ("401 Unauthorized", anthropic.AuthenticationError),
        ("429 Too Many Requests", anthropic.RateLimitError),
        ("500 Internal Server Error", anthropic.InternalServerError),
    ],
)
def test_errors_of_the_backend(tmp_path: Path, status: str, kind: type[Exception]) -> None:
    """They keep their status and their words."""
    with backend(answer({"error": {"message": "the backend's words", "type": "x"}}, status)) as behind:
        text = services(chat=[behind.url]).replace("base-url:", "speaks: [chat]\n          base-url:")
        with (
            serving("--config", str(config(tmp_path, text))) as served,
            sdk(served) as client,
            pytest.raises(kind, match="the backend's words"),
        ):
            ask(client)


def test_a_failover_crosses_dialects_unseen(tmp_path: Path) -> None:
    """From one that speaks the dialect to one that does not, and back; the client sees no difference."""
    with mock("native") as (native, first), mock("other") as (_, second):
        text = services(chat=[first, second]).replace(
            f"base-url: {second}\n", f"base-url: {second}\n          speaks: [chat]\n"
        )
        with serving("--config", str(config(tmp_path, text))) as served, sdk(served) as client:
            before = [text_of(streamed(client)) for _ in range(4)]
            kill(native)
            after = [text_of(streamed(client)) for _ in range(4)]
            whole = [text_of(ask(client)) for _ in range(2)]
    assert {*before, *after, *whole} == {"You said: one two"}


def test_a_head_that_lies(tmp_path: Path) -> None:
    """A success that is none of a chat is a failure of the backend: another instance is asked."""
    with backend(answer({"hello": "world"})) as lying, mock("m") as (_, url):
        text = services(chat=[lying.url, url]).replace("base-url:", "speaks: [chat]\n          base-url:")
        with serving("--config", str(config(tmp_path, text))) as served, sdk(served) as client:
            assert [text_of(ask(client)) for _ in range(3)] == ["You said: one two"] * 3


def test_what_is_no_request(tmp_path: Path) -> None:
    """It is refused in Anthropic's form, and costs nobody an attempt."""
    with chat_only(tmp_path) as (served, behind):
        done = httpx.post(f"{served.url}/v1/messages", json={"model": "m", "messages": 1}, trust_env=False)
    assert (done.status_code, done.json()["type"], done.json()["error"]["type"]) == (
        400,
        "error",
        "invalid_request_error",
    )
    assert len(behind.requests) <= 1
