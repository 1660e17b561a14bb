"""Which instance answers, as seen from outside: strategies, tiers, cooldowns, probes, explanations."""

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.backend import Backend, Behaviour, Received, Wire, answer, backend, raw
from tests.process import Served, config, eventually, run, serving, shared_folder

CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
NO_PROBES = "{type: TYPE, health-check: {enabled: false}}"
NO_MODEL = "No instances found for model 'nope' in service type 'chat'; available models: m"


def named(name: str) -> Behaviour:
    """Answer with a name."""
    return answer({"name": name})


@pytest.fixture
def three() -> Iterator[list[Backend]]:
    """Three backends that answer their names."""
    with backend(named("a")) as a, backend(named("b")) as b, backend(named("c")) as c:
        yield [a, b, c]


def pool(backends: list[Backend], balancing: str, *more: str, server: str = "locale: en") -> str:
    """Return a configuration of one model on these backends; `more` is added to each instance in turn."""
    lines = [f"server: {{{server}}}", f"model:\n  load-balance: {NO_PROBES.replace('TYPE', balancing)}"]
    lines += ["  max-retries: 2", "  services:\n    chat:\n      instances:"]
    extras = [*more, *[""] * len(backends)]
    lines += [
        f"        - {{name: m, base-url: '{one.url}'{extra}}}" for one, extra in zip(backends, extras, strict=False)
    ]
    return "\n".join(lines) + "\n"


def ask(served: Served, headers: dict[str, str] | None = None, **fields: Any) -> str:
    """Ask; return who answered."""
    return str(served.post("/v1/chat/completions", json={**CHAT, **fields}, headers=headers).json()["name"])


def test_one_selection_a_request(tmp_path: Path, three: list[Backend]) -> None:
    """Round robin with weights 3, 1, 1 in its exact order: nothing is chosen twice."""
    text = pool(three, "round-robin", ", weight: 3")
    with serving("--config", str(config(tmp_path, text))) as served:
        assert "".join(ask(served) for _ in range(10)) == "abacaabaca"


MANY = 48
"""Keys: the ports of the backends are others each time, and with so many no backend is left out by chance."""


def test_hashing_goes_by_client_session_and_beginning(tmp_path: Path, three: list[Backend]) -> None:
    """The strategy is changed while it serves; what decides is then another thing each time."""
    file = config(tmp_path, pool(three, "ip-hash", server="locale: en, trusted-proxies: 127.0.0.0/8"))
    with serving("--config", str(file)) as served:

        def strategy() -> str:
            done = run("explain", "chat", "m", "--url", served.url, "--json")
            return str(json.loads(done.stdout)["strategy"])

        clients = [{"x-forwarded-for": f"192.0.2.{n}"} for n in range(MANY)]
        homes = [ask(served, client) for client in clients]
        assert set(homes) == set("abc")
        assert [ask(served, client) for client in clients] == homes
        forged = [{"x-forwarded-for": f"203.0.113.9, {client['x-forwarded-for']}"} for client in clients]
        assert [ask(served, client) for client in forged] == homes

        file.write_text(file.read_text().replace("ip-hash", "consistent-hash"))
        eventually(lambda: strategy() == "consistent-hash")
        sessions = [{"x-session-id": f"s{n}"} for n in range(MANY)]
        homes = [ask(served, session) for session in sessions]
        assert set(homes) == set("abc")
        assert [ask(served, {**session, **clients[0]}) for session in sessions] == homes

        file.write_text(file.read_text().replace("consistent-hash", "prefix-affinity"))
        eventually(lambda: strategy() == "prefix-affinity")

        def talk(topic: int, turns: int) -> str:
            messages = [{"role": "system", "content": f"topic {topic}"}, *[{"role": "user", "content": "x"}] * turns]
            return ask(served, messages=messages)

        homes = [talk(topic, 1) for topic in range(MANY)]
        assert set(homes) == set("abc")
        assert [talk(topic, 3) for topic in range(MANY)] == homes


def test_a_header_of_a_stranger_is_not_believed(tmp_path: Path, three: list[Backend]) -> None:
    """Without trusted proxies the peer's address counts, whatever it says."""
    with serving("--config", str(config(tmp_path, pool(three, "ip-hash")))) as served:
        assert (
            len({ask(served, {"x-forwarded-for": f"192.0.2.{n}", "x-real-ip": f"192.0.2.{n}"}) for n in range(12)}) == 1
        )


def test_streams_count_until_they_end(tmp_path: Path, three: list[Backend]) -> None:
    """Least connections: what hangs on a stream is busy; when it fails or is left it is free again."""
    a, b, _ = three
    with serving("--config", str(config(tmp_path, pool([a, b], "least-connections")))) as served:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: {}\n\n"
        a.behave = b.behave = raw(head, then="wait")
        with served.client() as client, client.stream("POST", "/v1/chat/completions", json=CHAT) as first:
            pieces = first.iter_raw()  # kept: httpx lets the answer go with its iterator
            next(pieces)
            held, other = (a, b) if a.requests else (b, a)
            held.behave, other.behave = named("held"), named("other")
            assert Counter(ask(served) for _ in range(6)) == {"other": 6}
        held.behave = other.behave = raw()
        for _ in range(4):
            served.post("/v1/chat/completions", json=CHAT)
        a.behave, b.behave = named("a"), named("b")
        eventually(lambda: _in_flight(served) == [0, 0])
        assert Counter(ask(served) for _ in range(6)) == {"a": 3, "b": 3}


def _in_flight(served: Served) -> list[int]:
    details = served.get("/actuator/health").json()["components"]["modelRouter"]["details"]
    return [int(one["inFlight"]) for one in details["services"]["chat"]["instances"]]


def test_lower_tiers_first(tmp_path: Path, three: list[Backend]) -> None:
    """The second tier answers when the first cannot, and no longer."""
    text = pool(three, "round-robin", ", priority: 1", "", ", priority: 2")
    with serving("--config", str(config(tmp_path, text))) as served:
        assert {ask(served) for _ in range(6)} == {"b"}
        three[1].behave = raw()
        assert {ask(served) for _ in range(6)} == {"a"}
        three[0].behave = raw()
        assert {ask(served) for _ in range(3)} == {"c"}


def test_retry_after_is_honoured(tmp_path: Path, three: list[Backend]) -> None:
    """An instance with a key of its own that says 429 is left alone; one that said it to the client's key is not."""
    head = b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 50\r\ncontent-length: 2\r\n\r\n{}"
    a, b, _ = three
    with serving("--config", str(config(tmp_path, pool([a, b], "round-robin", ", api-key: ours")))) as served:
        a.behave = raw(head)
        assert {ask(served, {"authorization": "Bearer mine"}) for _ in range(6)} == {"b"}
        assert len(a.requests) == 1
        b.behave = raw(head)
        answers = [
            served.post("/v1/chat/completions", json=CHAT, headers={"authorization": "Bearer mine"}) for _ in range(3)
        ]
        assert [(one.status_code, one.headers["retry-after"]) for one in answers] == [(429, "50")] * 3
        assert len(b.requests) == 6 + 3
        told = [served.post("/v1/chat/completions", json=CHAT) for _ in range(2)]
        assert [one.status_code for one in told] == [429, 503]
        refusal = told[1]
        assert (refusal.json()["error"]["details"]["reason"], refusal.json()["error"]["details"]["passed_over"]) == (
            "all_instances_cooling_down",
            {"cooling_down": 2},
        )
        assert 40 < int(refusal.headers["retry-after"]) <= 50


def test_the_list_of_statuses_is_configurable(tmp_path: Path, three: list[Backend]) -> None:
    """418 is retried when it is listed, 500 is not when it is not; switched off, nothing is."""
    a, b, _ = three
    a.behave = answer({"name": "teapot"}, "418 Teapot")
    file = config(tmp_path, pool([a, b], "round-robin") + "  failover: {retry-on: [418]}\n")
    with serving("--config", str(file)) as served:
        assert {ask(served) for _ in range(4)} == {"b"}
        a.behave = answer({"name": "a500"}, "500 Error")
        assert {ask(served) for _ in range(4)} == {"a500", "b"}
        file.write_text(file.read_text().replace("{retry-on: [418]}", "{enabled: false}"))
        a.behave = answer({"name": "a502"}, "502 Error")
        eventually(lambda: ask(served) == "a502")


# --- probes ---

KINDS = {
    "normal": "/v1/models",
    "ollama": "/api/tags",
    "vllm": "/health",
    "localai": "/healthz",
    "gpustack": "/healthz",
}


def test_each_kind_is_asked_what_costs_it_nothing(tmp_path: Path) -> None:
    """A GET each, with the instance's key; never a POST; and none at all while traffic proves that it works."""
    with backend(named("a")) as one:
        lines = ["model:\n  load-balance: {health-check: {interval: 200ms}}\n  services:\n    chat:\n      instances:"]
        lines += [
            f"        - {{name: {kind}, base-url: '{one.url}', adapter: {kind}, api-key: 'key-{kind}'}}"
            for kind in KINDS
        ]
        lines += [f"        - {{name: own, base-url: '{one.url}/deep/v1', health-path: /mine}}"]
        with serving("--config", str(config(tmp_path, "\n".join(lines) + "\n"))):
            eventually(lambda: len(one.questions) >= 2 * len(KINDS) + 2)
        asked = {(question.line, question.header("authorization")) for question in one.questions}
        wanted = {(f"GET {path} HTTP/1.1", f"Bearer key-{kind}") for kind, path in KINDS.items()}
        assert asked == wanted | {("GET /mine HTTP/1.1", None)}
        assert one.requests == []


def test_what_an_answer_to_a_probe_says(tmp_path: Path, three: list[Backend]) -> None:
    """404 and 401 say that somebody is there; 503 does not; on a path that was named only 2xx and 3xx are good."""
    a, b, c = three
    a.behave_when_asked = answer({}, "401 Unauthorized")
    b.behave_when_asked = answer({}, "503 Loading")
    c.behave_when_asked = answer({}, "404 Not Found")
    text = pool(three, "random", "", "", ", health-path: /ready").replace("enabled: false", "interval: 100ms")
    with serving("--config", str(config(tmp_path, text))) as served:

        def states() -> list[tuple[str, str]]:
            found = served.get("/actuator/health").json()["components"]["modelRouter"]["details"]["services"]["chat"]
            return [(one["status"], one.get("error", "")) for one in found["instances"]]

        eventually(
            lambda: (
                states() == [("UP", ""), ("DOWN", "HTTP 503 from GET /v1/models"), ("DOWN", "HTTP 404 from GET /ready")]
            )
        )
        assert {ask(served) for _ in range(5)} == {"a"}
        b.behave_when_asked = c.behave_when_asked = answer({})
        eventually(lambda: [state for state, _ in states()] == ["UP"] * 3)


def test_one_question_at_a_time(tmp_path: Path, three: list[Backend]) -> None:
    """An instance that takes the question and says nothing is not asked again before that one is given up."""
    silent, working, _ = three
    silent.behave_when_asked = raw(then="wait")
    text = pool([silent, working], "random").replace("enabled: false", "interval: 100ms, timeout: 30s")
    with serving("--config", str(config(tmp_path, text))):
        eventually(lambda: len(working.questions) >= 10)
        assert len(silent.questions) == 1


def test_connections_that_are_all_at_work_say_nothing_of_health(tmp_path: Path) -> None:
    """No connection is left to ask with: the instance stays what it was."""
    opened = threading.Event()

    async def wait(received: Received, wire: Wire) -> None:
        await asyncio.to_thread(opened.wait, 30)
        await named("a")(received, wire)

    with backend(wait) as one:
        text = pool([one], "random").replace("enabled: false", "interval: 100ms, failure-threshold: 1")
        limits = "webclient: {connection-pool: {max-connections: 1, pending-acquire-timeout: 50ms}}\n"
        with serving("--config", str(config(tmp_path, text + limits))) as served, ThreadPoolExecutor(1) as threads:
            eventually(lambda: _state(served) == "UP")
            held = threads.submit(ask, served)
            one.wait_for(1)
            time.sleep(0.6)  # several questions' worth: nothing is to happen, which cannot be waited for
            assert _state(served) == "UP"
            opened.set()
            assert held.result() == "a"


def _state(served: Served) -> str:
    details = served.get("/actuator/health").json()["components"]["modelRouter"]["details"]
    return str(details["services"]["chat"]["instances"][0]["status"])


def test_traffic_that_works_is_proof_enough(tmp_path: Path) -> None:
    """No question while requests are answered; with the end of traffic they begin."""
    with backend(named("a")) as one:
        text = pool([one], "random").replace("enabled: false", "interval: 500ms")
        with serving("--config", str(config(tmp_path, text))) as served:
            eventually(lambda: len(one.questions) == 1)
            seen, end = len(one.questions), time.monotonic() + 2
            while time.monotonic() < end:
                ask(served)
            assert len(one.questions) <= seen + 1  # four without traffic; one, if the machine stood still for a while
            eventually(lambda: len(one.questions) > seen + 1)


# --- what people are told ---


def test_explain(tmp_path: Path, three: list[Backend]) -> None:
    """The command shows each candidate and what stands against it, and says so when it cannot."""
    text = pool(three, "least-connections", "", ", priority: 1", ", enabled: false")
    file = config(tmp_path, text + "  circuit-breaker: {enabled: true, failure-threshold: 1}\n")
    with serving("--config", str(file)) as served:
        three[0].behave = raw()
        assert ask(served) == "b"
        done = run("explain", "chat", "m", "--url", served.url, "--client-ip", "192.0.2.1")
        rows = [line.split() for line in done.stdout.splitlines()]
        a, b, c = (f"m@{one.url}" for one in three)
        assert (
            " ".join(rows[0])
            == "chat m, strategy least-connections (score: requests in flight per weight, the lowest is next)"
        )
        assert [rows[2][:2], rows[3][:3], rows[4][:2]] == [[a, "0"], ["->", b, "1"], [c, "0"]]
        assert rows[2][3:5] == ["UNKNOWN", "OPEN"]
        assert "breaker_open" in rows[2][-1] or "breaker_open:" in rows[2]
        assert rows[4][-1] == "disabled"
        unknown = run("explain", "chat", "nope", "--url", served.url)
        assert (unknown.returncode, unknown.stderr) == (
            1,
            f"error: {served.url} responded with HTTP 404: {NO_MODEL}\n",
        )
        assert served.get("/api/explain?service=nope&model=m").status_code == 400
    gone = run("explain", "chat", "m", "--url", served.url)
    assert gone.returncode == 3


def test_explain_is_for_the_own_machine(tmp_path: Path, three: list[Backend]) -> None:
    """It names backends: a client behind a proxy gets 403."""
    text = pool(three, "random", server="locale: en, trusted-proxies: 127.0.0.1")
    with serving("--config", str(config(tmp_path, text))) as served:
        path = "/api/explain?service=chat&model=m"
        assert served.get(path).status_code == 200
        refused = served.get(path, headers={"x-forwarded-for": "192.0.2.1"})
        assert (refused.status_code, refused.json()["error"]["type"]) == (403, "permission_denied")


def test_the_route_is_told_when_it_is_wanted(tmp_path: Path, three: list[Backend]) -> None:
    """Candidates with their scores or obstacles, attempts, times; on errors, too; and never without the setting."""
    a, b, c = three
    a.behave = raw()
    file = config(tmp_path, pool(three, "round-robin", "", ", enabled: false", server="locale: en, route-header: true"))
    with serving("--config", str(file)) as served:
        route = json.loads(served.post("/v1/chat/completions", json=CHAT).headers["x-jairouter-route"])
        times = route.pop("ms")
        assert [attempt.pop("ms") > 0 for attempt in route["attempts"]] == [True, True]
        assert set(times) == {"gateway", "queue", "upstream"}
        assert route == {
            "strategy": "round-robin",
            "candidates": {f"m@{a.url}": 1.0, f"m@{c.url}": 1.0, f"m@{b.url}": "disabled"},
            "attempts": [
                {"instance": f"m@{a.url}", "result": "broken: the backend closed the connection"},
                {"instance": f"m@{c.url}", "result": 200},
            ],
            "passedOver": {},
        }
        c.behave = raw()
        failed = served.post("/v1/chat/completions", json=CHAT)
        assert (failed.status_code, len(json.loads(failed.headers["x-jairouter-route"])["attempts"])) == (502, 2)
        file.write_text(file.read_text().replace("route-header: true", "route-header: false"))
        eventually(lambda: "x-jairouter-route" not in served.post("/v1/chat/completions", json=CHAT).headers)


def test_the_folder_of_several_workers_goes_with_them(tmp_path: Path, three: list[Backend]) -> None:
    """What they share lies in memory, and nothing of it is left behind."""
    file = config(tmp_path, pool(three, "random"))
    with serving("--config", str(file), "--workers", "2") as served:
        shared = shared_folder(served)
        assert (shared / "records").exists()
    assert not shared.exists()
