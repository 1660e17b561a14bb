"""The sections about observability: `monitoring`, `logging`, `usage`, `tracing`."""

import re
from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta, Struct, field

from jairouter_cli.config.kinds import (
    Alias,
    Count,
    MetricName,
    MetricPrefix,
    Millis,
    Moment,
    Positive,
    Seconds,
    Secret,
    Text,
    Url,
)

# Of a label's name, as Prometheus has it; it keeps `__` and those two for itself.
LABEL_NAME: Final = re.compile(r"(?!__|(?:le|quantile)$)[a-zA-Z_][a-zA-Z0-9_]*")


class Category(StrEnum):
    """What a metric is about: the process and its host, requests and models, or the machinery between them."""

    SYSTEM = "system"
    BUSINESS = "business"
    INFRASTRUCTURE = "infrastructure"


class CustomKind(StrEnum):
    """What a metric of the operator's own may be; Micrometer's words."""

    COUNTER = "COUNTER"
    TIMER = "TIMER"


class CustomMetric(Struct, frozen=True, kw_only=True):
    """A custom metric: registered and fed through the management API, shown with the others.

    Its series have `tags`, unless a recorded value has others. A metric that is removed and registered again starts
    from zero: `created_at` tells the two apart. A metric written into the file by hand has no such times.
    """

    name: MetricName
    type: CustomKind = CustomKind.COUNTER
    description: str = ""
    unit: str = ""
    category: Text = "custom"
    tags: dict[str, str] = field(default_factory=dict)
    created_at: Moment | None = None
    updated_at: Moment | None = None

    @property
    def shown_name(self) -> str:
        """Its name in Prometheus's exposition, without the `_total` of counters."""
        plain = self.name.replace(".", "_")
        if self.type is CustomKind.COUNTER:
            return plain.removesuffix("_total")
        return plain if plain.endswith("_seconds") else f"{plain}_seconds"


class Metrics(Struct, frozen=True, kw_only=True):
    """`monitoring.metrics`: what is counted, and under which names it is shown.

    Names begin with `prefix`, and series have `custom_tags`; `disabled` metrics are counted but not shown. What only
    a worker itself knows (its pools, its event loop) is recorded every `collection_interval_s`. With `aliases`,
    the names `model_router_*` of the Java version's documentation are shown too. `max_series` is the limit per metric.
    """

    enabled: bool = True
    prefix: MetricPrefix = MetricPrefix("jairouter")
    collection_interval_s: Millis = 10.0
    enabled_categories: tuple[Category, ...] = tuple(Category)
    custom_tags: dict[str, str] = field(default_factory=dict)
    disabled: tuple[Text, ...] = ()
    custom: tuple[CustomMetric, ...] = ()
    aliases: Annotated[bool, Alias(("model-router-aliases",))] = False
    max_series: Positive = 1000


class Monitoring(Struct, frozen=True, kw_only=True):
    """`monitoring`."""

    metrics: Metrics = Metrics()


class Level(StrEnum):
    """How much a logger says (Spring's names)."""

    OFF = "OFF"
    ERROR = "ERROR"
    WARN = "WARN"
    INFO = "INFO"
    DEBUG = "DEBUG"
    TRACE = "TRACE"


class LogFormat(StrEnum):
    """The values of `logging.format`: for people, or an object of JSON on each line."""

    HUMAN = "human"
    JSON = "json"


class AccessLog(Struct, frozen=True, kw_only=True):
    """`logging.access`: a line for every request, to standard error or to `file`, in the format of the log."""

    enabled: bool = True
    file: Text | None = None


class Logging(Struct, frozen=True, kw_only=True):
    """`logging`: how much is said (`level` by logger, `root` for all), and in which form."""

    level: dict[str, Level] = field(default_factory=dict)
    format: LogFormat = LogFormat.HUMAN
    access: AccessLog = AccessLog()


class Usage(Struct, frozen=True, kw_only=True):
    """`usage`: token usage, in an SQLite file next to the configuration or in `file`.

    Hourly totals are kept for `keep_days`, and the newest `recent` calls one by one. With `ask_in_streams`, backends
    are asked for the usage of streams, and the event with it is removed if the client did not ask for it.
    """

    enabled: bool = True
    file: Text | None = None
    keep_days: Positive = 400
    recent: Count = 1000
    ask_in_streams: bool = False
    flush_interval_s: Millis = 1.0


class Tracing(Struct, frozen=True, kw_only=True):
    """`tracing`: spans by OpenTelemetry, sent to `endpoint` by OTLP over HTTP; read at start.

    Needs the extra `jairouter[tracing]`. `sampling_ratio` is of the traces that begin here; what a client's
    `traceparent` says of its own holds.
    """

    enabled: bool = False
    endpoint: Url = Url("http://127.0.0.1:4318/v1/traces")
    service_name: Text = "jairouter"
    sampling_ratio: Annotated[float, Meta(ge=0, le=1)] = 1.0
    headers: dict[str, Secret] = field(default_factory=dict)
    timeout_s: Seconds = 10.0
