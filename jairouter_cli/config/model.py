"""The configuration: frozen structs that mirror the key tree of the YAML file.

A field's YAML key is its name in kebab-case, without the unit suffix (`timeout_s` is `timeout`); camelCase and
snake_case are read too. `Annotated` carries the rest: other accepted keys (`Alias`), units, ranges.
Must not live here: reading, checking across fields, files; see `parse`.
"""

from enum import StrEnum
from typing import Annotated, ClassVar, Final

from msgspec import Meta, Struct, field

from jairouter_cli.config.kinds import (
    Alias,
    ApiDialect,
    ApiKey,
    Bytes,
    Count,
    Millis,
    Name,
    Network,
    Origin,
    Port,
    Positive,
    Rate,
    Seconds,
    Secret,
    Share,
    Status,
    Text,
    Url,
    UrlPath,
    WaitTime,
)
from jairouter_cli.config.management import Management
from jairouter_cli.config.monitoring import Logging, Monitoring, Tracing, Usage


class ServiceType(StrEnum):
    """The seven service types; the value is the name in the YAML file, the API, labels and lists."""

    CHAT = "chat"
    EMBEDDING = "embedding"
    RERANK = "rerank"
    TTS = "tts"
    STT = "stt"
    IMG_GEN = "imgGen"
    IMG_EDIT = "imgEdit"


# Every spelling that the Java version's code or documents use for a service, in the form of `spelling.squash`.
SERVICE_SPELLINGS: Final[dict[str, ServiceType]] = {
    "chat": ServiceType.CHAT,
    "embedding": ServiceType.EMBEDDING,
    "embeddings": ServiceType.EMBEDDING,
    "rerank": ServiceType.RERANK,
    "tts": ServiceType.TTS,
    "texttospeech": ServiceType.TTS,
    "text2speech": ServiceType.TTS,
    "stt": ServiceType.STT,
    "speechtotext": ServiceType.STT,
    "speech2text": ServiceType.STT,
    "imggen": ServiceType.IMG_GEN,
    "image": ServiceType.IMG_GEN,
    "imagegen": ServiceType.IMG_GEN,
    "imagegeneration": ServiceType.IMG_GEN,
    "imgedit": ServiceType.IMG_EDIT,
    "imageedit": ServiceType.IMG_EDIT,
    "imageediting": ServiceType.IMG_EDIT,
}

DEFAULT_PATHS: Final[dict[ServiceType, str]] = {
    ServiceType.CHAT: "/v1/chat/completions",
    ServiceType.EMBEDDING: "/v1/embeddings",
    ServiceType.RERANK: "/v1/rerank",
    ServiceType.TTS: "/v1/audio/speech",
    ServiceType.STT: "/v1/audio/transcriptions",
    ServiceType.IMG_GEN: "/v1/images/generations",
    ServiceType.IMG_EDIT: "/v1/images/edits",
}


class Locale(StrEnum):
    """The languages of messages that clients of the gateway read."""

    ZH = "zh"
    EN = "en"


class Dialect(StrEnum):
    """What an instance speaks: the values of `adapter`."""

    NORMAL = "normal"
    GPUSTACK = "gpustack"
    OLLAMA = "ollama"
    VLLM = "vllm"
    XINFERENCE = "xinference"
    LOCALAI = "localai"


class Balancing(StrEnum):
    """The values of `load-balance.type`."""

    RANDOM = "random"
    ROUND_ROBIN = "round-robin"
    LEAST_CONNECTIONS = "least-connections"
    IP_HASH = "ip-hash"
    CONSISTENT_HASH = "consistent-hash"
    LATENCY = "latency"
    PREFIX_AFFINITY = "prefix-affinity"


class HashAlgorithm(StrEnum):
    """The values of `load-balance.hash-algorithm`."""

    MD5 = "md5"
    SHA1 = "sha1"
    SHA256 = "sha256"


class Limiting(StrEnum):
    """The values of `rate-limit.algorithm`."""

    TOKEN_BUCKET = "token-bucket"  # noqa: S105 - no password
    LEAKY_BUCKET = "leaky-bucket"
    SLIDING_WINDOW = "sliding-window"
    WARM_UP = "warm-up"


class LimitScope(StrEnum):
    """The values of `rate-limit.scope`."""

    SERVICE = "service"
    MODEL = "model"
    CLIENT_IP = "client-ip"
    INSTANCE = "instance"


class FallbackStrategy(StrEnum):
    """The values of `fallback.strategy`."""

    DEFAULT = "default"
    CACHE = "cache"
    MODEL = "model"
    NONE = "none"


class ProbeType(StrEnum):
    """The values of `health-check.type`; `http` is the cheapest GET that the instance's adapter is known for."""

    HTTP = "http"
    TCP = "tcp"


class TimeoutSettings(Struct, frozen=True, kw_only=True):
    """`timeout` of a service or an instance; a plain duration stands for `read`.

    `read_s` is the longest pause before and within a response, unless `first_byte_s` or `idle_s` are set.
    `first_content_s` is the time to a stream's first token, `total_s` that of the complete call.
    """

    SHORTHAND: ClassVar[str] = "read"

    connection_s: Annotated[Millis | None, Alias(("connect",))] = None
    read_s: Millis | None = None
    first_byte_s: Millis | None = None
    first_content_s: Millis | None = None
    idle_s: Millis | None = None
    total_s: Millis | None = None
    write_s: Millis | None = None


class ClientLimit(Struct, frozen=True, kw_only=True):
    """`rate-limit.client-ip`: the limit of each client, by its address (for IPv6, the /64).

    Missing settings are those of the section around it, except `tokens_per_minute`. A client can have
    `max_concurrency` requests in flight, at the gateway or at a service. At most `max_clients` are remembered, each for
    `max_idle_time_s` after its last request, the longest idle one is forgotten first; of several sections, the largest
    of these two values applies to all.
    """

    enabled: bool = False
    capacity: Annotated[Positive | None, Alias(("default-capacity",))] = None
    rate: Annotated[Rate | None, Alias(("refill-rate", "leak-rate", "default-rate"))] = None
    window_size_s: Seconds | None = None
    max_requests: Positive | None = None
    tokens_per_minute: Positive | None = None
    max_concurrency: Positive | None = None
    max_clients: Positive = 10_000
    max_idle_time_s: Seconds = 1800.0

    @property
    def limits_requests(self) -> bool:
        """Whether it limits requests over time, and not only tokens or requests in flight."""
        speaks = any((self.capacity, self.rate, self.window_size_s, self.max_requests))
        return speaks or (self.tokens_per_minute is None and self.max_concurrency is None)


class RateLimit(Struct, frozen=True, kw_only=True):
    """`rate-limit` of the gateway, a service or an instance.

    `scope` says who shares a bucket: all requests of the section (`service`), or those of one model, instance or
    client. Sections with the same `key` share one bucket. `tokens_per_minute` is an additional limit, or the only one
    if the section sets nothing about requests. `client_ip` is an additional limit for each client; `client_ip_enable`
    enables it together with this section. With `queue`, a leaky bucket delays requests so that they leave evenly.
    """

    enabled: bool = False
    algorithm: Annotated[Limiting | None, Alias(("type",))] = None
    capacity: Positive | None = None
    rate: Annotated[Rate | None, Alias(("refill-rate", "leak-rate"))] = None
    scope: LimitScope = LimitScope.SERVICE
    key: Text | None = None
    client_ip_enable: bool = False
    client_ip: ClientLimit = ClientLimit()
    window_size_s: Seconds | None = None
    max_requests: Positive | None = None
    warm_up_period_s: Seconds | None = None
    cold_factor: Annotated[float | None, Meta(ge=1)] = None
    queue: bool = False
    tokens_per_minute: Positive | None = None

    @property
    def limits_requests(self) -> bool:
        """Whether it limits requests, and not only tokens."""
        speaks = any((self.algorithm, self.capacity, self.rate, self.window_size_s, self.max_requests))
        return speaks or self.tokens_per_minute is None

    @property
    def limits_clients(self) -> bool:
        """Whether `client_ip` holds."""
        return self.client_ip.enabled or (self.enabled and self.client_ip_enable)


_WINDOW_S: Final = 60.0
_MOST_IN_WINDOW: Final = 100

LIMIT_DEFAULTS: Final = RateLimit(
    algorithm=Limiting.TOKEN_BUCKET,
    capacity=100,
    rate=10.0,
    window_size_s=_WINDOW_S,
    max_requests=_MOST_IN_WINDOW,
    warm_up_period_s=300.0,
    cold_factor=3.0,
)


def window_of(*sections: RateLimit | ClientLimit | None) -> tuple[float, float]:
    """Return how many requests a sliding window allows, and within how many seconds; the first section wins.

    A section with `rate` and without `max_requests` allows that many requests per second: within one second, as in
    the Java version, or within its `window_size`. A window that would allow nothing is as long as one request takes.
    """
    said = [section for section in sections if section is not None]
    window_s = next((section.window_size_s for section in said if section.window_size_s is not None), None)
    for section in said:
        if section.max_requests is not None:
            return section.max_requests, window_s or _WINDOW_S
        if section.rate is not None:
            window_s = max(window_s or 1.0, 1 / section.rate)
            return max(section.rate * window_s, 1.0), window_s
    return _MOST_IN_WINDOW, window_s or _WINDOW_S


class ManagementLimit(Struct, frozen=True, kw_only=True):
    """`server.management-rate-limit`: how often each client may ask for what is no work of a model's.

    That is `/api`, `/actuator` and the list of models. The gateway's own machine may ask as often as it likes.
    """

    enabled: bool = True
    capacity: Positive = 200
    rate: Rate = 50.0


class CircuitBreaker(Struct, frozen=True, kw_only=True):
    """`circuit-breaker`: when an instance gets no requests for a while.

    Missing settings are those of the service, then `model.circuit-breaker`, then `BREAKER_DEFAULTS`. With
    `failure_ratio`, that share of failures among at least `minimum_requests` within `window_s` opens it; without,
    `failure_threshold` consecutive failures. After `timeout_s` it allows `success_threshold` requests at a time, and
    closes after as many successes.
    """

    enabled: bool | None = None
    failure_threshold: Positive | None = None
    failure_ratio: Annotated[Share | None, Alias(("failure-rate", "failure-rate-threshold"))] = None
    minimum_requests: Annotated[Positive | None, Alias(("minimum-number-of-calls",))] = None
    window_s: Seconds | None = None
    timeout_s: Annotated[Millis | None, Alias(("recovery-timeout",))] = None
    success_threshold: Positive | None = None


BREAKER_DEFAULTS: Final = CircuitBreaker(
    enabled=False, failure_threshold=5, minimum_requests=20, window_s=10.0, timeout_s=60.0, success_threshold=2
)


class Fallback(Struct, frozen=True, kw_only=True):
    """`fallback`: the response when no instance can respond.

    `default` sends `status` with `response`, or with an error that has `message`; `cache` sends the response to the
    same request with the same credential, if it is not older than `cache_ttl_s`; `model` asks another model.
    """

    enabled: bool = False
    strategy: Annotated[FallbackStrategy, Alias(("type",))] = FallbackStrategy.DEFAULT
    cache_size: Annotated[Positive, Alias(("cache.size",))] = 100
    cache_ttl_s: Annotated[Millis, Alias(("ttl", "cache.ttl"))] = 300.0
    response: Text | None = None
    message: Text | None = None
    status: Status = 503
    model: Text | None = None


class Failover(Struct, frozen=True, kw_only=True):
    """`failover`: when a request goes to another instance. A service's section replaces the gateway's.

    `retry_on` are the statuses that lead to another attempt. Attempts start until `deadline_s` after the request.
    `Retry-After` pauses a backend for at most `max_cooldown_s`. Retries that cost a backend work are limited to
    `budget_ratio` of the requests plus `budget_rate` per second.
    """

    enabled: bool = True
    retry_on: Annotated[tuple[Status, ...], Alias(("retry-on-status",))] = (429, 500, 502, 503, 504)
    deadline_s: Millis = 600.0
    max_cooldown_s: Millis = 60.0
    budget_ratio: Annotated[float, Meta(ge=0)] = 0.2
    budget_rate: Annotated[float, Meta(ge=0)] = 10.0


class Queue(Struct, frozen=True, kw_only=True):
    """`queue`: requests that wait for a slot of a backend with `max-concurrency`: how many for one, and how long."""

    size: Count = 100
    timeout_s: Millis = 30.0


class HealthCheck(Struct, frozen=True, kw_only=True):
    """`load-balance.health-check`: how instances are probed; for a `path` of its own only 2xx and 3xx are good."""

    enabled: bool = True
    type: ProbeType = ProbeType.HTTP
    path: UrlPath | None = None
    interval_s: Millis = 30.0
    timeout_s: Millis = 5.0
    failure_threshold: Positive = 3
    success_threshold: Positive = 2


class LoadBalance(Struct, frozen=True, kw_only=True):
    """`load-balance`: how an instance is chosen; a plain word stands for `type`.

    `load_factor` is how much busier than the average `prefix-affinity` lets an instance be.
    """

    SHORTHAND: ClassVar[str] = "type"

    type: Balancing = Balancing.RANDOM
    hash_algorithm: HashAlgorithm = HashAlgorithm.MD5
    load_factor: Annotated[float, Meta(ge=1)] = 1.25
    health_check: HealthCheck = HealthCheck()


class Instance(Struct, frozen=True, kw_only=True):
    """One model on one backend, as configured.

    `name` is what clients send; `upstream_model` is the backend's name for the model, if it is another. A larger
    `priority` is used only if no smaller one is available. `max_concurrency` is shared with all of the same host and
    port. What has a key of its own, or `forward_authorization: false`, gets no clients'.
    """

    name: Name
    base_url: Url
    path: UrlPath | None = None
    weight: Positive = 1
    enabled: bool = True
    adapter: Dialect | None = None
    api_key: ApiKey | None = None
    headers: dict[str, Secret] = field(default_factory=dict)
    upstream_model: Name | None = None
    timeout: TimeoutSettings | None = None
    max_retries: Count | None = None
    rate_limit: RateLimit | None = None
    circuit_breaker: CircuitBreaker | None = None
    priority: int = 0
    max_concurrency: Annotated[Positive | None, Alias(("slots",))] = None
    health_path: Annotated[UrlPath | None, Alias(("health-check.path", "health.path"))] = None
    proxy: Secret | None = None
    forward_authorization: bool | None = None
    discover: bool | None = None
    speaks: tuple[ApiDialect, ...] | None = None

    @property
    def id(self) -> str:
        """`name@base-url`: how lists, logs and commands name the instance."""
        return f"{self.name}@{self.base_url}"


class Service(Struct, frozen=True, kw_only=True):
    """The instances of one service type and what holds for all of them."""

    instances: tuple[Instance, ...] = ()
    adapter: Dialect | None = None
    load_balance: Annotated[LoadBalance | None, Alias(("load-balancer",))] = None
    rate_limit: RateLimit | None = None
    circuit_breaker: CircuitBreaker | None = None
    fallback: Fallback | None = None
    failover: Annotated[Failover | None, Alias(("load-balance.failover",))] = None
    timeout: TimeoutSettings | None = None
    max_retries: Count | None = None
    forward_authorization: bool | None = None


class ModelSection(Struct, frozen=True, kw_only=True):
    """`model`: the services, and what holds for all of them."""

    adapter: Dialect = Dialect.NORMAL
    load_balance: Annotated[LoadBalance, Alias(("load-balancer", "services.load-balance"))] = LoadBalance()
    rate_limit: RateLimit | None = None
    circuit_breaker: CircuitBreaker | None = None
    fallback: Fallback | None = None
    failover: Annotated[Failover, Alias(("load-balance.failover",))] = Failover()
    queue: Queue = Queue()
    max_concurrency: Positive | None = None
    max_retries: Count = 2
    discovery_interval_s: Millis = 60.0
    aliases: dict[str, str] = field(default_factory=dict)
    services: dict[ServiceType, Service] = field(default_factory=dict)


class ShutdownMode(StrEnum):
    """`server.shutdown.mode`, with Spring's names: whether shutdown waits for requests in flight."""

    GRACEFUL = "graceful"
    IMMEDIATE = "immediate"


class Shutdown(Struct, frozen=True, kw_only=True):
    """`server.shutdown`: how the gateway stops; read at start. A plain word sets `mode`.

    For `delay_s` it keeps serving while its readiness is 503, so that load balancers can react; then it accepts no new
    connections, and requests in flight have `timeout_s` to finish.
    """

    SHORTHAND: ClassVar[str] = "mode"

    mode: ShutdownMode = ShutdownMode.GRACEFUL
    timeout_s: WaitTime = 30.0
    delay_s: WaitTime = 0.0


class Cors(Struct, frozen=True, kw_only=True):
    """`server.cors`: the origins whose pages may use `/v1` in a browser; at first those of the user's own machine.

    A port of `*` is any. `*` alone lets every page in that somebody opens who can reach the gateway.
    """

    allowed_origins: tuple[Origin, ...] = (
        Origin("http://localhost:*"),
        Origin("https://localhost:*"),
        Origin("http://127.0.0.1:*"),
        Origin("https://127.0.0.1:*"),
        Origin("http://[::1]:*"),
        Origin("https://[::1]:*"),
    )


class BodyTimeout(Struct, frozen=True, kw_only=True):
    """`server.body-timeout`: how long the body of a request may take to arrive; 0 is for ever.

    A plain duration stands for `idle_s`, which bounds the silence between its pieces; `total_s` bounds all of it.
    """

    SHORTHAND: ClassVar[str] = "idle"

    idle_s: WaitTime = 30.0
    total_s: WaitTime = 600.0


class Server(Struct, frozen=True, kw_only=True):
    """`server`: where the gateway listens and how it responds; host, port and workers are read at start.

    Only `trusted_proxies` can report a client's address. With `route_header`, every response has its route in
    `X-JAiRouter-Route`, which shows clients the addresses of backends. The management API needs the `admin_token`;
    without one, the gateway's own machine can use it, or, with `open_management`, everyone. A worker that does not
    respond to its parent for `worker_timeout_s` is replaced; 0 disables this.
    """

    host: Annotated[Text, Alias(("address",))] = "127.0.0.1"
    port: Port = 8080
    workers: Annotated[int, Meta(gt=0, le=1024)] = 1
    locale: Locale = Locale.ZH
    max_body_size: Annotated[Bytes, Meta(gt=0)] = Bytes(64 * 1024 * 1024)
    body_timeout: BodyTimeout = BodyTimeout()
    trusted_proxies: tuple[Network, ...] = ()
    cors: Cors = Cors()
    route_header: bool = False
    admin_token: Secret | None = None
    open_management: bool = False
    management_rate_limit: ManagementLimit = ManagementLimit()
    worker_timeout_s: WaitTime = 60.0
    shutdown: Shutdown = Shutdown()


class ConnectionPool(Struct, frozen=True, kw_only=True):
    """`webclient.connection-pool`: connections kept to one backend; read at start."""

    max_connections: Positive = 500
    max_idle_time_s: Millis = 20.0
    pending_acquire_timeout_s: Millis = 45.0


class Tls(Struct, frozen=True, kw_only=True):
    """`webclient.ssl`: how https:// backends are authenticated; read at start.

    `trust_store` is a PEM file of certificates to trust in addition to the system's.
    """

    trust_store: Text | None = None
    trust_all: bool = False


class WebClient(Struct, frozen=True, kw_only=True):
    """`webclient`: how backends are called.

    `read_timeout_s` limits the pauses before and within a response, not its total duration; the default is generous
    because a large model may need minutes for its first token. The finer ones are as in `TimeoutSettings`. With
    `heartbeat_interval_s`, a stream's client gets a comment at that interval while it waits for the first token.
    `dns_cache_s` is how long the addresses of a name are reused; `proxy` replaces the proxies of the environment, and
    `none` disables them. Both are read at start.
    """

    connection_timeout_s: Annotated[Millis, Alias(("connect-timeout",))] = 10.0
    read_timeout_s: Millis = 300.0
    write_timeout_s: Millis = 30.0
    first_byte_timeout_s: Millis | None = None
    first_content_timeout_s: Millis | None = None
    idle_timeout_s: Millis | None = None
    total_timeout_s: Millis | None = None
    heartbeat_interval_s: Millis | None = None
    dns_cache_s: WaitTime = 30.0
    proxy: Secret | None = None
    ssl: Tls = Tls()
    connection_pool: ConnectionPool = ConnectionPool()


class StoreSettings(Struct, frozen=True, kw_only=True):
    """`store`: how many revisions of this file are kept, and in which folder: `state_dir`, by default next to it.

    `JAIROUTER_STATE_DIR` overrides `state_dir`. The usage file is there too, unless `usage.file` names another place.
    `path` is the folder of the Java version's store (`model-router-config@N.json`), for the API that merges its files.
    """

    max_revisions: Positive = 100
    path: Text = "config"
    state_dir: Text | None = None


class State(Struct, frozen=True, kw_only=True):
    """`state`: where the buckets of limits are stored; read at start.

    By default on this host, for all workers. `url` names a Redis or Valkey server that several hosts share
    (`redis://`, `rediss://`, `unix://`); if it does not respond within `timeout_s`, each host uses its own.
    """

    SHORTHAND: ClassVar[str] = "url"

    url: Secret | None = None
    timeout_s: Millis = 0.5


class Config(Struct, frozen=True, kw_only=True):
    """A whole configuration file."""

    server: Server = Server()
    model: ModelSection = ModelSection()
    webclient: Annotated[WebClient, Alias(("web-client",))] = WebClient()
    state: State = State()
    store: StoreSettings = StoreSettings()
    monitoring: Monitoring = Monitoring()
    logging: Logging = Logging()
    usage: Usage = Usage()
    tracing: Tracing = Tracing()
    management: Management = Management()
