"""What metrics there are, the gateway's own and the operator's, as the management API describes them."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from jairouter_cli.config.monitoring import CustomMetric, Metrics
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.observe import host
from jairouter_cli.observe.collection import Distribution, Metric
from jairouter_cli.observe.custom import is_shown
from jairouter_cli.observe.exposition import full_name
from jairouter_cli.observe.families import ALIASES, FAMILIES, Family, Kind
from jairouter_cli.telemetry.expressions import compiled
from jairouter_cli.telemetry.scrape import Scrape

_KINDS: Final = {Kind.COUNTER: "COUNTER", Kind.GAUGE: "GAUGE"}


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A metric; `name` is how the API calls it, `key` how `monitoring.metrics.disabled` does. Times are ISO 8601."""

    name: str
    key: str
    type: str
    description: str
    unit: str
    tags: Mapping[str, str]
    category: str
    created_at: str | None
    updated_at: str | None
    is_shown: bool
    custom: CustomMetric | None = None

    def metadata(self) -> dict[str, Any]:
        """Return it in the Java version's shape."""
        return {
            "name": self.name,
            "description": self.description,
            "type": self.type,
            "unit": self.unit,
            "baseTags": dict(self.tags),
            "category": self.category,
            "createdAt": self.created_at,
            "lastUpdatedAt": self.updated_at,
            "enabled": self.is_shown,
            "samplingRate": 1.0,
        }


class Catalogue:
    """All metrics of a gateway. Those of its own were created when the server was started."""

    def __init__(self, gateway: Gateway, observatory: Scrape) -> None:
        self._gateway: Final = gateway
        self._observatory: Final = observatory
        self._started: Final = moment(host.started_at(os.getppid()) or gateway.wall_clock())

    @property
    def settings(self) -> Metrics:
        """What is in force."""
        return self._gateway.table.config.monitoring.metrics

    def custom(self, name: str) -> CustomMetric | None:
        """Return a metric of the operator's own."""
        return next((metric for metric in self.settings.custom if metric.name == name), None)

    def own(self, name: str) -> Family | None:
        """Return a metric of the gateway's own by the name under which it is shown, or the plain one."""
        return next((family for family in self._families() if name in _names(family, self.settings.prefix)), None)

    def entries(self) -> list[CatalogueEntry]:
        """Return all metrics. To be called beside the event loop."""
        fed = self._observatory.last_fed()
        own = [self._own(family) for family in self._families()]
        return own + [self._custom(metric, fed.get(metric.name)) for metric in self.settings.custom]

    def entry(self, name: str) -> CatalogueEntry | None:
        """Return a metric by any of its names. To be called beside the event loop."""
        metric, family = self.custom(name), self.own(name)
        if metric is not None:
            return self._custom(metric, self._observatory.last_fed().get(name))
        return None if family is None else self._own(family)

    async def series(self) -> list[dict[str, Any]]:
        """Return every series, as the Java version lists meters; a custom metric without any is there by its tags."""
        metrics = await self._observatory.collect()
        listed = [one for metric in metrics for one in self._listed(metric)]
        seen = {metric.family.name for metric in metrics if metric.family.is_custom}
        return listed + [
            _meter(metric.name, metric.type.value, metric.tags, metric.description, metric.unit)
            for metric in self.settings.custom
            if metric.shown_name not in seen
        ]

    def _families(self) -> Iterator[Family]:
        """Yield the gateway's own metrics, each once."""
        families = (*FAMILIES, *(ALIASES if self.settings.aliases else ()))
        yield from {family.name: family for family in families}.values()

    def _own(self, family: Family) -> CatalogueEntry:
        settings = self.settings
        return CatalogueEntry(
            name=_shown_name(family, settings.prefix),
            key=family.name,
            type=_type(family),
            description=family.help,
            unit=family.unit,
            tags=settings.custom_tags,
            category=str(family.category),
            created_at=self._started,
            updated_at=self._started,
            is_shown=family.category in settings.enabled_categories and family.name not in settings.disabled,
        )

    def _custom(self, metric: CustomMetric, fed_at: float | None) -> CatalogueEntry:
        times = [at for at in (metric.updated_at, moment(fed_at) if fed_at else None) if at]
        return CatalogueEntry(
            name=metric.name,
            key=metric.name,
            type=metric.type.value,
            description=metric.description,
            unit=metric.unit,
            tags=metric.tags,
            category=metric.category,
            created_at=metric.created_at,
            updated_at=max(times, key=datetime.fromisoformat) if times else None,
            is_shown=is_shown(metric, self.settings),
            custom=metric,
        )

    def _listed(self, metric: Metric) -> Iterator[dict[str, Any]]:
        family = metric.family
        found = next((one for one in self.settings.custom if family.is_custom and one.shown_name == family.name), None)
        name = _shown_name(family, self.settings.prefix) if found is None else found.name
        text, unit = (family.help, family.unit) if found is None else (found.description, found.unit)
        for labels, value in metric.series.items():
            tags = {key: label for key, label in zip(family.labels, labels, strict=True) if label or found is None}
            shown = _meter(name, _type(family), tags, text, unit)
            if isinstance(value, Distribution):
                yield {**shown, "count": value.count, "sum": value.total}
            else:
                yield {**shown, "value": value}


def searched(entries: list[CatalogueEntry], pattern: str, category: str | None) -> list[CatalogueEntry]:
    """Return the metrics whose names have a match of an expression, in any case; none if it is no expression.

    Raises `ValueError` for one that could take hours.
    """
    try:
        expression = compiled(pattern, re.IGNORECASE)
    except ValueError as error:
        raise ValueError(f"namePattern: {error}") from None
    if expression is None:
        return []
    found = [entry for entry in entries if expression.search(entry.name)]
    return [entry for entry in found if category is None or entry.category == category]


def moment(at: float) -> str:
    """Return a moment of the wall clock in ISO 8601, UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _meter(name: str, kind: str, tags: Mapping[str, str], description: str, unit: str) -> dict[str, Any]:
    return {"name": name, "type": kind, "tags": dict(tags), "description": description, "baseUnit": unit}


def _names(family: Family, prefix: str) -> set[str]:
    return {family.name, full_name(family, prefix), _shown_name(family, prefix)}


def _shown_name(family: Family, prefix: str) -> str:
    """Return a name as Prometheus has it."""
    return full_name(family, prefix) + ("_total" if family.kind is Kind.COUNTER else "")


def _type(family: Family) -> str:
    """Return Micrometer's word for what a metric is."""
    if family.kind is Kind.HISTOGRAM:
        return "DISTRIBUTION_SUMMARY" if family.unit == "bytes" else "TIMER"
    return _KINDS[family.kind]
