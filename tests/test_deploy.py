"""`deploy/monitoring/`: every expression is PromQL, and asks only for what a running gateway really emits."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

import promql_parser
import pytest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from jairouter_cli.observe.exposition import full_name
from jairouter_cli.observe.families import FAMILIES, Kind
from tests.backend import Backend, answer, backend, raw
from tests.process import Served, config, eventually, serving

FOLDER = Path(__file__).parent.parent / "deploy" / "monitoring"
DASHBOARD: Any = json.loads((FOLDER / "jairouter-dashboard.json").read_text("utf-8"))
ALERTS: Any = YAML(typ="safe", pure=True).load((FOLDER / "jairouter-alerts.yml").read_text("utf-8"))
SCRAPE: Any = YAML(typ="safe", pure=True).load((FOLDER / "prometheus.yml").read_text("utf-8"))
VARIABLES: Final = {"$__rate_interval": "5m", "$gateway": ".*", "$service": ".*"}
# What Prometheus itself adds, with `prometheus.yml`; `instance` is its target where a series has none of its own.
TARGET: Final = frozenset({"job", "gateway", "instance"})
# Only while something is so: a server of limits is configured.
CONDITIONAL: Final = frozenset({"jairouter_state_losses_total"})


class Question(NamedTuple):
    """An expression, where it stands, and the labels that its legend or its texts name."""

    place: str
    expr: str
    named: frozenset[str]


def panels() -> Iterator[Any]:
    """Yield the panels that show something."""
    return (panel for panel in DASHBOARD["panels"] if panel["type"] != "row")


def questions() -> Iterator[Question]:
    """Yield every expression of both files."""
    for panel in panels():
        for target in panel["targets"]:
            expr = target["expr"]
            for name, value in VARIABLES.items():
                expr = expr.replace(name, value)
            yield Question(panel["title"], expr, frozenset(re.findall(r"{{(\w+)}}", target["legendFormat"])))
    for rule in rules():
        texts = " ".join(rule["annotations"].values())
        yield Question(rule["alert"], rule["expr"], frozenset(re.findall(r"\$labels\.(\w+)", texts)))


def rules() -> Iterator[Any]:
    """Yield the alert rules."""
    return (rule for group in ALERTS["groups"] for rule in group["rules"])


def exposed() -> dict[str, set[str]]:
    """Return the series that there may be, by the names that Prometheus sees, with their labels."""
    found = {"up": set[str]()}
    for family in FAMILIES:
        name, labels = full_name(family, "jairouter"), set(family.labels)
        if family.kind is Kind.COUNTER:
            found[f"{name}_total"] = labels
        elif family.kind is Kind.GAUGE:
            found[name] = labels
        else:
            found |= {f"{name}_{end}": labels for end in ("count", "sum", "max")}
            found[f"{name}_bucket"] = {*labels, "le"}
    return found


class Asked(NamedTuple):
    """What an expression is made of: selectors with the labels that they match, and the labels that its result has."""

    selectors: list[tuple[str, set[str]]]
    result: set[str]


def asked(node: Any, series: dict[str, set[str]]) -> Asked:
    """Return what an expression asks for; every label that it groups by must be there."""
    match node:
        case promql_parser.VectorSelector():
            return _selected(node, series)
        case promql_parser.MatrixSelector():
            return _selected(node.vector_selector, series)
        case promql_parser.AggregateExpr():
            inner = asked(node.expr, series)
            by = set(node.modifier.labels) if node.modifier is not None else set[str]()
            assert node.modifier is None or node.modifier.type == promql_parser.AggModifierType.By
            assert by <= inner.result, by - inner.result
            return Asked(inner.selectors, by)
        case promql_parser.Call():
            return _called(node, series)
        case promql_parser.BinaryExpr():
            sides = [asked(one, series) for one in (node.lhs, node.rhs)]
            of_vectors = [side.result for side in sides if side.selectors]
            return Asked([*sides[0].selectors, *sides[1].selectors], set.intersection(*of_vectors))
        case _:
            assert isinstance(node, promql_parser.NumberLiteral)
            return Asked([], set())


def _selected(node: Any, series: dict[str, set[str]]) -> Asked:
    labels = {matcher.name for matcher in node.matchers.matchers}
    assert node.name in series, f"there is no {node.name}"
    known = series[node.name] | TARGET
    assert labels <= known, (node.name, labels - known)
    return Asked([(node.name, labels)], known)


def _called(node: Any, series: dict[str, set[str]]) -> Asked:
    parts = [asked(one, series) for one in node.args]
    result = set[str]().union(*(part.result for part in parts))
    if node.func.name == "histogram_quantile":
        assert "le" in result
        result -= {"le"}
    return Asked([one for part in parts for one in part.selectors], result)


@pytest.mark.parametrize("question", list(questions()), ids=lambda question: question.place)
def test_every_expression_asks_for_what_there_is(question: Question) -> None:
    """By a real parser of PromQL: names, labels that are matched and grouped by, labels that legends and texts name."""
    found = asked(promql_parser.parse(question.expr), exposed())
    assert found.selectors
    assert question.named <= found.result, question.named - found.result


@pytest.mark.parametrize(
    ("expr", "complaint"),
    [
        ("rate(jairouter_requests[5m])", "there is no jairouter_requests"),
        ('jairouter_backend_health{model="m"}', "model"),
        ("sum by (instance, model) (jairouter_backend_health)", "model"),
        ("histogram_quantile(0.5, sum by (model) (rate(jairouter_first_token_seconds_bucket[5m])))", "le"),
    ],
)
def test_what_there_is_not_is_found(expr: str, complaint: str) -> None:
    """The test above would fail."""
    with pytest.raises(AssertionError, match=complaint):
        asked(promql_parser.parse(expr), exposed())


def test_the_dashboard_can_be_imported() -> None:
    """Its source of data is a variable; ids are its own; panels lie beside and below, never over each other."""
    names = [variable["name"] for variable in DASHBOARD["templating"]["list"]]
    assert names == ["datasource", "gateway", "service"]
    assert DASHBOARD["templating"]["list"][0]["type"] == "datasource"
    assert (DASHBOARD["id"], DASHBOARD["schemaVersion"] >= 39) == (None, True)
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    taken = set[tuple[int, int]]()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24, panel["title"]
        assert not cells & taken, panel["title"]
        taken |= cells
    for panel in panels():
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources), panel["title"]
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references)


def test_the_lists_of_the_dashboard_can_be_filled() -> None:
    """Its variables ask for labels that there are."""
    for variable in DASHBOARD["templating"]["list"][1:]:
        found = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"])
        assert found is not None
        assert found[2] in exposed()[found[1]] | TARGET


def test_alerts_say_what_is_wrong() -> None:
    """Each has a name of its own, a severity, a summary and a description."""
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names) == 16
    for rule in rules():
        assert rule["labels"]["severity"] in {"info", "warning", "critical"}
        assert set(rule["annotations"]) == {"summary", "description"}


def test_the_sample_reads_what_is_served() -> None:
    """With the labels that dashboard and alerts go by."""
    (job,) = SCRAPE["scrape_configs"]
    assert (job["job_name"], job["metrics_path"], job["honor_labels"]) == ("jairouter", "/actuator/prometheus", True)
    assert {one["target_label"] for one in job["relabel_configs"]} == {"gateway"}
    assert SCRAPE["rule_files"] == ["jairouter-alerts.yml"]


EVENT = b'data: {"choices": [{"index": 0, "delta": {"content": "a"}}]}\n\n'
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
WHOLE = raw(STREAM, EVENT, EVENT, b"data: [DONE]\n\n")
CUT = raw(
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"%x\r\n%b\r\n3\r\nda" % (len(EVENT), EVENT),
    then="fin",
)
SILENT = raw(STREAM, EVENT, then="wait")
CHAT: dict[str, Any] = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]}


def ask(served: Served, model: str = "m") -> None:
    """Ask for an answer, whatever comes of it."""
    served.post("/v1/chat/completions", json={**CHAT, "model": model})


@pytest.fixture
def two() -> Iterator[tuple[Backend, Backend]]:
    """Run a backend that works and one that does not."""
    with backend(WHOLE) as good, backend(answer(b"no", "503 Oops")) as bad:
        yield good, bad


def test_a_running_gateway_emits_it_all(tmp_path: Path, two: tuple[Backend, Backend]) -> None:
    """After a bit of everything: retries, a fallback, an answer broken off, a client that left, a queue, a limit."""
    good, bad = two
    text = (
        "model:\n  load-balance: {type: round-robin, health-check: {enabled: true, interval: 1s}}\n"
        "  services:\n"
        "    chat:\n      rate-limit: {enabled: true, capacity: 1000, rate: 1}\n"
        "      fallback: {enabled: true, strategy: default, response: '{}'}\n      instances:\n"
        f"        - {{name: m, base-url: '{good.url}', max-concurrency: 1}}\n"
        f"        - {{name: m, base-url: '{bad.url}', circuit-breaker: {{enabled: true, failure-threshold: 1}}}}\n"
        f"        - {{name: lost, base-url: '{bad.url}'}}\n"
    )
    needed = {name for question in questions() for name, _ in asked(promql_parser.parse(question.expr), exposed())[0]}
    with serving("--config", str(config(tmp_path, text)), "--workers", "2") as served:
        for _ in range(4):
            ask(served)
        good.behave = CUT
        ask(served)
        good.behave = SILENT
        with served.client() as client, ThreadPoolExecutor() as other:
            with client.stream("POST", "/v1/chat/completions", json=CHAT) as answered:
                pieces = answered.iter_raw()  # kept: httpx closes the stream with it
                next(pieces)
                good.behave = WHOLE
                waits = other.submit(ask, served)  # for the only slot, which is free when the client leaves
                eventually(lambda: queue_of(served) == 1)
            waits.result()
        ask(served, "lost")
        eventually(lambda: needed - CONDITIONAL - {"up"} <= set(emitted(served)), 15)
        found = emitted(served)
        for name, labels in exposed().items():
            assert name not in found or found[name] == labels, name


def queue_of(served: Served) -> int:
    """Return how many calls wait."""
    waiting: int = served.get("/api/monitoring/live").json()["totals"]["waiting"]
    return waiting


def emitted(served: Served) -> dict[str, set[str]]:
    """Return what a gateway emits, by name, with its labels."""
    return {
        sample.name: set(sample.labels)
        for family in text_string_to_metric_families(served.get("/actuator/prometheus").text)
        for sample in family.samples
    }


def test_the_readme_lists_the_alerts() -> None:
    """Each with its severity."""
    listed = re.findall(r"^\| `(JAiRouter\w+)` \| (\w+) \|", (FOLDER / "README.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted((rule["alert"], rule["labels"]["severity"]) for rule in rules())
