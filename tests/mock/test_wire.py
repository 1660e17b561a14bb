"""What goes over the wire, for clients that are no SDK: events, rankings, errors."""

import json
from typing import Any

import httpx
import pytest

from tests.mock.pictures import read_png
from tests.mock.running import Mock

CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
FORM = {"model": "m"}
FILE = {"file": ("a.bin", b"12345")}


def events(answer: httpx.Response) -> list[str]:
    """Return the data of each event."""
    *data, rest = answer.text.split("\n\n")
    assert rest == ""
    return [event.removeprefix("data: ") for event in data]


def test_chat_events(mock: Mock) -> None:
    """The role, a chunk per word, the reason, the usage, `[DONE]`: each in OpenAI's form."""
    answer = mock.post("/v1/chat/completions", CHAT | {"stream": True, "stream_options": {"include_usage": True}})
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    *chunks, done = events(answer)
    found = [json.loads(chunk) for chunk in chunks]
    head = {key: found[0][key] for key in ("id", "object", "created", "model", "system_fingerprint")}
    assert head["object"] == "chat.completion.chunk"
    ends: list[tuple[dict[str, str | None], str | None]] = [
        ({"role": "assistant", "content": "", "refusal": None}, None)
    ]
    ends += [({"content": word}, None) for word in ("You", " said:", " hi")]
    ends += [({}, "stop")]
    spoken: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}], "usage": None}
        for delta, finish in ends
    ]
    last: dict[str, Any] = {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4}}
    assert found == [head | chunk for chunk in (*spoken, last)]
    assert done == "[DONE]"


def test_no_usage_unless_asked_for(mock: Mock) -> None:
    """The chunks do not even have the key."""
    *chunks, _ = events(mock.post("/v1/completions", {"model": "m", "prompt": "hi", "stream": True}))
    assert [sorted(json.loads(chunk)) for chunk in chunks] == [
        ["choices", "created", "id", "model", "object", "system_fingerprint"]
    ] * 4


def test_tool_events(mock: Mock) -> None:
    """Name and id once, the arguments in pieces."""
    function = {"name": "f", "parameters": {"type": "object", "required": ["x"]}}
    body = CHAT | {"stream": True, "tools": [{"type": "function", "function": function}], "tool_choice": "required"}
    body["messages"] = [{"role": "user", "content": "a b"}]
    *chunks, _ = events(mock.post("/v1/chat/completions", body))
    first, named, rest, last = (json.loads(chunk)["choices"][0] for chunk in chunks)
    assert first["delta"] == {"role": "assistant", "content": None, "refusal": None}
    (call,) = named["delta"]["tool_calls"]
    assert call.pop("id").startswith("call_")
    assert call == {"index": 0, "type": "function", "function": {"name": "f", "arguments": '{"x":"a'}}
    assert rest["delta"] == {"tool_calls": [{"index": 0, "function": {"arguments": ' b"}'}}]}
    assert (last["delta"], last["finish_reason"]) == ({}, "tool_calls")


def test_rerank(mock: Mock) -> None:
    """Best first, equal ones in their order; with texts unless they are not wanted."""
    body = {"model": "m", "query": "red fox", "documents": ["a dog", {"text": "The red fox"}, "a fox", "a fish"]}
    answer = mock.post("/v1/rerank", body).json()
    assert answer == {
        "id": "rerank-mock",
        "model": "m",
        "results": [
            {"index": 1, "relevance_score": 1.0, "document": {"text": "The red fox"}},
            {"index": 2, "relevance_score": 0.5, "document": {"text": "a fox"}},
            {"index": 0, "relevance_score": 0.0, "document": {"text": "a dog"}},
            {"index": 3, "relevance_score": 0.0, "document": {"text": "a fish"}},
        ],
        "usage": {"prompt_tokens": 11, "total_tokens": 11},
    }
    short = mock.post("/v1/rerank", body | {"top_n": 1, "return_documents": False}).json()
    assert short["results"] == [{"index": 1, "relevance_score": 1.0}]


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("chat/completions", {"messages": CHAT["messages"]}, "model"),
        ("chat/completions", CHAT | {"model": ""}, "model"),
        ("chat/completions", CHAT | {"messages": []}, "messages"),
        ("chat/completions", CHAT | {"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ("chat/completions", CHAT | {"messages": [{"content": "hi"}]}, "messages[0].role"),
        ("chat/completions", CHAT | {"n": 0}, "n"),
        ("chat/completions", CHAT | {"tool_choice": "required"}, "tool_choice"),
        ("completions", {}, "model"),
        ("embeddings", {"model": "m", "input": []}, "input"),
        ("embeddings", {"model": "m", "input": "x", "dimensions": 0}, "dimensions"),
        ("rerank", {"model": "m", "query": "x"}, "documents"),
        ("audio/speech", {"model": "m"}, "input"),
        ("images/generations", {"model": "m"}, "prompt"),
        ("images/generations", {"model": "m", "prompt": "x", "size": "0x5"}, "size"),
        ("chat/completions", [], None),
    ],
)
def test_wrong_bodies(mock: Mock, path: str, body: object, param: str | None) -> None:
    """400, and the field at fault."""
    answer = mock.post(f"/v1/{path}", body)
    error = answer.json()["error"]
    assert (answer.status_code, sorted(error)) == (400, ["code", "message", "param", "type"])
    assert (error["type"], error["param"]) == ("invalid_request_error", param)


@pytest.mark.parametrize("body", [b"", b"{", b'{"model": "\xff"}', b'{"x":' * 5000 + b"1" + b"}" * 5000])
def test_broken_bodies(mock: Mock, body: bytes) -> None:
    """No JSON, no UTF-8, no end of brackets: 400 as well."""
    answer = mock.http.post("/v1/chat/completions", content=body)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize(
    ("path", "fields", "sent", "param"),
    [
        ("audio/transcriptions", {}, FILE, "model"),
        ("audio/transcriptions", FORM, {"other": b"1"}, "file"),
        ("audio/translations", FORM | {"response_format": "tape"}, FILE, "response_format"),
        ("images/edits", FORM, {"image": b"1"}, "prompt"),
        ("images/edits", FORM | {"prompt": "x"}, {"mask": b"1"}, "image"),
        ("images/variations", FORM | {"n": "many"}, {"image": b"1"}, "n"),
    ],
)
def test_wrong_forms(mock: Mock, path: str, fields: dict[str, str], sent: Any, param: str) -> None:
    """The same for what is uploaded."""
    answer = mock.http.post(f"/v1/{path}", data=fields, files=sent)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data", "multipart/form-data; boundary=x"])
def test_broken_forms(mock: Mock, content_type: str) -> None:
    """What is no form at all."""
    headers = {"content-type": content_type}
    answer = mock.http.post("/v1/audio/transcriptions", content=b"no form", headers=headers)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("POST", "/v1/nothing", 404, "Not Found: POST /v1/nothing"),
        ("GET", "/images/cat.png", 404, "Not Found: GET /images/cat.png"),
        ("GET", "/v1/completions", 405, "Method Not Allowed: GET /v1/completions"),
    ],
)
def test_wrong_places(mock: Mock, method: str, path: str, status: int, message: str) -> None:
    """The same form, and the name of the server, as on every answer."""
    answer = mock.http.request(method, path)
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    assert (answer.status_code, answer.json()) == (status, {"error": error})
    assert answer.headers["x-mock-backend"] == "box one"


def test_translations_and_variations(mock: Mock) -> None:
    """Two endpoints that the SDK gives up; the second takes no prompt."""
    told = mock.http.post("/v1/audio/translations", data=FORM | {"response_format": "verbose_json"}, files=FILE)
    assert (told.json()["task"], told.json()["text"]) == ("translate", "a.bin has 5 bytes")
    wanted = FORM | {"n": "2", "size": "16x8", "response_format": "url"}
    links = mock.http.post("/v1/images/variations", data=wanted, files={"image": b"1"}).json()["data"]
    assert [read_png(mock.http.get(link["url"]).content)[:2] for link in links] == [(16, 8), (16, 8)]


def test_health(mock: Mock) -> None:
    """What is asked before the first request."""
    answer = mock.http.get("/health")
    assert (answer.json(), answer.headers["x-mock-backend"]) == ({"status": "ok"}, "box one")
