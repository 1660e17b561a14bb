"""However an answer's bytes are cut, and wherever it ends, http1 says the same of it."""

import asyncio
from itertools import pairwise
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from jairouter_cli.config.model import ConnectionPool
from jairouter_cli.gateway.upstream.exchange import UpstreamFailure, UpstreamRequest
from jairouter_cli.gateway.upstream.http1 import Http1Upstream
from jairouter_cli.routing.call import Timeouts


class Outcome(NamedTuple):
    """What became of an exchange: the body as far as it came, and whether it was said to be whole."""

    status: int
    body: bytes
    is_whole: bool


def speak(pieces: list[bytes]) -> Outcome:
    """Have a server say these bytes, piece by piece, and close; return what the client makes of it."""

    async def scenario() -> Outcome:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        upstream = Http1Upstream(ConnectionPool())
        origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        body, status = b"", 0
        try:
            exchange = await upstream.send(UpstreamRequest(origin, "/", [], b"", Timeouts(5, 5, 5, 5)))
            status = exchange.status
            while piece := await exchange.read():
                body += piece
            await exchange.aclose()
        except UpstreamFailure:
            return Outcome(status, body, is_whole=False)
        finally:
            await upstream.aclose()
            server.close()
        return Outcome(status, body, is_whole=True)

    return asyncio.run(scenario())


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Draw an answer as it goes over the wire, and its body."""
    body = draw(st.binary(max_size=40))
    head = b"HTTP/1.1 200 OK\r\nX-A: b\r\n"
    if draw(st.booleans()):
        head = b"HTTP/1.1 100 Continue\r\n\r\n" + head
    if draw(st.booleans()):
        return head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body), body
    edges = [0, *sorted(draw(st.lists(st.integers(0, len(body)), max_size=3))), len(body)]
    parts = [body[start:end] for start, end in pairwise(edges) if start < end]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n", body


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    """Cut bytes at some places."""
    edges = [0, *sorted({at % (len(data) + 1) for at in cuts}), len(data)]
    return [data[start:end] for start, end in pairwise(edges) if start < end]


@settings(max_examples=60, deadline=None)
@given(answers(), st.lists(st.integers(0, 300), max_size=6))
def test_any_split_gives_the_same_answer(answer: tuple[bytes, bytes], cuts: list[int]) -> None:
    """Segments are the network's business."""
    wire, body = answer
    assert speak(cut(wire, cuts)) == Outcome(200, body, is_whole=True)


@settings(max_examples=80, deadline=None)
@given(answers(), st.integers(0, 300), st.lists(st.integers(0, 300), max_size=3))
def test_an_answer_that_ends_early_is_never_whole(answer: tuple[bytes, bytes], end: int, cuts: list[int]) -> None:
    """What came before the end is the beginning of the body."""
    wire, body = answer
    outcome = speak(cut(wire[: end % len(wire)], cuts))
    assert not outcome.is_whole
    assert body.startswith(outcome.body)


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=3))
def test_noise_is_no_answer(noise: bytes, cuts: list[int]) -> None:
    """Whatever comes, the client ends, and does not take it for an answer."""
    assert not speak(cut(noise, cuts)).is_whole
