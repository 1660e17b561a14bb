"""OpenAI's Responses API in front of backends that speak chat completions, by OpenAI's own SDK."""

import json
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.adapters.chats import DONE, call, chunk
from tests.backend import Received, Wire, answer, backend, raw
from tests.process import config, mock, sdk, services, serving

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
READ: Any = {
    "type": "function",
    "name": "read",
    "parameters": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
    "strict": False,
}
PATCH: Any = {"type": "custom", "name": "patch", "description": "patches"}


def chat_only(url: str) -> str:
    """Return a configuration with a backend that has chat completions alone."""
    return services(chat=[url]).replace("base-url:", "speaks: [chat]\n          base-url:")


def test_words_and_tools(tmp_path: Path) -> None:
    """Whole and streamed, put together by the SDK, which raises for every slip in the grammar."""
    with mock("m") as (_, url), serving("--config", str(config(tmp_path, chat_only(url)))) as served:
        with sdk(served) as client:
            whole = client.responses.create(model="m", input="one two", instructions="be brief")
            assert (whole.output_text, whole.status, whole.model) == ("You said: one two", "completed", "m")
            assert whole.usage is not None
            assert (whole.usage.input_tokens, whole.usage.output_tokens) == (4, 4)
            with client.responses.stream(model="m", input="one two") as stream:
                kinds = [event.type for event in stream]
                assert stream.get_final_response().output_text == "You said: one two"
            assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")
            for tool, kind in ((READ, "function_call"), (PATCH, "custom_tool_call")):
                choice: Any = {"type": "function", "name": tool["name"]}
                with client.responses.stream(model="m", input="x", tools=[READ, PATCH], tool_choice=choice) as stream:
                    [item] = stream.get_final_response().output
                assert item.type == kind
            with pytest.raises(openai.BadRequestError, match="previous_response_id is not supported"):
                client.responses.create(model="m", input="x", previous_response_id="r")
        usage = served.get("/api/token-usage/statistics").json()["data"]
    assert usage["totalTokens"] > 0


def test_a_backend_without_the_path_is_learned(tmp_path: Path) -> None:
    """It is asked once, and in chat completions from then on."""
    stream = raw(HEAD, chunk(content="hi"), chunk("stop"), DONE)

    async def behave(received: Received, wire: Wire) -> None:
        has_path = received.line.startswith("POST /v1/chat/completions ")
        await (stream if has_path else answer({"detail": "Not Found"}, "404 Not Found"))(received, wire)

    with backend(behave) as behind, serving("--config", str(config(tmp_path, services(chat=[behind.url])))) as served:
        with sdk(served) as client:
            for _ in range(2):
                with client.responses.stream(model="m", input="x") as events:
                    assert events.get_final_response().output_text == "hi"
        paths = [one.line.split()[1] for one in behind.requests]
    assert paths == ["/v1/responses", "/v1/chat/completions", "/v1/chat/completions"]


def test_a_cut_stream_has_failed(tmp_path: Path) -> None:
    """Agents wait for an end: it is `response.failed`, and the SDK raises."""
    pieces = (chunk(content="half"), chunk(tool_calls=[call(0, "read", '{"a"', "x")]))
    with (
        backend(raw(HEAD, *pieces)) as behind,
        serving("--config", str(config(tmp_path, chat_only(behind.url)))) as served,
        sdk(served) as client,
    ):
        text = served.post("/v1/responses", json={"model": "m", "input": "x", "stream": True}).text
        with pytest.raises(openai.APIError), client.responses.stream(model="m", input="x") as stream:
            stream.until_done()
    said = [json.loads(event.split("data: ")[1]) for event in text.strip().split("\n\n")]
    assert [one["sequence_number"] for one in said] == list(range(len(said)))
    assert [one["type"] for one in said[-2:]] == ["response.failed", "error"]
    assert said[-2]["response"]["id"] == said[0]["response"]["id"]
    assert "response.completed" not in text


def test_a_models_own_limit(tmp_path: Path) -> None:
    """An answer that was cut by it is incomplete, and says why."""
    with (
        backend(raw(HEAD, chunk(content="ha"), chunk("length"), DONE)) as behind,
        serving("--config", str(config(tmp_path, chat_only(behind.url)))) as served,
        sdk(served) as client,
        client.responses.stream(model="m", input="x", max_output_tokens=1) as stream,
    ):
        kinds = [event.type for event in stream]
    assert kinds[-1] == "response.incomplete"
    assert json.loads(behind.requests[0].body)["max_tokens"] == 1
