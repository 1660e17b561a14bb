"""The sink that counts: a few additions in memory for each request.

The row of a combination of labels is looked up once and cached. Labels are bounded: they contain configured names and
never values from clients, and above `max_series` of one record, further ones are counted together as `other`.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from typing import Final

from jairouter_cli.config.monitoring import Metrics as MetricSettings
from jairouter_cli.observe import families
from jairouter_cli.observe.board import Board
from jairouter_cli.observe.events import LEFT, Attempt, Completed, Handled
from jairouter_cli.observe.families import CountedRows
from jairouter_cli.payloads.spent import Source
from jairouter_cli.routing.admission import Unit
from jairouter_cli.routing.call import Target, Turn

OTHER: Final = "other"
NOT_FOUND: Final = "/**"  # Spring's template for what has none
_UNCOUNTED: Final = ("/actuator", "/swagger-ui", NOT_FOUND)  # in the Java version's own metrics
_EXTRA_CELLS: Final = 4  # of a histogram, behind its buckets: see there
_SERVER_ERROR: Final = 500
_TOO_MANY_REQUESTS: Final = 429
_SOURCES: Final = (Source.MEASURED, Source.ESTIMATED, Source.PARTIAL)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
_GAUGES: Final = frozenset(record.name for record in families.RECORDS if record.is_gauge)
_NOWHERE_CELLS: Final = 64  # wide enough for any row: where those are written for which there is no room


class Histogram:
    """The cells of one histogram: a count per bucket and one beyond, the sum, the current and the previous maximum."""

    __slots__ = ("_at", "_bounds", "_cells", "_sum_at")

    def __init__(self, board: Board, at: int, bounds: Sequence[float]) -> None:
        self._cells: Final = board.cells
        self._at: Final = at
        self._bounds: Final = bounds
        self._sum_at: Final = at + len(bounds) + 1

    def observe(self, value: float) -> None:
        """Count a value."""
        cells, sum_at = self._cells, self._sum_at
        cells[self._at + bisect_left(self._bounds, value)] += 1.0
        cells[sum_at] += value
        cells[sum_at + 1] = max(cells[sum_at + 1], value)

    def age(self) -> None:
        """Make the current maximum the previous one."""
        cells, at = self._cells, self._sum_at + 1
        cells[at + 1], cells[at] = cells[at], 0.0


class _Exchange:
    """What a request with a certain end is written to."""

    __slots__ = ("duration", "overhead", "request_size", "response_size")

    def __init__(self, rows: "MetricsSink", service: str, method: str, path: str, status: int) -> None:
        self.duration: Final = rows.histogram(families.EXCHANGES, (service, method, path, str(status)))
        self.request_size: Final = rows.histogram(families.REQUEST_SIZES, (service,))
        self.response_size: Final = rows.histogram(families.RESPONSE_SIZES, (service,))
        self.overhead: Final = rows.histogram(families.OVERHEADS, (service,))


class _Stream:
    """What the tokens of an instance are written to."""

    __slots__ = ("first_token", "gap", "input_at", "output_at")

    def __init__(self, rows: "MetricsSink", service: str, target: Target) -> None:
        labels = (service, _model_of(target), target.id)
        self.first_token: Final = rows.histogram(families.FIRST_TOKENS, labels)
        self.gap: Final = rows.histogram(families.TOKEN_GAPS, labels)
        self.input_at: Final = [rows.cell(families.TOKENS, (*labels, "input", one.value)) for one in _SOURCES]
        self.output_at: Final = [rows.cell(families.TOKENS, (*labels, "output", one.value)) for one in _SOURCES]


class MetricsSink:
    """The rows of one worker; at most `max_series` of a record, the further ones are one."""

    def __init__(self, board: Board, max_series: int = 1000) -> None:
        self._board: Final = board
        self._cells: Final = board.cells
        self._series: Final = Counter(row.record for row in board.rows())
        self._histograms: dict[int, Histogram] = {}
        self._exchanges: dict[tuple[str, str, int], _Exchange] = {}
        self._calls: dict[tuple[str, str, str, str], Histogram] = {}
        self._streams: dict[tuple[str, str], _Stream] = {}
        self._totals: dict[tuple[str, tuple[str, ...]], float] = {}
        self._nowhere: Final = self._room(CountedRows("nowhere", ()), (), _NOWHERE_CELLS)
        self.max_series = max_series
        self.is_enabled = True
        self.errors = 0
        """Rows for which there was no room."""
        for row in board.rows():  # gauges of a worker that was here before
            if row.record in _GAUGES:
                self._cells[row.at] = 0.0

    def follow(self, settings: MetricSettings) -> None:
        """Use a configuration."""
        self.is_enabled, self.max_series = settings.enabled, settings.max_series

    # --- rows ---

    def cell(self, record: CountedRows, labels: tuple[str, ...]) -> int:
        """Return where the number of some labels stands."""
        return self._row(record, labels, 1)

    def add(self, record: CountedRows, labels: tuple[str, ...], amount: float = 1.0) -> None:
        """Add to a counter that is rarely met."""
        self._cells[self.cell(record, labels)] += amount

    def put(self, record: CountedRows, labels: tuple[str, ...], value: float) -> None:
        """Set a gauge."""
        self._cells[self.cell(record, labels)] = value

    def grow(self, record: CountedRows, labels: tuple[str, ...], total: float) -> None:
        """Add to a counter what a total has grown by that this worker keeps elsewhere."""
        before = self._totals.get((record.name, labels), 0.0)
        self._totals[record.name, labels] = total
        self.add(record, labels, max(0.0, total - before))

    def histogram(self, record: CountedRows, labels: tuple[str, ...]) -> Histogram:
        """Return the histogram of some labels."""
        at = self._row(record, labels, len(record.buckets) + _EXTRA_CELLS)
        known = self._histograms.get(at)
        if known is None:
            known = self._histograms[at] = Histogram(self._board, at, record.buckets)
        return known

    def _row(self, record: CountedRows, labels: tuple[str, ...], width: int) -> int:
        if not self._board.holds(record.name, labels):
            if self._series[record.name] >= self.max_series:
                labels = (*labels[: record.kept], *(OTHER for _ in labels[record.kept :]))
            self._series[record.name] += not self._board.holds(record.name, labels)
        return self._room(record, labels, width)

    def _room(self, record: CountedRows, labels: tuple[str, ...], width: int) -> int:
        row = self._board.row(record.name, labels, width)
        if row is None:
            self.errors += 1
            return self._nowhere
        return row.at

    def age(self) -> None:
        """Make the current maxima the previous ones; call it once a minute."""
        for histogram in self._histograms.values():
            histogram.age()

    # --- what is counted ---

    def __call__(self, event: Completed) -> None:
        """Count a call that has ended."""
        if not self.is_enabled:
            return
        service, path, status, method = event.call.service.value, event.path, event.status, _method(event.method)
        exchange = self._exchanges.get((path, method, status))
        if exchange is None:
            exchange = self._exchanges[path, method, status] = _Exchange(self, service, method, path, status)
        exchange.duration.observe(event.duration_s)
        exchange.request_size.observe(event.request_bytes)
        exchange.response_size.observe(event.response_bytes)
        if event.attempts:
            self._attempts(event, exchange)
        if event.ended != "ok":
            self.add(families.ENDINGS, (service, event.ended))
        if event.queued_s:
            self.histogram(families.QUEUE_WAITS, (service,)).observe(event.queued_s)
        if event.fallback:
            self.add(families.FALLBACKS, (service, event.fallback))
        for limit, allowed in event.decisions:
            algorithm = "concurrency" if limit.unit is Unit.IN_FLIGHT else limit.rule.algorithm.value
            self.add(families.LIMIT_EVENTS, (service, algorithm, "allowed" if allowed else "rejected"))

    def _attempts(self, event: Completed, exchange: _Exchange) -> None:
        attempts, backends_s = event.attempts, 0.0
        last = attempts[-1]
        for attempt in attempts:
            duration_s = attempt.duration_s
            backends_s += duration_s
            if attempt is last and event.ended != "failed":
                duration_s += event.duration_s - event.head_s
            self._call(event, attempt).observe(duration_s)
        exchange.overhead.observe(max(0.0, event.head_s - backends_s - event.queued_s))
        if len(attempts) > 1:
            self.add(families.RETRIES, (event.call.service.value,), len(attempts) - 1)
        if event.spent is not None or event.first_token_s is not None:
            self._tokens(event, last.target)

    def _call(self, event: Completed, attempt: Attempt) -> Histogram:
        result, target = _result(attempt), attempt.target
        key = (event.path, target.id, event.strategy, result)
        known = self._calls.get(key)
        if known is None:
            service, has_breaker = event.call.service.value, "no" if target.breaker is None else "yes"
            model, adapter = _model_of(target), target.dialect.value
            labels = (service, model, adapter, target.id, event.strategy, result, has_breaker)
            known = self._calls[key] = self.histogram(families.CALLS, labels)
        return known

    def _tokens(self, event: Completed, target: Target) -> None:
        spent, key = event.spent, (event.path, target.id)
        stream = self._streams.get(key)
        if stream is None:
            stream = self._streams[key] = _Stream(self, event.call.service.value, target)
        if spent is not None:
            source = 0 if spent.source is Source.MEASURED else _SOURCES.index(spent.source)
            self._cells[stream.input_at[source]] += spent.input_tokens
            self._cells[stream.output_at[source]] += spent.output_tokens
        first_token_s = event.first_token_s
        if first_token_s is not None:
            stream.first_token.observe(first_token_s)
            if event.events > 1:
                stream.gap.observe((event.duration_s - first_token_s) / (event.events - 1))

    def turned(self, target: Target, turn: Turn) -> None:
        """Count what became of an instance."""
        if not self.is_enabled:
            return
        self.add(families.BREAKER_TURNS, (target.key[0].value, target.id, turn.value))

    def probed(self, target: Target, duration_s: float) -> None:
        """Count a health check."""
        if not self.is_enabled:
            return
        labels = (target.key[0].value, target.dialect.value, target.id)
        self.histogram(families.PROBES, labels).observe(duration_s)

    def handled(self, event: Handled) -> None:
        """Count a request to the gateway itself, by the template of its path."""
        if self.is_enabled:
            template = event.template or NOT_FOUND
            service = "" if template.startswith(_UNCOUNTED) else template.split("/")[1]
            labels = (service, _method(event.method), template, str(event.status))
            self.histogram(families.EXCHANGES, labels).observe(event.duration_s)


def _result(attempt: Attempt) -> str:
    """Return how an attempt ended, in the words of the documents."""
    if attempt.failure:
        if attempt.failure == LEFT:
            return families.CANCELLED
        return families.TIMEOUT if "timeout" in attempt.failure.partition(":")[0] else families.ERROR
    status = attempt.status or 0
    return families.ERROR if status >= _SERVER_ERROR or status == _TOO_MANY_REQUESTS else families.SUCCESS


def _model_of(target: Target) -> str:
    """Return the model that an instance serves."""
    return target.id.rpartition("@")[0]


def _method(method: str) -> str:
    """Return a method of HTTP, or one word for all that a client may make up."""
    return method if method in _METHODS else OTHER
