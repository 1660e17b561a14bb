"""Until a stream's first event is there, another instance may still answer; packed streams pass as they come."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.backend import Backend, Behaviour, answer, backend, raw
from tests.process import Served, config, eventually, services, serving

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n%s\r\n"
PLAIN = HEAD % b""
WORD = b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'
DONE = b"data: [DONE]\n\n"
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":3000,"completion_tokens":7,"total_tokens":3007}}\n\n'
OVERLOADED = b'{"error":{"message":"overloaded","type":"overloaded_error","code":503}}'
INVALID = b'{"error":{"message":"no","type":"invalid_request_error","code":400}}'
REQUEST = {"model": "m", "stream": True, "messages": []}


def gzipped(*pieces: bytes) -> tuple[bytes, ...]:
    """Pack pieces, each so that it can be read when it is there."""
    packer = zlib.compressobj(wbits=31)
    return *(packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH) for piece in pieces), packer.flush()


@dataclass
class Two:
    """A gateway in front of two instances: the second is asked only when the first does not do."""

    served: Served
    first: Backend
    second: Backend

    def ask(self, path: str = "/v1/chat/completions", **more: Any) -> httpx.Response:
        """Ask for a stream."""
        return self.served.post(path, json={**REQUEST, **more})

    def newest(self) -> dict[str, Any]:
        """Return what is on the books of the last call, once there is one."""
        recent: list[dict[str, Any]] = eventually(
            lambda: self.served.get("/api/token-usage/recent?limit=1").json()["data"]
        )
        return recent[0]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    """One gateway for all tests of this file."""
    with backend(answer({})) as first, backend(answer({})) as second:
        text = services(chat=[first.url, second.url])
        text = text.replace(f"{second.url}\n", f"{second.url}\n          priority: 1\n")
        calm = "{type: round-robin, health-check: {enabled: false}}\n  circuit-breaker: {enabled: false}"
        text = text.replace("  load-balance: round-robin", f"  load-balance: {calm}")
        text += "usage: {flush-interval: 50ms, ask-in-streams: true}\n"
        with serving("--config", str(config(tmp_path_factory.mktemp("two"), text))) as served:
            yield Two(served, first, second)


@pytest.fixture
def two(running: Two) -> Two:
    """Give it backends that have not been asked yet."""
    running.first.requests.clear()
    running.second.requests.clear()
    running.second.behave = raw(PLAIN + WORD + DONE)
    return running


@pytest.mark.parametrize(
    "begins",
    [
        raw(PLAIN + b": hi\n\n", b"data: " + OVERLOADED + b"\n\n" + DONE),
        raw(PLAIN + b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"x"}}\n\n'),
        raw(HEAD % b"Content-Encoding: gzip\r\n", *gzipped(b": hi\n\n", b"data: " + OVERLOADED + b"\n\n")),
        raw(PLAIN.replace(b"Connection: close", b"Content-Length: 100") + b": hi\n\nda"),
    ],
)
def test_another_instance_answers(two: Two, begins: Behaviour) -> None:
    """An error as first event, in any form, packed or not, and a cut before it: the client sees nothing of them."""
    two.first.behave = begins
    assert two.ask().content == WORD + DONE
    assert (len(two.first.requests), len(two.second.requests)) == (1, 1)


def test_when_all_begin_with_an_error(two: Two) -> None:
    """The client gets the last one with the status that it names; no tokens are counted."""
    two.first.behave = two.second.behave = raw(PLAIN + b"data: " + OVERLOADED + b"\n\n")
    response = two.ask()
    assert (response.status_code, response.headers["content-type"], response.content) == (
        503,
        "application/json",
        OVERLOADED,
    )
    assert len(two.second.requests) == 1
    eventually(lambda: two.newest()["status"] == 503)
    assert two.newest()["totalTokens"] is None


def test_a_clients_error_is_not_asked_again(two: Two) -> None:
    """Another instance would say the same."""
    two.first.behave = raw(PLAIN + b"data: " + INVALID + b"\n\n")
    response = two.ask()
    assert (response.status_code, response.content, len(two.second.requests)) == (400, INVALID, 0)


def test_a_later_error_passes(two: Two) -> None:
    """The client has begun to read."""
    two.first.behave = raw(PLAIN + WORD + b"data: " + OVERLOADED + b"\n\n")
    assert two.ask().content == WORD + b"data: " + OVERLOADED + b"\n\n"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_a_packed_stream_passes(two: Two, path: str) -> None:
    """As it is packed where nothing is taken out of it; its usage is on the books, and hidden where asked."""
    two.first.behave = raw(HEAD % b"Content-Encoding: gzip\r\n", *gzipped(WORD, USAGE, DONE))
    response = two.ask(path)
    is_ours = path == "/v1/chat/completions"
    assert response.headers.get("content-encoding") == (None if is_ours else "gzip")
    assert response.content == (WORD + DONE if is_ours else WORD + USAGE + DONE)
    eventually(lambda: two.newest()["promptTokens"] == 3000)
    assert (two.newest()["completionTokens"], two.newest()["source"]) == (7, "measured")


def test_a_packed_stream_that_is_cut_is_a_broken_transfer(two: Two) -> None:
    """What is packed cannot take in an event."""
    pieces = gzipped(WORD, USAGE)
    head = HEAD.replace(b"Connection: close", b"Content-Length: 5000") % b"Content-Encoding: gzip\r\n"
    two.first.behave = raw(head, *pieces[:1])
    with pytest.raises(httpx.RemoteProtocolError):
        two.ask("/v1/messages")


def test_the_usage_of_a_packed_answer(two: Two) -> None:
    """Whole, and of a coding that is read here; what is packed otherwise is not asked for."""
    body = b"".join(gzipped(b'{"choices":[],"usage":{"prompt_tokens":3000,"completion_tokens":9}}'))
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    two.first.behave = raw(head % len(body) + body)
    headers = {"accept-encoding": "gzip, deflate, br, zstd"}
    response = two.served.post("/v1/chat/completions", json={"model": "m", "messages": []}, headers=headers)
    assert (response.headers["content-encoding"], response.json()["choices"]) == ("gzip", [])
    assert two.first.requests[-1].header("accept-encoding") == "gzip, deflate"
    eventually(lambda: two.newest()["completionTokens"] == 9)
    assert (two.newest()["promptTokens"], two.newest()["source"]) == (3000, "measured")
