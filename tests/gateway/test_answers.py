"""What a backend may say, and what is its failure: a table of answers, each read whole and byte by byte."""

import asyncio
from itertools import pairwise
from typing import Final

import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jairouter_cli.gateway.upstream.connection import Connection
from jairouter_cli.gateway.upstream.exchange import FailureKind, UpstreamFailure, UpstreamRequest
from jairouter_cli.gateway.upstream.head import MOST_BYTES, MOST_LINES
from jairouter_cli.routing.call import Timeouts

REQUEST: Final = UpstreamRequest("http://b", "/", [], b"", Timeouts(5, 5, 5, 5))
OK: Final = b"HTTP/1.1 200 OK\r\n"
END: Final = b"Content-Length: 2\r\n\r\nok"
CHUNKED: Final = OK + b"Transfer-Encoding: chunked\r\n\r\n"


class Nobody:
    """An owner that keeps no connections."""

    def give_back(self, connection: Connection) -> None:
        """Forget it."""

    def drop(self, connection: Connection) -> None:
        """Forget it."""


class Socket(asyncio.Transport):
    """A transport that goes nowhere, and knows whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take it."""

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self.is_closed

    def abort(self) -> None:
        """Close."""
        self.is_closed = True

    def pause_reading(self) -> None:
        """Go on."""

    def resume_reading(self) -> None:
        """Go on."""


def read(*pieces: bytes, then_closed: bool = False) -> tuple[int, list[tuple[str, str]], bytes] | str:
    """Return what a connection makes of these bytes: status, headers and body, or why it failed."""

    async def scenario() -> tuple[int, list[tuple[str, str]], bytes] | str:
        loop, socket = asyncio.get_running_loop(), Socket()
        connection = Connection(Nobody(), loop)
        connection.connection_made(socket)
        sending = loop.create_task(connection.exchange(b"", REQUEST))
        await asyncio.sleep(0)
        for piece in pieces:
            if not socket.is_closed:
                connection.data_received(piece)
        if then_closed or socket.is_closed:
            connection.connection_lost(None)
        try:
            async with asyncio.timeout(1):
                await sending
                body = b""
                while data := await connection.read():
                    body += data
        except UpstreamFailure as failure:
            left_open = "" if socket.is_closed or then_closed else ", and the connection was left open"
            return failure.detail + ("" if failure.kind is FailureKind.BROKEN else str(failure)) + left_open
        except TimeoutError:
            sending.cancel()
            return "it waits for more"
        return connection.status, list(connection.headers), body

    return asyncio.run(scenario())


NOT_HTTP = "the backend's response is not HTTP/1.1: "
TOO_MANY = f"the backend's response has more than {MOST_LINES} header lines"
TOO_LONG = f"the backend's response has more than {MOST_BYTES // 1024} KiB of headers"
AROUND = f"the backend sent more than {MOST_BYTES // 1024} KiB of chunk headers and trailers"

FAILURES: Final[dict[str, tuple[bytes, str]]] = {
    **{
        f"status {number}": (
            b"HTTP/1.1 %03d Odd\r\n" % number + END,
            f"the backend's response has status {number}, which is not an HTTP status",
        )
        for number in (0, 99, 600, 999)
    },
    "status of four digits": (b"HTTP/1.1 1000 OK\r\n" + END, NOT_HTTP + "Invalid response status"),
    "status of two digits": (b"HTTP/1.1 20 OK\r\n" + END, NOT_HTTP + "Invalid status code"),
    "another protocol": (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "the backend switched to another protocol without being asked",
    ),
    "HTTP/2.0": (b"HTTP/2.0 200 OK\r\n" + END, "the backend responded in HTTP/2.0, not HTTP/1.1"),
    "HTTP/0.9": (b"<html>hello</html>", NOT_HTTP + "Expected HTTP/, RTSP/ or ICE/"),
    "a folded line": (OK + b"X-A: a\r\n  b\r\n" + END, NOT_HTTP + "Unexpected whitespace after header value"),
    "NUL in a value": (OK + b"X-A: a\0b\r\n" + END, NOT_HTTP + "Invalid header value char"),
    "a control byte in a value": (OK + b"X-A: a\x01b\r\n" + END, NOT_HTTP + "Invalid header value char"),
    "a bare CR in a value": (OK + b"X-A: a\rb\r\n" + END, NOT_HTTP + "Missing expected LF after header value"),
    "a space in a name": (OK + b"X A: b\r\n" + END, NOT_HTTP + "Invalid header token"),
    "a letter beyond ASCII in a name": (OK + b"X\xe9: b\r\n" + END, NOT_HTTP + "Invalid header token"),
    "no name": (OK + b": b\r\n" + END, NOT_HTTP + "Invalid header token"),
    "no colon": (OK + b"XA\r\n" + END, NOT_HTTP + "Invalid header token"),
    "the length twice": (OK + b"Content-Length: 2\r\n" + END, NOT_HTTP + "Duplicate Content-Length"),
    "two lengths": (OK + b"Content-Length: 3\r\n" + END, NOT_HTTP + "Duplicate Content-Length"),
    "a length below nothing": (
        OK + b"Content-Length: -2\r\n\r\nok",
        NOT_HTTP + "Invalid character in Content-Length",
    ),
    "an enormous length": (OK + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n", NOT_HTTP + "Content-Length overflow"),
    "a length and chunks": (
        OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        NOT_HTTP + "Transfer-Encoding can't be present with Content-Length",
    ),
    "chunks and a length": (
        OK + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
        NOT_HTTP + "Content-Length can't be present with Transfer-Encoding",
    ),
    "packed for the way": (
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "the backend used the unsupported transfer coding 'gzip, chunked'",
    ),
    "an unknown coding": (
        OK + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "the backend used the unsupported transfer coding 'xchunked'",
    ),
    "a chunk of twenty digits": (CHUNKED + b"1" * 20 + b"\r\nok", NOT_HTTP + "Chunk size overflow"),
    "a chunk below nothing": (CHUNKED + b"-2\r\nok", NOT_HTTP + "Invalid character in chunk size"),
    "TLS": (b"\x15\x03\x01\x00\x02\x02\x16", "the backend speaks TLS, not plain HTTP: its base-url should begin with https://"),
    "many header lines": (OK + b"a:\r\n" * (MOST_LINES + 1) + END, TOO_MANY),
    "sixty thousand header lines": (OK + b"a:\r\n" * 60_000 + END, TOO_MANY),
    "an interim answer of many lines": (b"HTTP/1.1 103 E\r\n" + b"a:\r\n" * 300 + b"\r\n" + OK + END, TOO_MANY),
    "interim answers without end": (b"HTTP/1.1 103 E\r\na: b\r\n\r\n" * 5000, TOO_MANY),
    "empty interim answers without end": (b"HTTP/1.1 100 C\r\n\r\n" * 20_000, TOO_LONG),
    "large header lines": (OK + b"a: %b\r\n" % (b"b" * 2000) * 100 + END, TOO_LONG),
    "an endless line": (OK + b"a: " + b"b" * 200_000, TOO_LONG),
    "an endless name": (OK + b"b" * 200_000, TOO_LONG),
    "an endless reason": (b"HTTP/1.1 200 " + b"b" * 200_000, TOO_LONG),
    "endless empty lines": (b"\r\n" * 100_000, TOO_LONG),
}  # fmt: skip

SMALL: Final = [wire for wire, _ in FAILURES.values() if len(wire) < 4000]

# What comes in pieces only: of one piece, the size is known.
DRIPPING: Final[dict[str, tuple[bytes, bytes, str]]] = {
    "a chunk's extension without end": (CHUNKED + b"2;", b"a" * 1000, AROUND),
    "trailers without end": (CHUNKED + b"2\r\nok\r\n0\r\n", b"a: b\r\n" * 200, AROUND),
    "an endless trailer": (CHUNKED + b"2\r\nok\r\n0\r\na: ", b"b" * 1000, AROUND),
}


@pytest.mark.parametrize("name", FAILURES)
def test_what_no_server_may_say_is_the_backends_failure(name: str) -> None:
    """In one piece: a plain reason, and the connection is closed."""
    wire, reason = FAILURES[name]
    assert read(wire, then_closed=True) == reason


@pytest.mark.parametrize("name", [name for name in FAILURES if len(FAILURES[name][0]) < 4000])
def test_and_however_it_is_cut(name: str) -> None:
    """Byte by byte the reason is the same."""
    wire, reason = FAILURES[name]
    if name != "TLS":  # told by its first two bytes
        assert read(*(wire[at : at + 1] for at in range(len(wire))), then_closed=True) == reason


@pytest.mark.parametrize("name", DRIPPING)
def test_what_stands_around_chunks_is_bounded(name: str) -> None:
    """It gives no body, so it cannot go on for ever."""
    begin, piece, reason = DRIPPING[name]
    assert read(begin, *[piece] * 200) == reason


def test_the_last_header_line_that_is_taken() -> None:
    """As many as are allowed, and a head of nearly the size that is allowed."""
    lines = b"a:\r\n" * (MOST_LINES - 1)
    assert read(OK + lines + END) == (200, [("a", "")] * (MOST_LINES - 1) + [("content-length", "2")], b"ok")
    large = b"b" * (MOST_BYTES - 100)
    assert read(OK + b"a: " + large + b"\r\n" + END) == (200, [("a", large.decode()), ("content-length", "2")], b"ok")


def test_what_is_not_for_the_client_goes_no_further() -> None:
    """The connection's own headers, those it names, and those that only the gateway may say."""
    said = (
        b"Connection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5\r\nx-hop: 1\r\nX-JAiRouter-Route: lie\r\n"
        b"Proxy-Authenticate: Basic\r\nX-Kept: \xc3\xa9\xff\r\n"
    )
    kept = [("x-kept", "Ã©ÿ"), ("content-length", "2")]
    assert read(OK + said + END) == (200, kept, b"ok")


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([OK + END, CHUNKED + b"2\r\nok\r\n0\r\n\r\n", *SMALL]),
    st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=3)), max_size=3),
    st.lists(st.integers(0, 4000), max_size=5),
)
def test_nonsense_is_the_same_nonsense_in_any_pieces(
    wire: bytes, edits: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    """Bytes put in anywhere: never another exception than `UpstreamFailure`, and cuts change nothing but words."""
    for at, put in edits:
        wire = wire[: at % (len(wire) + 1)] + put + wire[at % (len(wire) + 1) :]
    edges = sorted({0, len(wire), *(at % (len(wire) + 1) for at in cuts)})
    whole = read(wire, then_closed=True)
    cut = read(*(wire[a:b] for a, b in pairwise(edges)), then_closed=True)
    assert (whole == cut) if isinstance(whole, tuple) else isinstance(cut, str)


def test_every_error_of_the_parser_is_known() -> None:
    """They have one root beside that of an upgrade; a version that grows another must not let it escape."""
    errors = [one for one in vars(httptools).values() if isinstance(one, type) and issubclass(one, Exception)]
    assert [one.__name__ for one in errors if not issubclass(one, httptools.HttpParserError)] == ["HttpParserUpgrade"]
