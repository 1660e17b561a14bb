"""Backends fail in every way there is, under load from the SDK, and no client notices; then they are used again."""

import asyncio
import json
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.backend import Backend, Behaviour, Received, Wire, answer, backend, raw
from tests.forked import Forked
from tests.process import Served, config, eventually, mock, sdk, serving, worker_pids

Message = dict[str, str]
CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
EMBEDDING = {"model": "m", "input": "x"}

HEAD = """\
server: {locale: en, route-header: true}
webclient: {first-byte-timeout: 500ms, connection-timeout: 500ms}
model:
  load-balance:
    type: round-robin
    health-check: {interval: 300ms, timeout: 300ms, failure-threshold: 2, success-threshold: 1}
  circuit-breaker: {enabled: true, failure-threshold: 3, timeout: 500ms, success-threshold: 1}
"""


def pools(**urls: list[str]) -> str:
    """Return a service `chat` with these models and their instances."""
    lines = [HEAD + "  services:\n    chat:\n      instances:"]
    lines += [f"        - {{name: {name}, base-url: '{url}'}}" for name, places in urls.items() for url in places]
    return "\n".join(lines) + "\n"


def completion(name: str) -> Behaviour:
    """Answer as a model does, signed."""
    choice = {"index": 0, "message": {"role": "assistant", "content": name}, "finish_reason": "stop"}
    return answer({"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]})


async def hang(_: Received, wire: Wire) -> None:
    """Take the request and say nothing."""
    await wire.closed()


async def drip(_: Received, wire: Wire) -> None:
    """Say a word of the head now and then, and never come to its end."""
    await wire.send(b"HTTP/1.1 200 OK\r\n")
    for number in range(1000):
        await wire.send(f"x-{number}: y\r\n".encode())
        await asyncio.sleep(0.1)


async def reset(_: Received, wire: Wire) -> None:
    """Break off without a word."""
    wire.reset()


TROUBLES: dict[str, Behaviour] = {
    "hang": hang,
    "drip": drip,
    "reset": reset,
    "close": raw(),
    "garbage": raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "cut head": raw(b"HTTP/1.1 200 OK\r\ncontent-le"),
    "500": answer({"error": "boom"}, "500 Internal Server Error"),
    "502": answer({"error": "boom"}, "502 Bad Gateway"),
    "503": answer({"error": "boom"}, "503 Service Unavailable"),
    "504": answer({"error": "boom"}, "504 Gateway Timeout"),
    "429": answer({"error": "busy"}, "429 Too Many Requests"),
}


@dataclass
class Load:
    """Clients that talk until they are told to stop; what they were told."""

    said: Counter[str] = field(default_factory=Counter)
    errors: list[Exception] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)


@contextmanager
def load(served: Served, model: str = "m", clients: int = 6) -> Iterator[Load]:
    """Let clients of the SDK talk for as long as the block lasts."""
    found = Load()

    def talk() -> None:
        with sdk(served) as client:
            while not found.stop.is_set():
                try:
                    reply = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}])
                    found.said[reply.choices[0].message.content or ""] += 1
                except Exception as error:  # noqa: BLE001 - none is expected, and the test shows them
                    found.errors.append(error)

    with ThreadPoolExecutor(clients) as pool:
        running = [pool.submit(talk) for _ in range(clients)]
        try:
            yield found
        finally:
            found.stop.set()
            for one in running:
                one.result()


@dataclass
class House:
    """A gateway and three backends behind it, two for the model `m` and three for `three`."""

    served: Served
    backends: list[Backend]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One gateway for all troubles."""
    with backend(completion("a")) as a, backend(completion("b")) as b, backend(completion("c")) as c:
        file = config(tmp_path_factory.mktemp("house"), pools(m=[a.url, b.url], three=[a.url, b.url, c.url]))
        with serving("--config", str(file)) as served:
            yield House(served, [a, b, c])


@pytest.mark.parametrize(
    ("trouble", "model"),
    [
        *((trouble, "m") for trouble in (*TROUBLES, "refuse")),
        *((one, "three") for one in ("hang", "reset", "500", "refuse")),
    ],
)
def test_no_client_notices_and_what_recovers_is_used_again(house: House, trouble: str, model: str) -> None:
    """Nothing has gone to the client yet: another instance answers. Once the trouble is over, its share comes back."""
    first = house.backends[0]
    with load(house.served, model) as clients:
        eventually(lambda: clients.said["a"] > 3 and clients.said["b"] > 3)
        seen = len(first.requests)
        if trouble == "refuse":
            first.refuse()
        else:
            first.behave = TROUBLES[trouble]
            eventually(lambda: len(first.requests) > seen)
        before = clients.said.copy()
        eventually(lambda: clients.said["b"] > before["b"] + 10)
        if trouble == "refuse":
            first.listen()
        first.behave = completion("a")
        recovered = clients.said["a"]
        eventually(lambda: clients.said["a"] > recovered + 10)
    assert clients.errors == []


def test_streams_fail_over_before_their_first_byte(house: House) -> None:
    """The same for streams."""
    events = b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\ndata: [DONE]\n\n'
    first, second = house.backends[:2]
    first.behave, second.behave = TROUBLES["reset"], answer(events, content_type="text/event-stream")
    try:
        with house.served.client() as client:
            bodies = [client.post("/v1/chat/completions", json={**CHAT, "stream": True}).content for _ in range(6)]
        assert bodies == [events] * 6
    finally:
        first.behave, second.behave = completion("a"), completion("b")


def test_nothing_is_tried_for_a_client_that_has_left(house: House) -> None:
    """The first instance hangs, the client goes: when the first attempt would have been given up, no second follows."""
    first, second = house.backends[:2]
    first.behave = second.behave = hang
    try:
        seen = len(first.requests) + len(second.requests)
        with pytest.raises(httpx.TimeoutException):
            httpx.post(f"{house.served.url}/v1/chat/completions", json=CHAT, timeout=0.2)
        eventually(lambda: _in_flight(house.served) == 0)
        time.sleep(0.6)  # longer than first-byte-timeout: nothing is to happen, which cannot be waited for
        assert len(first.requests) + len(second.requests) == seen + 1
    finally:
        first.behave, second.behave = completion("a"), completion("b")


def test_a_stopped_process_is_left_alone_and_comes_back(tmp_path: Path) -> None:
    """SIGSTOP: its port is open and nothing answers. SIGCONT: it is used again."""
    with mock("one") as (first, url), mock("two") as (_, other):
        file = config(tmp_path, pools(m=[url, other]))
        pids = _with_children(first)
        with serving("--config", str(file)) as served:
            with load(served) as clients:
                eventually(lambda: sum(clients.said.values()) > 20)
                _signal(pids, signal.SIGSTOP)
                eventually(lambda: _state(served, url) == "DOWN")
                talked = sum(clients.said.values())
                eventually(lambda: sum(clients.said.values()) > talked + 20)
                _signal(pids, signal.SIGCONT)
                eventually(lambda: _state(served, url) == "UP")
            assert clients.errors == []


def _with_children(process: Forked) -> list[int]:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [process.pid, *map(int, children)]


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        subprocess.run(["kill", f"-{number.name.removeprefix('SIG')}", str(pid)], check=True)


def _in_flight(served: Served) -> int:
    return sum(int(one["inFlight"]) for one in _instances(served))


def _instances(served: Served, service: str = "chat") -> list[dict[str, Any]]:
    node = served.get("/actuator/health").json()["components"]["modelRouter"]["details"]["services"][service]
    found: list[dict[str, Any]] = node["instances"]
    return found


def _state(served: Served, url: str) -> str:
    return next(str(one["status"]) for one in _instances(served) if one["url"] == url)


# --- what is true for all workers together ---


def slots_config(url: str, limit: int) -> str:
    """Return three models on one machine with so many slots."""
    lines = ["server: {locale: en}", "model:", "  queue: {size: 2000, timeout: 60s}", "  services:"]
    for service in ("chat", "embedding"):
        lines += [f"    {service}:", "      instances:"]
        lines += [f"        - {{name: {name}, base-url: '{url}', max-concurrency: {limit}}}" for name in ("m", "n")]
    return "\n".join(lines) + "\n"


async def _crowd(url: str, clients: int, each: int) -> Counter[str]:
    """Let clients ask at the same time, each so often; count the status lines. Bare sockets: SDKs would take long."""
    statuses: Counter[str] = Counter()
    host, _, port = url.removeprefix("http://").partition(":")

    async def ask(path: str, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\nconnection: close\r\n"
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"{head}content-length: {len(data)}\r\n\r\n".encode() + data)
        answered = await reader.read()
        statuses[answered.partition(b"\r\n")[0].decode()] += 1
        writer.close()

    async def talk(number: int) -> None:
        kinds = [("chat/completions", CHAT), ("chat/completions", {**CHAT, "model": "n"}), ("embeddings", EMBEDDING)]
        for turn in range(each):
            path, body = kinds[(number + turn) % len(kinds)]
            await ask(f"/v1/{path}", body)

    await asyncio.gather(*(talk(number) for number in range(clients)))
    return statuses


def test_a_machine_never_has_more_than_its_slots(tmp_path: Path) -> None:
    """Three models, two workers, five hundred clients: the backend's own counter never passes its eight slots."""
    with mock("gpu", "--delay", "0.02") as (_, url):
        file = config(tmp_path, slots_config(url, 8))
        with serving("--config", str(file), "--workers", "2") as served:
            assert asyncio.run(_crowd(served.url, 500, 2)) == {"HTTP/1.1 200 OK": 1000}
            assert httpx.get(f"{url}/mock/load", trust_env=False).json() == {"in_flight": 0, "most_in_flight": 8}
            eventually(lambda: {one["slots"]["taken"] for one in _instances(served)} == {0})
            assert {(one["inFlight"], one["slots"]["waiting"]) for one in _instances(served)} == {(0, 0)}


def test_what_a_dead_worker_had_under_way_counts_no_more(tmp_path: Path) -> None:
    """Eight slots, all held; as one worker is killed, then the other, theirs are free again."""
    with backend(hang) as gpu:
        file = config(tmp_path, slots_config(gpu.url, 8))
        with serving("--config", str(file), "--workers", "2") as served:
            workers = worker_pids(served)
            assert len(workers) == 2

            def ask() -> bool:
                try:
                    return served.post("/v1/chat/completions", json=CHAT).is_success
                except httpx.TransportError:
                    return False

            with ThreadPoolExecutor(8) as pool:
                held = [pool.submit(ask) for _ in range(8)]
                gpu.wait_for(8)
                assert _taken(served) == 8
                for worker in workers:
                    subprocess.run(["kill", "-9", str(worker)], check=True)
                    eventually(lambda: len(worker_pids(served)) == 2)
                    eventually(lambda: _answers(served) and _taken(served) == sum(not one.done() for one in held))
                assert [one.result() for one in held] == [False] * 8
            assert _taken(served) == 0


def _answers(served: Served) -> bool:
    try:
        return served.get("/v1/models").is_success
    except httpx.TransportError:
        return False


def _taken(served: Served) -> int:
    try:
        return int(_instances(served)[0]["slots"]["taken"])
    except httpx.TransportError:  # sent to the one that was killed
        return -1


def test_workers_share_a_breaker_and_one_of_them_asks(tmp_path: Path) -> None:
    """Four workers: the backend fails five requests, not five each; and is asked by one, not by four."""
    text = HEAD.replace("failure-threshold: 3, timeout: 500ms", "failure-threshold: 5, timeout: 60s")
    text = text.replace("failure-threshold: 2, success", "failure-threshold: 99, success") + "  services:\n    chat:\n"
    with backend(TROUBLES["500"]) as broken:
        file = config(tmp_path, text + f"      instances: [{{name: m, base-url: '{broken.url}'}}]\n")
        with serving("--config", str(file), "--workers", "4") as served:
            answers = [served.post("/v1/chat/completions", json=CHAT) for _ in range(40)]
            assert [one.status_code for one in answers] == [500] * 5 + [503] * 35
            assert len(broken.requests) == 5
            refusal = answers[-1]
            assert refusal.json()["error"]["code"] == "circuit_breaker_open"
            assert 1 <= int(refusal.headers["retry-after"]) <= 60
            start, asked = time.monotonic(), len(broken.questions)
            eventually(lambda: len(broken.questions) >= asked + 8)
            assert time.monotonic() - start > 7 * 0.3 * 0.8


# --- waiting for a slot ---


@pytest.fixture
def gate() -> Iterator[tuple[Backend, threading.Event]]:
    """Give a machine that answers when the gate is opened."""
    opened = threading.Event()

    async def wait(received: Received, wire: Wire) -> None:
        await asyncio.to_thread(opened.wait, 60)
        await completion("a")(received, wire)

    with backend(wait) as gpu:
        yield gpu, opened


def test_who_waits_is_served_in_turn_and_who_leaves_is_forgotten(
    tmp_path: Path, gate: tuple[Backend, threading.Event]
) -> None:
    """One slot: the second leaves, the third waits in its place, the fourth has no room and is told when to come."""
    gpu, opened = gate
    text = slots_config(gpu.url, 1).replace("size: 2000", "size: 1")
    with serving("--config", str(config(tmp_path, text))) as served:
        with ThreadPoolExecutor(3) as pool:
            first = pool.submit(httpx.post, f"{served.url}/v1/chat/completions", json=CHAT, timeout=30)
            gpu.wait_for(1)
            with pytest.raises(httpx.TimeoutException):
                httpx.post(f"{served.url}/v1/chat/completions", json=CHAT, timeout=0.3)
            eventually(lambda: _instances(served)[0]["slots"] == {"limit": 1, "taken": 1, "waiting": 0})
            second = pool.submit(
                httpx.post, f"{served.url}/v1/embeddings", json={"model": "m", "input": "x"}, timeout=30
            )
            eventually(lambda: _instances(served)[0]["slots"]["waiting"] == 1)
            refusal = served.post("/v1/chat/completions", json={**CHAT, "model": "n"})
            assert (refusal.status_code, refusal.json()["error"]["details"]) == (
                503,
                {"source": "gateway", "reason": "all_instances_full", "attempts": 0, "passed_over": {"full": 1}},
            )
            assert int(refusal.headers["retry-after"]) >= 1
            opened.set()
            assert (first.result().status_code, second.result().status_code) == (200, 200)
        eventually(lambda: _instances(served)[0]["slots"] == {"limit": 1, "taken": 0, "waiting": 0})
        assert len(gpu.requests) == 2


def test_a_client_with_few_requests_is_served_before_one_with_many_has_finished(
    tmp_path: Path, gate: tuple[Backend, threading.Event]
) -> None:
    """Twenty requests of one client wait; then one of another: it is the second to be served of those that wait."""
    gpu, opened = gate
    text = slots_config(gpu.url, 1).replace("{locale: en}", "{trusted-proxies: 127.0.0.1}")
    with serving("--config", str(config(tmp_path, text))) as served:

        def ask(client: str) -> int:
            headers = {"x-forwarded-for": client, "x-who": client}  # the backend is told only the other
            return httpx.post(f"{served.url}/v1/chat/completions", json=CHAT, headers=headers, timeout=30).status_code

        with ThreadPoolExecutor(22) as pool:
            many = [pool.submit(ask, "192.0.2.1") for _ in range(21)]
            eventually(lambda: _instances(served)[0]["slots"]["waiting"] == 20)
            few = pool.submit(ask, "192.0.2.2")
            eventually(lambda: _instances(served)[0]["slots"]["waiting"] == 21)
            opened.set()
            assert [few.result(), *(one.result() for one in many)] == [200] * 22
        order = [received.header("x-who") for received in gpu.requests]
        assert order.index("192.0.2.2") <= 2


def test_the_wait_has_an_end(tmp_path: Path, gate: tuple[Backend, threading.Event]) -> None:
    """`queue.timeout`; then 503."""
    gpu, opened = gate
    text = slots_config(gpu.url, 1).replace("timeout: 60s", "timeout: 200ms")
    with serving("--config", str(config(tmp_path, text))) as served, ThreadPoolExecutor(1) as pool:
        first = pool.submit(httpx.post, f"{served.url}/v1/chat/completions", json=CHAT, timeout=30)
        gpu.wait_for(1)
        refusal = served.post("/v1/chat/completions", json=CHAT)
        assert (refusal.status_code, refusal.json()["error"]["details"]["reason"]) == (503, "all_instances_full")
        opened.set()
        assert first.result().status_code == 200


def test_more_slots_at_run_time_let_more_through(tmp_path: Path, gate: tuple[Backend, threading.Event]) -> None:
    """An edit takes effect for those who wait already, and for requests of either limit together."""
    gpu, opened = gate
    file = config(tmp_path, slots_config(gpu.url, 1))
    with serving("--config", str(file)) as served, ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(httpx.post, f"{served.url}/v1/chat/completions", json=CHAT, timeout=30) for _ in range(3)]
        eventually(lambda: _instances(served)[0]["slots"] == {"limit": 1, "taken": 1, "waiting": 2})
        file.write_text(slots_config(gpu.url, 2))
        eventually(lambda: _instances(served)[0]["slots"] == {"limit": 2, "taken": 2, "waiting": 1})
        opened.set()
        assert [one.result().status_code for one in asked] == [200] * 3
