"""The data plane under bad conditions, seen from outside: limits, timeouts, slow and leaving clients, TLS, aliases."""

import asyncio
import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from tests.backend import Received, Wire, answer, backend, raw
from tests.process import Served, config, eventually, services, serving

CHAT = {"model": "m", "messages": []}
STREAM = {**CHAT, "stream": True}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
ROLE = b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n'
WORD = b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n'

interfaces = pytest.mark.parametrize("interface", ["rsgi", "asgi"])


def chunk(data: bytes) -> bytes:
    """Frame a piece of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def memory_bytes(served: Served) -> int:
    """Return the resident memory of the gateway's worker."""
    children = Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children").read_text().split()
    status = Path(f"/proc/{children[-1]}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


@interfaces
def test_a_body_over_the_limit(tmp_path: Path, interface: str) -> None:
    """413 names the setting, with a length and without; the limit is taken over while running."""
    with backend(answer({})) as behind:
        file = config(
            tmp_path, services(chat=[behind.url]).replace("  locale: en", "  locale: en\n  max-body-size: 10KB")
        )
        with serving("--config", str(file), "--interface", interface) as served:
            big = {**CHAT, "pad": "x" * 20_000}
            body = json.dumps(big).encode()
            for content in (body, iter([body[:5000], body[5000:]])):
                response = served.post(
                    "/v1/chat/completions", content=content, headers={"content-type": "application/json"}
                )
                assert (response.status_code, response.json()["error"]["message"]) == (
                    413,
                    "The request body exceeds the limit of 10240 bytes (server.max-body-size)",
                )
            file.write_text(file.read_text().replace("10KB", "1MB"))
            eventually(lambda: served.post("/v1/chat/completions", json=big).status_code == 200)


@pytest.mark.parametrize(
    ("settings", "pieces", "message"),
    [
        ("first-byte-timeout: 300ms", [], "first-byte timeout, 0.3 s"),
        ("read-timeout: 300ms", [HEAD, chunk(WORD)], "idle timeout, 0.3 s"),
        ("idle-timeout: 300ms", [HEAD, chunk(WORD)], "idle timeout, 0.3 s"),
        ("first-content-timeout: 300ms", [HEAD, chunk(b": busy\n\n"), chunk(ROLE)], "first-content timeout, 0.3 s"),
        ("total-timeout: 300ms", [HEAD, chunk(WORD)], "total timeout, 0.3 s"),
        ("total-timeout: 300ms", [], "total timeout, 0.3 s"),
    ],
)
def test_each_timeout_is_named(tmp_path: Path, settings: str, pieces: list[bytes], message: str) -> None:
    """As 504 before the head, as an error event after it; the backend is let go."""
    with backend(raw(*pieces, then="wait")) as behind:
        text = services(chat=[behind.url]) + f"webclient: {{{settings}}}\n"
        with serving("--config", str(config(tmp_path, text))) as served:
            response = served.post("/v1/chat/completions", json=STREAM)
            assert behind.requests[0].gone.wait(5)
    if not pieces:
        error = response.json()["error"]
        assert response.status_code == 504
    else:
        error = json.loads(response.text.split("data: ")[-1])["error"]
    assert (error["code"], error["message"]) == (
        "upstream_timeout",
        f"The backend of model 'm' did not respond in time ({message})",
    )


def test_an_instances_timeouts_win_over_the_services_and_the_gateways(tmp_path: Path) -> None:
    """The nearest setting that says something."""
    with backend(raw(then="wait")) as behind:
        text = services(chat=[behind.url]) + (
            "          timeout: {first-byte: 200ms}\n      timeout: 20s\nwebclient: {read-timeout: 30s}\n"
        )
        with serving("--config", str(config(tmp_path, text))) as served:
            response = served.post("/v1/chat/completions", json=CHAT)
    assert "first-byte timeout, 0.2 s" in response.text


def test_heartbeats_until_the_first_token(tmp_path: Path) -> None:
    """Comments keep the way to the client open while the model thinks, and stop when it speaks."""
    speak = threading.Event()

    async def think(_: Received, wire: Wire) -> None:
        await wire.send(HEAD, chunk(ROLE))
        await asyncio.to_thread(speak.wait, 10)
        await wire.send(chunk(WORD), chunk(b"data: [DONE]\n\n"), chunk(b""))

    with backend(think) as behind:
        text = services(chat=[behind.url]) + "webclient: {heartbeat-interval: 100ms}\n"
        with serving("--config", str(config(tmp_path, text))) as served:
            got = b""
            with httpx.stream("POST", f"{served.url}/v1/chat/completions", json=STREAM) as response:
                for piece in response.iter_raw():
                    got += piece
                    if got.count(b": waiting for the model\n\n") == 3:
                        speak.set()
    assert got.replace(b": waiting for the model\n\n", b"") == ROLE + WORD + b"data: [DONE]\n\n"


@interfaces
@pytest.mark.parametrize("stream", [True, False])
def test_a_leaving_client_is_noticed_at_once(tmp_path: Path, interface: str, *, stream: bool) -> None:
    """The backend's connection closes within a tenth of a second; the log says 499; nobody is blamed."""
    pieces = [HEAD, chunk(WORD)] if stream else []
    with backend(raw(*pieces, then="wait")) as behind, backend(raw(then="wait")) as spare:
        file = config(tmp_path, services(chat=[behind.url, spare.url]))
        with serving("--config", str(file), "--interface", interface, stderr=tmp_path / "log") as served:
            host, port = served.url.removeprefix("http://").split(":")
            took: list[float] = []
            for count in range(1, 8):
                body = json.dumps(STREAM).encode()
                head = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                head += f"Content-Length: {len(body)}\r\n\r\n"
                with socket.create_connection((host, int(port))) as client:
                    client.sendall(head.encode() + body)
                    eventually(lambda n=count: len(behind.requests) + len(spare.requests) >= n)  # type: ignore[misc]
                    if stream and len(behind.requests) > len(took):
                        client.recv(1)
                    received = next(one for one in behind.requests + spare.requests if not one.gone.is_set())
                    left_at = time.monotonic()
                assert received.gone.wait(5)
                took.append(time.monotonic() - left_at)
            assert sorted(took)[len(took) // 2] < 0.1
            eventually(lambda: (tmp_path / "log").read_text().count(" chat m 499 left") == 7)
            details = served.get("/actuator/health").json()["components"]["modelRouter"]["details"]
            assert details["activeInstances"] == 2


@interfaces
def test_a_slow_client_costs_no_memory(tmp_path: Path, interface: str) -> None:
    """A backend that pours 300 MB for a client that does not read is made to wait."""

    async def pour(received: Received, wire: Wire) -> None:
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nContent-Length: 300000000\r\n\r\n")
        for _number in range(300):
            await wire.send(b"x" * 1_000_000)
        received.gone.set()

    with backend(pour) as behind:
        file = config(tmp_path, services(tts=[behind.url]))
        with serving("--config", str(file), "--interface", interface) as served:
            before = memory_bytes(served)
            with httpx.stream("POST", f"{served.url}/v1/audio/speech", json={"model": "m"}) as response:
                pieces = response.iter_raw()
                next(pieces)
                assert not behind.requests[0].gone.wait(1.5)
                assert memory_bytes(served) - before < 40_000_000
                rest = sum(len(piece) for piece in pieces)
            assert rest > 290_000_000
            assert memory_bytes(served) - before < 60_000_000


@interfaces
def test_a_large_upload_is_held_once(tmp_path: Path, interface: str) -> None:
    """Twenty-five megabytes of sound: the peak is about its size, not twice."""
    with backend(answer({})) as behind:
        file = config(tmp_path, services(stt=[behind.url]))
        with serving("--config", str(file), "--interface", interface) as served:
            before = memory_bytes(served)
            sound = bytes(25_000_000)
            peak, stop = [0], threading.Event()

            def sample() -> None:
                while not stop.is_set():
                    peak[0] = max(peak[0], memory_bytes(served))
                    time.sleep(0.001)

            thread = threading.Thread(target=sample)
            thread.start()
            response = served.post("/v1/audio/transcriptions", files={"file": ("a.wav", sound)}, data={"model": "m"})
            stop.set()
            thread.join()
            assert response.status_code == 200
            assert sound in behind.requests[0].body
            assert peak[0] - before < 25_000_000 * 2.5  # the server's own buffer, and ours


def test_an_alias_changes_the_one_value(tmp_path: Path) -> None:
    """`upstream-model`: for JSON and for forms; the length is right, all else as sent."""
    with backend(answer({})) as behind:
        text = services(chat=[behind.url], stt=[behind.url]).replace(
            "name: m", "name: m\n          upstream-model: org/M-7B"
        )
        with serving("--config", str(config(tmp_path, text))) as served:
            body = b'{ "messages": [],  "model": "m", "x": {"model": "m"} }'
            served.post("/v1/chat/completions", content=body, headers={"content-type": "application/json"})
            assert behind.requests[-1].body == b'{ "messages": [],  "model": "org/M-7B", "x": {"model": "m"} }'
            served.post("/v1/audio/transcriptions", files={"file": ("a", b"model")}, data={"model": "m"})
            assert b'name="model"\r\n\r\norg/M-7B\r\n' in behind.requests[-1].body


@contextmanager
def tls_backend(folder: Path) -> Iterator[str]:
    """Run a TLS server with a certificate of its own making, in a thread; yield its port."""
    key, certificate = folder / "key.pem", folder / "cert.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    subprocess.run([*command.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) as client:
                    client.recv(65536)
                    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                    client.recv(1)
            except OSError:
                plain.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield str(listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@pytest.mark.parametrize(
    ("settings", "host", "status"),
    [
        ("", "localhost", 503),
        ("webclient: {ssl: {trust-store: CERT}}\n", "localhost", 200),
        ("webclient: {ssl: {trust-store: CERT}}\n", "127.0.0.1", 503),
        ("webclient: {ssl: {trust-all: true}}\n", "127.0.0.1", 200),
    ],
)
def test_tls(tmp_path: Path, settings: str, host: str, status: int) -> None:
    """The system's authorities, one's own, the wrong name, and everybody."""
    with tls_backend(tmp_path) as port:
        text = services(chat=[f"https://{host}:{port}"]) + settings.replace("CERT", str(tmp_path / "cert.pem"))
        # that server takes one connection at a time: no probe may hold it
        text = text.replace("round-robin", "{health-check: {enabled: false}}")
        with serving("--config", str(config(tmp_path, text))) as served:
            assert served.post("/v1/chat/completions", json=CHAT).status_code == status


def test_a_trust_store_that_is_none(tmp_path: Path) -> None:
    """Told at start."""
    text = services(chat=["https://h"]) + "webclient: {ssl: {trust-store: /nowhere.pem}}\n"
    with (
        pytest.raises(AssertionError, match="it never listened: exit code 1"),
        serving("--config", str(config(tmp_path, text))),
    ):
        pass


def test_a_proxy_of_the_environment(tmp_path: Path) -> None:
    """Requests and health checks go to it; a backend on this machine is called itself."""
    text = services(chat=["http://llm.invalid:8000", "http://own.invalid"])
    with backend(answer({"ok": True})) as proxy, backend(answer({"ok": True})) as behind:
        text = text.replace("http://own.invalid", behind.url).replace("round-robin", "{health-check: {type: http}}")
        with serving("--config", str(config(tmp_path, text)), env={"HTTP_PROXY": proxy.url, "NO_PROXY": ""}) as served:
            eventually(lambda: proxy.questions and behind.questions)
            for _ in range(8):
                assert served.post("/v1/chat/completions", json=CHAT).status_code == 200
    assert {one.line.split()[1] for one in proxy.questions} == {"http://llm.invalid:8000/v1/models"}
    assert {one.line.split()[1] for one in proxy.requests} <= {"http://llm.invalid:8000/v1/chat/completions"}
    assert {one.line.split()[1] for one in behind.requests} <= {"/v1/chat/completions"}
    assert len(proxy.requests) + len(behind.requests) == 8


def test_expect_100_continue(tmp_path: Path) -> None:
    """The client is told to go on, and then answered."""
    with backend(answer({"ok": True})) as behind:
        file = config(tmp_path, services(chat=[behind.url]))
        command = ["curl", "-sS", "-v", "-H", "Expect: 100-continue", "-H", "Content-Type: application/json"]
        with serving("--config", str(file)) as served:
            done = subprocess.run(
                [*command, "-d", json.dumps(CHAT), f"{served.url}/v1/chat/completions"],
                capture_output=True,
                text=True,
                check=True,
            )
        assert "HTTP/1.1 100 Continue" in done.stderr
        assert done.stdout == '{"ok": true}'
        assert behind.requests[0].header("expect") is None


@interfaces
def test_no_stall_between_events(tmp_path: Path, interface: str) -> None:
    """Small events a few milliseconds apart arrive as far apart: no delayed acknowledgement, no Nagle."""

    async def tick(_: Received, wire: Wire) -> None:
        await wire.send(HEAD)
        for _number in range(50):
            await wire.send(chunk(WORD))
            await asyncio.sleep(0.005)
        await wire.send(chunk(b""))

    with backend(tick) as behind:
        file = config(tmp_path, services(chat=[behind.url]))
        with (
            serving("--config", str(file), "--interface", interface) as served,
            served.client() as client,
            client.stream("POST", "/v1/chat/completions", json=STREAM) as response,
        ):
            arrivals = [time.monotonic() for _piece in response.iter_raw()]
    gaps = sorted(later - earlier for earlier, later in pairwise(arrivals))
    assert len(arrivals) >= 40
    assert gaps[len(gaps) * 3 // 4] < 0.03  # a delayed acknowledgement would make 40 ms of every gap
