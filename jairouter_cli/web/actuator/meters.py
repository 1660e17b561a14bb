"""Metrics as Spring's `/actuator/metrics` knows them: dotted names, statistics, tags.

A name is looked up without regard for `.`, `_` and `-`: documents and code of the Java version differ in them.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from jairouter_cli.observe.collection import Distribution, Metric, Value
from jairouter_cli.observe.exposition import full_name
from jairouter_cli.observe.families import Family, Kind

_SEPARATORS: Final = re.compile(r"[._-]")
_UNITS: Final = ("_seconds", "_bytes")
_OURS: Final = "jairouter"
_MODEL_ROUTER: Final = "model.router"
_NS: Final = 1e9

# Spring's names where they are not what Prometheus's come to.
_SPRINGS: Final[Mapping[str, str]] = {
    "process_cpu_seconds": "process.cpu.time",
    "process_open_fds": "process.files.open",
    "process_max_fds": "process.files.max",
    "process_resident_memory_bytes": "process.memory.rss",
    "process_virtual_memory_bytes": "process.memory.vms",
}
_BASE_UNITS: Final[Mapping[str, str]] = {
    "process.cpu.time": "ns",
    "process.files.open": "files",
    "process.files.max": "files",
    "process.threads": "threads",
}
# Where a sum over processes would mean nothing; the oldest process is the server.
_COMBINED: Final[Mapping[str, Callable[[Iterable[float]], float]]] = {
    "process_start_time_seconds": min,
    "process_uptime_seconds": max,
}
# The names of the Java version's pages whose metric has another name here: that one, and what is to hold there.
DOCUMENTED: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "jairouter.loadbalancer.requests.total": ("loadbalancer_selections", {}),
    "jairouter.instance.requests.total": ("model_router_requests", {}),
    "jairouter.instance.response.time": ("model_router_request_duration_seconds", {}),
    "jairouter.instance.health.status": ("backend_health", {}),
    "jairouter.connections.active": ("instance_in_flight", {}),
    "jairouter.ratelimit.requests.total": ("rate_limit_events", {}),
    "jairouter.ratelimit.rejected.total": ("rate_limit_events", {"result": "rejected"}),
    "model.router.rate.limit.remaining": ("model_router_rate_limit_remaining", {}),
    "model.router.load.balancer.weight": ("loadbalancer_weight", {}),
    "jairouter.circuitbreaker.state": ("circuit_breaker_state", {}),
    "jairouter.circuitbreaker.calls.total": ("circuit_breaker_events", {}),
    "jairouter.circuitbreaker.failures": ("circuit_breaker_events", {"event": "failure"}),
    "jairouter.circuitbreaker.opened.total": ("circuit_breaker_opened", {}),
    "jairouter.external.api.timeouts.total": ("model_calls", {"status": "timeout"}),
}

Tag = tuple[str, str]


class SpringMeter(NamedTuple):
    """What a name stands for: a family, and the labels that its series must have."""

    family: Family
    fixed: Mapping[str, str] = {}


def spelled(name: str) -> str:
    """Return the form in which all spellings of a name are equal."""
    return _SEPARATORS.sub("", name).lower()


def dotted(family: Family, prefix: str) -> str:
    """Return a family's name as Spring's metrics are called: dots, no units, and the Java version's `total`."""
    if family.name in _SPRINGS:
        return _SPRINGS[family.name]
    bare = full_name(family, prefix)
    for unit in _UNITS:
        bare = bare.removesuffix(unit)
    ours = family.kind is Kind.COUNTER and not family.name.startswith("python_")
    return bare.replace("_", ".") + (".total" if ours else "")


class Meters:
    """Everything that can be asked for: the families, and those of their metrics that have series."""

    def __init__(self, families: Sequence[Family], metrics: Sequence[Metric], prefix: str, tags: Iterable[Tag]) -> None:
        self._metrics: Final = {metric.family.name: metric for metric in metrics}
        self._tags: Final = dict(tags)
        self._meters: Final[dict[str, SpringMeter]] = {}
        self.names: Final = sorted(set(self._noted(families, prefix)))
        """The names, one spelling of each."""

    def _noted(self, families: Sequence[Family], prefix: str) -> Iterator[str]:
        """Note under which spellings each family is found; yield the names that are listed."""
        shown = {family.name: family for family in families if self._has_values(family)}
        for family in shown.values():  # first of all what each is called itself
            own = dotted(family, prefix)
            yield own
            self._note(_spellings(own, full_name(family, prefix)), SpringMeter(family))
        for family in shown.values():
            if not family.is_bare:
                names = (f"{first}.{family.name}" for first in (_OURS, _MODEL_ROUTER))
                self._note(_spellings(*names), SpringMeter(family))
        for name, (of, fixed) in DOCUMENTED.items():
            if of in shown:
                yield name
                rest = name.removeprefix(f"{_OURS}.").removeprefix(f"{_MODEL_ROUTER}.")
                self._note(
                    (f"{first}.{rest}" for first in (_OURS, _MODEL_ROUTER, prefix)), SpringMeter(shown[of], fixed)
                )

    def _note(self, names: Iterable[str], meter: SpringMeter) -> None:
        for name in names:
            self._meters.setdefault(spelled(name), meter)

    def _has_values(self, family: Family) -> bool:
        """Whether there is anything to tell: of what is counted there is, nothing counted yet is 0."""
        return family.name in self._metrics or (family.record is not None and family.kind is not Kind.GAUGE)

    def measured(self, name: str, wanted: Sequence[Tag]) -> dict[str, Any] | None:
        """Return what a metric comes to where it has all of some tags; None if there is none, or none that has."""
        meter = self._meters.get(spelled(name))
        if meter is None:
            return None
        metric = self._metrics.get(meter.family.name)
        series = list(self._series(metric, {**meter.fixed}, wanted)) if metric is not None else []
        if not series and wanted:
            return None
        tags: dict[str, set[str]] = {}
        for labels, _ in series:
            for key, value in labels.items():
                tags.setdefault(key, set()).add(value)
        asked = {key for key, _ in wanted}
        shown = {
            "name": name,
            "description": meter.family.help,
            "baseUnit": base_unit(meter.family),
            "measurements": statistics(meter.family, [value for _, value in series]),
            "availableTags": [{"tag": k, "values": sorted(v)} for k, v in sorted(tags.items()) if k not in asked],
        }
        return {key: value for key, value in shown.items() if value is not None}

    def _series(
        self, metric: Metric, fixed: Mapping[str, str], wanted: Sequence[Tag]
    ) -> Iterator[tuple[Mapping[str, str], Value]]:
        for values, value in metric.series.items():
            labels = {**self._tags, **dict(zip(metric.family.labels, values, strict=True))}
            if all(labels.get(key) == one for key, one in (*fixed.items(), *wanted)):
                yield labels, value


def _spellings(*names: str) -> Iterator[str]:
    """Yield names with and without a counter's `total` and a unit."""
    for name in names:
        yield from (name, f"{name}_total")
        for unit in _UNITS:
            yield from (name.removesuffix(unit), f"{name.removesuffix(unit)}_total")


def base_unit(family: Family) -> str | None:
    """Return the unit of a family's values, if it has one."""
    return _BASE_UNITS.get(_SPRINGS.get(family.name, family.name.replace("_", "."))) or family.unit or None


def statistics(family: Family, values: Sequence[Value]) -> list[dict[str, Any]]:
    """Return what some series come to together: sums, and the maximum of maxima."""
    if family.kind is Kind.HISTOGRAM:
        found = [value for value in values if isinstance(value, Distribution)]
        total = "TOTAL_TIME" if family.unit == "seconds" else "TOTAL"
        return [
            {"statistic": "COUNT", "value": float(sum(one.count for one in found))},
            {"statistic": total, "value": float(sum(one.total for one in found))},
            {"statistic": "MAX", "value": float(max((one.largest for one in found), default=0.0))},
        ]
    combine = _COMBINED.get(family.name, sum)
    value = float(combine([one for one in values if not isinstance(one, Distribution)]))
    if family.name == "process_cpu_seconds":
        value *= _NS
    return [{"statistic": "COUNT" if family.kind is Kind.COUNTER else "VALUE", "value": value}]
