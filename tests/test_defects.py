"""The defects of JAiRouter for Java that can be observed from outside, each with the test that keeps it away.

Their numbers only tell them apart. Tests in other files are named in `ELSEWHERE`, defects of features that do not exist
yet in `NOTHING_TO_OBSERVE_YET`, which must not have a number that a test could be written for.
"""

import importlib
import inspect
import json
import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from jairouter_cli.observe.families import FAMILIES, Kind
from tests.api.test_metrics import scraped, total
from tests.backend import Backend, answer, backend, raw
from tests.process import Served, config, eventually, serving

# A service without load-balance, image services in camelCase, instances with paths of their own, breakers that are off.
CONFIG = """\
server: {locale: en}
webclient: {read-timeout: 700ms}
model:
  load-balance: {type: random, health-check: {enabled: false}}
  circuit-breaker: {enabled: false, failure-threshold: 1}
  services:
    chat:
      instances:
        - {name: m, base-url: URL, path: /one/chat/completions}
        - {name: two, base-url: URL, path: /two/chat/completions}
        - {name: many, base-url: URL, weight: 2}
        - {name: many, base-url: OTHER, path: /other/chat/completions}
        - {name: gpustack, base-url: URL, adapter: gpustack}
        - {name: ollama, base-url: URL, adapter: ollama}
    embedding: {instances: [{name: m, base-url: URL, adapter: ollama}]}
    tts: {instances: [{name: m, base-url: URL}]}
    stt: {instances: [{name: m, base-url: URL}]}
    imgGen: {instances: [{name: m, base-url: URL}]}
    imgEdit: {instances: [{name: m, base-url: URL}]}
    rerank:
      circuit-breaker: {enabled: true, failure-threshold: 2, timeout: 60s}
      instances: [{name: bad, base-url: URL}, {name: good, base-url: URL}]
"""
ROOT = Path(__file__).parent.parent
CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
UPLOAD = {"file": ("a.wav", b"RIFF", "audio/wav")}

ELSEWHERE = {
    "D-04": "tests.api.test_routing:test_one_selection_a_request",
    "D-07": "tests.web.test_streams:test_a_stream_passes_unchanged",
    "D-08": "tests.web.test_streams:test_a_cut_stream_ends_with_an_error_event",
    "D-13": "tests.api.test_data_plane:test_each_timeout_is_named",
    "D-14": "tests.api.test_fallback:test_what_clients_did_wrong_is_no_reason",
    "D-17": "tests.api.test_routing:test_a_header_of_a_stranger_is_not_believed",
    "D-19": "tests.api.test_management:test_what_is_shown",
    "D-22": "tests.api.test_management:test_reset_is_the_file_as_it_was_found",
    "D-23": "tests.api.test_resilience:test_more_slots_at_run_time_let_more_through",
    "D-24": "tests.api.test_exchange:test_merging_over_the_api",
    "D-25": "tests.api.test_exchange:test_merging_over_the_api",
    "D-27": "tests.api.test_management:test_a_partial_update_keeps_the_rest",
    "D-28": "tests.config.test_store:test_a_full_disk_leaves_the_old_file",
    "D-29": "tests.api.test_management:test_a_start_is_no_change",
    "D-30": "tests.config.test_store:test_concurrent_edits_lose_nothing",
    "D-31": "tests.api.test_metrics:test_every_count_is_what_was_seen",
    "D-37": "tests.api.test_metric_registry:test_what_is_registered_is_of_use",
    "D-32": "tests.api.test_fallback:test_the_same_question_of_the_same_client_is_answered_from_memory",
    "D-39": "tests.routing.test_buckets:test_the_steady_rate_is_the_configured_one",
    "D-43": "tests.api.test_limits:test_every_client_has_its_own",
    "D-44": "tests.routing.test_admission:test_scopes",
    "D-41": "tests.api.test_routing:test_streams_count_until_they_end",
    "D-48": "tests.api.test_routing:test_streams_count_until_they_end",
    "H-03": "tests.api.test_routing:test_one_selection_a_request",
    "H-04": "tests.api.test_limits:test_a_refusal_consumes_nothing_of_the_other_limits",
    "H-09": "tests.routing.test_balance:test_hashing_moves_only_the_keys_of_what_is_gone",
}
NOTHING_TO_OBSERVE_YET = {
    "no authentication, no users, no dialects beside OpenAI's": "H-02 H-05 H-06 H-10 H-11",
}


@dataclass
class Front:
    """A gateway, and the two backends behind it."""

    served: Served
    behind: Backend
    other: Backend

    def post(self, path: str, **options: Any) -> httpx.Response:
        """Send a POST."""
        return self.served.post(f"/v1/{path}", **options)

    @property
    def last(self) -> Any:
        """The body of the last request that came."""
        return json.loads(self.behind.requests[-1].body)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """One gateway for all tests."""
    with backend(answer({})) as behind, backend(answer({})) as other:
        text = CONFIG.replace("URL", f"'{behind.url}'").replace("OTHER", f"'{other.url}'")
        with serving("--config", str(config(tmp_path_factory.mktemp("defects"), text))) as served:
            yield Front(served, behind, other)


@pytest.fixture
def front(running: Front) -> Front:
    """Give it with backends that answer `{}`."""
    running.behind.behave = running.other.behave = answer({})
    running.behind.requests.clear()
    running.other.requests.clear()
    return running


def test_d01_d02_errors_have_their_status(front: Front) -> None:
    """404, 400, 502, 503, the backend's own: never 200, never another's."""
    told = [front.post("chat/completions", json={**CHAT, "model": "none"}), front.post("chat/completions", json={})]
    front.behind.behave = raw()
    told.append(front.post("chat/completions", json=CHAT))
    front.behind.behave = answer({}, "503 Busy")
    told.append(front.post("chat/completions", json=CHAT))
    front.behind.behave = answer({}, "418 Teapot")
    told.append(front.post("chat/completions", json=CHAT))
    told.append(front.served.get("/nowhere"))
    assert [one.status_code for one in told] == [404, 400, 502, 503, 418, 404]


def test_d03_a_chat_without_stream(front: Front) -> None:
    """Absent and null mean no."""
    assert front.post("chat/completions", json=CHAT).status_code == 200
    assert front.post("chat/completions", json={**CHAT, "stream": None}).status_code == 200


def test_d05_the_path_is_that_of_the_chosen_instance(front: Front) -> None:
    """Each instance has its own, also among those of one model."""
    for model in ("m", "two"):
        front.post("chat/completions", json={**CHAT, "model": model})
    assert [one.line.split()[1] for one in front.behind.requests] == ["/one/chat/completions", "/two/chat/completions"]
    front.behind.requests.clear()
    while not (front.behind.requests and front.other.requests):
        front.post("chat/completions", json={**CHAT, "model": "many"})
    assert {one.line.split()[1] for one in front.behind.requests} == {"/v1/chat/completions"}
    assert {one.line.split()[1] for one in front.other.requests} == {"/other/chat/completions"}


def test_d06_h01_answers_are_the_backends(front: Front) -> None:
    """Byte for byte, in no envelope."""
    front.behind.behave = answer(b'{"id":"x" ,  "n":1e2}')
    assert front.post("chat/completions", json=CHAT).content == b'{"id":"x" ,  "n":1e2}'


@pytest.mark.parametrize("model", ["m", "gpustack", "ollama"])
def test_d09_d15_fields_are_neither_lost_nor_added(front: Front, model: str) -> None:
    """Tools, pictures, seeds, sampling, what nobody has heard of: as sent; and nothing beside."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}], "x": None}],
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "response_format": {"type": "json_object"},
        "seed": 7,
        "top_p": 0.5,
        "top_k": 3,
        "stop": ["a"],
        "frequency_penalty": 0.1,
        "unheard": {"of": [1, None]},
    }
    front.post("chat/completions", json=body)
    assert front.last == body


def test_d10_d11_d12_images_and_uploads_work(front: Front) -> None:
    """With camelCase services, files as files, all fields of a transcription, and no language."""
    assert front.post("images/generations", json={"model": "m", "prompt": "x"}).status_code == 200
    picture = {"image": ("a.png", b"PNG", "image/png")}
    assert front.post("images/edits", data={"model": "m", "prompt": "x"}, files=picture).status_code == 200
    fields = {"model": "m", "response_format": "verbose_json", "timestamp_granularities[]": "word"}
    assert front.post("audio/transcriptions", data=fields, files=UPLOAD).status_code == 200
    for value in (*fields, *fields.values(), "a.wav"):
        assert value.encode() in front.behind.requests[-1].body


def test_d13_large_answers_pass(front: Front) -> None:
    """More than 256 KiB."""
    front.behind.behave = answer({"data": "x" * 2_000_000})
    assert len(front.post("embeddings", json={"model": "m", "input": "x"}).content) > 2_000_000


def test_d16_lists_of_texts_are_embedded(front: Front) -> None:
    """Also by Ollama."""
    front.post("embeddings", json={"model": "m", "input": ["a", "b"]})
    assert front.last == {"model": "m", "input": ["a", "b"]}


def test_d18_speech_comes_as_it_is_made(front: Front) -> None:
    """With its own content type, and its beginning before its end."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: audio/opus\r\ntransfer-encoding: chunked\r\n\r\n4\r\nOggS\r\n"
    front.behind.behave = raw(head, then="wait")
    body = {"model": "m", "input": "x", "voice": "y"}
    with front.served.client() as client:
        stream = client.stream("POST", "/v1/audio/speech", json=body)
        with stream as response:
            assert response.headers["content-type"] == "audio/opus"
            pieces = response.iter_raw()
            assert next(pieces) == b"OggS"


def test_d21_a_service_needs_no_load_balance_of_its_own(front: Front) -> None:
    """All of them are served."""
    listed = front.served.get("/v1/models").json()["data"]
    assert {model["id"] for model in listed} == {"m", "two", "many", "gpustack", "ollama", "bad", "good"}


ADDRESSES = [
    "http://localhost:8000",
    "http://gpu-server:8080",
    "http://gpu-1.rack.example.internal:8080/v1/",
    "https://api.openai.com",
    "http://[::1]:9000/x",
    "http://10.0.0.7",
]


def test_d11_d20_d26_the_first_edit_keeps_the_rest(tmp_path: Path) -> None:
    """Of all services, also image services over the API; and whatever has a host is an address."""
    text = CONFIG.replace("URL", "'http://10.0.0.1'").replace("OTHER", "'http://10.0.0.2'")
    with serving("--config", str(config(tmp_path, text))) as served:

        def shown() -> dict[str, Any]:
            found: dict[str, Any] = served.get("/api/config/type").json()["data"]["services"]
            return found

        before = shown()
        for number, address in enumerate(ADDRESSES):
            added = served.post("/api/config/instance/add/imgGen", json={"name": f"n{number}", "baseUrl": address})
            assert added.status_code == 201, added.text
        changed = httpx.put(
            f"{served.url}/api/config/type/services/img-edit", json={"adapter": "localai"}, trust_env=False
        )
        assert changed.status_code == 200, changed.text
        after = shown()
        assert [one["baseUrl"] for one in after["imgGen"]["instances"][1:]] == [one.rstrip("/") for one in ADDRESSES]
        assert after["imgEdit"] == {**before["imgEdit"], "adapter": "localai"}
        untouched = set(before) - {"imgGen", "imgEdit"}
        assert {kind: after[kind] for kind in untouched} == {kind: before[kind] for kind in untouched}


def test_d40_a_bad_model_does_not_block_its_host(front: Front) -> None:
    """A breaker is one instance's: the host's other model is served on. Where breakers are off there is none."""

    async def by_model(received: Any, wire: Any) -> None:
        is_bad = json.loads(received.body)["model"] == "bad"
        await answer({}, "500 Error" if is_bad else "200 OK")(received, wire)

    front.behind.behave = by_model
    ask = {"query": "q", "documents": ["d"]}
    told = [front.post("rerank", json={"model": "bad", **ask}).status_code for _ in range(4)]
    assert told == [500, 500, 503, 503]
    assert front.post("rerank", json={"model": "good", **ask}).status_code == 200
    front.behind.behave = answer({}, "500 Error")
    assert {front.post("embeddings", json={"model": "m", "input": "x"}).status_code for _ in range(5)} == {500}


def test_d47_random_has_no_breaker_of_its_own(front: Front) -> None:
    """Ten failures, and the eleventh is sent as well."""
    front.behind.behave = raw()
    for _ in range(10):
        front.post("chat/completions", json=CHAT)
    front.behind.behave = answer({"ok": True})
    assert front.post("chat/completions", json=CHAT).json() == {"ok": True}


def test_h07_a_clients_mistake_is_asked_once(front: Front) -> None:
    """No retry of a 4xx; and none on the same instance of anything."""
    for status in ("400 Bad Request", "404 Not Found", "500 Error"):
        front.behind.behave = answer({}, status)
        front.post("chat/completions", json=CHAT)
    assert len(front.behind.requests) == 3


def test_d33_d35_every_request_counts_once(front: Front) -> None:
    """By default, at the first and at the hundredth; and looking at the numbers does not move them."""
    before = scraped(front.served)
    for _ in range(7):
        front.post("embeddings", json={"model": "m", "input": "x"})
    for _ in range(3):
        after = scraped(front.served)
        for name in ("requests_total", "backend_calls_total", "response_size_bytes_count"):
            assert total(after, f"jairouter_{name}") - total(before, f"jairouter_{name}") == 7, name
        name = "http_server_requests_seconds_count"
        assert total(after, name, "POST") - total(before, name, "POST") == 7


def test_d38_series_have_the_labels_of_their_metric(front: Front) -> None:
    """Each instance has its own; all series of a metric have the same labels, and none comes twice."""
    before = scraped(front.served)
    for _ in range(30):
        front.post("chat/completions", json={"model": "many", "messages": []})
    after = scraped(front.served)
    for behind in (front.behind, front.other):
        label = f"many@{behind.url}"
        chosen = total(after, "jairouter_loadbalancer_selections_total", label)
        assert chosen - total(before, "jairouter_loadbalancer_selections_total", label) == len(behind.requests) > 0
    page = front.served.get("/actuator/prometheus").text
    for family in text_string_to_metric_families(page):
        labels: dict[str, set[str]] = {}
        for sample in family.samples:
            assert labels.setdefault(sample.name, set(sample.labels)) == set(sample.labels), sample
        keys = [(sample.name, tuple(sorted(sample.labels.items()))) for sample in family.samples]
        assert len(keys) == len(set(keys))


def test_d45_a_gateway_that_has_done_nothing_is_well(tmp_path: Path) -> None:
    """By the health of monitoring, too."""
    with backend(answer({})) as behind:
        text = f"model: {{services: {{chat: {{instances: [{{name: m, base-url: '{behind.url}'}}]}}}}}}\n"
        with serving("--config", str(config(tmp_path, text))) as served:
            assert served.get("/api/monitoring/health").json()["status"] == "UP"
            assert served.get("/api/monitoring/overview").json()["healthy"] is True


def test_d34_d36_what_is_not_wanted_is_not_shown(tmp_path: Path) -> None:
    """Counting may be off at the start; categories and single metrics are left out when they are switched off."""
    settings = "enabled: false, enabled-categories: [business], disabled: [active_connections]"
    text = f"model: {{services: {{chat: {{}}}}}}\nmonitoring: {{metrics: {{{settings}}}}}\n"
    file = config(tmp_path, text)
    with serving("--config", str(file)) as served:
        assert served.post("/v1/chat/completions", json=CHAT).status_code == 404
        assert scraped(served) == {}
        file.write_text(text.replace("enabled: false", "enabled: true"))
        eventually(lambda: served.post("/v1/chat/completions", json=CHAT) and scraped(served))
        families = {family.name: family for family in FAMILIES}
        names = {key[0] for key in scraped(served)}
        shown = [name for name in families if any(key.startswith(f"jairouter_{name}") for key in names)]
        assert "requests" in shown
        assert {families[name].category for name in shown} == {"business"}
        assert not any("active_connections" in name or name.startswith(("process_", "system_")) for name in names)


def test_d46_what_is_documented_is_emitted() -> None:
    """Every series that a file of this repository asks for: documents, rules, dashboards."""
    ends = ("", "_total", "_bucket", "_count", "_sum", "_max")
    known = {f"jairouter_{family.name}{end}" for family in FAMILIES for end in ends}
    names = "jairouter_(?:requests?|response|backend|model|loadbalancer|rate|circuit|health|metrics|active)_"
    series = re.compile(rf"\b{names}[a-z_]*[a-z]\b")
    asked = {
        name
        for folder in ("docs", "deploy", "monitoring", "sample-configs", "README.md", "README.zh-CN.md")
        for path in (ROOT / folder, *(ROOT / folder).rglob("*"))
        if path.is_file() and path.suffix in {".md", ".yml", ".yaml", ".json"}
        for name in series.findall(path.read_text("utf-8"))
    }
    assert "jairouter_requests_total" in asked
    assert asked <= known
    histograms = {family.name for family in FAMILIES if family.kind is Kind.HISTOGRAM}
    assert histograms >= {
        *("request_duration_seconds", "request_size_bytes", "response_size_bytes"),
        *("backend_call_duration_seconds", "model_call_duration_seconds", "health_check_duration_seconds"),
    }


def test_h08_nothing_hides_a_metric_behind_a_path(front: Front) -> None:
    """Under `/actuator/metrics` are metrics by their names, and orders nowhere under `/actuator`."""
    for name in ("status", "performance", "memory", "sampling", "health", "circuit-breaker"):
        found = front.served.get(f"/actuator/metrics/{name}")
        assert (found.status_code, found.content) == (404, b""), name
    paths = front.served.get("/v3/api-docs").json()["paths"]
    allowed = {"/actuator/metrics", "/actuator/metrics/{name}", "/actuator/metrics/{requiredMetricName}"}
    assert {path for path in paths if path.startswith("/actuator/metrics")} <= allowed


def test_d42_dead_hosts_do_not_hold_up_the_others(tmp_path: Path) -> None:
    """Ten swallow the question: the one behind them is known to be up long before they are given up.

    And a service whose dead instances were removed is not remembered as dead.
    """
    swallowed = threading.Event()

    async def swallow(_: Any, wire: Any) -> None:
        swallowed.set()
        await wire.closed()

    with backend(answer({})) as alive, backend(answer({})) as dead:
        dead.behave_when_asked = swallow
        instance = "        - {{name: {}, base-url: '{}'}}\n"
        lines = "".join(instance.format(f"dead{n}", f"{dead.url}/{n}") for n in range(10))
        text = "model:\n  load-balance: {health-check: {timeout: 30s}}\n  services:\n    chat:\n      instances:\n"
        file = config(tmp_path, text + lines + instance.format("m", alive.url))
        with serving("--config", str(file)) as served:

            def states() -> dict[str, str]:
                router = served.get("/actuator/health").json()["components"]["modelRouter"]["details"]
                return {one["model"]: one["status"] for one in router["services"]["chat"]["instances"]}

            eventually(lambda: states()["m"] == "UP")
            assert swallowed.is_set()
            assert {state for model, state in states().items() if model != "m"} == {"UNKNOWN"}
            file.write_text(text + instance.format("m", alive.url))
            eventually(lambda: states() == {"m": "UP"})


def test_every_defect_has_its_test() -> None:
    """By its number in a test's name here, or elsewhere by the test that is named, or with the reason why not yet."""
    here = {
        f"{kind.upper()}-{number}"
        for name, one in inspect.getmembers(sys.modules[__name__], inspect.isfunction)
        if name.startswith("test_")
        for kind, number in re.findall(r"([dh])(\d\d)", name)
    }
    for place in ELSEWHERE.values():
        module, _, name = place.partition(":")
        assert callable(getattr(importlib.import_module(module), name)), place
    later = {number for numbers in NOTHING_TO_OBSERVE_YET.values() for number in numbers.split()}
    known = {f"D-{n:02}" for n in range(1, 49)} | {f"H-{n:02}" for n in range(1, 12)}
    assert here | set(ELSEWHERE) | later == known
    assert not later & (here | set(ELSEWHERE))
