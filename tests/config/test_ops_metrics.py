"""Registering metrics of the operator's own, taking them back, switching any: in whatever way the file is written."""

import msgspec
import pytest

from jairouter_cli.config.document import Document
from jairouter_cli.config.kinds import MetricName, Moment
from jairouter_cli.config.monitoring import CustomKind, CustomMetric
from jairouter_cli.config.ops.metrics import register, switch, unregister
from jairouter_cli.config.parse import parse

THEN, NOW = Moment("2026-01-01T00:00:00Z"), Moment("2026-02-02T00:00:00Z")
TAGS = {"shop": "north", "floor": "1"}
ORDERS = CustomMetric(name=MetricName("orders"), description="Orders", tags=TAGS, created_at=NOW, updated_at=NOW)
JOBS = CustomMetric(name=MetricName("jobs"), type=CustomKind.TIMER)
WRITTEN = """\
- name: orders
  type: COUNTER
  description: Orders
  tags:
    shop: north
    floor: '1'
  created-at: '2026-02-02T00:00:00Z'
  updated-at: '2026-02-02T00:00:00Z'
- name: jobs
  type: TIMER
"""


def indented(text: str, width: int) -> str:
    """Return lines further in."""
    return "".join(" " * width + line + "\n" for line in text.splitlines())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("model: {}\n", "model: {}\nmonitoring:\n  metrics:\n    custom:\n" + indented(WRITTEN, 6)),
        (
            "monitoring:\n  metrics: # ours\n    custom: []\n    prefix: x\n",
            "monitoring:\n  metrics: # ours\n    custom:\n" + indented(WRITTEN, 6) + "    prefix: x\n",
        ),
        (
            "monitoring:\n  metrics:\n    custom:\n      - name: old # kept\n",
            "monitoring:\n  metrics:\n    custom:\n      - name: old # kept\n" + indented(WRITTEN, 6),
        ),
    ],
)
def test_registering(before: str, after: str) -> None:
    """Behind those that there are; only what differs from the defaults, and its type."""
    change = register(Document.load(before, "f"), [ORDERS, JOBS])
    assert (change.document.dump(), change.summary) == (after, "registered metrics orders, jobs")
    assert parse(change.document, {}).config.monitoring.metrics.custom[-2:] == (ORDERS, JOBS)


def test_registering_what_is_there() -> None:
    """It keeps its place, its comments, its spelling and when it was created."""
    text = (
        "monitoring:\n  metrics:\n    custom:\n      - name: orders # the first\n        unit: orders\n"
        f"        createdAt: '{THEN}' # long ago\n        description: old\n      - name: jobs\n"
    )
    change = register(Document.load(text, "f"), [ORDERS])
    assert change.document.dump() == (
        "monitoring:\n  metrics:\n    custom:\n      - name: orders # the first\n"
        f"        createdAt: '{THEN}' # long ago\n        description: Orders\n        type: COUNTER\n        tags:\n"
        f"          shop: north\n          floor: '1'\n        updatedAt: '{NOW}'\n      - name: jobs\n"
    )
    (found, _) = parse(change.document, {}).config.monitoring.metrics.custom
    assert found == msgspec.structs.replace(ORDERS, created_at=THEN)
    again = register(change.document, [ORDERS])
    assert again.document.dump() == change.document.dump()


@pytest.mark.parametrize(
    ("text", "names", "after"),
    [
        ("custom: [{name: a}, {name: b}]", ["a"], "custom: [{name: b}]"),
        ("custom: [{name: a}]", ["a"], "custom: []"),
        ("custom: [{name: a}]\n    disabled: [a, tokens]", ["a"], "custom: []\n    disabled:\n      - tokens"),
        ("custom: [{name: a}]", ["b"], "custom: [{name: a}]"),
        ("custom:\n      - name: a\n      - name: b # kept", ["a", "nobody"], "custom:\n      - name: b # kept"),
    ],
)
def test_unregistering(text: str, names: list[str], after: str) -> None:
    """Also from what is switched off; what is not there is no matter."""
    change = unregister(Document.load(f"monitoring:\n  metrics:\n    {text}\n", "f"), names)
    assert change.document.dump() == f"monitoring:\n  metrics:\n    {after}\n"
    parse(change.document, {})


@pytest.mark.parametrize(
    ("text", "shown", "after"),
    [
        ("prefix: x", False, "prefix: x\n    disabled:\n      - tokens"),
        ("disabled: []", False, "disabled:\n      - tokens"),
        ("disabled: retries", False, "disabled:\n      - retries\n      - tokens"),
        ("disabled: [tokens] # as it is", False, "disabled: [tokens] # as it is"),
        ("disabled: [tokens]", True, "disabled: []"),
        ("disabled: [] # as it is", True, "disabled: [] # as it is"),
    ],
)
def test_switching(text: str, shown: bool, after: str) -> None:
    """What is switched already stays as it is written."""
    change = switch(Document.load(f"monitoring:\n  metrics:\n    {text}\n", "f"), ["tokens"], is_shown=shown)
    assert change.document.dump() == f"monitoring:\n  metrics:\n    {after}\n"
    assert change.summary == f"switched metric tokens {'on' if shown else 'off'}"
    assert ("tokens" in parse(change.document, {}).config.monitoring.metrics.disabled) is not shown
