"""Metrics seen from outside: with one worker and four, every number is what backends and clients saw."""

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.backend import Backend, Received, Wire, answer, backend, chosen, raw
from tests.crowd import crowd
from tests.process import Served, config, eventually, serving

USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
WHOLE = answer({"choices": [{"message": {"content": "hello"}}], "usage": USAGE})
EVENTS = b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """Return a chunk of a transfer."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


STREAM = HEAD + chunk(EVENTS) * 5 + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


async def streamed(_: Received, wire: Wire) -> None:
    """Answer a whole stream."""
    await wire.send(STREAM)


BEHAVIOURS = {
    "good": WHOLE,
    "failing": answer({"error": {"message": "broken"}}, "500 Internal Server Error"),
    "refusing": answer({"error": {"message": "no"}}, "400 Bad Request"),
    "stream": streamed,
    "cut": raw(HEAD + chunk(EVENTS)),
    "silent": raw(b"", then="wait"),
}


def configuration(behind: Backend, dead: str) -> str:
    """Return a configuration with a model for each behaviour, and one of whose two instances is dead."""
    instances: list[dict[str, Any]] = [{"name": name, "base-url": behind.url} for name in BEHAVIOURS]
    instances.append({"name": "good", "base-url": dead, "priority": -1})  # always asked first
    model = {
        "load-balance": {"type": "round-robin", "health-check": {"enabled": False}},
        "services": {"chat": {"instances": instances, "rate-limit": {"enabled": True, "capacity": 100000}}},
    }
    return json.dumps({"server": {"locale": "en"}, "model": model})


Samples = Mapping[tuple[str, ...], float]


def scraped(served: Served) -> Samples:
    """Return every sample: its name and the values of its labels, by their names."""
    text = served.get("/actuator/prometheus").text
    samples = (one for family in text_string_to_metric_families(text) for one in family.samples)
    return {(one.name, *(value for _, value in sorted(one.labels.items()))): one.value for one in samples}


def total(samples: Samples, name: str, *labels: str) -> float:
    """Return the sum of the samples that have a name and all of these labels."""
    return sum(value for key, value in samples.items() if key[0] == name and set(labels) <= set(key[1:]))


@dataclass
class Gateway:
    """A gateway with so many workers, and the backend behind it."""

    served: Served
    behind: Backend
    dead: str
    workers: int


@pytest.fixture(scope="module", params=[1, 4])
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Run one."""
    with backend(chosen(BEHAVIOURS)) as behind, backend(WHOLE) as other:
        dead = other.url
        other.refuse()
        file = config(tmp_path_factory.mktemp("metrics"), configuration(behind, dead))
        with serving("--config", str(file), "--workers", str(request.param)) as served:
            yield Gateway(served, behind, dead, request.param)


def ask(served: Served, fields: Mapping[str, Any]) -> int | None:
    """Ask once, on a connection of its own; return the status, or None if the answer broke off."""
    try:
        return served.post("/v1/chat/completions", json=fields).status_code
    except httpx.RemoteProtocolError:
        return None


def leave(served: Served) -> None:
    """Ask, and do not wait for the answer."""
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{served.url}/v1/chat/completions", json={"model": "silent"}, trust_env=False, timeout=0.3)


def test_every_count_is_what_was_seen(gateway: Gateway) -> None:
    """Requests as clients saw them, calls as backends saw them, tokens as the backend said."""
    served, behind = gateway.served, gateway.behind
    before, asked_before = scraped(served), len(behind.requests)
    plays = [{"model": name} for name in ("good", "failing", "refusing", "stream", "cut")] * 12
    plays += [{"model": "unknown-" + str(number)} for number in range(12)]
    with ThreadPoolExecutor(8) as crew:
        seen = Counter(crew.map(lambda play: ask(served, play), plays))
        list(crew.map(lambda _: leave(served), range(4)))
    eventually(lambda: total(scraped(served), "jairouter_cancellations_total") == 4)
    bad = served.post("/v1/chat/completions", content=b"{", headers={"content-type": "application/json"})
    assert (bad.status_code, served.get("/v1/chat/completions").status_code) == (400, 405)
    assert seen == {200: 36, 500: 12, 400: 12, 404: 12}
    now = scraped(served)

    def more(name: str, *labels: str) -> float:
        return total(now, name, *labels) - total(before, name, *labels)

    expected = {"200": 36, "500": 12, "400": 13, "404": 12, "405": 1, "499": 4}
    assert {status: more("jairouter_requests_total", status) for status in expected} == expected
    assert more("jairouter_requests_total") == sum(expected.values())
    assert more("jairouter_request_duration_seconds_count") == sum(expected.values())
    assert more("http_server_requests_seconds_count", "/v1/chat/completions") == sum(expected.values())
    asked = len(behind.requests) - asked_before
    assert more("jairouter_backend_calls_total") == asked + 12, "each call of `good` met the dead instance first"
    assert more("jairouter_backend_calls_total", f"good@{gateway.dead}", "failure") == 12
    assert more("jairouter_backend_calls_total", f"good@{behind.url}", "success") == 12
    assert more("jairouter_backend_calls_total", f"silent@{behind.url}", "cancelled") == 4
    assert more("jairouter_retries_total", "chat") == 12
    assert more("jairouter_truncated_answers_total", "chat") == 12
    assert more("jairouter_first_token_seconds_count", f"stream@{behind.url}") == 12
    assert more("jairouter_rate_limit_events_total", "token-bucket", "allowed") == 64
    for direction, tokens in (("input", 7), ("output", 3)):
        labels = (direction, f"good@{behind.url}", "measured")
        assert more("jairouter_tokens_total", *labels) == 12 * tokens
    assert more("jairouter_tokens_total", "output", f"stream@{behind.url}", "estimated") == 12 * 5
    assert not any("unknown-1" in key for sample in now for key in sample), "clients make no series"
    assert now["jairouter_workers",] == gateway.workers
    assert total(now, "jairouter_active_connections") == 0


def test_a_scrape_under_load(gateway: Gateway) -> None:
    """What is counted never goes backwards between scrapes, and ends as what was answered."""
    served = gateway.served
    before, behind = scraped(served), gateway.behind
    with ThreadPoolExecutor(1) as crew:
        crowded = crew.submit(crowd, served.url, "/v1/chat/completions", {"model": "good"}, 40, 20)
        numbers = [total(before, "jairouter_requests_total")]
        while not crowded.done():
            numbers.append(total(scraped(served), "jairouter_requests_total"))
        numbers.append(total(scraped(served), "jairouter_requests_total"))
    assert crowded.result().statuses == {200: 800}
    assert numbers == sorted(numbers)
    assert numbers[-1] - numbers[0] == 800
    assert total(scraped(served), "jairouter_backend_calls_total", f"good@{behind.url}", "success") >= 800


def workers(served: Served) -> list[int]:
    """Return the ids of the workers; none while nobody answers."""
    try:
        status = served.get("/api/config/store/status").json()
    except httpx.TransportError:
        return []
    return [worker["pid"] for worker in status["data"]["workers"]]


def test_a_worker_dies(gateway: Gateway) -> None:
    """Killed with -9: what it counted is not lost, and nothing goes backwards; its successor goes on."""
    served = gateway.served
    crowd(served.url, "/v1/chat/completions", {"model": "good"}, 20, 5)
    before = scraped(served)
    killed = workers(served)[0]
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: killed not in workers(served) and len(workers(served)) == gateway.workers)
    after = scraped(served)
    counters = [key for key in before if key[0].endswith(("_total", "_count", "_bucket")) and "process" not in key[0]]
    assert [key for key in counters if after.get(key, 0) < before[key]] == []
