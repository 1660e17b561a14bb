"""Streams arrive piece by piece and end truthfully."""

import asyncio
import threading
from typing import Any

import httpx
import pytest

from tests.backend import Received, Wire, answer, raw
from tests.web.conftest import Front

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENTS = b': hi\n\nevent: x\nid: 7\ndata: {"a": 1}\n\ndata: [DONE]\n\n'
CUT_OFF = (
    b'data: {"error":{"message":"The response of model \'m\' was cut off by the backend","type":"upstream_error",'
    b'"code":"upstream_error","details":{"source":"gateway","reason":"upstream_truncated"}}}\n\n'
)
REQUEST = {"model": "m", "stream": True}
ENGLISH = {"accept-language": "en"}


def chunk(data: bytes) -> bytes:
    """Frame a piece of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def ask(front: Front) -> httpx.Response:
    """Ask for a stream and read it to its end."""
    return front.gateway.post("/v1/chat/completions", json=REQUEST, headers=ENGLISH)


def test_a_stream_passes_unchanged(front: Front) -> None:
    """Comments, event names and ids survive; proxies are told not to hold anything back."""
    front.behaves(raw(HEAD, *(chunk(bytes([byte])) for byte in EVENTS), chunk(b"")))
    response = ask(front)
    assert (response.status_code, response.content) == (200, EVENTS)
    names = ("content-type", "cache-control", "x-accel-buffering")
    assert [response.headers[name] for name in names] == ["text/event-stream", "no-cache", "no"]


def test_events_arrive_when_they_are_sent(front: Front) -> None:
    """The backend sends the next event only after the client has read the one before."""
    turns = [threading.Event() for _ in range(5)]

    async def behave(_: Received, wire: Wire) -> None:
        await wire.send(HEAD)
        for number, turn in enumerate(turns):
            await wire.send(chunk(b"data: %d\n\n" % number))
            while not turn.is_set():  # noqa: ASYNC110 - the turn is taken in another thread
                await asyncio.sleep(0.001)
        await wire.send(chunk(b""))

    front.behaves(behave)
    with httpx.stream("POST", f"{front.url}/chat/completions", json=REQUEST) as response:
        for turn, piece in zip(turns, response.iter_raw(), strict=True):
            assert piece == b"data: %d\n\n" % turns.index(turn)
            turn.set()


@pytest.mark.parametrize("end", ["fin", "rst"])
@pytest.mark.parametrize("kept", range(len(EVENTS)))
def test_a_cut_stream_ends_with_an_error_event(front: Front, kept: int, end: str) -> None:
    """Cut anywhere: whole events, then the error; no half event, no invented end. Before the first it is none yet."""
    front.behaves(raw(HEAD, *([chunk(EVENTS[:kept])] if kept else []), then=end))
    if b"data: " not in EVENTS[: EVENTS.rfind(b"\n\n", 0, kept) + 1]:
        response = ask(front)
        assert (response.status_code, response.json()["error"]["details"]["reason"]) == (502, "upstream_broken_answer")
        return
    whole = EVENTS[: EVENTS.rfind(b"\n\n", 0, kept) + 2] if b"\n\n" in EVENTS[:kept] else b""
    assert ask(front).content == whole + CUT_OFF


def test_a_cut_answer_that_is_no_stream_is_a_broken_transfer(front: Front) -> None:
    """JSON cannot carry an error at its end; the transfer fails instead of looking complete."""
    for framing in (b"Content-Length: 100000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n64\r\n"):
        front.behaves(raw(b"HTTP/1.1 200 OK\r\n" + framing + b'{"a":'))
        with pytest.raises(httpx.RemoteProtocolError):
            front.gateway.post("/v1/chat/completions", json={"model": "m"})


def test_a_small_answer_that_is_cut_gets_an_honest_status(front: Front) -> None:
    """It is taken whole before its head goes out: 502 instead of a 200 that breaks."""
    front.behaves(raw(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"a":'))
    response = front.gateway.post("/v1/chat/completions", json={"model": "m"})
    assert (response.status_code, response.json()["error"]["details"]["reason"]) == (502, "upstream_truncated")


@pytest.mark.parametrize("begun", [True, False])
def test_when_the_client_leaves_the_backend_is_let_go(front: Front, *, begun: bool) -> None:
    """Streaming or still waiting: the connection to the backend is closed at once, and the next request is served."""
    front.behaves(raw(*([HEAD, chunk(b"data: 1\n\n")] if begun else []), then="wait"))
    with httpx.Client(timeout=0.5) as client, pytest.raises(httpx.ReadTimeout):
        client.post(f"{front.url}/chat/completions", json=REQUEST)
    assert front.last.gone.wait(5)
    front.behaves(answer({"ok": True}))
    assert front.gateway.post("/v1/chat/completions", json={"model": "m"}).json() == {"ok": True}


MESSAGE_START = b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":5}}}\n\n'
CREATED = b'event: response.created\ndata: {"type":"response.created","sequence_number":0,"response":{}}\n\n'
DELTA = b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":1}\n\n'
SAID = "\"The response of model 'm' was cut off by the backend\""
TEXT = {"content-type": "text/plain"}
DETAILS = '"details":{"source":"gateway","reason":"upstream_truncated"}'


@pytest.mark.parametrize(
    ("path", "events", "last"),
    [
        (
            "/v1/messages",
            MESSAGE_START,
            'event: error\ndata: {"type":"error","error":{"message":' + SAID + ',"type":"api_error",'
            '"code":"upstream_error",' + DETAILS + '},"request_id":"r1"}\n\n',
        ),
        (
            "/api/v1/responses",
            CREATED + DELTA,
            'event: error\ndata: {"type":"error","code":"upstream_error","message":' + SAID + ',"param":null,'
            '"sequence_number":2,"error":{"message":' + SAID + ',"type":"upstream_error","code":"upstream_error",'
            + DETAILS + "}}\n\n",
        ),
    ],
)  # fmt: skip
def test_a_cut_stream_ends_in_the_words_of_its_api(front: Front, path: str, events: bytes, last: str) -> None:
    """Clients of Anthropic's and of the Responses API pass over an event that is not one of theirs."""
    front.behaves(raw(HEAD, chunk(events + b"event: x\nda")))
    headers = {**ENGLISH, "x-request-id": "r1"}
    response = front.gateway.post(path, json=REQUEST, headers=headers)
    assert response.content == events + last.encode()


@pytest.mark.parametrize(
    ("options", "status", "kind", "reason"),
    [
        ({"json": {}}, 400, "invalid_request_error", "missing_parameter"),
        ({"content": b"x", "headers": TEXT}, 415, "invalid_request_error", "unsupported_media_type"),
        ({"json": {"model": "nobody"}}, 404, "not_found_error", "model_not_found"),
        ({"json": {"model": "m"}}, 502, "api_error", "upstream_broken_answer"),
    ],
)
def test_messages_has_the_errors_of_its_api(
    front: Front, options: dict[str, Any], status: int, kind: str, reason: str
) -> None:
    """The kind is Anthropic's word for the status; our details stay beside it."""
    front.behaves(raw(b""))
    headers = {**ENGLISH, "x-request-id": "r1", **options.get("headers", {})}
    response = front.gateway.post("/v1/messages", **{**options, "headers": headers})
    said = response.json()
    assert (response.status_code, said["type"], said["error"]["type"]) == (status, "error", kind)
    assert (said["error"]["details"]["reason"], said["request_id"]) == (reason, "r1")
