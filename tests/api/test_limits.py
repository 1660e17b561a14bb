"""Limits as seen from outside: what is let through, of whom, how it is refused; and exact with any workers."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.backend import Backend, Behaviour, Received, Wire, answer, backend, raw
from tests.crowd import crowd
from tests.process import Served, config, eventually, run, sdk, serving, worker_pids
from tests.redis import running as running_redis

CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
OK = answer({"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": []})


@pytest.fixture
def behind() -> Iterator[Backend]:
    """Run a backend that answers."""
    with backend(OK) as one:
        yield one


def one_service(behind: Backend, limits: str, *, server: str = "locale: en", of_all: str = "", more: str = "") -> str:
    """Return a configuration of a chat model with limits."""
    return (
        f"server: {{{server}}}\nmodel:\n{of_all}"
        "  load-balance: {type: round-robin, health-check: {enabled: false}}\n"
        f"  services:\n    chat:\n      rate-limit: {limits}\n{more}"
        f"      instances:\n        - {{name: m, base-url: '{behind.url}'}}\n"
    )


def ask(served: Served, client: str = "", **more: Any) -> httpx.Response:
    """Send a chat request, for a client if the gateway believes it."""
    headers = {"x-forwarded-for": client} if client else {}
    return served.post("/v1/chat/completions", json={**CHAT, **more}, headers=headers)


def statuses(served: Served, count: int, client: str = "") -> list[int]:
    """Send several; return what they were answered."""
    return [ask(served, client).status_code for _ in range(count)]


def standing(served: Served, client: str = "") -> dict[str, Any]:
    """Return what is left, by bucket."""
    found = served.get("/api/limits", params={"clientIp": client}).json()["limits"]
    return {one["bucket"]: one["remaining"] for one in found}


def test_the_refusal_that_is_documented(tmp_path: Path, behind: Backend) -> None:
    """Letter by letter, in the language of the Java version; with headers and details from the real state."""
    text = one_service(behind, "{enabled: true, capacity: 2, rate: 0.1}", server="port: 1")
    with serving("--config", str(config(tmp_path, text))) as served:
        assert statuses(served, 2) == [200, 200]
        refused = ask(served)
        assert refused.status_code == 429
        assert refused.headers["content-type"] == "application/json"
        error = refused.json()["error"]
        waits_s = error["details"].pop("retry_after_s")
        assert error == {
            "message": "超出限流限制",
            "type": "rate_limit_exceeded",
            "code": "rate_limit_exceeded",
            "details": {
                "source": "gateway",
                "reason": "rate_limited",
                "scope": "service",
                "unit": "requests",
                "limit": 2,
                "remaining": 0,
                "attempts": 0,
            },
        }
        assert 9 < waits_s <= 10
        shown = {name: refused.headers[name] for name in ("retry-after", "ratelimit-limit", "ratelimit-remaining")}
        assert shown == {"retry-after": "10", "ratelimit-limit": "2", "ratelimit-remaining": "0"}
        assert refused.headers["ratelimit-reset"] == "20"
        english = served.post("/v1/chat/completions", json=CHAT, headers={"accept-language": "en"})
        assert english.json()["error"]["message"] == "The rate limit is exceeded"
    assert len(behind.requests) == 2


def test_waiting_as_long_as_was_said_is_enough(tmp_path: Path, behind: Backend) -> None:
    """To the millisecond; and OpenAI's own client does it by itself."""
    text = one_service(behind, "{enabled: true, capacity: 1, rate: 2}")
    with serving("--config", str(config(tmp_path, text))) as served:
        assert ask(served).status_code == 200
        refused = ask(served)
        assert refused.status_code == 429
        time.sleep(refused.json()["error"]["details"]["retry_after_s"])
        assert ask(served).status_code == 200
        with sdk(served) as hasty, pytest.raises(openai.RateLimitError):
            hasty.chat.completions.create(**CHAT)
        sent = len(behind.requests)
        patient = openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=2)
        assert [patient.chat.completions.create(**CHAT).id for _ in range(2)] == ["x", "x"]
        assert len(behind.requests) == sent + 2


def test_every_client_has_its_own(tmp_path: Path, behind: Backend) -> None:
    """Told by address, of IPv6 by its network; a header of a stranger is not believed."""
    limits = "{enabled: true, capacity: 100, client-ip-enable: true, client-ip: {capacity: 2, rate: 0.01}}"
    trusting = "locale: en, trusted-proxies: 127.0.0.0/8"
    with serving("--config", str(config(tmp_path, one_service(behind, limits, server=trusting)))) as served:
        assert statuses(served, 3, "203.0.113.1") == [200, 200, 429]
        assert statuses(served, 3, "203.0.113.2") == [200, 200, 429]
        assert statuses(served, 2, "2001:db8::1") == [200, 200]
        assert statuses(served, 1, "2001:db8::ffff:2") == [429]
        assert statuses(served, 1, "2001:db8:0:1::1") == [200]
        assert ask(served, "203.0.113.1").json()["error"]["details"]["scope"] == "client-ip"
        assert standing(served, "203.0.113.1")["service:chat/clients/client:"] == pytest.approx(0, abs=0.5)
        assert standing(served, "203.0.113.9")["service:chat/clients/client:"] == 2
        assert standing(served)["service:chat/clients/client:"] is None
    with serving("--config", str(config(tmp_path, one_service(behind, limits)))) as served:
        assert [statuses(served, 1, f"203.0.113.{number}")[0] for number in range(3)] == [200, 200, 429]


def test_a_client_may_have_so_many_under_way(tmp_path: Path, behind: Backend) -> None:
    """Two at once, whichever workers they came to; others are not kept from it; what ended counts no more."""
    go = threading.Event()

    async def held(_: Received, wire: Wire) -> None:
        import asyncio  # noqa: PLC0415

        await asyncio.to_thread(go.wait)
        await OK(_, wire)

    behind.behave = held
    limits = "{client-ip: {enabled: true, max-concurrency: 2}}"
    text = one_service(behind, limits, server="locale: en, trusted-proxies: 127.0.0.0/8")
    with serving("--config", str(config(tmp_path, text)), "--workers", "2") as served, ThreadPoolExecutor(8) as crew:
        first = [crew.submit(ask, served, "203.0.113.1") for _ in range(2)]
        behind.wait_for(2)
        refused = [ask(served, "203.0.113.1") for _ in range(4)]
        assert [one.status_code for one in refused] == [429] * 4
        details = refused[0].json()["error"]["details"]
        assert (details["scope"], details["unit"], details["limit"]) == ("client-ip", "in-flight", 2)
        assert standing(served, "203.0.113.1")["service:chat/in-flight:"] == 0
        other = crew.submit(ask, served, "203.0.113.2")
        behind.wait_for(3)
        go.set()
        assert [one.result().status_code for one in (*first, other)] == [200] * 3
        eventually(lambda: standing(served, "203.0.113.1")["service:chat/in-flight:"] == 2)
        assert ask(served, "203.0.113.1").status_code == 200


def test_a_refusal_consumes_nothing_of_the_other_limits(tmp_path: Path, behind: Backend) -> None:
    """The gateway's limit is not used up by what the service's refuses."""
    text = one_service(
        behind,
        "{enabled: true, capacity: 2, rate: 0.001}",
        of_all="  rate-limit: {enabled: true, capacity: 50, rate: 0.001}\n",
    )
    with serving("--config", str(config(tmp_path, text))) as served:
        assert statuses(served, 10) == [200] * 2 + [429] * 8
        assert standing(served)["gateway"] == pytest.approx(48, abs=0.1)
        unknown = served.post("/v1/chat/completions", json={**CHAT, "model": "nobody"})
        assert (unknown.status_code, standing(served)["gateway"]) == (404, pytest.approx(48, abs=0.1))


def test_an_instance_at_its_limit_leaves_it_to_the_others(tmp_path: Path, behind: Backend) -> None:
    """When all are, that is said, and until when; `explain` knows, and so does the fallback."""
    with backend(OK) as other:
        text = one_service(behind, "{}")
        limited = "rate-limit: {enabled: true, capacity: CAPACITY, rate: 0.01}"
        text = text.replace(
            f"base-url: '{behind.url}'", f"base-url: '{behind.url}', {limited.replace('CAPACITY', '1')}"
        )
        text += f"        - {{name: m, base-url: '{other.url}', {limited.replace('CAPACITY', '3')}}}\n"
        file = config(tmp_path, text)
        with serving("--config", str(file)) as served:
            assert statuses(served, 4) == [200] * 4
            assert (len(behind.requests), len(other.requests)) == (1, 3)
            refused = ask(served).json()["error"]["details"]
            assert (refused["reason"], refused["scope"]) == ("all_instances_limited", "instance")
            assert refused["passed_over"] == {"limited": 2}
            explained = served.get("/api/explain", params={"service": "chat", "model": "m"}).json()["candidates"]
            assert [one["obstacle"] for one in explained] == ["limited", "limited"]
            file.write_text(
                text.replace("      instances:", "      fallback: {enabled: true, message: sorry}\n      instances:")
            )
            eventually(lambda: ask(served).status_code == 503)
            assert ask(served).json()["error"]["details"]["cause"] == "all_instances_limited"


def test_who_is_over_the_limit_gets_no_fallback(tmp_path: Path, behind: Backend) -> None:
    """It is the client's own doing, and 429 is what makes it wait."""
    more = "      fallback: {enabled: true, response: instead, status: 200}\n"
    text = one_service(behind, "{enabled: true, capacity: 1, rate: 0.01}", more=more)
    with serving("--config", str(config(tmp_path, text))) as served:
        assert statuses(served, 2) == [200, 429]


def usage(total: int) -> Behaviour:
    """Answer with what it cost."""
    return answer({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": total - 1, "total_tokens": total}})


def test_tokens_a_minute(tmp_path: Path, behind: Backend) -> None:
    """Reserved by estimate, settled by what the backend says; a failure costs none; no limit of requests beside it."""
    behind.behave = usage(60)
    text = one_service(behind, "{enabled: true, tokens-per-minute: 600}")
    with serving("--config", str(config(tmp_path, text))) as served:

        def left() -> float:
            return float(standing(served)["service:chat/tokens"])

        assert statuses(served, 3) == [200] * 3
        assert left() == pytest.approx(420, abs=30)
        behind.behave = answer(b"no", "500 Oops")
        before = left()
        assert statuses(served, 1) == [500]
        assert left() >= before
        assert ask(served, max_tokens=5000).status_code == 429, "what is asked for at most is reserved"
        behind.behave = usage(700)
        assert ask(served, max_tokens=100).status_code == 200
        refused = ask(served).json()["error"]["details"]
        assert (refused["scope"], refused["unit"], refused["limit"]) == ("service", "tokens", 600)
        assert refused["retry_after_s"] > 20, "what it cost beyond the estimate is owed"


def test_tokens_of_streams(tmp_path: Path, behind: Backend) -> None:
    """From the last frame, if the client asked for it; else the events are counted."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    event = b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'
    last = b'data: {"choices":[],"usage":{"prompt_tokens":50,"completion_tokens":150,"total_tokens":200}}\n\n'
    text = one_service(behind, "{enabled: true, tokens-per-minute: 600}")
    with serving("--config", str(config(tmp_path, text))) as served:
        for pieces, cost in (((event * 9, last), 200), ((event * 100,), 110)):
            behind.behave = raw(head, *pieces, b"data: [DONE]\n\n")
            before = standing(served)["service:chat/tokens"]
            assert ask(served, stream=True).text.endswith("data: [DONE]\n\n")
            assert before - standing(served)["service:chat/tokens"] == pytest.approx(cost, abs=25)


def test_a_queue_that_smooths(tmp_path: Path, behind: Backend) -> None:
    """Six at once leave one after the other; who would have to wait behind as many is refused."""
    arrived: list[float] = []

    async def note(received: Received, wire: Wire) -> None:
        arrived.append(time.monotonic())
        await OK(received, wire)

    behind.behave = note
    text = one_service(behind, "{enabled: true, algorithm: leaky-bucket, capacity: 5, rate: 10, queue: true}")
    with serving("--config", str(config(tmp_path, text))) as served, ThreadPoolExecutor(10) as crew:
        began = time.monotonic()
        found = [one.result() for one in [crew.submit(ask, served) for _ in range(10)]]
        granted = [one for one in found if one.status_code == 200]
        assert 6 <= len(granted) <= 8
        assert arrived[-1] - began >= (len(granted) - 1) * 0.1
        assert all(float(one.headers["retry-after"]) >= 1 for one in found if one.status_code == 429)


def test_a_change_at_run_time_carries_the_level_over(tmp_path: Path, behind: Backend) -> None:
    """By command, while it serves: what was used stays used."""
    file = config(tmp_path, one_service(behind, "{enabled: true, capacity: 10, rate: 0.001}"))
    with serving("--config", str(file)) as served:
        assert statuses(served, 7) == [200] * 7
        done = run("limits", "set", "chat", "--capacity", "40", "--config", str(file))
        assert (done.returncode, done.stdout) == (0, "set the limit of service chat: capacity 40\n")

        def shown() -> dict[str, Any]:
            told = run("limits", "show", "chat", "--live", "--json", "--url", served.url, "--config", str(file))
            (one,) = json.loads(told.stdout)["limits"]
            found: dict[str, Any] = one
            return found

        eventually(lambda: shown()["limit"] == 40)
        assert shown()["remaining"] == pytest.approx(3, abs=0.1)
        assert statuses(served, 4) == [200] * 3 + [429]
        run("limits", "clear", "chat", "--config", str(file))
        eventually(lambda: ask(served).status_code == 200)
        table = run("limits", "show", "--live", "--url", served.url).stdout.splitlines()
        assert table[0].split() == [
            "APPLIES",
            "TO",
            "SCOPE",
            "UNIT",
            "ALGORITHM",
            "LIMIT",
            "REFILL",
            "REMAINING",
            "RESET",
        ]


def test_the_management_has_a_limit_of_its_own(tmp_path: Path, behind: Backend) -> None:
    """Not for programs on the gateway's own machine; beyond it `/api`, `/actuator` and the list of models together."""
    limit = "management-rate-limit: {capacity: 3, rate: 0.01}"
    text = one_service(behind, "{}", server=f"locale: en, trusted-proxies: 127.0.0.0/8, {limit}")
    with serving("--config", str(config(tmp_path, text))) as served:
        assert {served.get("/actuator/health").status_code for _ in range(10)} == {200}
        far = {"x-forwarded-for": "203.0.113.1"}
        paths = ["/actuator/health", "/v1/models", "/api/limits", "/actuator/health", "/v1/models"]
        assert [served.get(path, headers=far).status_code for path in paths] == [200, 200, 403, 429, 429]
        refused = served.get("/v1/models", headers=far)
        assert refused.json()["error"]["details"]["scope"] == "management"
        assert int(refused.headers["retry-after"]) > 50
        assert ask(served, "203.0.113.1").status_code == 200


# --- exact, with any number of workers ---

EXACT = """\
server: {locale: en, trusted-proxies: []}
model:
  load-balance: {type: round-robin, health-check: {enabled: false}}
  rate-limit: {enabled: true, capacity: 100000, rate: 0.001}
  services:
    chat:
      rate-limit: {enabled: true, algorithm: token-bucket, capacity: 100, rate: 0.001}
      instances: [{name: m, base-url: URL}]
    embedding:
      rate-limit: {enabled: true, algorithm: leaky-bucket, capacity: 100, rate: 0.001, scope: model}
      instances: [{name: m, base-url: URL}, {name: n, base-url: URL}]
    rerank:
      rate-limit: {enabled: true, algorithm: sliding-window, max-requests: 60, window-size: 1000s, scope: instance}
      instances: [{name: m, base-url: URL}, {name: m, base-url: URL/2}]
    tts:
      rate-limit: {enabled: true, algorithm: warm-up, capacity: 90, rate: 0.001, warm-up-period: 1000s, cold-factor: 3}
      instances: [{name: m, base-url: URL}]
    imgGen:
      rate-limit: {enabled: true, capacity: 1, rate: 0.001, scope: client-ip}
      instances: [{name: m, base-url: URL}]
"""


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_any_number_of_workers_admits_what_one_would(tmp_path: Path, behind: Backend, workers: int) -> None:
    """Five hundred clients at once, each from its own address: each algorithm and scope grants exactly what it has.

    The gateway's own limit is asked in every case, and charged for what was let through and nothing else.
    """
    file = config(tmp_path, EXACT.replace("URL", behind.url))
    with serving("--config", str(file), "--workers", str(workers)) as served:
        total = 0
        for path, fields, expected, clients, times in (
            ("/v1/chat/completions", CHAT, 100, 500, 1),
            ("/v1/embeddings", {"model": "m", "input": "x"}, 100, 250, 1),
            ("/v1/embeddings", {"model": "n", "input": "x"}, 100, 250, 1),
            ("/v1/rerank", {"model": "m", "query": "x", "documents": ["x"]}, 120, 500, 1),
            ("/v1/audio/speech", {"model": "m", "input": "x", "voice": "x"}, 30, 250, 1),
            ("/v1/images/generations", {"model": "m", "prompt": "x"}, 500, 500, 2),
        ):
            seen = crowd(served.url, path, fields, clients, times).statuses
            assert seen == {200: expected, 429: clients * times - expected}, path
            total += expected
        assert standing(served)["gateway"] == pytest.approx(100_000 - total, abs=1)
        assert len(behind.requests) == total


def test_a_rate_is_the_same_with_any_workers(tmp_path: Path, behind: Backend) -> None:
    """Under steady demand on two workers: the capacity and what has come in since, not twice as much, nor half."""
    file = config(tmp_path, one_service(behind, "{enabled: true, capacity: 20, rate: 50}"))
    with serving("--config", str(file), "--workers", "2") as served:
        ends = time.monotonic() + 3
        began = time.monotonic()

        def demand(_: int) -> int:
            granted = 0
            with served.client() as client:
                while time.monotonic() < ends:
                    granted += client.post("/v1/chat/completions", json=CHAT).status_code == 200
            return granted

        with ThreadPoolExecutor(4) as crew:
            granted = sum(crew.map(demand, range(4)))
        lasted_s = time.monotonic() - began
        assert 0.9 * (20 + 50 * 3) <= granted <= 20 + 50 * lasted_s + 1


def test_a_worker_that_is_killed_takes_no_limit_along(tmp_path: Path, behind: Backend) -> None:
    """In the midst of a crowd: not one more than there is gets through, and none is lost but what it had under way."""
    file = config(tmp_path, one_service(behind, "{enabled: true, capacity: 300, rate: 0.001}"))
    with serving("--config", str(file), "--workers", "2") as served:
        workers = worker_pids(served)

        def strike() -> None:
            behind.wait_for(100)
            os.kill(workers[0], signal.SIGKILL)

        killer = threading.Thread(target=strike)
        killer.start()
        seen = crowd(served.url, "/v1/chat/completions", CHAT, 500, 3).statuses
        killer.join()
        broken = seen[None]
        assert 300 - broken <= seen[200] <= 300
        eventually(lambda: standing(served)["service:chat"] < 1)


# --- with several hosts ---


def test_two_hosts_with_a_server_in_common(tmp_path: Path, behind: Backend) -> None:
    """One limit for both; the server lost: each its own, with a warning, and nobody is told; found again: one again."""
    with running_redis() as redis:
        text = (
            one_service(behind, "{enabled: true, capacity: 100, rate: 0.001}")
            + f"state: {{url: '{redis.url}', timeout: 5s}}\n"
        )
        file, log = config(tmp_path, text), tmp_path / "log"
        with serving("--config", str(file), stderr=log) as one, serving("--config", str(file)) as other:
            hosts = (one, other)

            def crowds() -> list[int]:
                found = [crowd(host.url, "/v1/chat/completions", CHAT, 100, 2).statuses for host in hosts]
                assert all(seen[200] + seen[429] == 200 for seen in found)
                return [seen[200] for seen in found]

            def health() -> Any:
                return one.get("/actuator/health").json()["components"]["limits"]

            assert sum(crowds()) == 100
            assert health() == {"status": "UP", "details": {"redis": True, "losses": 0}}
            redis.stop()
            eventually(lambda: ask(one).status_code == 200 and ask(other).status_code == 200)
            assert [99 - granted in range(3) for granted in crowds()] == [True, True]
            assert health() == {"status": "UNKNOWN", "details": {"redis": False, "losses": 1}}
            assert one.get("/actuator/health").json()["status"] == "UP"
            assert "these are the numbers of this host only" in run("limits", "show", "--live", "--url", one.url).stdout
            redis.start()
            eventually(lambda: all(host.get("/api/limits").json()["levels"] == "redis" for host in hosts))
            assert sum(crowds()) == 100
        told = log.read_text()
        assert told.count("the Redis server of state.url is unreachable") == 1
        assert told.count("the Redis server of state.url is back") == 1


def test_a_state_that_cannot_be_used_is_said_at_the_start(tmp_path: Path, behind: Backend) -> None:
    """A wrong address never gets into the file."""
    file = config(tmp_path, one_service(behind, "{}") + "state: http://127.0.0.1\n")
    done = run("serve", "--config", str(file))
    assert done.returncode == 2
    assert "expected a URL that begins with redis://, rediss:// or unix://" in done.stderr
    assert "127.0.0.1" not in done.stderr.partition("expected")[2], "it may hold a password"
