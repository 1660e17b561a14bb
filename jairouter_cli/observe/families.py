"""Every metric: its name, labels, buckets and help.

`CountedRows` describes the rows that workers write. A `Family` describes what is shown: those rows as they are, or
added up over the labels that the family does not have. So one row per request serves several metrics.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final, NamedTuple

from jairouter_cli.config.monitoring import Category

# The buckets of the Java version's documentation, and larger ones for slow models.
REQUEST_S: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
BACKEND_S: Final = (0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)
SIZE_BYTES: Final = (100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8)
TOKEN_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
SHORT_S: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)


class Kind(Enum):
    """The kinds of metrics; the values are Prometheus's words."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class CountedRows(NamedTuple):
    """Rows that workers keep: one for each combination of labels. With `buckets` a row is a histogram."""

    name: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...] = ()
    is_gauge: bool = False
    """Each worker's own, and gone with it."""
    is_latest: bool = False
    """Not to be added up: the largest of all workers counts."""
    kept: int = 0
    """How many of the labels are kept where there are too many rows, and further ones are counted together."""


Labels = Mapping[str, str]
"""The labels of a row of a record, by name."""


class Family(NamedTuple):
    """A metric as it is shown; `name` is without prefix, and without the `_total` of Prometheus's counters.

    A label's value is that of the record's label which it names, or what a function makes of all of them. Rows for
    which `keeps` is false are left out. Without a record it is looked up at the moment of asking.
    """

    name: str
    kind: Kind
    category: str
    record: CountedRows | None
    labels: Mapping[str, str | Callable[[Labels], str]]
    help: str
    keeps: Callable[[Labels], bool] | None = None
    is_custom: bool = False
    """Whether it is one of the operator's own."""

    @property
    def unit(self) -> str:
        """What its values are, in Prometheus's words; empty for plain numbers."""
        return next((unit for unit in ("seconds", "bytes") if self.name.endswith(f"_{unit}")), "")

    @property
    def is_bare(self) -> bool:
        """Whether its name is not ours to prefix: Spring's, Prometheus's, an operator's, or an alias."""
        return self.is_custom or self.name.startswith(_BARE)


_BARE: Final = ("http_", "process_", "system_", "disk_", "python_", "model_router_")


def _same(*names: str, **others: str | Callable[[Labels], str]) -> Mapping[str, str | Callable[[Labels], str]]:
    return MappingProxyType({**{name: name for name in names}, **others})


# --- what workers keep rows of ---

EXCHANGES: Final = CountedRows("exchanges", ("service", "method", "uri", "status"), REQUEST_S)
REQUEST_SIZES: Final = CountedRows("request_sizes", ("service",), SIZE_BYTES)
RESPONSE_SIZES: Final = CountedRows("response_sizes", ("service",), SIZE_BYTES)
CALLS: Final = CountedRows(
    "calls", ("service", "model", "adapter", "instance", "strategy", "result", "breaker"), BACKEND_S
)
FIRST_TOKENS: Final = CountedRows("first_tokens", ("service", "model", "instance"), TOKEN_S)
TOKEN_GAPS: Final = CountedRows("token_gaps", ("service", "model", "instance"), TOKEN_S)
TOKENS: Final = CountedRows("tokens", ("service", "model", "instance", "direction", "source"))
OVERHEADS: Final = CountedRows("overheads", ("service",), SHORT_S)
QUEUE_WAITS: Final = CountedRows("queue_waits", ("service",), REQUEST_S)
ENDINGS: Final = CountedRows("endings", ("service", "ended"))
RETRIES: Final = CountedRows("retries", ("service",))
FALLBACKS: Final = CountedRows("fallbacks", ("service", "strategy"))
LIMIT_EVENTS: Final = CountedRows("limit_events", ("service", "algorithm", "result"))
BREAKER_TURNS: Final = CountedRows("breaker_turns", ("service", "instance", "turn"))
PROBES: Final = CountedRows("probes", ("service", "adapter", "instance"), BACKEND_S)
LOSSES: Final = CountedRows("losses", ("component",))
LOOP_LAGS: Final = CountedRows("loop_lags", (), SHORT_S)
GARBAGE: Final = CountedRows("garbage", ("generation", "what"))
POOLS: Final = CountedRows("pools", ("backend", "state"), is_gauge=True)
CUSTOM_COUNTS: Final = CountedRows("custom_counts", ("name", "tags"), kept=1)
CUSTOM_TIMES: Final = CountedRows("custom_times", ("name", "tags"), REQUEST_S, kept=1)
CUSTOM_FED: Final = CountedRows("custom_fed", ("name",), is_latest=True, kept=1)

RECORDS: Final = (
    *(EXCHANGES, REQUEST_SIZES, RESPONSE_SIZES, CALLS, FIRST_TOKENS, TOKEN_GAPS, TOKENS, OVERHEADS, QUEUE_WAITS),
    *(LOSSES, ENDINGS, RETRIES, FALLBACKS, LIMIT_EVENTS, BREAKER_TURNS, PROBES, LOOP_LAGS, GARBAGE, POOLS),
    *(CUSTOM_COUNTS, CUSTOM_TIMES, CUSTOM_FED),
)

# --- results of calls to backends ---

SUCCESS: Final = "success"
ERROR: Final = "error"
TIMEOUT: Final = "timeout"
CANCELLED: Final = "cancelled"


def _success_or_failure(labels: Labels) -> str:
    """Return one of the two results that the Java version has; a client that left is neither."""
    result = labels["result"]
    return "failure" if result in {ERROR, TIMEOUT} else result


def _outcome(labels: Labels) -> str:
    """Spring's word for a status."""
    words = {"1": "INFORMATIONAL", "2": "SUCCESS", "3": "REDIRECTION", "4": "CLIENT_ERROR", "5": "SERVER_ERROR"}
    return words.get(labels["status"][:1], "UNKNOWN")


def _call_outcome(labels: Labels) -> str:
    """Spring's word for how a call ended; a call without an answer has none."""
    return {SUCCESS: "SUCCESS", ERROR: "SERVER_ERROR"}.get(labels["result"], "UNKNOWN")


def _call_error(labels: Labels) -> str:
    result = labels["result"]
    return "none" if result == SUCCESS else result


def _host(labels: Labels) -> str:
    """Return the machine of an instance: the name and port in its address."""
    return labels["instance"].rpartition("@")[2].partition("://")[2].partition("/")[0] or labels["instance"]


def _garbage(what: str) -> Callable[[Labels], bool]:
    return lambda labels: labels["what"] == what


def _is_counted(labels: Labels) -> bool:
    """Whether a request counts: requests about the gateway itself do not."""
    return bool(labels["service"])


def _has_breaker(labels: Labels) -> bool:
    return labels["breaker"] == "yes" and labels["result"] != CANCELLED


def _ended(word: str) -> Callable[[Labels], bool]:
    return lambda labels: labels["ended"] == word


def _opened(labels: Labels) -> bool:
    return labels["turn"] == "opened"


def _is_of_breaker(labels: Labels) -> bool:
    return labels["turn"] in {"opened", "closed"}


def _state_change(_: Labels) -> str:
    return "state_change"


def _state(word: str) -> Callable[[Labels], bool]:
    return lambda labels: labels["state"] == word


_SYSTEM, _BUSINESS, _INFRA = Category.SYSTEM, Category.BUSINESS, Category.INFRASTRUCTURE
_C, _G, _H = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM
_MODEL: Final = _same(model_type="service", model_name="model", provider="adapter")
_BREAKER: Final = _same("service", circuit_breaker="instance")
_STREAM: Final = _same("service", "model", "instance")

# What is shown, in this order: the names and labels of the Java version's documentation, then metrics that it does not
# have. Families of one name are one metric.
FAMILIES: Final = (
    Family("requests", _C, _BUSINESS, EXCHANGES, _same("service", "method", "status"),
           "Requests by the status sent to the client; 499 if the client left first.", _is_counted),
    Family("request_duration_seconds", _H, _BUSINESS, EXCHANGES, _same("service", "method"),
           "Time from the end of the request to the end of the response.", _is_counted),
    Family("request_size_bytes", _H, _BUSINESS, REQUEST_SIZES, _same("service"), "Size of request bodies."),
    Family("response_size_bytes", _H, _BUSINESS, RESPONSE_SIZES, _same("service"),
           "Size of forwarded response bodies; 0 for the gateway's own errors."),
    Family("backend_calls", _C, _BUSINESS, CALLS, _same("adapter", "instance", status=_success_or_failure),
           "Calls to backends, including retries."),
    Family("backend_call_duration_seconds", _H, _BUSINESS, CALLS, _same("adapter", "instance"),
           "Duration of calls to backends, to the end of the response."),
    Family("model_calls", _C, _BUSINESS, CALLS, {**_MODEL, "status": "result"}, "Calls to backends, by model."),
    Family("model_call_duration_seconds", _H, _BUSINESS, CALLS, _MODEL, "Calls to backends, by model."),
    Family("loadbalancer_selections", _C, _INFRA, CALLS, _same("service", "strategy", "instance"),
           "How often an instance was chosen."),
    Family("rate_limit_events", _C, _INFRA, LIMIT_EVENTS, _same("service", "algorithm", "result"),
           "Decisions of limits: allowed or rejected."),
    Family("circuit_breaker_events", _C, _INFRA, CALLS, {**_BREAKER, "event": _success_or_failure},
           "Results counted by circuit breakers.", _has_breaker),
    Family("circuit_breaker_events", _C, _INFRA, BREAKER_TURNS, {**_BREAKER, "event": _state_change},
           "Results counted by circuit breakers.", _is_of_breaker),
    Family("circuit_breaker_opened", _C, _INFRA, BREAKER_TURNS, _BREAKER,
           "How often a circuit breaker opened.", _opened),
    Family("health_check_duration_seconds", _H, _INFRA, PROBES, _same("service", "adapter", "instance"),
           "Health checks of instances."),
    Family("first_token_seconds", _H, _BUSINESS, FIRST_TOKENS, _STREAM,
           "Time from a stream's request to its first content sent to the client."),
    Family("inter_token_gap_seconds", _H, _BUSINESS, TOKEN_GAPS, _STREAM,
           "Mean time between the events of a stream; one observation per stream."),
    Family("tokens", _C, _BUSINESS, TOKENS, {**_STREAM, **_same("direction", "source")},
           "Tokens of prompts (input) and answers (output): measured by the backend, estimated, or partial."),
    Family("gateway_overhead_seconds", _H, _INFRA, OVERHEADS, _same("service"),
           "Time the gateway itself takes before a response begins, without backends and queues."),
    Family("queue_wait_seconds", _H, _INFRA, QUEUE_WAITS, _same("service"),
           "Time calls waited for a slot or were delayed by a limit; only calls that had to wait."),
    Family("retries", _C, _INFRA, RETRIES, _same("service"), "Attempts after the first one of a call."),
    Family("cancellations", _C, _BUSINESS, ENDINGS, _same("service"), "Calls whose client left.", _ended("left")),
    Family("truncated_answers", _C, _BUSINESS, ENDINGS, _same("service"),
           "Responses that were cut off.", _ended("truncated")),
    Family("fallbacks", _C, _BUSINESS, FALLBACKS, _same("service", "strategy"),
           "Fallback responses."),
    Family("event_loop_lag_seconds", _H, _SYSTEM, LOOP_LAGS, {},
           "Delay of a worker's event loop, measured every half second."),
    Family("backend_connection_pool_active", _G, _INFRA, POOLS, _same("backend"), "Connections in use.",
           _state("active")),
    Family("backend_connection_pool_idle", _G, _INFRA, POOLS, _same("backend"), "Idle connections kept open.",
           _state("idle")),
    Family("backend_connection_pool_waiting", _G, _INFRA, POOLS, _same("backend"), "Calls waiting for a connection.",
           _state("waiting")),
    Family("backend_connection_pool_max", _G, _INFRA, POOLS, _same("backend"),
           "Maximum number of connections, of all workers.", _state("max")),
    Family("metrics_errors", _C, _SYSTEM, LOSSES, _same("component"),
           "Observations that could not be counted, logged or recorded."),
    Family("http_server_requests_seconds", _H, _SYSTEM, EXCHANGES, _same("method", "uri", "status", outcome=_outcome),
           "All HTTP requests, by path template."),
    Family("http_client_requests_seconds", _H, _SYSTEM, CALLS, {"client_name": _host, "outcome": _call_outcome,
           "error": _call_error}, "Calls to backends, by host and port."),
    Family("python_gc_collections", _C, _SYSTEM, GARBAGE, _same("generation"),
           "Runs of Python's garbage collector.", _garbage("collections")),
    Family("python_gc_objects_collected", _C, _SYSTEM, GARBAGE, _same("generation"),
           "Objects freed by Python's garbage collector.", _garbage("collected")),
    Family("python_gc_objects_uncollectable", _C, _SYSTEM, GARBAGE, _same("generation"),
           "Objects that Python's garbage collector could not free.", _garbage("uncollectable")),
    # --- looked up at the moment of asking ---
    Family("backend_health", _G, _INFRA, None, _same("service", "adapter", "instance"),
           "1 if the instance is up, 0 if down; absent if unknown or disabled."),
    Family("instance_in_flight", _G, _INFRA, None, _same("service", "instance"), "Requests in flight at an instance."),
    Family("active_connections", _G, _BUSINESS, None, _same("service"), "Requests in flight."),
    Family("circuit_breaker_state", _G, _INFRA, None, _BREAKER,
           "State of the circuit breaker: 0 closed, 1 open, 2 half open."),
    Family("loadbalancer_weight", _G, _INFRA, None, _same("service", "instance"), "The weight of an instance."),
    Family("rate_limit_tokens", _G, _INFRA, None, _same("service", "algorithm", "scope", "unit"),
           "Requests or tokens that a limit still allows."),
    Family("rate_limit_tokens_max", _G, _INFRA, None, _same("service", "algorithm", "scope", "unit"),
           "Requests or tokens that a limit allows at most."),
    Family("request_queue_size", _G, _INFRA, None, _same("backend"), "Calls waiting for a slot of a backend."),
    Family("backend_slots_taken", _G, _INFRA, None, _same("backend"), "Slots of a backend in use."),
    Family("backend_slots_max", _G, _INFRA, None, _same("backend"), "Slots of a backend."),
    Family("config_revision", _G, _SYSTEM, None, {}, "Number of the current configuration revision; 0 if it has none."),
    Family("config_rejected", _G, _SYSTEM, None, {}, "1 while the configuration file is invalid."),
    Family("workers", _G, _SYSTEM, None, {}, "Worker processes that are running."),
    Family("workers_behind", _G, _SYSTEM, None, {}, "Workers that use another configuration than this one."),
    Family("worker_restarts", _C, _SYSTEM, None, {}, "Workers that ended and were replaced."),
    Family("tasks_failing", _G, _SYSTEM, None, {}, "Failing background tasks of the worker that responded."),
    Family("state_losses", _C, _INFRA, None, {}, "How often the Redis server of state.url became unreachable."),
    Family("process_cpu_seconds", _C, _SYSTEM, None, _same("worker"), "CPU time of a process."),
    Family("process_resident_memory_bytes", _G, _SYSTEM, None, _same("worker"), "Memory of a process."),
    Family("process_virtual_memory_bytes", _G, _SYSTEM, None, _same("worker"), "Address space of a process."),
    Family("process_open_fds", _G, _SYSTEM, None, _same("worker"), "Open files of a process."),
    Family("process_max_fds", _G, _SYSTEM, None, _same("worker"), "Files that a process may open."),
    Family("process_threads", _G, _SYSTEM, None, _same("worker"), "Threads of a process."),
    Family("process_start_time_seconds", _G, _SYSTEM, None, _same("worker"), "Start time of a process, in Unix time."),
    Family("process_cpu_usage", _G, _SYSTEM, None, _same("worker"),
           "Share of all processors that a process used since the last scrape."),
    Family("process_uptime_seconds", _G, _SYSTEM, None, _same("worker"), "Uptime of a process."),
    Family("python_info", _G, _SYSTEM, None, _same("implementation", "version"), "Version of Python."),
    Family("system_cpu_usage", _G, _SYSTEM, None, {},
           "Share of this host's processors that was in use since the last scrape."),
    Family("system_cpu_count", _G, _SYSTEM, None, {}, "Processors of this host."),
    Family("system_load_average_1m", _G, _SYSTEM, None, {}, "Load average of this host."),
    Family("disk_free_bytes", _G, _SYSTEM, None, _same("path"),
           "Free space on the file system of the configuration file."),
    Family("disk_total_bytes", _G, _SYSTEM, None, _same("path"), "Size of the file system of the configuration file."),
)  # fmt: skip

# The names of the Java version's page on monitoring, shown with `monitoring.metrics.aliases`.
ALIASES: Final = (
    Family("model_router_requests", _C, _BUSINESS, CALLS, _same("service", "instance", status="result"),
           "Calls to backends."),
    Family("model_router_request_duration_seconds", _H, _BUSINESS, CALLS, _same("service", "instance"),
           "Duration of calls to backends, to the end of the response."),
    Family("model_router_circuit_breaker_state", _G, _INFRA, None, _same("service", "instance"),
           "State of the circuit breaker: 0 closed, 1 open, 2 half open."),
    Family("model_router_rate_limit_remaining", _G, _INFRA, None, _same("service"),
           "Requests that a service's limit still allows."),
)  # fmt: skip
