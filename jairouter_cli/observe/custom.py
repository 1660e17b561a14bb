"""Custom metrics: how their rows are stored and shown.

The labels of a row are its metric, and its tags as JSON. All series of a metric have the labels of any of
them: a missing tag is an empty label, which Prometheus treats as absent.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import msgspec

from jairouter_cli.config.monitoring import CustomKind, CustomMetric
from jairouter_cli.config.monitoring import Metrics as MetricSettings
from jairouter_cli.observe.board import Board
from jairouter_cli.observe.collection import Rows
from jairouter_cli.observe.exposition import full_name
from jairouter_cli.observe.families import (
    ALIASES,
    CUSTOM_COUNTS,
    CUSTOM_FED,
    CUSTOM_TIMES,
    FAMILIES,
    CountedRows,
    Family,
    Kind,
    Labels,
)
from jairouter_cli.observe.metrics import OTHER, MetricsSink

_Value = Callable[[Labels], str]

_RECORDS: Final[Mapping[CustomKind, CountedRows]] = {CustomKind.COUNTER: CUSTOM_COUNTS, CustomKind.TIMER: CUSTOM_TIMES}
_KINDS: Final = {CustomKind.COUNTER: Kind.COUNTER, CustomKind.TIMER: Kind.HISTOGRAM}
_CATEGORIES: Final = frozenset(family.category for family in FAMILIES)
_TAGS: Final = msgspec.json.Decoder(dict[str, str])


def encoded(tags: Mapping[str, str]) -> str:
    """Return tags as a row has them."""
    return msgspec.json.encode(tags, order="sorted").decode()


def feed(metrics: MetricsSink, metric: CustomMetric, value: float, tags: Mapping[str, str], at: float) -> None:
    """Add to a counter, or count a duration in seconds; `at` is the wall clock."""
    who = _identity(metric)
    labels = (who, encoded({**metric.tags, **tags}))
    if metric.type is CustomKind.COUNTER:
        metrics.add(CUSTOM_COUNTS, labels, value)
    else:
        metrics.histogram(CUSTOM_TIMES, labels).observe(value)
    metrics.put(CUSTOM_FED, (who,), at)


def last_fed(boards: Iterable[tuple[Board, bool]], custom: Iterable[CustomMetric]) -> dict[str, float]:
    """Return when metrics were fed last, by their names; those that were never are left out."""
    names = {_identity(metric): metric.name for metric in custom}
    found: dict[str, float] = {}
    for board, _ in boards:
        for row in board.rows():
            if row.record == CUSTOM_FED.name and row.labels[0] in names:
                name, (at,) = names[row.labels[0]], board.values(row)
                found[name] = max(found.get(name, 0.0), at)
    return found


def is_ours(name: str, prefix: str) -> bool:
    """Whether a metric of the gateway's own is shown under a name, or called so."""
    return any(name in {family.name, full_name(family, prefix)} for family in (*FAMILIES, *ALIASES))


def custom_families(settings: MetricSettings, rows: Mapping[str, Rows]) -> Iterator[Family]:
    """Yield the families of custom metrics that are shown."""
    return (_family(metric, rows) for metric in settings.custom if is_shown(metric, settings))


def is_shown(metric: CustomMetric, settings: MetricSettings) -> bool:
    """Whether a metric is shown; one whose name the gateway has need of never is."""
    is_off = metric.category in _CATEGORIES and metric.category not in settings.enabled_categories
    return not (is_off or metric.name in settings.disabled or is_ours(metric.shown_name, settings.prefix))


def _family(metric: CustomMetric, rows: Mapping[str, Rows]) -> Family:
    record, who = _RECORDS[metric.type], _identity(metric)
    tags = {one: _decoded(one) for name, one in rows.get(record.name, {}) if name == who}
    names = sorted({name for one in tags.values() for name in one})

    def value_of(name: str) -> _Value:
        return lambda labels: OTHER if labels["tags"] == OTHER else tags[labels["tags"]].get(name, "")

    return Family(
        metric.shown_name,
        _KINDS[metric.type],
        metric.category,
        record,
        {name: value_of(name) for name in names},
        metric.description or metric.name,
        lambda labels: labels["name"] == who,
        is_custom=True,
    )


def _decoded(tags: str) -> dict[str, str]:
    return {} if tags == OTHER else _TAGS.decode(tags)


def _identity(metric: CustomMetric) -> str:
    """Return what tells a metric from one that had its name before."""
    return f"{metric.name} {metric.created_at or ''}"
