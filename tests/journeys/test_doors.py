"""Clients' connections on whatever address the gateway listens: cut answers, slow and leaving clients."""

import json
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from jairouter_cli.web.doors import client_socket
from tests.backend import Backend, Received, Wire, backend, chosen
from tests.process import Served, config, services, serving

JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
SOUND_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nContent-Length: 100000000\r\n\r\n"


async def cut(received: Received, wire: Wire) -> None:
    """Begin an answer and leave it."""
    await wire.send(JSON_HEAD, b'5\r\n{"a":\r\n')
    await wire.reader.read(1)  # until the test lets go
    received.gone.set()


async def cut_off(_: Received, wire: Wire) -> None:
    """Begin an answer and break off."""
    await wire.send(JSON_HEAD, b'5\r\n{"a":\r\n')
    wire.writer.close()


async def pour(received: Received, wire: Wire) -> None:
    """Answer with a hundred megabytes."""
    await wire.send(SOUND_HEAD)
    for _number in range(100):
        await wire.send(b"x" * 1_000_000)
    received.gone.set()


@dataclass
class Listening:
    """A gateway, and where its clients can ask."""

    served: Served
    backend: Backend
    places: Sequence[str]


PLACES = {
    "127.0.0.1": ["127.0.0.1"],
    "0.0.0.0": ["127.0.0.1", "127.0.0.2"],
    "localhost": ["127.0.0.1"],
    "::1": ["::1"],
    "::": ["127.0.0.1", "127.0.0.2", "::1"],
    "::ffff:127.0.0.1": ["127.0.0.1"],
}


@pytest.fixture(scope="module", params=PLACES)
def listening(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    """Run a gateway of two workers on an address."""
    with backend(chosen({"m": cut, "cut": cut_off, "pour": pour})) as behind:
        text = services(chat=[behind.url])
        text += "".join(f"        - name: {name}\n          base-url: {behind.url}\n" for name in ("cut", "pour"))
        text = text.replace("round-robin", "{health-check: {enabled: false}}")
        file = config(tmp_path_factory.mktemp("doors"), text)
        with serving("--config", str(file), "--host", request.param, "--workers", "2") as served:
            yield Listening(served, behind, PLACES[request.param])


def ask(listening: Listening, place: str, model: str, version: str = "1.1") -> socket.socket:
    """Send a request for a model; return the connection, whose buffer is small."""
    body = json.dumps({"model": model, "messages": []}).encode()
    client = socket.socket(socket.AF_INET6 if ":" in place else socket.AF_INET)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    client.settimeout(10)
    client.connect((place, int(listening.served.url.rpartition(":")[2])))
    head = f"POST /v1/chat/completions HTTP/{version}\r\nHost: x\r\nContent-Type: application/json\r\n"
    client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return client


def read(client: socket.socket) -> tuple[bytes, str]:
    """Read to the end; return what came and how it ended."""
    got = b""
    while True:
        try:
            piece = client.recv(65536)
        except ConnectionResetError:
            return got, "reset"
        if not piece:
            return got, "end"
        got += piece


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_cut_answer_never_looks_complete(listening: Listening, version: str) -> None:
    """There is no last piece; where an end is all that tells, the connection is reset instead."""
    for place in listening.places:
        with ask(listening, place, "cut", version) as client:
            got, end = read(client)
        # a reset may take away what had not been read, and so it does at times where much else goes on
        assert got.partition(b"\r\n\r\n")[2] in {b'{"a":', b'5\r\n{"a":\r\n', *((b"",) if end == "reset" else ())}
        assert version == "1.1" or end == "reset"


def test_a_slow_client_makes_the_backend_wait(listening: Listening) -> None:
    """What it does not read is not asked of the backend."""
    for place in listening.places:
        asked = len(listening.backend.requests)
        with ask(listening, place, "pour") as client:
            client.recv(1000)
            received = listening.backend.wait_for(asked + 1)[-1]
            assert not received.gone.wait(0.7)


def test_a_leaving_client_lets_the_backend_go(listening: Listening) -> None:
    """While it is answered."""
    for place in listening.places:
        asked = len(listening.backend.requests)
        with ask(listening, place, "m") as client:
            client.recv(1000)
            received = listening.backend.wait_for(asked + 1)[-1]
        assert received.gone.wait(5)


@pytest.mark.parametrize(
    ("own", "place"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.2"), ("::", "127.0.0.1"), ("::", "::1")]
)
def test_finding_a_connection(own: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the addresses that the server knows, also where /proc does not list the open files."""
    family = socket.AF_INET6 if ":" in own else socket.AF_INET
    with socket.create_server((own, 0), family=family, dualstack_ipv6=own == "::") as listener:
        port = listener.getsockname()[1]
        with socket.create_connection((place, port)) as client, socket.create_connection((place, port)) as other:
            taken = {one.getpeername()[1]: one for one in (listener.accept()[0], listener.accept()[0])}
            peer, own_port = client.getsockname()[:2]
            peer = f"[::ffff:{peer}]" if own == "::" and ":" not in peer else peer
            for folder in (Path("/proc/self/fd"), tmp_path / "nowhere"):
                monkeypatch.setattr(client_socket, "_OPEN_FILES", folder)
                found = client_socket.find(f"{peer}:{own_port}", f"{own}:{port}")
                assert [one.getpeername() for one in found] == [taken[own_port].getpeername()]
                client_socket.close(found)
            client_socket.reset(taken[own_port])
            client.settimeout(5)
            with pytest.raises(ConnectionResetError):
                client.recv(1)
            assert client_socket.find(f"{peer}:{own_port}", f"{own}:{port}") == []
            taken[other.getsockname()[1]].sendall(b"well")
            assert other.recv(10) == b"well"
            client_socket.close(taken.values())


def test_addresses() -> None:
    """The forms of the server and those of the kernel are told to be the same."""
    same = [
        client_socket.address(text)
        for text in ("127.0.0.1:80", "[::ffff:127.0.0.1]:80", "::ffff:127.0.0.1:80", "[::ffff:7f00:1]:80")
    ]
    assert same == [(bytes(10) + b"\xff\xff\x7f\x00\x00\x01", 80)] * 4
    assert client_socket.address("[fe80::1%4]:80") == client_socket.address("[fe80::1%eth0]:80")
