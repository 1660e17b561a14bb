"""Adds up the rows of all workers' boards, and groups them into families."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, NamedTuple

from jairouter_cli.observe.board import Board
from jairouter_cli.observe.families import RECORDS, CountedRows, Family, Kind

_MAXIMA: Final = 2  # the last cells of a histogram: the current and the previous maximum


@dataclass(frozen=True, slots=True)
class Distribution:
    """A histogram: the number of values in each bucket and beyond the last, their sum, the recent maximum."""

    counts: tuple[float, ...]
    total: float
    largest: float

    @property
    def count(self) -> float:
        """How many values there were."""
        return sum(self.counts)

    def cumulative(self) -> list[float]:
        """Return how many values were not larger than each bound, and how many there were."""
        return list(accumulate(self.counts))


Value = float | Distribution


class Metric(NamedTuple):
    """A family with its series: the values of the labels, in the family's order, and what they come to."""

    family: Family
    series: Mapping[tuple[str, ...], Value]


class Reading(NamedTuple):
    """What one name has at this moment: values of labels, and the value."""

    name: str
    labels: tuple[str, ...]
    value: float


Rows = Mapping[tuple[str, ...], Sequence[float]]
_RECORDS: Final = {record.name: record for record in RECORDS}


def add_up(boards: Iterable[tuple[Board, bool]]) -> Mapping[str, Rows]:
    """Return the rows of all boards by record and labels; gauges of those only whose worker lives."""
    found: dict[str, dict[tuple[str, ...], list[float]]] = defaultdict(dict)
    for board, is_alive in boards:
        for row in board.rows():
            record = _RECORDS.get(row.record)
            if record is None or (record.is_gauge and not is_alive):
                continue
            values, rows = board.values(row), found[row.record]
            known = rows.get(row.labels)
            rows[row.labels] = list(values) if known is None else _added(record, known, values)
    return found


def _added(record: CountedRows, one: Sequence[float], other: Sequence[float]) -> list[float]:
    if record.is_latest:
        return list(map(max, one, other))
    both = [a + b for a, b in zip(one, other, strict=True)]
    if record.buckets:
        both[-_MAXIMA:] = map(max, one[-_MAXIMA:], other[-_MAXIMA:])
    return both


def collect(families: Iterable[Family], rows: Mapping[str, Rows], readings: Iterable[Reading]) -> list[Metric]:
    """Return the families that have any series."""
    read: dict[str, dict[tuple[str, ...], Value]] = defaultdict(dict)
    for name, labels, value in readings:
        read[name][labels] = value
    found: dict[str, Metric] = {}
    for family in families:
        record = family.record
        series = read.get(family.name, {}) if record is None else _viewed(family, record, rows.get(record.name, {}))
        if not series:
            continue
        before = found.get(family.name)
        found[family.name] = Metric(family, {**before.series, **series} if before else series)
    return list(found.values())


def _viewed(family: Family, record: CountedRows, rows: Rows) -> dict[tuple[str, ...], Value]:
    """Return what a family shows of a record's rows."""
    sums: dict[tuple[str, ...], list[float]] = {}
    for values, numbers in rows.items():
        labels = dict(zip(record.labels, values, strict=True))
        if family.keeps is not None and not family.keeps(labels):
            continue
        shown = tuple(labels[what] if isinstance(what, str) else what(labels) for what in family.labels.values())
        known = sums.get(shown)
        sums[shown] = list(numbers) if known is None else _added(record, known, numbers)
    return {labels: _value(family, record, numbers) for labels, numbers in sums.items()}


def _value(family: Family, record: CountedRows, numbers: Sequence[float]) -> Value:
    if not record.buckets:
        return numbers[0]
    end = len(record.buckets) + 1
    if family.kind is Kind.COUNTER:
        return sum(numbers[:end])
    return Distribution(tuple(numbers[:end]), numbers[end], max(numbers[-_MAXIMA:]))
