"""Bytes that are not ASCII, where a request may have them outside of its body."""

import socket

import pytest

from tests.web.conftest import Front

BODY = b'{"model":"m"}'
VALUES = {"utf-8": "José 中".encode(), "latin-1": b"Jos\xe9"}


def ask(front: Front, line: bytes, *headers: bytes, body: bytes = b"") -> tuple[int, bytes]:
    """Send exact bytes; return the status, and all that came."""
    host, _, port = front.gateway.url.removeprefix("http://").rpartition(":")
    lines = [line, b"host: localhost", b"connection: close", b"accept-language: en", *headers]
    if body:
        lines += [b"content-type: application/json", b"content-length: %d" % len(body)]
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        came = b""
        while piece := connection.recv(65536):
            came += piece
    return int(came.split(b" ")[1]), came


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_header_reaches_the_backend_or_the_client_is_told(front: Front, value: bytes) -> None:
    """Over Granian's own interface it cannot be had: the error names it. It never vanishes."""
    status, came = ask(front, b"POST /v1/embeddings HTTP/1.1", b"X-User: " + value, body=BODY)
    if status == 200:
        assert front.last.header("x-user") == value.decode("latin-1")
    else:
        assert (status, front.backend.requests) == (400, [])
        assert b"The value of the header 'x-user' is not ASCII" in came


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_header_that_is_not_forwarded_does_no_harm(front: Front, value: bytes) -> None:
    """Such as a cookie that another program of this machine has set, or the page that a user comes from."""
    headers = (b"Cookie: a=" + value, b"Referer: http://x/" + value)
    assert ask(front, b"POST /v1/embeddings HTTP/1.1", *headers, body=BODY)[0] == 200
    assert ask(front, b"GET /api/config/type HTTP/1.1", b"X-User: " + value)[0] == 200


@pytest.mark.parametrize("query", ["x=é", "x=中", "x=%zz&y=%C3%A9&é"])
def test_a_query_reaches_the_backend_byte_for_byte(front: Front, query: str) -> None:
    """Escaped or not."""
    status, _ = ask(front, f"POST /v1/embeddings?{query} HTTP/1.1".encode(), body=BODY)
    line = f"POST /v1/embeddings?{query} HTTP/1.1"
    assert (status, front.last.line) == (200, line.encode().decode("latin-1"))


@pytest.mark.parametrize(
    ("target", "statuses"),
    [
        ("/v1/models?x=é", {200}),
        ("/v1/models/中", {404}),
        ("/v1/中?x=中", {404}),
        ("/v1/embeddings?x=中", {405}),
        ("/é/中?x=中", {404}),
        ("/api/config/type?x=中", {200}),
        ("/api/config/instance/type/中", {400, 404}),
        ("/api/explain?service=chat&model=中", {404}),
        ("/api/中", {404}),
        ("/actuator/health?x=中", {200}),
        ("/actuator/metrics/中", {404}),
        ("/actuator/中", {404}),
        ("/swagger-ui/中", {404}),
    ],
)
def test_no_address_is_a_bug(front: Front, target: str, statuses: set[int]) -> None:
    """With letters of any kind in path and query, as they are and escaped."""
    assert ask(front, f"GET {target} HTTP/1.1".encode())[0] in statuses
    escaped = "".join(letter if letter.isascii() else f"%{letter.encode()[0]:02x}" for letter in target)
    assert ask(front, f"GET {escaped} HTTP/1.1".encode())[0] in statuses | {400}


@pytest.mark.parametrize("value", ["é", "203.0.113.9, é", "é, 203.0.113.9"])
@pytest.mark.parametrize("name", ["Origin", "Sec-Fetch-Site"])
def test_what_cannot_be_read_is_not_taken_for_absent(front: Front, name: str, value: str) -> None:
    """By who decides whether a page of somebody else's asks."""
    status, _ = ask(front, b"GET /api/config/type HTTP/1.1", f"{name}: {value}".encode())
    assert status in {400, 403}


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded"])
@pytest.mark.parametrize(
    "lines",
    [["é, 203.0.113.9"], ["203.0.113.9, é"], ["é"], ["é", "127.0.0.1"], ["é, 203.0.113.9", "127.0.0.1"]],
)
def test_a_way_that_cannot_be_read_leads_nowhere(front: Front, name: str, lines: list[str]) -> None:
    """A client that spoils what its proxy says of it is not taken for the proxy, which may be on this machine."""
    start = "for=" if name == "Forwarded" else ""
    headers = [f"{name}: {', '.join(start + hop for hop in line.split(', '))}".encode() for line in lines]
    assert ask(front, b"GET /api/config/type HTTP/1.1", *headers)[0] == 403
    assert ask(front, b"GET /api/config/type HTTP/1.1", f"{name}: {start}127.0.0.1".encode())[0] == 200
