"""Metrics in Prometheus's formats: text, and OpenMetrics for those who ask for it."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from prometheus_client import Metric as Exposed
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE_OPENMETRICS
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from jairouter_cli.config.monitoring import LABEL_NAME
from jairouter_cli.observe.collection import Distribution, Metric
from jairouter_cli.observe.families import Family, Kind

_OPENMETRICS: Final = "application/openmetrics-text"


def full_name(family: Family, prefix: str) -> str:
    """Return a family's name with the prefix, if it takes one."""
    return family.name if family.is_bare or not prefix else f"{prefix}_{family.name}"


def labels_of(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags with names that Prometheus takes; as Micrometer does, and as Prometheus does where it needs one."""
    found = {}
    for key, value in tags.items():
        name = re.sub(r"[^a-zA-Z0-9_]", "_", key)
        name = f"m_{name}" if not name or name[0].isdigit() else name
        found[name if LABEL_NAME.fullmatch(name) else f"exported_{name}"] = value
    return found


def exposition(
    metrics: Sequence[Metric], prefix: str, tags: Mapping[str, str], accept: str, included: Collection[str] = ()
) -> tuple[bytes, str]:
    """Return metrics as text, and the text's media type; every series carries `tags` (see `labels_of`), too.

    Those only that have one of the names `included`, if there are any. The format is OpenMetrics where `accept`, a
    header, asks for it.
    """
    exposed = _Exposed(metrics, prefix, tags, included)
    if _OPENMETRICS in accept:
        return generate_openmetrics(exposed), CONTENT_TYPE_OPENMETRICS  # type: ignore[no-untyped-call]
    return generate_latest(exposed), CONTENT_TYPE_PLAIN_0_0_4


class _Exposed(Collector):
    """Metrics as the library takes them."""

    def __init__(
        self, metrics: Sequence[Metric], prefix: str, tags: Mapping[str, str], included: Collection[str]
    ) -> None:
        self._metrics = metrics
        self._prefix = prefix
        self._tags = tags
        self._included = included

    def collect(self) -> Iterator[Exposed]:
        """Yield every metric that is included."""
        return (one for one in self._all() if not self._included or self._is_included(one.name))

    def _is_included(self, name: str) -> bool:
        """Whether a metric is named, or what Prometheus makes of its name."""
        return any(f"{name}{end}" in self._included for end in ("", "_total", "_bucket", "_count", "_sum"))

    def _all(self) -> Iterator[Exposed]:
        """Yield every metric, and the largest values of histograms as gauges of their own, as the Java version does."""
        for metric in self._metrics:
            family, name = metric.family, full_name(metric.family, self._prefix)
            tags = {key: value for key, value in self._tags.items() if key not in family.labels}
            labels, more = (*family.labels, *tags), tuple(tags.values())
            if family.kind is Kind.HISTOGRAM:
                yield from _histogram(metric, name, labels, more)
                continue
            kind = CounterMetricFamily if family.kind is Kind.COUNTER else GaugeMetricFamily
            shown = kind(name, family.help, labels=labels)
            for values, value in metric.series.items():
                assert isinstance(value, float | int)  # noqa: S101 - see `collection`
                shown.add_metric((*values, *more), value)
            yield shown


def _histogram(metric: Metric, name: str, labels: tuple[str, ...], more: tuple[str, ...]) -> Iterator[Exposed]:
    record = metric.family.record
    assert record is not None  # noqa: S101 - histograms are never looked up
    bounds = [*map(floatToGoString, record.buckets), "+Inf"]
    shown = HistogramMetricFamily(name, metric.family.help, labels=labels)
    largest = GaugeMetricFamily(f"{name}_max", f"{metric.family.help} The recent maximum.", labels=labels)
    for values, value in metric.series.items():
        assert isinstance(value, Distribution)  # noqa: S101 - see `collection`
        counts = value.cumulative()
        shown.add_metric((*values, *more), list(zip(bounds, counts, strict=True)), value.total)
        largest.add_metric((*values, *more), value.largest)
    yield shown
    yield largest
