"""Bytes pass through, both ways, whatever they are."""

import gzip
import json

import httpx
import pytest

from jairouter_cli.web.v1.endpoints import ENDPOINTS, Endpoint
from tests.backend import answer, raw
from tests.process import worker_pids
from tests.web.conftest import Front

ODD = b'{ "model":\t"m",\r\n "a": 12345678901234567890123, "a": 1.0, "unknown": {"x": [null]}, "\\u00e9": "\xc3\xa9" }'

FORM = (
    b'--b\r\nContent-Disposition: form-data; name="timestamp_granularities[]"\r\n\r\nword\r\n'
    b'--b\r\nContent-Disposition: form-data; name="timestamp_granularities[]"\r\n\r\nsegment\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="model"\r\n\r\n\x00\x01\r\n--c\r\n\r\n'
    b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--b--\r\n'
)


def sent(endpoint: Endpoint) -> tuple[bytes, str]:
    """Return a body and its content type for an endpoint."""
    return (FORM, "multipart/form-data; boundary=b") if endpoint.multipart else (ODD, "application/json")


@pytest.mark.parametrize("prefix", ["", "/api"])
@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.path)
def test_every_endpoint_forwards_byte_for_byte(front: Front, endpoint: Endpoint, prefix: str) -> None:
    """The body, its type and the query arrive as sent; the answer comes back as given."""
    body, content_type = sent(endpoint)
    given = b'{"input_tokens" : 3}' if endpoint.tail.endswith("count_tokens") else ODD
    front.behaves(answer(given))
    response = front.gateway.post(prefix + endpoint.path + "?x=1", content=body, headers={"content-type": content_type})
    assert (response.status_code, response.content) == (200, given)
    assert (front.last.line, front.last.body) == (f"POST {endpoint.path}?x=1 HTTP/1.1", body)
    assert front.last.header("content-type") == content_type


@pytest.mark.parametrize(
    ("content_type", "body"),
    [("audio/wav", b"RIFF\x00\xff"), ("image/png", b"\x89PNG\r\n"), ("text/plain; charset=utf-8", "é".encode())],
)
def test_any_kind_of_answer_passes(front: Front, content_type: str, body: bytes) -> None:
    """Type and bytes are the backend's."""
    front.behaves(answer(body, content_type=content_type))
    response = front.gateway.post("/v1/audio/speech", json={"model": "m", "input": "x"})
    assert (response.headers["content-type"], response.content) == (content_type, body)


@pytest.mark.parametrize("status", ["201 Created", "400 Bad Request", "401 Unauthorized", "429 Too Many", "500 Oops"])
def test_a_backends_status_and_error_body_pass(front: Front, status: str) -> None:
    """What a backend says of a request is what the client reads."""
    front.behaves(answer({"error": {"message": "theirs"}}, status=status))
    response = front.gateway.post("/v1/chat/completions", json={"model": "m"})
    assert (response.status_code, response.json()) == (int(status[:3]), {"error": {"message": "theirs"}})


def test_a_503_of_the_only_backend_passes(front: Front) -> None:
    """With nobody else to ask, the last real answer is the client's."""
    front.behaves(answer({"error": "theirs"}, status="503 Busy"))
    response = front.gateway.post("/v1/chat/completions", json={"model": "m"})
    assert (response.status_code, response.json()) == (503, {"error": "theirs"})
    assert len(front.backend.requests) == 1


def test_headers_pass_both_ways_but_for_those_of_the_connection(front: Front) -> None:
    """Hop-by-hop headers and those that `Connection` names stay on their own connection."""
    front.behaves(raw(b"HTTP/1.1 200 OK\r\nX-Theirs: 1\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\n{}"))
    headers = {
        "Authorization": "Bearer mine",
        "OpenAI-Organization": "o",
        "Connection": "keep-alive, x-hop",
        "X-Hop": "1",
    }
    response = front.gateway.post("/v1/chat/completions", json={"model": "m"}, headers=headers)
    assert response.headers["x-theirs"] == "1"
    assert "keep-alive" not in response.headers
    kept = {name: front.last.header(name) for name in ("authorization", "openai-organization", "x-hop", "connection")}
    assert kept == {"authorization": "Bearer mine", "openai-organization": "o", "x-hop": None, "connection": None}


def test_a_request_id_is_kept_or_made(front: Front) -> None:
    """The client, the backend and the answer share one id."""
    given = front.gateway.post("/v1/chat/completions", json={"model": "m"}, headers={"x-request-id": "abc-1"})
    assert (given.headers["x-request-id"], front.last.header("x-request-id")) == ("abc-1", "abc-1")
    made = front.gateway.post("/v1/chat/completions", json={"model": "m"}, headers={"x-request-id": "not fit"})
    assert made.headers["x-request-id"] == front.last.header("x-request-id")
    assert made.headers["x-request-id"].startswith("req_")


def test_an_encoded_answer_stays_encoded(front: Front) -> None:
    """The gateway neither unpacks nor repacks."""
    packed = gzip.compress(b'{"long": "' + b"x" * 2000 + b'"}')
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    front.behaves(raw(head.encode() + packed))
    with httpx.stream("POST", f"{front.url}/chat/completions", json={"model": "m"}) as response:
        assert (response.headers["content-encoding"], b"".join(response.iter_raw())) == ("gzip", packed)


def test_a_large_body_passes_whole(front: Front) -> None:
    """Twenty megabytes go in and come out."""
    body = json.dumps({"model": "m", "input": "x" * 20_000_000}).encode()
    front.behaves(answer(body))
    response = front.gateway.post("/v1/embeddings", content=body, headers={"content-type": "application/json"})
    assert response.content == body
    assert front.last.body == body


def test_a_header_arrives_with_the_bytes_that_the_backend_sent(front: Front) -> None:
    """UTF-8 passes; of other bytes Granian's own interface can make nothing, so the header is left out and named."""
    head = b"HTTP/1.1 200 OK\r\nX-Title: \xc3\xa9\xe6\xa8\xa1\r\nX-Old: \xe9\r\nContent-Length: 2\r\n"
    front.behaves(raw(head + b"Connection: close, X-Hop\r\nX-Hop: 1\r\nX-JAiRouter-Route: lie\r\n\r\nok"))
    found = dict(front.gateway.post("/v1/chat/completions", json={"model": "m"}).headers.raw)
    told = {name.lower(): value for name, value in found.items() if name.lower().startswith(b"x-")}
    del told[b"x-request-id"]
    as_it_is, left_out = {b"x-old": b"\xe9"}, {b"x-jairouter-dropped-headers": b"x-old"}
    assert told in ({b"x-title": "é模".encode(), **rest} for rest in (as_it_is, left_out))


@pytest.mark.parametrize("status", ["000", "099", "101", "600", "1000"])
def test_a_status_that_no_server_can_send_on(front: Front, status: str) -> None:
    """It is a failure of the backend; the gateway goes on."""
    front.behaves(raw(f"HTTP/1.1 {status} Odd\r\nContent-Length: 0\r\n\r\n".encode()))
    assert front.gateway.post("/v1/chat/completions", json={"model": "m"}).status_code == 502
    front.behaves(answer(b"{}"))
    assert front.gateway.post("/v1/chat/completions", json={"model": "m"}).status_code == 200


@pytest.mark.parametrize(
    "head",
    [
        b"200 OK\r\n" + b"a:\r\n" * 24_576,
        b"200 OK\r\n" + b"".join(b"x-%d: y\r\n" % number for number in range(33_000)),
        b"000 Odd\r\n",
        b"099 Odd\r\n",
    ],
    ids=["repeated", "many", "000", "099"],
)
@pytest.mark.parametrize(
    "framing", [b"Content-Length: 2\r\n\r\n{}", b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"]
)
def test_a_head_that_cannot_be_sent(front: Front, head: bytes, framing: bytes) -> None:
    """The client gets 502, and the worker lives on."""
    before = worker_pids(front.gateway)
    front.behaves(raw(b"HTTP/1.1 " + head + b"Content-Type: application/json\r\n" + framing))
    response = front.gateway.post("/v1/chat/completions", json={"model": "m"})
    assert (response.status_code, response.json()["error"]["type"]) == (502, "upstream_error")
    front.behaves(answer({"ok": True}))
    assert front.gateway.post("/v1/chat/completions", json={"model": "m"}).json() == {"ok": True}
    assert worker_pids(front.gateway) == before
