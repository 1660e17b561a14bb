"""Computes rates and quantiles from several snapshots of a running gateway. Pure.

A `Snapshot` is a response of `/api/monitoring/live`, a `View` is what the screen shows. A counter that went backwards
has started again from zero (an instance was removed and added again); with another `era`, all counters have.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final

import msgspec
from msgspec import Struct

WINDOW_S: Final = 15.0  # long answers come one by one: over one interval their tokens and quantiles would only flicker

InstanceKey = tuple[str, str, int]


class SlotsNow(Struct, frozen=True):
    """Those of the machine that an instance stands on."""

    limit: int
    taken: int
    waiting: int


class InstanceRates(Struct, frozen=True, rename="camel", kw_only=True):
    """An instance's state, and its counts since the start. `first_tokens` may be empty."""

    service: str
    id: str
    ordinal: int = 1
    state: str
    breaker: str | None = None
    requests: int
    failures: int
    in_flight: int
    slots: SlotsNow | None = None
    latency_s: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    first_tokens: tuple[int, ...] = ()

    @property
    def key(self) -> InstanceKey:
        """What tells it from the others."""
        return self.service, self.id, self.ordinal


class Totals(Struct, frozen=True, rename="camel", kw_only=True):
    """What clients saw since the start: `errors` are 5xx, `rejected` 429."""

    requests: int
    errors: int
    rejected: int
    in_flight: int
    waiting: int
    durations: tuple[int, ...] = ()


class Snapshot(Struct, frozen=True, rename="camel", kw_only=True):
    """One look at a gateway; `at` is in seconds of a clock of its own."""

    era: str
    at: float
    is_counting: bool
    workers: int
    workers_behind: int
    config_revision: int
    config_error: str | None
    request_bounds_s: tuple[float, ...]
    first_token_bounds_s: tuple[float, ...]
    totals: Totals
    instances: tuple[InstanceRates, ...]


class InstanceRow(Struct, frozen=True, rename="camel", kw_only=True):
    """An instance as it is shown. What cannot be told yet is None: there was one look only, or nothing happened.

    Requests and errors are the attempts made at it over the last interval; the rest is over `WINDOW_S`.
    """

    service: str
    id: str
    state: str
    breaker: str | None
    requests_per_s: float | None
    errors_per_s: float | None
    error_share: float | None
    input_tokens_per_s: float | None
    output_tokens_per_s: float | None
    in_flight: int
    slots: SlotsNow | None
    first_token_p50_s: float | None
    first_token_p95_s: float | None
    latency_s: float | None


class View(Struct, frozen=True, rename="camel", kw_only=True):
    """A gateway as it is shown; requests, errors and `rejected` are those that clients saw."""

    workers: int
    workers_behind: int
    config_revision: int
    config_error: str | None
    is_counting: bool
    requests_per_s: float | None
    rejected_per_s: float | None
    error_share: float | None
    latency_p50_s: float | None
    latency_p95_s: float | None
    input_tokens_per_s: float | None
    output_tokens_per_s: float | None
    in_flight: int
    waiting: int
    draining: int
    instances: tuple[InstanceRow, ...]


class Looks:
    """The looks of the last `WINDOW_S`, two at least if there were as many."""

    def __init__(self) -> None:
        self._looks: Final = deque[Snapshot]()

    def add(self, found: Snapshot) -> None:
        """Add a snapshot; the first one of a restarted gateway replaces all earlier ones."""
        looks = self._looks
        if looks and (looks[-1].era != found.era or looks[-1].at >= found.at):
            looks.clear()
        looks.append(found)
        while len(looks) > 2 and looks[1].at <= found.at - WINDOW_S:  # noqa: PLR2004 - the last and one before
            looks.popleft()

    def view(self) -> View:
        """Return how things stand; there must have been a look."""
        looks = tuple(self._looks)
        last, totals = looks[-1], [one.totals for one in looks]
        durations = _distribution([one.durations for one in totals])
        rows = tuple(_row(looks, one) for one in last.instances)
        return View(
            workers=last.workers,
            workers_behind=last.workers_behind,
            config_revision=last.config_revision,
            config_error=last.config_error,
            is_counting=last.is_counting,
            requests_per_s=_rate(looks[-2:], [one.requests for one in totals[-2:]]),
            rejected_per_s=_rate(looks[-2:], [one.rejected for one in totals[-2:]]),
            error_share=_share([one.errors for one in totals], [one.requests for one in totals]),
            latency_p50_s=quantile(0.5, last.request_bounds_s, durations),
            latency_p95_s=quantile(0.95, last.request_bounds_s, durations),
            input_tokens_per_s=_sum(row.input_tokens_per_s for row in rows),
            output_tokens_per_s=_sum(row.output_tokens_per_s for row in rows),
            in_flight=last.totals.in_flight,
            waiting=last.totals.waiting,
            draining=sum(row.state == "DRAINING" for row in rows),
            instances=rows,
        )


def _row(looks: Sequence[Snapshot], one: InstanceRates) -> InstanceRow:
    seen = list(_seen(looks, one.key))
    times, counts = [look for look, _ in seen], [found for _, found in seen]
    bounds = looks[-1].first_token_bounds_s
    first_tokens = _distribution([found.first_tokens for found in counts])

    def rate(count: Callable[[InstanceRates], int], over: slice = slice(None)) -> float | None:
        return _rate(times[over], [count(found) for found in counts[over]])

    lately = slice(-2, None)
    return InstanceRow(
        service=one.service,
        id=one.id,
        state=one.state,
        breaker=one.breaker,
        requests_per_s=rate(lambda found: found.requests, lately),
        errors_per_s=rate(lambda found: found.failures, lately),
        error_share=_share([found.failures for found in counts], [found.requests for found in counts]),
        input_tokens_per_s=rate(lambda found: found.input_tokens),
        output_tokens_per_s=rate(lambda found: found.output_tokens),
        in_flight=one.in_flight,
        slots=one.slots,
        first_token_p50_s=quantile(0.5, bounds, first_tokens),
        first_token_p95_s=quantile(0.95, bounds, first_tokens),
        latency_s=one.latency_s or None,
    )


def _seen(looks: Sequence[Snapshot], key: InstanceKey) -> Iterator[tuple[Snapshot, InstanceRates]]:
    for look in looks:
        for one in look.instances:
            if one.key == key:
                yield look, one


def increase(counts: Sequence[int]) -> int:
    """Return the growth of a counter from the first to the last value; where it fell, it started again from zero."""
    return sum(after - before if after >= before else after for before, after in pairwise(counts))


def _rate(looks: Sequence[Snapshot], counts: Sequence[int]) -> float | None:
    return increase(counts) / (looks[-1].at - looks[0].at) if len(looks) > 1 else None


def _share(parts: Sequence[int], wholes: Sequence[int]) -> float | None:
    whole = increase(wholes)
    return min(1.0, increase(parts) / whole) if whole else None


def _distribution(counts: Sequence[Sequence[int]]) -> list[int]:
    """Return how far each bucket grew; a distribution that nothing was counted in may be empty."""
    width = max(map(len, counts), default=0)
    whole = [tuple(one) or (0,) * width for one in counts]
    found = [0] * width
    for before, after in pairwise(whole):
        began_anew = any(new < old for old, new in zip(before, after, strict=True))
        for place, (old, new) in enumerate(zip(before, after, strict=True)):
            found[place] += new if began_anew else new - old
    return found


def quantile(share: float, bounds: Sequence[float], counts: Sequence[int]) -> float | None:
    """Return the value that a share of a distribution is not larger than, or None where nothing was counted.

    As PromQL's `histogram_quantile` does it: values are spread evenly over their bucket, which begins at 0 for the
    first one; of what lies beyond the last bound nothing is known but that.
    """
    total = sum(counts)
    if not total:
        return None
    rank, below, lower = share * total, 0, 0.0
    for upper, count in zip(bounds, counts, strict=False):
        if count and below + count >= rank:
            return lower + (upper - lower) * max(0.0, rank - below) / count
        below, lower = below + count, upper
    return bounds[-1]


def _sum(values: Iterator[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def snapshot(answer: object) -> Snapshot:
    """Return what a gateway answered. Raises `msgspec.ValidationError` if it is something else."""
    return msgspec.convert(answer, Snapshot)
