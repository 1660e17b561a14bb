"""One contract for whatever sends requests to backends, against a server that misbehaves in every way we know."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import cast

import pytest
import uvloop
from msgspec.structs import replace

from jairouter_cli.config.model import ConnectionPool
from jairouter_cli.gateway.upstream.exchange import FailureKind, Upstream, UpstreamFailure, UpstreamRequest
from jairouter_cli.gateway.upstream.http1 import Http1Upstream
from jairouter_cli.routing.call import Timeouts
from tests.backend import Backend, Behaviour, Received, Wire, answer, backend, raw
from tests.gateway.httpx_upstream import HttpxUpstream

POOL = ConnectionPool()
TIMEOUTS = Timeouts(connect_s=5, first_byte_s=5, idle_s=5, write_s=5)
BODY = b'{"model": "m"}'


@dataclass(frozen=True)
class Player:
    """Who plays the role, on which loop."""

    make: Callable[[ConnectionPool], Upstream]
    loop: Callable[[], asyncio.AbstractEventLoop]


HTTP1 = Player(Http1Upstream, uvloop.new_event_loop)
PLAYERS = {
    "http1": HTTP1,
    "http1 on asyncio": Player(Http1Upstream, asyncio.new_event_loop),
    "httpx": Player(HttpxUpstream, asyncio.new_event_loop),
}


@pytest.fixture(params=PLAYERS)
def make(request: pytest.FixtureRequest) -> Player:
    """Every player of the role."""
    return PLAYERS[request.param]


@pytest.fixture(scope="module")
def behind() -> Iterator[Backend]:
    """One server for all of them; each test tells it what to do."""
    with backend(answer(b"{}")) as running:
        yield running


def request(behind: Backend, body: bytes = BODY, timeouts: Timeouts = TIMEOUTS, origin: str = "") -> UpstreamRequest:
    """Return a request to the server."""
    headers = [("content-type", "application/json"), ("x-odd", "é")]
    return UpstreamRequest(origin or behind.url, "/v1/x?y=%20", headers, body, timeouts)


def run(make: Player, work: Callable[[Upstream], Awaitable[object]], pool: ConnectionPool = POOL) -> object:
    """Do something with an upstream, inside a loop of its own."""

    async def scenario() -> object:
        upstream = make.make(pool)
        try:
            return await work(upstream)
        finally:
            await upstream.aclose()

    with asyncio.Runner(loop_factory=make.loop) as runner:
        return runner.run(scenario())


async def fetch(upstream: Upstream, sent: UpstreamRequest) -> tuple[int, dict[str, str], bytes]:
    """Send a request and read the whole answer."""
    exchange = await upstream.send(sent)
    try:
        pieces = []
        while piece := await exchange.read():
            pieces.append(piece)
    finally:
        await exchange.aclose()
    return exchange.status, dict(exchange.headers), b"".join(pieces)


def ask(make: Player, behind: Backend, behave: Behaviour, timeouts: Timeouts = TIMEOUTS) -> tuple[int, bytes]:
    """Have the server behave, ask it once, return status and body."""
    behind.behave = behave

    async def work(upstream: Upstream) -> tuple[int, bytes]:
        status, _, body = await fetch(upstream, request(behind, timeouts=timeouts))
        return status, body

    found = run(make, work)
    assert isinstance(found, tuple)
    return found


def test_a_request_arrives_as_it_was_given(make: Player, behind: Backend) -> None:
    """Line, host, headers in order, length, body; nothing of the client's own."""
    ask(make, behind, answer(b"{}"))
    received = behind.requests[-1]
    assert received.line == "POST /v1/x?y=%20 HTTP/1.1"
    assert [(name.lower(), value) for name, value in received.headers] == [
        ("host", f"127.0.0.1:{behind.port}"),
        ("content-type", "application/json"),
        ("x-odd", "é"),
        ("content-length", str(len(BODY))),
    ]
    assert received.body == BODY


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

GOOD = {
    "length": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello"),
    "empty": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, b""),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    "chunked": (CHUNKED + b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", 200, b"hello"),
    "chunk extensions": (CHUNKED + b"5;a=b\r\nhello\r\n0;c\r\n\r\n", 200, b"hello"),
    "trailers": (CHUNKED + b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n", 200, b"hello"),
    "interim": (
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        200,
        b"ok",
    ),
    "continue": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Made\r\nContent-Length: 2\r\n\r\nok", 201, b"ok"),
    "no reason": (b"HTTP/1.1 404\r\nContent-Length: 2\r\n\r\nno", 404, b"no"),
    "no spaces": (b"HTTP/1.1 200 OK\r\nContent-Length:2\r\n\r\nok", 200, b"ok"),
}


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("split", [1, 7, 10_000])
def test_every_framing_in_any_pieces(make: Player, behind: Backend, name: str, split: int) -> None:
    """However the bytes are cut into segments, the answer is the same."""
    data, status, body = GOOD[name]
    pieces = [data[at : at + split] for at in range(0, len(data), split)]
    assert ask(make, behind, raw(*pieces, then="wait")) == (status, body)


@pytest.mark.parametrize(
    "head", [b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]
)
def test_a_body_may_end_with_the_connection(make: Player, behind: Backend, head: bytes) -> None:
    """HTTP/1.0 and `Connection: close` without a length: the end of the connection is the end of the body."""
    assert ask(make, behind, raw(head, b"hel", b"lo")) == (200, b"hello")


BROKEN = {
    "closed before an answer": b"",
    "not HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-",
    "short body": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello",
    "no last chunk": CHUNKED + b"5\r\nhello\r\n",
    "half a chunk": CHUNKED + b"64\r\nhello",
    "bad chunk size": CHUNKED + b"xyz\r\nhello\r\n0\r\n\r\n",
    "endless head": b"HTTP/1.1 200 OK\r\n" + b"X-A: %b\r\n" % (b"a" * 1000) * 200 + b"\r\n",
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("end", ["fin", "rst"])
def test_what_is_no_whole_answer_fails(make: Player, behind: Backend, name: str, end: str) -> None:
    """Never an answer that looks complete."""
    with pytest.raises(UpstreamFailure) as caught:
        ask(make, behind, raw(BROKEN[name], then=end))
    assert caught.value.kind is FailureKind.BROKEN


def test_a_get(make: Player, behind: Backend) -> None:
    """Sent as one: probes ask with it."""
    behind.behave_when_asked = answer(b"here")
    sent = replace(request(behind), method="GET", body=b"")
    status, _, body = cast("tuple[int, object, bytes]", run(make, lambda upstream: fetch(upstream, sent)))
    assert (status, body) == (200, b"here")
    assert behind.questions[-1].line == "GET /v1/x?y=%20 HTTP/1.1"


def test_a_port_where_nobody_listens(make: Player, behind: Backend) -> None:
    """Refused is `UNREACHABLE`; so is a name that does not exist."""
    for origin in ("http://127.0.0.1:1", "http://nothing.invalid"):
        with pytest.raises(UpstreamFailure) as caught:
            run(make, lambda upstream, to=origin: fetch(upstream, request(behind, origin=to)))  # type: ignore[misc]
        assert caught.value.kind is FailureKind.UNREACHABLE


def test_a_host_that_does_not_answer_the_call(make: Player, behind: Backend) -> None:
    """A full queue of connections: the kernel lets the call wait, the connect timeout ends it."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.settimeout(0)
            one.connect_ex(listener.getsockname())
        sent = request(behind, origin=origin, timeouts=Timeouts(0.3, 5, 5, 5))
        with pytest.raises(UpstreamFailure) as caught:
            run(make, lambda upstream: fetch(upstream, sent))
        for one in waiting:
            one.close()
    assert caught.value.kind is FailureKind.CONNECT_TIMEOUT


@pytest.mark.parametrize(
    ("pieces", "kind"),
    [
        ((), FailureKind.FIRST_BYTE_TIMEOUT),
        ((b"HTTP/1.1 200 OK\r\n",), FailureKind.FIRST_BYTE_TIMEOUT),
        ((CHUNKED, b"5\r\nhello\r\n"), FailureKind.IDLE_TIMEOUT),
    ],
)
def test_silence_is_a_timeout(make: Player, behind: Backend, pieces: tuple[bytes, ...], kind: FailureKind) -> None:
    """Before the head and between pieces; the failure tells which."""
    with pytest.raises(UpstreamFailure) as caught:
        ask(make, behind, raw(*pieces, then="wait"), Timeouts(5, 0.2, 0.2, 5))
    assert caught.value.kind is kind


@pytest.mark.parametrize("pieces", [(), (CHUNKED, b"5\r\nhello\r\n")])
def test_the_whole_call_may_be_bounded(make: Player, behind: Backend, pieces: tuple[bytes, ...]) -> None:
    """`expires_at` ends it wherever it is."""
    behind.behave = raw(*pieces, then="wait")

    async def work(upstream: Upstream) -> None:
        sent = replace(request(behind), expires_at=asyncio.get_running_loop().time() + 0.2)
        await fetch(upstream, sent)

    with pytest.raises(UpstreamFailure) as caught:
        run(make, work)
    assert caught.value.kind is FailureKind.TOTAL_TIMEOUT


def test_the_first_content_may_be_bounded(make: Player, behind: Backend) -> None:
    """Until it is lifted."""
    behind.behave = raw(CHUNKED, b"5\r\nhello\r\n", then="wait")

    async def work(upstream: Upstream) -> None:
        exchange = await upstream.send(request(behind, timeouts=Timeouts(5, 5, 0.6, 5)))
        try:
            exchange.expect_content(0.2)
            assert await exchange.read() == b"hello"
            exchange.expect_content(None)
            with pytest.raises(UpstreamFailure) as caught:
                await exchange.read()
            assert caught.value.kind is FailureKind.IDLE_TIMEOUT
        finally:
            await exchange.aclose()
        exchange = await upstream.send(request(behind))
        try:
            await exchange.read()
            exchange.expect_content(0.2)
            with pytest.raises(UpstreamFailure) as caught:
                await exchange.read()
            assert caught.value.kind is FailureKind.FIRST_CONTENT_TIMEOUT
        finally:
            await exchange.aclose()

    run(make, work)


def test_reading_may_be_interrupted(make: Player, behind: Backend) -> None:
    """A read that was cancelled loses nothing."""
    turn = threading.Event()

    async def wait_for_turn(_: Received, wire: Wire) -> None:
        await wire.send(CHUNKED)
        await asyncio.to_thread(turn.wait, 5)
        await wire.send(b"5\r\nhello\r\n0\r\n\r\n")

    behind.behave = wait_for_turn

    async def work(upstream: Upstream) -> bytes:
        exchange = await upstream.send(request(behind))
        try:
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await exchange.read()
            turn.set()
            return await exchange.read()
        finally:
            await exchange.aclose()

    assert run(make, work) == b"hello"


def test_pieces_that_keep_coming_are_no_silence(make: Player, behind: Backend) -> None:
    """The timeout is for silence, not for the whole."""

    async def drip(_: Received, wire: Wire) -> None:
        await wire.send(CHUNKED)
        for _number in range(10):
            await asyncio.sleep(0.06)
            await wire.send(b"1\r\nx\r\n")
        await wire.send(b"0\r\n\r\n")

    assert ask(make, behind, drip, Timeouts(5, 0.4, 0.4, 5)) == (200, b"x" * 10)


def test_a_connection_is_kept_and_used_again(make: Player, behind: Backend) -> None:
    """Ten requests in a row, one connection; ten at once, ten connections."""
    behind.behave = answer(b"{}")
    before = behind.connections

    async def in_a_row(upstream: Upstream) -> None:
        for _ in range(10):
            await fetch(upstream, request(behind))

    run(make, in_a_row)
    assert behind.connections - before == 1


def test_an_answer_that_was_not_read_costs_its_connection(make: Player, behind: Backend) -> None:
    """Closing early closes the socket; the next request gets another and its own answer."""
    behind.behave = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x", then="wait")

    async def work(upstream: Upstream) -> bytes:
        exchange = await upstream.send(request(behind))
        await exchange.aclose()
        await asyncio.to_thread(behind.requests[-1].gone.wait, 5)
        behind.behave = answer(b"mine")
        return (await fetch(upstream, request(behind)))[2]

    assert run(make, work) == b"mine"
    assert behind.requests[-2].gone.is_set()


def test_cancelling_closes_the_connection_at_once(make: Player, behind: Backend) -> None:
    """While waiting for the head, and in the midst of the body."""
    for pieces in ((), (CHUNKED, b"1\r\nx\r\n")):
        behind.behave = raw(*pieces, then="wait")
        count = len(behind.requests)

        async def work(upstream: Upstream, count: int = count) -> None:
            task = asyncio.create_task(fetch(upstream, request(behind)))
            await asyncio.to_thread(behind.wait_for, count + 1)
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert await asyncio.to_thread(behind.requests[-1].gone.wait, 5)

        run(make, work)


def test_a_kept_connection_that_went_stale_costs_nothing(behind: Backend) -> None:
    """The backend closes after each answer without saying so: the failure says so, and a new connection is answered.

    A request is never sent twice by itself: that is for the failover plan to say.
    """

    async def close_after(_: Received, wire: Wire) -> None:
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        wire.writer.close()

    behind.behave = close_after

    async def work(upstream: Upstream) -> list[bytes]:
        bodies = []
        for _ in range(20):
            try:
                bodies.append((await fetch(upstream, request(behind)))[2])
            except UpstreamFailure as failure:
                if not failure.was_stale:
                    raise
                bodies.append((await fetch(upstream, replace(request(behind), anew=True)))[2])
        return bodies

    assert run(HTTP1, work) == [b"ok"] * 20


def test_what_nobody_asked_for_is_not_taken_for_the_next_answer(behind: Backend) -> None:
    """Bytes behind an answer, at once or later, end the connection's use."""
    for later in (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged", b"garbage"):
        behind.behave = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + later, then="wait")

        async def work(upstream: Upstream) -> tuple[bytes, bytes]:
            first = (await fetch(upstream, request(behind)))[2]
            behind.behave = answer(b"mine")
            return first, (await fetch(upstream, request(behind)))[2]

        assert run(HTTP1, work) == (b"ok", b"mine")


def test_a_large_upload_and_a_large_answer(make: Player, behind: Backend) -> None:
    """Thirty megabytes each way, whole."""
    body = bytes(range(256)) * 120_000
    behind.behave = answer(body)
    found = run(make, lambda upstream: fetch(upstream, request(behind, body=body)))
    assert isinstance(found, tuple)
    assert (found[0], found[2] == body, behind.requests[-1].body == body) == (200, True, True)


def test_a_reader_that_is_slow_makes_the_backend_wait(behind: Backend) -> None:
    """The gateway holds a bounded part of an answer, whatever its size."""
    sent = 0

    async def flood(_: Received, wire: Wire) -> None:
        nonlocal sent
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n")
        for _number in range(200):
            await wire.send(b"x" * 1_000_000)
            sent += 1_000_000

    behind.behave = flood

    async def work(upstream: Upstream) -> None:
        exchange = await upstream.send(request(behind))
        await asyncio.sleep(0.5)
        await exchange.aclose()

    run(HTTP1, work)
    assert sent < 30_000_000  # what the kernel's buffers take, and no more


def test_requests_wait_for_a_place_and_fail_when_none_comes(make: Player, behind: Backend) -> None:
    """Two places, three requests that are never answered: the third is told so, not left waiting."""
    behind.behave = raw(then="wait")
    pool = ConnectionPool(max_connections=2, pending_acquire_timeout_s=0.2)

    async def work(upstream: Upstream) -> list[object]:
        tasks = [asyncio.create_task(fetch(upstream, request(behind))) for _ in range(3)]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return [task.exception() for task in done]

    found = run(make, work, pool)
    assert isinstance(found, list)
    assert [failure.kind for failure in found if isinstance(failure, UpstreamFailure)] == [FailureKind.POOL_TIMEOUT]


def test_waiters_get_the_places_that_become_free(make: Player, behind: Backend) -> None:
    """Fifty requests through three places; never more than three connections at once."""
    behind.behave = answer(b"{}")
    before = behind.connections

    async def work(upstream: Upstream) -> list[int]:
        answers = await asyncio.gather(*(fetch(upstream, request(behind)) for _ in range(50)))
        return [status for status, _, _ in answers]

    assert run(make, work, ConnectionPool(max_connections=3)) == [200] * 50
    assert behind.connections - before <= 3
