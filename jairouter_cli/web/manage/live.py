"""`/api/monitoring/live`: how every instance stands and what was counted of it; two such answers make rates.

Made for programs that ask again and again, `jairouter top` first of all. Counts are those of all workers since the
start, whatever `monitoring.metrics` shows of them; nothing is computed here that the one who asks can compute.
"""

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from litestar import get

from jairouter_cli.config.model import ServiceType
from jairouter_cli.config.monitoring import Category
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.observe import families
from jairouter_cli.observe.collection import Distribution, Rows, Value, collect
from jairouter_cli.observe.families import CountedRows, Family, Kind, Labels
from jairouter_cli.routing.ledger import Live, TargetKey
from jairouter_cli.telemetry.scrape import Scrape
from jairouter_cli.web.openapi.shown import plain
from jairouter_cli.web.views.node import Node

Series = Mapping[tuple[str, ...], Value]

_REJECTED: Final = "429"
_SERVICES: Final = frozenset(kind.value for kind in ServiceType)


def _of_models(labels: Labels) -> bool:
    return labels["service"] in _SERVICES


def _counted(
    record: CountedRows, *labels: str, kind: Kind = Kind.COUNTER, keeps: Callable[[Labels], bool] | None = None
) -> Family:
    """Return a record's rows added up over all but some labels, under the record's name and kind."""
    shown = MappingProxyType({label: label for label in labels})
    return Family(f"{record.name}_{kind.value}", kind, Category.BUSINESS, record, shown, "", keeps)


_STATUSES: Final = _counted(families.EXCHANGES, "status", keeps=_of_models)
_DURATIONS: Final = _counted(families.EXCHANGES, kind=Kind.HISTOGRAM, keeps=_of_models)
_TOKENS: Final = _counted(families.TOKENS, "service", "instance", "direction")
_FIRST_TOKENS: Final = _counted(families.FIRST_TOKENS, "service", "instance", kind=Kind.HISTOGRAM)


def live_routes(gateway: Gateway, observatory: Scrape) -> list[Any]:
    """Return the routes."""

    @get(
        "/api/monitoring/live",
        summary="Show counters, from which rates can be computed",
        operation_class=plain(
            {
                "era": "jairouter-x1",
                "at": 5021.3,
                "workers": 2,
                "totals": {"requests": 1200, "errors": 3},
                "instances": [{"service": "chat", "id": "m@http://h", "requests": 1203, "failures": 6, "inFlight": 4}],
            }
        ),
    )
    async def live() -> Node:
        """Counts since the start, of all workers; with another `era` they began anew. `at` is in seconds of a clock of
        its own. A distribution tells how many values fell into each bucket of its `BoundsS`, and beyond the last.
        """  # noqa: D205 - one paragraph of the description
        revision = await asyncio.to_thread(observatory.revision)
        counts = _Counts(await observatory.rows())
        workers = gateway.crew.workers()
        return {
            "era": observatory.era,
            "at": gateway.clock(),
            "isCounting": gateway.table.config.monitoring.metrics.enabled,
            "workers": len(workers),
            "workersBehind": sum(one.digest != gateway.digest for one in workers),
            "configRevision": revision,
            "configError": None if gateway.rejection is None else str(gateway.rejection.error),
            "requestBoundsS": families.REQUEST_S,
            "firstTokenBoundsS": families.TOKEN_S,
            "totals": {
                **counts.totals(),
                "inFlight": gateway.ledger.in_flight,
                "waiting": sum(slots.waiting for slots in gateway.ledger.machines),
            },
            "instances": _instances(gateway, counts),
        }

    return [live]


class _Counts:
    """What workers have counted, as it is looked up here."""

    def __init__(self, rows: Mapping[str, Rows]) -> None:
        shown = collect((_STATUSES, _DURATIONS, _TOKENS, _FIRST_TOKENS), rows, ())
        self._series: Final = {metric.family.name: metric.series for metric in shown}

    def _of(self, family: Family) -> Series:
        return self._series.get(family.name, {})

    def number(self, family: Family, *labels: str) -> int:
        """Return a count; 0 where nothing was counted."""
        value = self._of(family).get(labels, 0)
        return int(value.count if isinstance(value, Distribution) else value)

    def distribution(self, family: Family, *labels: str) -> list[int]:
        """Return a histogram's buckets; none where nothing was counted."""
        value = self._of(family).get(labels)
        return [int(count) for count in value.counts] if isinstance(value, Distribution) else []

    def totals(self) -> Node:
        """Return what clients saw: 5xx is an error, 429 is told apart, the rest is their own affair."""
        by_status = {status: self.number(_STATUSES, status) for (status,) in self._of(_STATUSES)}
        return {
            "requests": sum(by_status.values()),
            "errors": sum(number for status, number in by_status.items() if status.startswith("5")),
            "rejected": by_status.get(_REJECTED, 0),
            "durations": self.distribution(_DURATIONS),
        }


def _instances(gateway: Gateway, counts: _Counts) -> list[Node]:
    """Return those that are configured, and those that are not any more but still at work."""
    found = []
    for target in gateway.table.targets:
        live = gateway.ledger.live(target)
        slots = live.slots
        found.append(
            {
                **_instance(target.key, live, counts),
                "state": live.state(target).value,
                "breaker": live.breaker.name if target.breaker else None,
                "slots": None
                if slots.limit is None
                else {"limit": slots.limit, "taken": slots.taken, "waiting": slots.waiting},
                "latencyS": live.latency_s(gateway.clock()),
            }
        )
    for key, live in gateway.ledger.retired:
        found.append(
            {**_instance(key, live, counts), "state": "DRAINING", "breaker": None, "slots": None, "latencyS": 0.0}
        )
    return found


def _instance(key: TargetKey, live: Live, counts: _Counts) -> Node:
    """Return an instance's numbers. Tokens are counted by its name: of two of one name, the first has them."""
    service, name, ordinal = key
    labels = (service.value, name)
    is_first = ordinal == 1
    return {
        "service": service.value,
        "id": name,
        "ordinal": ordinal,
        "requests": live.requests,
        "failures": live.failures,
        "inFlight": live.in_flight,
        "inputTokens": counts.number(_TOKENS, *labels, "input") if is_first else 0,
        "outputTokens": counts.number(_TOKENS, *labels, "output") if is_first else 0,
        "firstTokens": counts.distribution(_FIRST_TOKENS, *labels) if is_first else [],
    }
