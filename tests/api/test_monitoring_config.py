"""`/api/monitoring/config` over a real server: the Java version's sentences; orders take effect in all workers."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from jairouter_cli.config.view import iso_duration
from tests.api.test_metrics import scraped, total
from tests.backend import answer, backend
from tests.process import PLAIN, Served, config, run, serving

BASE = "/api/monitoring"
CHAT: dict[str, Any] = {"model": "m", "messages": []}
DEFAULTS = {
    "enabled": True,
    "prefix": "jairouter",
    "collectionInterval": "PT10S",
    "enabledCategories": ["system", "business", "infrastructure"],
    "customTags": {},
    "sampling": {"requestMetrics": 1.0, "backendMetrics": 1.0, "infrastructureMetrics": 1.0},
    "performance": {"asyncProcessing": False, "batchSize": 1, "bufferSize": 0},
}


RESET: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("enabled", "enabled", {"enabled": True}),
    ("prefix", "prefix", {"prefix": "jairouter"}),
    ("collection-interval", "collectionInterval", {"interval": "10s"}),
    ("categories", "enabledCategories", {"categories": DEFAULTS["enabledCategories"]}),
    ("custom-tags", "customTags", {"customTags": {}}),
)


def text(url: str) -> str:
    """Return a configuration of one model."""
    return (
        "# ours\nserver: {locale: en}\nmodel:\n"
        "  load-balance: {type: round-robin, health-check: {enabled: false}}\n"
        f"  services: {{chat: {{instances: [{{name: m, base-url: '{url}'}}]}}}}\n"
    )


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Path, str]]:
    """Run a gateway of two workers."""
    with backend(answer({"ok": True})) as behind:
        file = config(tmp_path_factory.mktemp("steered"), text(behind.url))
        with serving("--config", str(file), "--workers", "2") as served:
            yield served, file, text(behind.url)


@pytest.fixture
def served(pair: tuple[Served, Path, str]) -> Served:
    """Give it as it was at the beginning."""
    served, _, _ = pair
    present = served.get(f"{BASE}/config").json()
    for path, key, members in RESET:
        if present[key] != DEFAULTS[key]:
            assert put(served, path, members)[0] == 200
    assert served.get(f"{BASE}/config").json() == DEFAULTS
    return served


def put(served: Served, path: str, body: Any, **headers: str) -> tuple[int, str]:
    """Order something; return the status and the sentence."""
    content = body if isinstance(body, str) else json.dumps(body)
    done = httpx.put(
        f"{served.url}{BASE}/config/{path}", content=content, headers=headers, trust_env=False, verify=PLAIN, timeout=20
    )
    assert done.headers["content-type"].lower().replace(" ", "") == "text/plain;charset=utf-8"
    return done.status_code, done.text


INTERVAL, CATEGORIES = "collection-interval", "categories"
MISSING = "Missing '{}' parameter"


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("enabled", {"enabled": False}, 200, "监控状态已更新为: false"),
        ("enabled", {"enabled": True}, 200, "监控状态无变化"),
        ("enabled", {}, 400, MISSING.format("enabled")),
        ("enabled", {"enabled": "yes"}, 400, MISSING.format("enabled")),
        ("enabled", "nonsense", 400, MISSING.format("enabled")),
        ("enabled", [True], 400, MISSING.format("enabled")),
        ("prefix", {"prefix": "ours_2"}, 200, "指标前缀已更新为: ours_2"),
        ("prefix", {"prefix": "jairouter"}, 200, "指标前缀无变化"),
        ("prefix", {}, 400, "Missing or empty 'prefix' parameter"),
        ("prefix", {"prefix": "  "}, 400, "Missing or empty 'prefix' parameter"),
        ("prefix", {"prefix": "2ours"}, 400, "Invalid prefix format"),
        ("prefix", {"prefix": "ours\n"}, 400, "Invalid prefix format"),
        (INTERVAL, {"interval": "PT60S"}, 200, "收集间隔已更新为: PT1M"),
        (INTERVAL, {"interval": "500ms"}, 200, "收集间隔已更新为: PT0.5S"),
        (INTERVAL, {"interval": "PT1H0M90S"}, 200, "收集间隔已更新为: PT1H1M30S"),
        (INTERVAL, {"interval": "PT10S"}, 200, "收集间隔无变化"),
        (INTERVAL, {}, 400, MISSING.format("interval")),
        (INTERVAL, {"interval": "PT0S"}, 400, "Invalid interval format"),
        (INTERVAL, {"interval": "-PT5S"}, 400, "Invalid interval format"),
        (INTERVAL, {"interval": "soon"}, 400, "Invalid interval format"),
        (INTERVAL, {"interval": "PT1.2.3S"}, 400, "Invalid interval format"),
        (INTERVAL, {"interval": "60"}, 400, "Invalid interval format"),
        (INTERVAL, {"interval": 60}, 400, "Invalid interval format"),
        (INTERVAL, {"interval": f"PT{'9' * 400}S"}, 400, "Invalid interval format"),
        (CATEGORIES, {CATEGORIES: ["business", "system"]}, 200, "启用类别已更新为: [business, system]"),
        (CATEGORIES, {CATEGORIES: ["system", "system"]}, 200, "启用类别已更新为: [system]"),
        (CATEGORIES, {CATEGORIES: []}, 200, "启用类别已更新为: []"),
        (CATEGORIES, {CATEGORIES: ["infrastructure", "business", "system"]}, 200, "启用类别无变化"),
        (CATEGORIES, {}, 400, MISSING.format("categories")),
        (CATEGORIES, {CATEGORIES: ["request"]}, 400, "Invalid categories"),
        (CATEGORIES, {CATEGORIES: [["system"]]}, 400, "Invalid categories"),
        (CATEGORIES, {CATEGORIES: "system"}, 400, "Invalid categories"),
        ("custom-tags", {"customTags": {"environment": "production", "v": 1}}, 200, "自定义标签已更新"),
        ("custom-tags", {"customTags": {}}, 200, "自定义标签无变化"),
        ("custom-tags", {}, 400, MISSING.format("customTags")),
        (
            "custom-tags",
            {"customTags": {"a": ["b"]}},
            400,
            "Invalid customTags: expected an object of names and texts",
        ),
        ("custom-tags", {"customTags": {" ": "b"}}, 400, "Invalid customTags: expected an object of names and texts"),
    ],
)
def test_sentences(served: Served, path: str, body: Any, status: int, said: str) -> None:
    """The Java version's, also where nothing changes; and a bad interval is no bug of ours."""
    assert put(served, path, body) == (status, said)
    shown = [served.get(f"{BASE}/config").json() for _ in range(6)]
    assert all(one == shown[0] for one in shown), "the workers do not agree"
    assert (shown[0] == DEFAULTS) is (status != 200 or said.endswith("无变化"))
    assert served.get(f"{BASE}/config/snapshot").json() == shown[0]


def test_what_is_ordered_is_shown(served: Served) -> None:
    """All of it, by every worker."""
    put(served, "prefix", {"prefix": "ours"})
    put(served, "collection-interval", {"interval": "PT90S"})
    put(served, "categories", {"categories": ["business"]})
    put(served, "custom-tags", {"customTags": {"data-center": "eu", "le": "x", "1": "y", "status": "z"}})
    tags = {"data-center": "eu", "le": "x", "1": "y", "status": "z"}
    changed = {
        "prefix": "ours",
        "collectionInterval": "PT1M30S",
        "enabledCategories": ["business"],
        "customTags": tags,
    }
    for _ in range(6):
        assert served.get(f"{BASE}/config").json() == DEFAULTS | changed
    before = total(scraped(served), "ours_requests_total", "chat", "200")
    assert served.post("/v1/chat/completions", json=CHAT).is_success
    samples = scraped(served)
    assert total(samples, "ours_requests_total", "chat", "200", "eu", "x", "y") == before + 1
    assert {name.partition("_")[0] for name, *_ in samples} == {"ours"}, "other categories, or names of before"
    page = served.get("/actuator/prometheus").text
    assert 'data_center="eu",exported_le="x",m_1="y"' in page.replace(" ", "")


def test_off_is_off(served: Served) -> None:
    """Nothing is counted, nothing shown, and everything is served; what was counted before is there again."""
    assert served.post("/v1/chat/completions", json=CHAT).is_success
    before = total(scraped(served), "jairouter_requests_total", "chat", "200")
    assert put(served, "enabled", {"enabled": False})[0] == 200
    for _ in range(6):
        assert served.post("/v1/chat/completions", json=CHAT).is_success
    assert scraped(served) == {}
    assert served.get(f"{BASE}/metrics/list").json() == []
    assert served.get(f"{BASE}/overview").json()["enabled"] is False
    assert put(served, "enabled", {"enabled": True})[0] == 200
    assert total(scraped(served), "jairouter_requests_total", "chat", "200") == before
    assert served.post("/v1/chat/completions", json=CHAT).is_success
    assert total(scraped(served), "jairouter_requests_total", "chat", "200") == before + 1


def test_an_edit_is_an_edit(served: Served, pair: tuple[Served, Path, str]) -> None:
    """Of the file, with a revision; not if somebody was faster, nor if the file may not be written."""
    _, file, _ = pair
    put(served, "prefix", {"prefix": "ours"})
    assert file.read_text().startswith("# ours\n")
    last = json.loads(run("config", "history", "--json", "--last", "1", "--config", str(file)).stdout)[0]
    assert (last["author"], last["summary"]) == ("api", "set monitoring.metrics.prefix to ours")
    status, said = put(served, "prefix", {"prefix": "theirs"}, **{"if-match": '"12345678"'})
    assert (status, said.partition(":")[0]) == (412, "配置已被修改")
    mode = file.stat().st_mode
    file.chmod(mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    try:
        status, said = put(served, "prefix", {"prefix": "theirs"})
    finally:
        file.chmod(mode)
    assert (status, said.partition(":")[0]) == (500, "更新失败")
    status, said = put(served, "custom-tags", {"customTags": {"a": "${JAIROUTER_NOT_SET}"}})
    assert (status, said.partition(":")[0]) == (400, "参数验证失败")
    assert served.get(f"{BASE}/config").json()["prefix"] == "ours"


def test_the_overview_is_true(served: Served) -> None:
    """Its parts are those that the other routes show."""
    shown = served.get(f"{BASE}/overview").json()
    assert list(shown) == [
        *("enabled", "prefix", "enabledCategories", "healthy"),
        *("errorStats", "degradationStatus", "cacheStats", "circuitBreakerStats"),
    ]
    assert shown["healthy"] is served.get(f"{BASE}/health").json()["healthy"] is True
    assert shown["errorStats"] == served.get(f"{BASE}/errors/stats").json()
    assert shown["degradationStatus"] == {"level": "NONE", "samplingRate": 1.0, "autoModeEnabled": False}
    assert shown["cacheStats"] == {"usageRatio": 0.0, "activeRetries": 0}
    stats = served.get(f"{BASE}/circuit-breaker/stats").json()
    assert shown["circuitBreakerStats"] == {name: stats[name] for name in ("state", "failureRate")}


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (10, "PT10S"),
        (60, "PT1M"),
        (0.5, "PT0.5S"),
        (5400, "PT1H30M"),
        (90061.25, "PT25H1M1.25S"),
        (1e-6, "PT0.000001S"),
    ],
)
def test_durations_as_java_writes_them(seconds: float, shown: str) -> None:
    """Hours, minutes and seconds, without what is zero."""
    assert iso_duration(seconds) == shown
