"""`/api/monitoring` over a real server: what is shown is what happened, and what is ordered is done."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.backend import Backend, answer, backend
from tests.process import Served, config, eventually, serving

CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
OK = answer({"id": "x"})
BAD = answer(b"no", "500 Oops")


@pytest.fixture
def two() -> Iterator[list[Backend]]:
    """Run two backends."""
    with backend(OK) as one, backend(OK) as other:
        yield [one, other]


def text(two: list[Backend]) -> str:
    """Return a configuration of one model on both."""
    return (
        "server: {locale: en}\nmodel:\n"
        "  load-balance: {type: round-robin, health-check: {enabled: false}}\n"
        "  circuit-breaker: {enabled: true, failure-threshold: 2, timeout: 60s, success-threshold: 1}\n"
        "  services:\n    chat:\n"
        "      rate-limit: {enabled: true, capacity: 100, rate: 0.001, client-ip: {enabled: true, capacity: 50}}\n"
        "      fallback: {enabled: true, strategy: cache, cache-size: 10}\n"
        "      instances:\n"
        + "".join(f"        - {{name: m, base-url: '{one.url}', weight: {n}}}\n" for n, one in enumerate(two, 1))
    )


def shown(served: Served, path: str, **query: str) -> Any:
    """Return what is shown."""
    found = served.get(f"/api/monitoring/{path}", params=query)
    assert found.status_code == 200
    return found.json()


def order(served: Served, path: str, body: dict[str, Any] | None = None) -> tuple[int, str]:
    """Order something; return the status and the sentence."""
    done = served.post(f"/api/monitoring/{path}", json=body or {})
    assert done.headers["content-type"].startswith("text/plain")
    return done.status_code, done.text


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_happened_is_what_is_shown(tmp_path: Path, two: list[Backend], workers: str) -> None:
    """Nine requests by weight, then one backend fails: counts, shares, breaker and limit, for all workers together."""
    file = config(tmp_path, text(two))
    with serving("--config", str(file), "--workers", workers) as served:
        ids = [f"m@{one.url}" for one in two]
        for _ in range(9):
            assert served.post("/v1/chat/completions", json=CHAT).status_code == 200
        spread = shown(served, "load-balancer")["services"]["chat"]
        assert (spread["strategy"], spread["totalRequests"]) == ("ROUND_ROBIN", 9)
        counts = {name: one["requests"] for name, one in spread["distribution"].items()}
        assert counts == {ids[0]: len(two[0].requests), ids[1]: len(two[1].requests)}
        assert sum(one["percentage"] for one in spread["distribution"].values()) == pytest.approx(100, abs=0.1)
        limits = shown(served, "rate-limit", clientIp="127.0.0.1")["services"]["chat"]
        assert limits["algorithm"] == "TOKEN_BUCKET"
        assert (limits["globalLimit"]["capacity"], limits["globalLimit"]["remaining"]) == (100, 91)
        (client,) = limits["clientLimits"]
        assert (client["clientIp"], client["capacity"]) == ("127.0.0.1", 50)
        assert shown(served, "rate-limit")["services"]["chat"]["clientLimits"] == []

        two[1].behave = BAD
        before = len(two[1].requests)
        for _ in range(12):
            assert served.post("/v1/chat/completions", json=CHAT).status_code == 200
        assert len(two[1].requests) == before + 2
        first, second = shown(served, "instances")["services"]["chat"]["instances"]
        assert (first["id"], first["requestCount"], first["errorCount"]) == (ids[0], len(two[0].requests), 0)
        assert (second["errorCount"], second["circuitBreakerState"], second["weight"]) == (2, "OPEN", 2.0)
        assert second["successRate"] == round(1 - 2 / len(two[1].requests), 4)
        broken = shown(served, "circuit-breaker")["instances"][1]
        assert (broken["id"], broken["service"], broken["state"], broken["timeout"]) == (ids[1], "chat", "OPEN", 60000)
        assert broken["nextRetry"].endswith("Z")
        stats = shown(served, "circuit-breaker/stats")
        assert (stats["state"], stats["failureCount"]) == ("OPEN", 2)
        assert stats["requestCount"] == len(two[0].requests) + len(two[1].requests)
        assert shown(served, "errors/stats") == {
            "activeErrorComponents": 1,
            "degradedComponents": 0,
            "totalErrors": 2,
        }


def test_what_is_ordered_is_done(tmp_path: Path, two: list[Backend]) -> None:
    """Breakers opened and closed by hand, an instance's failures forgotten, the cache of answers emptied."""
    with serving("--config", str(config(tmp_path, text(two)))) as served:
        assert served.post("/v1/chat/completions", json=CHAT).status_code == 200
        assert shown(served, "cache/stats")["currentSize"] == 1
        assert order(served, "circuit-breaker/force-open") == (200, "熔断器已强制开启")
        kept = served.post("/v1/chat/completions", json=CHAT)
        assert (kept.status_code, kept.headers["x-jairouter-fallback"]) == (200, "cache")
        assert order(served, "cache/clear") == (200, "缓存已清空")
        assert served.post("/v1/chat/completions", json=CHAT).json()["error"]["code"] == "circuit_breaker_open"
        one = f"m@{two[0].url}"
        assert order(served, "errors/reset", {"component": one, "operation": "all"}) == (
            200,
            f"错误状态已重置: {one}:all",
        )
        seen = len(two[0].requests)
        assert served.post("/v1/chat/completions", json=CHAT).status_code == 200
        assert len(two[0].requests) == seen + 1
        assert order(served, "circuit-breaker/force-close") == (200, "熔断器已强制关闭")
        assert shown(served, "circuit-breaker/stats")["state"] == "CLOSED"
        assert shown(served, "health")["status"] == "UP"


def test_the_cache_is_emptied_in_all_workers(tmp_path: Path, two: list[Backend]) -> None:
    """Whichever was asked to."""
    with serving("--config", str(config(tmp_path, text(two))), "--workers", "3") as served:
        for _ in range(30):
            served.post("/v1/chat/completions", json=CHAT)
        order(served, "cache/clear")
        eventually(lambda: all(shown(served, "cache/stats")["currentSize"] == 0 for _ in range(20)))


WRONG_OPERATION = "Invalid operation: expected health, breaker or all"


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("errors/reset", {}, 400, "Missing 'component' or 'operation' parameter"),
        ("errors/reset", {"component": "x", "operation": "all"}, 400, "Unknown component: x"),
        (
            "errors/reset",
            {"component": "x", "operation": [None]},
            400,
            "Invalid operation: expected health, breaker or all",
        ),
        (
            "errors/reset",
            {"component": "x", "operation": "no"},
            400,
            "Invalid operation: expected health, breaker or all",
        ),
        ("degradation/level", {}, 400, "Missing 'level' parameter"),
        ("degradation/level", {"level": "LOW"}, 400, "Invalid degradation level: LOW"),
        ("degradation/level", {"level": "PARTIAL"}, 501, "Not implemented: metrics are never thinned out here"),
        ("degradation/level", {"level": "NORMAL"}, 200, "降级级别已设置为: 正常模式"),
        ("degradation/level", {"level": "none"}, 200, "降级级别已设置为: 正常模式"),
        ("degradation/level", {"level": "HEAVY"}, 501, "Not implemented: metrics are never thinned out here"),
        ("degradation/auto-mode", {}, 400, "Missing 'enabled' parameter"),
        ("degradation/auto-mode", {"enabled": False}, 200, "降级策略自动模式已禁用"),
        ("degradation/auto-mode", {"enabled": True}, 501, "Not implemented: metrics are never thinned out here"),
        ("degradation/force-recovery", {}, 200, "已强制恢复到正常模式"),
        ("circuit-breaker/force-open", {}, 400, "No circuit breaker is enabled"),
    ],
)
def test_orders(plain: Served, path: str, body: dict[str, Any], status: int, said: str) -> None:
    """The Java version's words; what cannot be done is not said to be."""
    assert order(plain, path, body) == (status, said)
    level = shown(plain, "degradation/status")
    assert (level["level"], level["samplingRate"], level["autoModeEnabled"]) == ("NONE", 1.0, False)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Run a gateway without breakers."""
    file = config(tmp_path_factory.mktemp("plain"), "model: {services: {chat: {}}}\n")
    with serving("--config", str(file)) as served:
        yield served
