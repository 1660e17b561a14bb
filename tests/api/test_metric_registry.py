"""`/api/monitoring/metrics` over a real server of two workers: what is registered is known to both, and of use."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from jairouter_cli.observe.families import FAMILIES
from tests.api.test_metrics import scraped, total
from tests.process import PLAIN, Served, config, serving

BASE = "/api/monitoring/metrics"
CONFIG = """\
server: {locale: en}
model: {services: {chat: {}}}
monitoring:
  metrics:
    max-series: 40
    custom: # by hand
      - name: by.hand # kept
"""
ORDERS = {"name": "orders", "type": "COUNTER", "description": "Orders", "tags": {"shop": "north"}}
KEYS = ["name", "description", "type", "unit", "baseTags", "category", "createdAt", "lastUpdatedAt", "enabled"]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Path]]:
    """Run a gateway of two workers."""
    file = config(tmp_path_factory.mktemp("registry"), CONFIG)
    with serving("--config", str(file), "--workers", "2") as served:
        yield served, file


@pytest.fixture
def served(pair: tuple[Served, Path]) -> Served:
    """Give it with the metric that was written by hand alone."""
    served, _ = pair
    names = [one["name"] for one in shown(served, "category/custom") if one["name"] != "by.hand"]
    assert send(served, "DELETE", "batch", names)[1]["allSuccess"]
    return served


def send(served: Served, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Send a request; return the status and what JSON came."""
    content = None if body is None else json.dumps(body)
    done = httpx.request(
        method, f"{served.url}{BASE}/{path}", content=content, trust_env=False, verify=PLAIN, timeout=20
    )
    return done.status_code, done.json()


def shown(served: Served, path: str, **query: str) -> Any:
    """Return what is shown."""
    found = served.get(f"{BASE}/{path}", params=query)
    assert found.status_code == 200, found.text
    return found.json()


def registered(name: str) -> dict[str, Any]:
    """Return what is answered to who registers a metric."""
    return {"success": True, "message": "Metric registered successfully", "metricName": name, "error": None}


def test_what_is_registered_is_of_use(served: Served) -> None:
    """Known to both workers, fed by either, shown with the sums of both; and gone when it is deleted."""
    assert send(served, "POST", "register", ORDERS) == (200, registered("orders"))
    for number in range(20):
        body = {"value": 2, "tags": {"kind": "express"}} if number % 2 else {}
        assert send(served, "POST", "orders/record", body) == (
            200,
            {"success": True, "metricName": "orders", "message": "Recorded"},
        )
    samples = scraped(served)
    assert total(samples, "orders_total", "express", "north") == 20
    assert total(samples, "orders_total", "", "north") == 10
    series = [one for one in shown(served, "list") if one["name"] == "orders"]
    same = {"name": "orders", "type": "COUNTER", "description": "Orders", "baseUnit": ""}
    assert sorted(series, key=lambda one: one["value"]) == [
        {**same, "tags": {"shop": "north"}, "value": 10},
        {**same, "tags": {"shop": "north", "kind": "express"}, "value": 20},
    ]
    done = {"success": True, "metricName": "orders", "message": "Metric unregistered successfully"}
    assert send(served, "DELETE", "orders") == (200, done)
    assert total(scraped(served), "orders_total") == 0
    gone = {"success": False, "metricName": "orders", "message": "Failed to unregister metric"}
    assert send(served, "DELETE", "orders") == (200, gone)
    assert send(served, "POST", "orders/record")[0] == 404
    send(served, "POST", "register", ORDERS)
    send(served, "POST", "orders/record")
    assert total(scraped(served), "orders_total") == 1, "it counts anew"


def test_timers(served: Served) -> None:
    """Seconds, as a histogram."""
    timer = {"name": "job.time", "type": "timer", "unit": "seconds"}
    assert send(served, "POST", "register", timer) == (200, registered("job.time"))
    listed = {"name": "job.time", "type": "TIMER", "tags": {}, "description": "", "baseUnit": "seconds"}
    assert [one for one in shown(served, "list") if one["name"] == "job.time"] == [listed]
    for value in (0.2, 0.3, 7):
        assert send(served, "POST", "job.time/record", {"value": value})[0] == 200
    samples = scraped(served)
    assert samples["job_time_seconds_count",] == 3
    assert samples["job_time_seconds_sum",] == pytest.approx(7.5)
    assert samples["job_time_seconds_bucket", "0.25"] == 1
    (series,) = (one for one in shown(served, "list") if one["name"] == "job.time")
    assert series == {**listed, "count": 3, "sum": pytest.approx(7.5)}
    status, said = send(served, "POST", "job.time/record", {})
    assert (status, said["message"]) == (400, "'value' must be a number that is not negative")


def test_registering_again(served: Served, pair: tuple[Served, Path]) -> None:
    """The same is no edit; another description is one, and what was counted stays; another type is refused."""
    _, file = pair
    send(served, "POST", "register", ORDERS)
    send(served, "POST", "orders/record")
    (first,) = (one for one in shown(served, "metadata") if one["name"] == "orders")
    text = file.read_text()
    assert send(served, "POST", "register", ORDERS) == (200, registered("orders"))
    assert file.read_text() == text
    assert send(served, "POST", "register", {**ORDERS, "description": "All orders", "tags": {}})[0] == 200
    (again,) = (one for one in shown(served, "metadata") if one["name"] == "orders")
    assert (again["description"], again["baseTags"], again["createdAt"]) == ("All orders", {}, first["createdAt"])
    assert again["lastUpdatedAt"] > first["lastUpdatedAt"] >= first["createdAt"]
    assert total(scraped(served), "orders_total", "north") == 1
    status, said = send(served, "POST", "register", {**ORDERS, "type": "TIMER"})
    assert (status, said["error"]) == (400, "Metric 'orders' is a COUNTER already: delete it first")
    assert "- name: by.hand # kept" in file.read_text()


PATTERN = "Metric name must match pattern: ^[a-zA-Z_][a-zA-Z0-9_.]*$"
OURS = "Metric '{}' is one of the gateway's own, and cannot be overwritten: choose another name"
LABEL = "Tag key '{}' must be letters, digits and _, not begin with a digit or __, nor be le or quantile"
RATE = "Sampling rate must be between 0.0 and 1.0"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"name": None}, "Metric name cannot be null or empty"),
        ({"name": " "}, "Metric name cannot be null or empty"),
        ({"name": 7}, "Metric name cannot be null or empty"),
        ({"name": "or-ders"}, PATTERN),
        ({"name": "1st"}, PATTERN),
        ({"name": "a\n"}, PATTERN),
        ({"name": "a" * 201}, "Metric name must not be longer than 200 characters"),
        ({"name": "batch"}, "Metric name 'batch' is reserved: it has another meaning in the paths of this API"),
        ({"name": "requests"}, OURS.format("requests")),
        ({"name": "jairouter.requests"}, OURS.format("jairouter.requests")),
        ({"name": "jairouter_requests_total"}, OURS.format("jairouter_requests_total")),
        ({"name": "process_cpu_seconds_total"}, OURS.format("process_cpu_seconds_total")),
        (
            {"name": "by_hand_total"},
            "Metric 'by_hand_total' would be shown under the same name as 'by.hand': choose another name",
        ),
        ({"type": None}, "Metric type cannot be null"),
        ({"type": "NONSENSE"}, "Unknown metric type: NONSENSE; expected COUNTER or TIMER"),
        ({"type": ["COUNTER"]}, "Unknown metric type: ['COUNTER']; expected COUNTER or TIMER"),
        ({"samplingRate": 1.5}, RATE),
        ({"samplingRate": "1"}, RATE),
        ({"samplingRate": 0.5}, "Sampling rate must be 1.0: nothing is sampled here"),
        ({"enabled": "yes"}, "'enabled' must be true or false"),
        ({"description": 3}, "'description' must be text"),
        ({"category": ""}, "'category' must not be empty"),
        ({"tags": ["a"]}, "Tags must be an object of names and texts"),
        ({"tags": {"a": None}}, "Tags must be an object of names and texts"),
        ({"tags": {"": "b"}}, "Tag key cannot be null or empty"),
        ({"tags": {"a-b": "c"}}, LABEL.format("a-b")),
        ({"tags": {"__a": "c"}}, LABEL.format("__a")),
        ({"tags": {"le": "c"}}, LABEL.format("le")),
        ({"tags": {"a": "x" * 1000}}, "Tags must not be longer than 1000 bytes together"),
    ],
)
def test_what_is_refused(served: Served, change: dict[str, Any], error: str) -> None:
    """With 400, by all doors the same, and nothing is registered."""
    body = {**ORDERS, **change}
    name = body["name"] if isinstance(body["name"], str) else None
    failed = {"success": False, "message": f"Validation failed: {error}", "metricName": name, "error": error}
    assert send(served, "POST", "register", body) == (400, failed)
    assert send(served, "POST", "validate", body) == (200, {"valid": False, "errors": [error], "warnings": []})
    status, batch = send(served, "POST", "register/batch", [body])
    assert (status, batch["results"], batch["failureCount"]) == (200, [failed], 1)
    assert [one["name"] for one in shown(served, "category/custom")] == ["by.hand"]


def test_types(served: Served) -> None:
    """Only counters and timers can be fed from outside."""
    for kind in ("GAUGE", "LONG_TASK_TIMER", "DISTRIBUTION_SUMMARY", "OTHER"):
        said = f"Unsupported metric type for business metric: {kind}"
        failed = {"success": False, "message": said, "metricName": "orders", "error": said}
        assert send(served, "POST", "register", {**ORDERS, "type": kind}) == (400, failed)
    said = "Validation failed: Expected a JSON object"
    for body in (None, "text", [ORDERS]):
        status, failed = send(served, "POST", "register", body)
        assert (status, failed["message"], failed["metricName"]) == (400, said, None)


def test_validating(served: Served) -> None:
    """Says what it would be, and does nothing."""
    assert send(served, "POST", "validate", ORDERS) == (200, {"valid": True, "errors": [], "warnings": []})
    assert shown(served, "exists/orders")["exists"] is False
    send(served, "POST", "register", ORDERS)
    same = "Metric with same name and tags already exists"
    assert send(served, "POST", "validate", ORDERS)[1] == {"valid": True, "errors": [], "warnings": [same]}
    other = "Metric with same name already exists: its tags would be replaced"
    assert send(served, "POST", "validate", {**ORDERS, "tags": {}})[1]["warnings"] == [other]
    unit = "A timer is shown in seconds, whatever its unit says"
    odd = {"name": "t", "type": "TIMER", "unit": "ms"}
    assert send(served, "POST", "validate", odd)[1]["warnings"] == [unit]


def test_several_at_once(served: Served) -> None:
    """One edit for those that are right; deleting tells of those that could not be."""
    jobs = {"name": "jobs", "type": "TIMER", "enabled": False}
    bodies = [ORDERS, {"name": "1", "type": "TIMER"}, jobs, {**ORDERS, "type": "TIMER"}]
    status, done = send(served, "POST", "register/batch", bodies)
    assert (status, [one["success"] for one in done["results"]]) == (200, [True, False, True, False])
    assert {key: value for key, value in done.items() if key != "results"} == {
        "totalRequests": 4,
        "successCount": 2,
        "failureCount": 2,
        "allSuccess": False,
    }
    assert {one["name"]: one["enabled"] for one in shown(served, "category/custom")} == {
        "by.hand": True,
        "orders": True,
        "jobs": False,
    }
    assert send(served, "POST", "register/batch", []) == (
        200,
        {"totalRequests": 0, "successCount": 0, "failureCount": 0, "results": [], "allSuccess": True},
    )
    assert send(served, "POST", "register/batch", {})[0] == 400
    status, gone = send(served, "DELETE", "batch", ["jobs", "nobody", "requests", "orders"])
    assert (status, gone) == (
        200,
        {
            "totalRequests": 4,
            "successCount": 2,
            "failureCount": 2,
            "failedMetrics": ["nobody", "requests"],
            "allSuccess": False,
        },
    )
    assert send(served, "DELETE", "batch", "orders")[0] == 400
    send(served, "POST", "register", {"name": "jobs", "type": "TIMER"})
    assert shown(served, "metadata/jobs")["enabled"] is True, "that it was off is forgotten, too"


def test_deleting_by_tags(served: Served) -> None:
    """Only what has all of them."""
    send(served, "POST", "register", ORDERS)
    assert send(served, "DELETE", "orders?shop=south")[1]["success"] is False
    assert send(served, "DELETE", "orders?shop=north&kind=x")[1]["success"] is False
    assert send(served, "DELETE", "orders?shop=north")[1]["success"] is True


def test_what_there_is(served: Served) -> None:
    """Every metric that the program shows is listed once, as what it is, and can be found."""
    send(served, "POST", "register", {**ORDERS, "category": "shop"})
    metadata = shown(served, "metadata")
    names = [one["name"] for one in metadata]
    assert len(names) == len(set(names)) == len({family.name for family in FAMILIES}) + 2
    assert all(list(one) == [*KEYS, "samplingRate"] and one["samplingRate"] == 1.0 for one in metadata)
    page = served.get("/actuator/prometheus").text
    for family in text_string_to_metric_families(page):
        plain = family.name + "_total" * (family.type == "counter")
        assert plain.removesuffix("_max") in names, family.name
    requests = shown(served, "metadata/requests")
    assert (
        requests == shown(served, "metadata/jairouter_requests") == shown(served, "metadata/jairouter_requests_total")
    )
    assert {key: requests[key] for key in ("name", "type", "unit", "category", "enabled")} == {
        "name": "jairouter_requests_total",
        "type": "COUNTER",
        "unit": "",
        "category": "business",
        "enabled": True,
    }
    types = {"request_duration_seconds": "TIMER", "request_size_bytes": "DISTRIBUTION_SUMMARY", "workers": "GAUGE"}
    for name, kind in types.items():
        assert shown(served, f"metadata/{name}")["type"] == kind
    by_hand = shown(served, "metadata/by.hand")
    assert (by_hand["createdAt"], by_hand["lastUpdatedAt"]) == (None, None), "nobody knows"
    missing = served.get(f"{BASE}/metadata/nobody")
    assert (missing.status_code, missing.content) == (404, b"")
    counts = shown(served, "statistics")
    assert counts["totalMetrics"] == len(names) == counts["enabledMetrics"] + counts["disabledMetrics"]
    assert sum(counts["metricsByCategory"].values()) == sum(counts["metricsByType"].values()) == len(names)
    assert (counts["metricsByCategory"]["shop"], counts["disabledMetrics"]) == (1, 0)
    assert [one["name"] for one in shown(served, "category/shop")] == ["orders"]
    assert shown(served, "category/nothing") == []


def test_searching(served: Served) -> None:
    """By expression in any case; what is none finds nothing; what could take hours is refused."""
    send(served, "POST", "register", ORDERS)
    found = [one["name"] for one in shown(served, "search", namePattern="^ORD|by.h")]
    assert found == ["by.hand", "orders"]
    assert [one["name"] for one in shown(served, "search", namePattern="requests_total$", category="business")] == [
        "jairouter_requests_total"
    ]
    assert shown(served, "search", namePattern="orders", category="business") == []
    for bad in ("(", "[", "*", "a{99999999999}"):
        assert shown(served, "search", namePattern=bad) == []
    for hungry in (r"(\w+)+!", r"(\w|\w)*!", r"\w*\w*\w*\w*!"):
        assert served.get(f"{BASE}/search", params={"namePattern": hungry}).status_code == 400
    assert served.get(f"{BASE}/search").status_code == 400


def test_whether_there_is_one(served: Served) -> None:
    """By name, and by the tags of it or of its series."""
    send(served, "POST", "register", ORDERS)
    send(served, "POST", "orders/record", {"tags": {"kind": "express"}})
    assert shown(served, "exists/orders", shop="north") == {
        "metricName": "orders",
        "exists": True,
        "tags": {"shop": "north"},
    }
    assert shown(served, "exists/orders", kind="express", shop="north")["exists"] is True
    assert shown(served, "exists/orders", kind="slow")["exists"] is False
    assert shown(served, "exists/jairouter_requests_total") == {
        "metricName": "jairouter_requests_total",
        "exists": True,
        "tags": {},
    }
    assert shown(served, "exists/process_cpu_seconds_total", worker="parent")["exists"] is True
    assert shown(served, "exists/process_cpu_seconds_total", worker="nobody")["exists"] is False
    assert shown(served, "exists/nobody") == {"metricName": "nobody", "exists": False, "tags": {}}


def test_switching_off(served: Served) -> None:
    """Shown nowhere, the gateway's own or not, and counted all the same; on again, it is all there."""
    send(served, "POST", "register", ORDERS)
    for name, series in (("orders", "orders_total"), ("jairouter_workers", "jairouter_workers")):
        if name == "orders":
            send(served, "POST", "orders/record")
        assert total(scraped(served), series) > 0
        answered = {"success": True, "metricName": name, "enabled": False, "samplingRate": 1.0}
        answered["message"] = "Configuration updated successfully"
        assert send(served, "PUT", f"{name}/configuration?enabled=false") == (200, answered)
        assert all(key[0] != series for key in scraped(served))
        assert all(one["name"] != name or "value" not in one for one in shown(served, "list"))
        assert shown(served, f"metadata/{name}")["enabled"] is False
        assert shown(served, "statistics")["disabledMetrics"] == 1
        if name == "orders":
            send(served, "POST", "orders/record")
        assert send(served, "PUT", f"{name}/configuration?enabled=true&samplingRate=1.0")[1]["enabled"] is True
        assert total(scraped(served), series) == 2
    status, said = send(served, "PUT", "workers/configuration?enabled=true&samplingRate=0.5")
    assert (status, said["success"], said["message"]) == (
        400,
        False,
        "Sampling rate must be 1.0: nothing is sampled here",
    )
    status, said = send(served, "PUT", "nobody/configuration?enabled=true")
    assert (status, said["message"]) == (404, "Failed to update configuration")
    assert send(served, "PUT", "workers/configuration?enabled=perhaps")[0] == 400
    assert send(served, "PUT", "workers/configuration")[0] == 400


def test_changing_what_is_said(served: Served) -> None:
    """What is not named stays; the name and the type do, too."""
    send(served, "POST", "register", {**ORDERS, "unit": "orders"})
    done = {"success": True, "metricName": "orders", "message": "Metadata updated successfully"}
    body = {"description": "Ours", "tags": {"shop": "south"}, "enabled": False}
    assert send(served, "PUT", "metadata/orders", body) == (200, done)
    now = shown(served, "metadata/orders")
    assert {key: now[key] for key in ("description", "baseTags", "unit", "category", "enabled")} == {
        "description": "Ours",
        "baseTags": {"shop": "south"},
        "unit": "orders",
        "category": "custom",
        "enabled": False,
    }
    assert send(served, "PUT", "metadata/orders", {**now, "description": ""}) == (200, done), "as it was shown"
    assert shown(served, "metadata/orders")["description"] == ""
    for bad, said in (
        ({"name": "other"}, "A metric's name cannot be changed"),
        ({"type": "TIMER"}, "Metric 'orders' is a COUNTER already: delete it first"),
        ({"samplingRate": 0.1}, "Sampling rate must be 1.0: nothing is sampled here"),
        (["x"], "Expected a JSON object"),
    ):
        status, answer = send(served, "PUT", "metadata/orders", bad)
        assert (status, answer["success"], answer["message"]) == (400, False, f"Validation failed: {said}")
    status, answer = send(served, "PUT", "metadata/nobody", {})
    assert (status, answer["message"]) == (404, "Failed to update metadata")


def test_the_gateways_own_are_its_own(served: Served) -> None:
    """They are neither deleted nor described otherwise, nor fed."""
    for method, path in (("DELETE", "jairouter_requests_total"), ("PUT", "metadata/requests")):
        status, said = send(served, method, path, {})
        name = path.removeprefix("metadata/")
        assert (status, said["success"], said["message"]) == (
            400,
            False,
            f"Metric '{name}' is one of the gateway's own: it can be switched off, but neither deleted nor overwritten",
        )
    status, said = send(served, "POST", "requests/record", {"value": 1})
    assert (status, said["message"]) == (400, "Metric 'requests' is counted by the gateway itself")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"value": -1}, "'value' must be a number that is not negative"),
        ({"value": "1"}, "'value' must be a number that is not negative"),
        ({"value": True}, "'value' must be a number that is not negative"),
        ({"value": None}, "'value' must be a number that is not negative"),
        ({"value": 10**400}, "'value' must be a number that is not negative"),
        ([1], 'Expected a JSON object like {"value": 1, "tags": {}}'),
        ({"tags": {"a b": "c"}}, LABEL.format("a b")),
        ({"tags": {"quantile": "c"}}, LABEL.format("quantile")),
        ({"tags": "no"}, "Tags must be an object of names and texts"),
        ({"tags": {"a": "ü" * 500}}, "Tags must not be longer than 1000 bytes together"),
    ],
)
def test_what_cannot_be_recorded(served: Served, body: Any, error: str) -> None:
    """Is said, and nothing is counted."""
    failed = {"success": False, "metricName": "by.hand", "message": error}
    before = total(scraped(served), "by_hand_total")
    assert send(served, "POST", "by.hand/record", body) == (400, failed)
    assert total(scraped(served), "by_hand_total") == before


def test_what_is_no_json_counts_nothing(served: Served) -> None:
    """A number that is too large for JSON's readers, half a body: refused; no body at all counts one."""
    before = total(scraped(served), "by_hand_total")
    for body, status in (('{"value": 1e400}', 400), ('{"value": 1', 400), ("", 200)):
        assert served.post(f"{BASE}/by.hand/record", content=body).status_code == status
    assert total(scraped(served), "by_hand_total") == before + 1


def test_nothing_is_recorded_while_counting_is_off(served: Served) -> None:
    """And who feeds is told."""
    put = f"{served.url}/api/monitoring/config/enabled"
    httpx.put(put, json={"enabled": False}, trust_env=False, verify=PLAIN, timeout=20)
    status, said = send(served, "POST", "by.hand/record")
    httpx.put(put, json={"enabled": True}, trust_env=False, verify=PLAIN, timeout=20)
    assert (status, said["message"]) == (409, "Nothing is counted: monitoring.metrics.enabled is false")


def test_series_are_bounded(served: Served) -> None:
    """Past `max-series` further tags of a metric are counted together, and none of its counts is lost."""
    send(served, "POST", "register", {"name": "many", "type": "TIMER"})
    with served.client() as client:  # one connection, so one worker
        for number in range(60):
            body = {"value": 1, "tags": {"number": str(number)}}
            assert client.post(f"{BASE}/many/record", json=body).is_success
    counts = {key: value for key, value in scraped(served).items() if key[0] == "many_seconds_count"}
    assert sum(counts.values()) == 60
    assert len(counts) <= 41
    assert counts["many_seconds_count", "other"] >= 20


def test_cleaning_up(tmp_path: Path) -> None:
    """What was neither changed nor fed for a day goes; never what is fed, was written by hand, or is the gateway's."""
    old = "created-at: '2020-01-01T00:00:00Z', updated-at: '2020-01-01T00:00:00Z'"
    listed = "".join(f"      - {{name: {name}, {old}}}\n" for name in ("unused", "fed")) + "      - name: by_hand\n"
    with serving("--config", str(config(tmp_path, f"monitoring:\n  metrics:\n    custom:\n{listed}"))) as served:
        send(served, "POST", "register", ORDERS)
        send(served, "POST", "fed/record")
        assert shown(served, "metadata/fed")["createdAt"] == "2020-01-01T00:00:00Z"
        assert shown(served, "metadata/fed")["lastUpdatedAt"] > "2026"
        count = shown(served, "statistics")["totalMetrics"]
        done = {"cleanedMetrics": 1, "totalMetrics": count, "cleanedMetricNames": ["unused"]}
        assert send(served, "POST", "cleanup") == (200, done)
        assert [one["name"] for one in shown(served, "category/custom")] == ["fed", "by_hand", "orders"]
        assert send(served, "POST", "cleanup")[1]["cleanedMetrics"] == 0


def test_a_restart_knows_them(tmp_path: Path) -> None:
    """They stand in the configuration."""
    file = config(tmp_path, "model: {}\n")
    with serving("--config", str(file)) as served:
        send(served, "POST", "register", {**ORDERS, "category": "business"})
    with serving("--config", str(file)) as served:
        assert shown(served, "metadata/orders")["baseTags"] == {"shop": "north"}
        assert send(served, "POST", "orders/record")[0] == 200
        assert total(scraped(served), "orders_total") == 1
        httpx.put(
            f"{served.url}/api/monitoring/config/categories",
            json={"categories": ["system"]},
            trust_env=False,
            verify=PLAIN,
            timeout=20,
        )
        assert total(scraped(served), "orders_total") == 0, "its category is not shown"
        assert shown(served, "metadata/orders")["enabled"] is False


def test_they_are_for_operators(tmp_path: Path) -> None:
    """Like all of the management API."""
    file = config(tmp_path, "server: {admin-token: s3cret}\nmodel: {}\n")
    with serving("--config", str(file)) as served:
        paths = ("metrics/metadata", "metrics/list", "config", "overview", "metrics/exists/requests")
        for path in paths:
            assert served.get(f"/api/monitoring/{path}").status_code == 401
        assert send(served, "POST", "register", ORDERS)[0] == 401
        assert send(served, "DELETE", "orders")[0] == 401
        headers = {"authorization": "Bearer s3cret"}
        assert served.get(f"{BASE}/metadata", headers=headers).status_code == 200
