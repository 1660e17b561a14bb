"""A stream that begins with an error is none."""

import gzip
import json
from typing import Any

import pytest

from jairouter_cli.payloads.first_event import Beginning, ErrorEvent

LIMITED = ("no", "server_error", "rate_limit_exceeded")
FAILED = ("no", "server_error", "server_error")
OVERLOADED = b'{"error":{"message":"overloaded","type":"overloaded_error","code":503}}'


def begins(stream: bytes, size: int = 1 << 20, coding: str = "") -> tuple[bool, ErrorEvent | None]:
    """Return whether a stream has begun, and with which error."""
    beginning = Beginning(coding)
    for start in range(0, len(stream), size):
        beginning.add(stream[start : start + size])
    return beginning.is_over, beginning.error


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize(
    "before",
    [
        b"",
        b": hi\n\n",
        b"retry: 3000\n\n",
        b'event: ping\ndata: {"type":"ping"}\n\n',
        b"data:\n\n",
        b": a\r\n\r\n: b\r\r",
    ],
)
def test_comments_and_pings_are_no_beginning(before: bytes, size: int) -> None:
    """Nor is anything else that says nothing, in any pieces."""
    assert begins(before, size) == (False, None)
    assert begins(before + b"data: " + OVERLOADED + b"\n\n", size) == (True, ErrorEvent(503, OVERLOADED))
    assert begins(before + b'data: {"choices":[]}\n\ndata: ' + OVERLOADED + b"\n\n", size) == (True, None)
    packed = gzip.compress(before + b"data: " + OVERLOADED + b"\n\n")
    assert begins(packed, size, "gzip") == (True, ErrorEvent(503, OVERLOADED))


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"error": {"message": "x", "code": 503}}, 503),
        ({"error": {"message": "x", "code": "429"}}, 429),
        ({"error": {"message": "x", "status": 500}}, 500),
        ({"error": {"message": "x"}, "status_code": 504}, 504),
        ({"error": {"message": "x", "code": 200}}, 502),
        ({"error": {"message": "x", "code": True}}, 502),
        ({"error": {"message": "x", "code": 10**18}}, 502),
        ({"error": {"message": "x", "code": "9" * 5000}}, 502),
        ({"error": {"message": "x", "type": "BadRequestError", "code": None}}, 400),
        ({"error": {"message": "x", "type": "x", "code": "context_length_exceeded"}}, 400),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, 503),
        ({"choices": [], "error": {"message": "x"}}, 502),
    ],
)
def test_the_status_that_an_error_names(said: dict[str, Any], status: int) -> None:
    """In a number or a word; what has its form already stays as it is."""
    data = json.dumps(said).encode()
    assert begins(b"event: x\ndata: " + data + b"\n\n") == (True, ErrorEvent(status, data))


@pytest.mark.parametrize(
    ("event", "status", "error"),
    [
        (b"event: error\ndata: it broke", 502, ("it broke", "server_error", None)),
        (b'data: {"error":"it broke","status":500}', 500, ("it broke", "server_error", None)),
        (b'error: {"message":"it broke","type":"server_error","code":500}', 500, ("it broke", "server_error", 500)),
        (b'data: {"object":"error","message":"no","type":"BadRequestError"}', 400, ("no", "BadRequestError", None)),
        (b'event: error\ndata: {"type":"error","code":"rate_limit_exceeded","message":"no"}', 429, LIMITED),
        (b'data: {"type":"response.failed","response":{"error":{"code":"server_error","message":"no"}}}', 500, FAILED),
        (b'data: {"type":"response.failed"}', 502, ("the backend failed", "server_error", None)),
    ],
)
def test_other_forms_are_put_into_openais(event: bytes, status: int, error: tuple[object, ...]) -> None:
    """For clients of a whole answer read `error`."""
    over, found = begins(event + b"\n\n")
    assert over
    assert found is not None
    said = json.loads(found.body)["error"]
    assert (found.status, (said["message"], said["type"], said["code"])) == (status, error)


@pytest.mark.parametrize(
    "data",
    [
        b"[DONE]",
        b'{"choices":[],"error":null}',
        b'{"response":{"error":{}}}',
        b"[" * 60_000,
        b"\xff",
        b"x" * 70_000,
        b"7",
    ],
)
def test_anything_else_is_a_beginning(data: bytes) -> None:
    """However odd."""
    assert begins(b"data: " + data + b"\n\n") == (True, None)


def test_a_long_beginning_is_not_waited_for() -> None:
    """Nor an endless row of comments, nor what is packed in a way that is not known; the end ends it."""
    assert begins(b"data: " + b"x" * (1 << 16)) == (True, None)
    assert begins(b": hi\n\n" * 11_000, 1000) == (True, None)
    assert begins(b"\x8b", coding="br") == (True, None)
    beginning = Beginning("")
    beginning.add(b"data: " + OVERLOADED)
    assert not beginning.is_over
    beginning.add(b"")
    assert (beginning.is_over, beginning.error) == (True, ErrorEvent(503, OVERLOADED))
