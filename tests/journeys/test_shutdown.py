"""How a gateway ends, with real processes: what was promised is kept, to a deadline, and the exit code is 0."""

import asyncio
import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.backend import Behaviour, Received, Wire, answer, backend, chosen, raw
from tests.process import Served, config, eventually, mock, services, serving

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
FIRST = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
DONE = b"data: [DONE]\n\n"
LARGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 900000\r\n\r\n" + b"x" * 100
ENDLESS = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 90000000\r\n\r\n" + b"x" * 20_000_000

everywhere = pytest.mark.parametrize(("interface", "workers"), [("rsgi", "1"), ("rsgi", "2"), ("asgi", "1")])
both = pytest.mark.parametrize(("interface", "workers"), [("rsgi", "2"), ("asgi", "1")])


def held(release: threading.Event) -> Behaviour:
    """Stream an event, and the end when it is allowed."""

    async def behave(_: Received, wire: Wire) -> None:
        await wire.send(HEAD + FIRST)
        await asyncio.to_thread(release.wait)
        await wire.send(DONE)
        wire.writer.close()

    return behave


def text(shutdown: str, *models: str, url: str) -> str:
    """Return a configuration with models that stand on one backend."""
    lines = [f"server: {{locale: en, shutdown: {shutdown}}}", "logging: {access: {enabled: false}}", "model:"]
    lines += ["  circuit-breaker: {enabled: true, failure-threshold: 1, timeout: 60s}", "  services:", "    chat:"]
    lines += ["      instances:", *(f"        - {{name: {name}, base-url: '{url}'}}" for name in models)]
    return "\n".join(lines) + "\n"


def chat(model: str, *, stream: bool = False) -> dict[str, Any]:
    """Return the body of a request."""
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": stream}


@contextmanager
def streaming(served: Served, model: str = "held") -> Iterator[Iterator[bytes]]:
    """Open a stream and take its first event; yield the pieces that follow."""
    body = chat(model, stream=True)
    url = served.url + "/v1/chat/completions"
    with httpx.stream("POST", url, json=body, trust_env=False, timeout=30) as response:
        pieces = response.iter_raw()
        assert next(pieces) == FIRST
        yield pieces


def is_refused(served: Served) -> bool:
    """Whether nobody takes a new connection."""
    try:
        served.get("/actuator/health/liveness")
    except httpx.ConnectError:
        return True
    except httpx.TransportError:  # caught at the very moment when it closed
        return False
    return False


def status(served: Served, path: str) -> int:
    """Return the status of an answer."""
    return served.get(path).status_code


def error_of(event: bytes) -> dict[str, Any]:
    """Return the error in an SSE event that is the last one."""
    assert event.startswith(b"data: ")
    assert event.endswith(b"\n\n")
    error: dict[str, Any] = json.loads(event.removeprefix(b"data: "))["error"]
    return error


@both
def test_readiness_turns_while_a_stream_goes_on(tmp_path: Path, interface: str, workers: str) -> None:
    """503 at once, in every worker; requests are served for the delay, then refused; the stream has its [DONE]."""
    release = threading.Event()
    behave = chosen({"held": held(release), "quick": answer({"id": "x"})})
    with backend(behave) as behind:
        file = config(tmp_path, text("{delay: 3s}", "held", "quick", url=behind.url))
        options = ("--config", str(file), "--interface", interface, "--workers", workers)
        with serving(*options, stderr=tmp_path / "log") as served, streaming(served) as pieces:
            assert {status(served, "/actuator/health/readiness") for _ in range(4)} == {200}
            served.process.send_signal(signal.SIGTERM)
            eventually(lambda: {status(served, "/actuator/health/readiness") for _ in range(4)} == {503})
            node = served.get("/actuator/health/readiness").json()
            details = node["components"]["readinessState"].pop("details")
            assert node == {
                "status": "OUT_OF_SERVICE",
                "components": {"readinessState": {"status": "OUT_OF_SERVICE"}},
            }
            assert details["inFlight"] == 1
            assert 0 < details["secondsLeft"] <= 33
            whole = served.get("/actuator/health")
            assert (whole.status_code, whole.json()["status"]) == (503, "OUT_OF_SERVICE")
            assert status(served, "/actuator/health/liveness") == 200
            last = served.post("/v1/chat/completions", json=chat("quick"))
            assert (last.status_code, last.headers["connection"]) == (200, "close")
            eventually(lambda: is_refused(served))
            assert served.process.poll() is None
            release.set()
            assert b"".join(pieces) == DONE
            assert served.process.wait(10) == 0
    log = (tmp_path / "log").read_text().splitlines()
    assert len(log) == 1
    assert "draining: requests in flight have 30 s, new ones are accepted for 3 s" in log[0]


def ask(served: Served, model: str, *, stream: bool = False) -> tuple[int, str, bytes]:
    """Ask; return the status, Retry-After and the body; 0 where the answer broke off."""
    try:
        done = served.post("/v1/chat/completions", json=chat(model, stream=stream))
    except httpx.TransportError:
        return 0, "", b""
    return done.status_code, done.headers.get("retry-after", ""), done.content


@everywhere
def test_what_is_left_at_the_deadline_is_told_the_truth(tmp_path: Path, interface: str, workers: str) -> None:
    """A stream gets an error event and no [DONE]; what has no answer yet, or waits for a slot, 503; the rest breaks."""
    behave = chosen(
        {
            "held": raw(HEAD + FIRST, then="wait"),
            "silent": raw(then="wait"),
            "large": raw(LARGE, then="wait"),
            "alone": raw(then="wait"),
        }
    )
    with backend(behave) as behind, backend(behave) as narrow:
        lines = text("{timeout: 700ms}", "held", "silent", "large", url=behind.url)
        lines += f"        - {{name: alone, base-url: '{narrow.url}', max-concurrency: 1}}\n"
        options = ("--config", str(config(tmp_path, lines)), "--interface", interface, "--workers", workers)
        with serving(*options, stderr=tmp_path / "log") as served, ThreadPoolExecutor(5) as pool:
            asked = {
                name: pool.submit(ask, served, name.partition("-")[0], stream=name == "held")
                for name in ("held", "silent", "large", "alone-1", "alone-2")
            }
            eventually(lambda: len(behind.requests) == 3 and len(narrow.requests) == 1)
            eventually(lambda: '"waiting":1' in served.get("/actuator/health").text)
            served.process.send_signal(signal.SIGTERM)
            got = {name: answered.result() for name, answered in asked.items()}
            assert served.process.wait(10) == 0
        assert all(received.gone.wait(5) for received in (*behind.requests, *narrow.requests))
    code, _, body = got.pop("held")
    first, event = body.split(b"\n\n", 1)
    assert (code, first) == (200, FIRST.strip())
    assert error_of(event)["code"] == "shutting_down"
    assert got.pop("large") == (0, "", b"")
    for code, retry_after, body in got.values():
        assert (code, retry_after) == (503, "1")
        assert json.loads(body)["error"] == {
            "message": "The gateway is shutting down; try again",
            "type": "shutting_down",
            "code": "shutting_down",
            "details": {"source": "gateway", "reason": "shutting_down"},
        }
    log = (tmp_path / "log").read_text()
    assert [log.count(what) for what in (" truncated after ", " failed after ", " left after ")] == [2, 3, 0]
    assert "circuit breaker" not in log
    assert log.splitlines()[-1].endswith("drain timeout: 5 requests ended")


@both
def test_a_second_signal_ends_at_once(tmp_path: Path, interface: str, workers: str) -> None:
    """The stream is told, though it had a minute left."""
    with backend(raw(HEAD + FIRST, then="wait")) as behind:
        file = config(tmp_path, text("{timeout: 60s, delay: 60s}", "held", url=behind.url))
        options = ("--config", str(file), "--interface", interface, "--workers", workers)
        with serving(*options, stderr=tmp_path / "log") as served, streaming(served) as pieces:
            served.process.send_signal(signal.SIGTERM)
            eventually(lambda: status(served, "/actuator/health/readiness") == 503)
            served.process.send_signal(signal.SIGTERM)
            assert error_of(b"".join(pieces))["code"] == "shutting_down"
            assert served.process.wait(10) == 0
    assert (tmp_path / "log").read_text().splitlines()[-1].endswith("stopped by a second signal: 1 requests ended")


def test_ctrl_c_in_a_terminal(tmp_path: Path) -> None:
    """SIGINT reaches all processes at once: the stream goes on to its end, and nothing is printed but the one line."""
    release = threading.Event()
    with backend(held(release)) as behind:
        file = config(tmp_path, text("graceful", "held", url=behind.url))
        options = ("--config", str(file), "--workers", "2")
        with serving(*options, stderr=tmp_path / "log") as served, streaming(served) as pieces:
            os.killpg(served.process.pid, signal.SIGINT)
            eventually(lambda: is_refused(served))
            release.set()
            assert b"".join(pieces) == DONE
            assert served.process.wait(10) == 0
    assert [line.partition("INFO ")[2] for line in (tmp_path / "log").read_text().splitlines()] == [
        "draining: requests in flight have 30 s; a second signal ends them now"
    ]


def test_ctrl_c_twice_in_a_terminal(tmp_path: Path) -> None:
    """At once, and still told."""
    with backend(raw(HEAD + FIRST, then="wait")) as behind:
        file = config(tmp_path, text("graceful", "held", url=behind.url))
        with serving("--config", str(file), "--workers", "2") as served, streaming(served) as pieces:
            os.killpg(served.process.pid, signal.SIGINT)
            eventually(lambda: is_refused(served))
            os.killpg(served.process.pid, signal.SIGINT)
            assert error_of(b"".join(pieces))["code"] == "shutting_down"
            assert served.process.wait(10) == 0


def test_immediately(tmp_path: Path) -> None:
    """Spring's word for no waiting; what is under way is told all the same."""
    with backend(raw(HEAD + FIRST, then="wait")) as behind:
        file = config(tmp_path, text("immediate", "held", url=behind.url))
        with serving("--config", str(file)) as served, streaming(served) as pieces:
            served.process.send_signal(signal.SIGTERM)
            assert error_of(b"".join(pieces))["code"] == "shutting_down"
            assert served.process.wait(10) == 0


@pytest.mark.parametrize("interface", ["rsgi", "asgi"])
def test_an_idle_connection_holds_nobody_up(tmp_path: Path, interface: str) -> None:
    """It is closed, long before the deadline."""
    file = config(tmp_path, text("{timeout: 60s}", "m", url="http://127.0.0.1:1"))
    with serving("--config", str(file), "--interface", interface) as served, served.client() as client:
        assert client.get("/v1/models").status_code == 200
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(10) == 0


@pytest.mark.parametrize("interface", ["rsgi", "asgi"])
def test_a_client_that_does_not_read_holds_nobody_up(tmp_path: Path, interface: str) -> None:
    """Nor does one whose request never ends; both are cut off after the deadline."""
    with backend(raw(ENDLESS, then="wait")) as behind, ExitStack() as stack:
        file = config(tmp_path, text("{timeout: 300ms}", "m", url=behind.url))
        with serving("--config", str(file), "--interface", interface) as served:
            place = httpx.URL(served.url)
            for body, length in ((json.dumps(chat("m")).encode(), None), (b"{", 100)):
                client = stack.enter_context(socket.create_connection((place.host, place.port or 0)))
                head = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                client.sendall(f"{head}Content-Length: {length or len(body)}\r\n\r\n".encode() + body)
            eventually(lambda: len(behind.requests) == 1)
            served.process.send_signal(signal.SIGTERM)
            assert served.process.wait(10) == 0


def children(pid: int) -> list[Path]:
    """Return the places of a process's children in /proc."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [Path("/proc") / child for child in found]


def test_workers_do_not_outlive_their_parent(tmp_path: Path) -> None:
    """Killed outright, it leaves workers that drain by themselves: the stream has its end, then they are gone."""
    release = threading.Event()
    with backend(held(release)) as behind:
        file = config(tmp_path, text("graceful", "held", url=behind.url))
        options = ("--config", str(file), "--workers", "2")
        with serving(*options, stderr=tmp_path / "log", code=-signal.SIGKILL) as served, streaming(served) as pieces:
            workers = children(served.process.pid)
            assert len(workers) == 2
            served.process.kill()
            eventually(lambda: is_refused(served))
            release.set()
            assert b"".join(pieces) == DONE
            eventually(lambda: not any(worker.exists() for worker in workers))
    assert "the parent process is gone: draining" in (tmp_path / "log").read_text()


def test_a_worker_that_is_killed_is_replaced(tmp_path: Path) -> None:
    """As ever; and the end afterwards is a clean one."""
    with backend(answer({"id": "x"})) as behind:
        file = config(tmp_path, text("graceful", "m", url=behind.url))
        with serving("--config", str(file), "--workers", "2") as served:
            before = children(served.process.pid)
            os.kill(int(before[0].name), signal.SIGKILL)
            eventually(lambda: len({*children(served.process.pid), *before}) == 3)
            eventually(lambda: [ask(served, "m")[0] for _ in range(8)] == [200] * 8)


def was_refused(error: BaseException | None) -> bool:
    """Whether an error comes of nobody taking a new connection."""
    return error is not None and (isinstance(error, ConnectionRefusedError) or was_refused(error.__context__))


class Clients:
    """Some that talk without a pause, and go to another gateway only when one refuses their connection."""

    def __init__(self, urls: list[str], turn: Callable[[openai.OpenAI], str | None]) -> None:
        self._urls = urls
        self._turn = turn
        self.is_over = threading.Event()
        self.served = [0] * len(urls)

    def talk(self) -> set[str | None]:
        """Talk until told that it is over; return what was heard, anything that went wrong included."""
        heard: set[str | None] = set()
        with ExitStack() as stack:
            clients = [
                stack.enter_context(openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=20))
                for url in self._urls
            ]
            at = 0
            while not self.is_over.is_set():
                try:
                    heard.add(self._turn(clients[at]))
                    self.served[at] += 1
                except openai.APIConnectionError as error:
                    if not was_refused(error) or at + 1 == len(clients):
                        heard.add(repr(error.__context__))
                        return heard
                    at += 1
                except openai.APIError as error:
                    heard.add(repr(error))
        return heard


def unary(client: openai.OpenAI) -> str | None:
    """Ask for a whole answer."""
    reply = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
    return reply.choices[0].message.content


def streamed(client: openai.OpenAI) -> str | None:
    """Ask for a stream."""
    with client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], stream=True) as stream:
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


@both
def test_another_gateway_takes_over(tmp_path: Path, interface: str, workers: str) -> None:
    """Under load one gateway is told to end: no client notices more than that it takes no new connections."""
    with mock("one", "--delay", "0.02") as (_, url):
        file = config(tmp_path, services(chat=[url]).replace("server:\n", "server:\n  shutdown: {delay: 1s}\n"))
        options = ("--config", str(file), "--interface", interface, "--workers", workers)
        with serving(*options) as first, serving(*options) as second, ThreadPoolExecutor(4) as pool:
            crowds = [Clients([first.url, second.url], turn) for turn in (unary, streamed)]
            talks: list[Future[set[str | None]]] = [pool.submit(crowd.talk) for crowd in crowds for _ in range(2)]
            eventually(lambda: all(crowd.served[0] > 20 for crowd in crowds))
            first.process.send_signal(signal.SIGTERM)
            assert first.process.wait(15) == 0
            eventually(lambda: any(talk.done() for talk in talks) or all(crowd.served[1] > 20 for crowd in crowds))
            for crowd in crowds:
                crowd.is_over.set()
            assert [talk.result() for talk in talks] == [{"You said: hi"}] * 4
