"""Bodies of requests that are late, too large or cut off, on every surface and through both doors."""

import asyncio
import json
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from jairouter_cli.config.model import BodyTimeout
from jairouter_cli.web.doors.body import Body
from tests.backend import Backend, answer, backend
from tests.process import Served, config, services, serving

PATHS = ["/v1/chat/completions", "/api/config/instance/add/chat", "/actuator/loggers/jairouter"]
SETTINGS = "  locale: en\n  max-body-size: 100KB\n  body-timeout: {idle: 1s, total: 2s}"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.fixture(scope="module", params=["rsgi", "asgi"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Served, Backend]]:
    """Run a gateway with little patience."""
    with backend(answer({})) as behind:
        text = services(chat=[behind.url], stt=[behind.url]).replace("  locale: en", SETTINGS)
        file = config(tmp_path_factory.mktemp("bodies"), text)
        with serving("--config", str(file), "--interface", request.param) as served:
            yield served, behind


def begin(served: Served, path: str, fields: bytes, body: bytes = b"") -> socket.socket:
    """Send the head of a request and the beginning of its body."""
    client = socket.create_connection(("127.0.0.1", int(served.url.rpartition(":")[2])), timeout=10)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n".encode()
    client.sendall(head + fields + b"\r\n" + body)
    return client


def rest(client: socket.socket) -> tuple[int, str]:
    """Read to the end of the connection; return the status and the message that were answered."""
    got = b""
    with client, suppress(ConnectionResetError):
        while piece := client.recv(65536):
            got += piece
    return parsed(got)


def parsed(got: bytes) -> tuple[int, str]:
    """Return the status and the message of an answer."""
    head, _, body = got.partition(b"\r\n\r\n")
    text = re.search(r'"message":"(.*?)"', body.decode())
    return int(head.split()[1]) if head else 0, text[1] if text else body.decode()


IDLE = "The request body did not arrive in time (server.body-timeout.idle, 1 s)"
TOTAL = "The request body did not arrive in time (server.body-timeout.total, 2 s)"
LARGE = "The request body exceeds the limit of 102400 bytes (server.max-body-size)"


def test_a_body_that_stays_away(running: tuple[Served, Backend]) -> None:
    """It is answered 408 in the surface's form, and the connection is closed: with a length, without, begun or not."""
    served, _ = running
    fields = [b"Content-Length: 50\r\n", CHUNKED]
    waiting = [begin(served, path, field) for path in PATHS for field in fields]
    waiting += [begin(served, path, fields[0], b"{") for path in PATHS]
    assert [rest(client) for client in waiting] == [(408, IDLE)] * 9


def test_a_body_that_drips(running: tuple[Served, Backend]) -> None:
    """It is never silent for long, but not taken for ever."""
    served, _ = running
    dripping = [begin(served, path, b"Content-Length: 50\r\n", b"{") for path in PATHS]
    ended: dict[int, tuple[int, str]] = {}
    for _number in range(45):
        for index, client in enumerate(dripping):
            if index not in ended:
                client.settimeout(0.05)
                try:
                    client.sendall(b" ")
                    client.recv(1, socket.MSG_PEEK)
                except TimeoutError:
                    continue
                client.settimeout(10)
                ended[index] = rest(client)
    assert ended == dict.fromkeys(range(3), (408, TOTAL))


def test_a_body_that_is_too_large(running: tuple[Served, Backend]) -> None:
    """It is refused by its length before it comes, and without a length as soon as it is too large."""
    served, _ = running
    announced = [begin(served, path, b"Content-Length: 102401\r\n") for path in PATHS]
    endless = [begin(served, path, CHUNKED, b"20000\r\n" + b"x" * 0x20000) for path in PATHS]
    huge = begin(served, PATHS[0], b"Content-Length: 9223372036854775807\r\n")
    assert [rest(client) for client in (*announced, *endless, huge)] == [(413, LARGE)] * 7


def test_a_client_that_sends_on_reads_the_refusal(tmp_path: Path) -> None:
    """What was refused is taken for a while, lest a reset takes the answer away."""
    text = services(chat=["http://127.0.0.1:9"]).replace("  locale: en", SETTINGS)
    with serving("--config", str(config(tmp_path, text))) as served:
        for path in PATHS:
            client = begin(served, path, b"Content-Length: 20000000\r\n")
            client.sendall(bytes(20_000_000))
            with client:
                assert parsed(client.recv(65536)) == (413, LARGE)


def test_a_body_that_is_cut_off_reaches_no_backend(running: tuple[Served, Backend]) -> None:
    """However it is framed; what came of it may be valid."""
    served, behind = running
    body = json.dumps({"model": "m", "messages": []}).encode()
    for fields, sent in (
        (CHUNKED, b"%x\r\n%s\r\n" % (len(body), body)),
        (b"Content-Length: %d\r\n" % (len(body) + 1), body),
    ):
        client = begin(served, PATHS[0], fields, sent)
        client.shutdown(socket.SHUT_WR)
        assert rest(client)[0] in {0, 400}
    ended = begin(served, PATHS[0], CHUNKED + b"Connection: close\r\n", b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    assert rest(ended)[0] == 200
    trailer = CHUNKED + b"Trailer: x\r\nConnection: close\r\n"
    ended = begin(served, PATHS[0], trailer, b"%x\r\n%s\r\n0\r\nx: y\r\n\r\n" % (len(body), body))
    assert rest(ended)[0] == 200
    assert [received.body for received in behind.requests] == [body, body]


@pytest.mark.parametrize("length", ["-5", "+5", "abc", "", "5, 6", "5\r\nContent-Length: 6", "1" * 30, "0x10"])
def test_lengths_that_are_none(running: tuple[Served, Backend], length: str) -> None:
    """They are refused, on every surface."""
    served, _ = running
    for path in PATHS:
        assert rest(begin(served, path, f"Content-Length: {length}\r\n".encode(), b"{}"))[0] == 400


async def looked_at(rules: BodyTimeout, *grown: tuple[float, int]) -> str | None:
    """Let a body grow, look at it at given times, and return why it was stopped."""
    bodies: list[Body] = []

    async def wait() -> None:
        bodies.append(Body(1000, rules, asyncio.current_task()))
        await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    (body,) = bodies
    for now, count in grown:
        body.add(b"x" * count)
        body.look(now)
    task.cancel()
    return None if body.late is None else body.late[0]


@pytest.mark.parametrize(
    ("rules", "grown", "setting"),
    [
        (BodyTimeout(idle_s=3, total_s=10), [(100, 0), (102, 0), (103, 0)], "server.body-timeout.idle"),
        (BodyTimeout(idle_s=3, total_s=10), [(100, 0), (102, 1), (104, 0), (104.9, 0)], None),
        (BodyTimeout(idle_s=3, total_s=10), [(100, 1), (103, 1), (106, 1), (110, 1)], "server.body-timeout.total"),
        (BodyTimeout(idle_s=0, total_s=10), [(100, 1), (109, 0)], None),
        (BodyTimeout(idle_s=0, total_s=0), [(100, 1), (10_000, 0)], None),
    ],
)
def test_when_a_body_is_late(rules: BodyTimeout, grown: list[tuple[float, int]], setting: str | None) -> None:
    """Silence counts from the last piece, the whole from the first look; 0 bounds nothing."""
    assert asyncio.run(looked_at(rules, *grown)) == setting


def test_memory_is_taken_for_what_came() -> None:
    """A piece that is all is not copied; several are put together once."""

    async def collect(*pieces: bytes) -> bytes | bytearray:
        body = Body(1000, BodyTimeout(), asyncio.current_task())
        for piece in pieces:
            body.add(piece)
        return body.whole()

    only = b"only"
    assert asyncio.run(collect(only)) is only
    assert asyncio.run(collect(b"a", b"", b"b", b"c")) == b"abc"
    assert asyncio.run(collect()) == b""
