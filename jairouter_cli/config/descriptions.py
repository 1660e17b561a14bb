"""What every key of the configuration file does: a sentence for each field of the structs in `model` and beside it.

`docs/configuration.md` is made of it. Must not live here: types, defaults and ranges, which the fields have themselves;
conditions under which a setting takes effect, see `effect`.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from jairouter_cli.config import management, model, monitoring

_ENABLED: Final = "Whether this section is in force."
DESCRIPTIONS: Final[Mapping[type[msgspec.Struct], Mapping[str, str]]] = {
    model.Config: {
        "server": "Where the gateway listens, and how it responds to clients.",
        "model": "The services with their instances, and what applies to all of them.",
        "webclient": "How backends are called: timeouts, connections, TLS and proxies.",
        "state": "Where the buckets of limits are kept: on this host, or on a Redis server that several hosts share.",
        "store": "How many revisions of this file are kept, and where.",
        "monitoring": "Which metrics are collected and shown.",
        "logging": "How much is logged, and in which form.",
        "usage": "Recording of token usage.",
        "tracing": "OpenTelemetry spans. Needs `pip install 'jairouter[tracing]'`.",
        "management": "The endpoints of `/actuator`: which are exposed, and who sees what. The keys are Spring Boot's.",
    },
    model.Server: {
        "host": "Address or name of this machine to listen on. `0.0.0.0` allows other machines.",
        "port": "Port to listen on; 0 picks a free one.",
        "workers": "Number of worker processes.",
        "locale": "Language of the gateway's own errors. A client's `Accept-Language` overrides it.",
        "max-body-size": "Largest request body; larger ones get 413.",
        "body-timeout": "How long the body of a request may take to arrive; too slow ones get 408.",
        "trusted-proxies": "Addresses or networks of proxies whose `X-Forwarded-For` or `Forwarded` is trusted.",
        "cors": "Which web pages can use `/v1` in a browser.",
        "route-header": "Send each request's route in `X-JAiRouter-Route`; it shows clients the backends' addresses.",
        "admin-token": "Token for the management API. Without one, only programs on this machine can use it.",
        "open-management": "Allow everyone to use the management API without a token.",
        "management-rate-limit": "Limit for `/api`, `/actuator` and `/v1/models`, for each client on another machine.",
        "worker-timeout": "How long a worker may hang before it is replaced; 0 disables this.",
        "shutdown": "How the gateway stops.",
    },
    model.BodyTimeout: {
        "idle": "Longest pause within a request body; 0 for no limit.",
        "total": "Longest time for a complete request body; 0 for no limit.",
    },
    model.Cors: {
        "allowed-origins": "Origins like `https://chat.example.com`. The port `*` means any port; `*` alone, any page.",
    },
    model.ManagementLimit: {
        "enabled": _ENABLED,
        "capacity": "Burst size: requests allowed at once, for each client.",
        "rate": "Requests per second over time, for each client.",
    },
    model.Shutdown: {
        "mode": "Whether shutdown waits for requests in flight.",
        "timeout": "How long requests in flight have to finish.",
        "delay": "How long the gateway keeps serving while its readiness is 503, so that load balancers can react.",
    },
    model.ModelSection: {
        "adapter": "Dialect of all backends, unless a service or an instance has its own.",
        "load-balance": "How an instance is chosen, and how instances are checked.",
        "rate-limit": "Limit for all requests of the gateway.",
        "circuit-breaker": "When an instance gets no requests for a while. Services and instances can override keys.",
        "fallback": "What is sent when no instance can respond, for services without a fallback.",
        "failover": "When a request goes to another instance, for services without a section of their own.",
        "queue": "Requests that wait for a slot of a backend with `max-concurrency`.",
        "max-concurrency": "Limit of requests in flight at each backend that has no limit of its own.",
        "max-retries": "Most attempts after the first one. A service or an instance can override it.",
        "services": "The services by name: `chat`, `embedding`, `rerank`, `tts`, `stt`, `imgGen`, `imgEdit`.",
    },
    model.Service: {
        "instances": "The instances of this service. Those with the same `name` share the load of that model.",
        "adapter": "Dialect of the backends of this service, unless an instance has its own.",
        "load-balance": "How an instance is chosen; replaces `model.load-balance`.",
        "rate-limit": "Limit for all requests of this service, in addition to the limit of the gateway.",
        "circuit-breaker": "Overrides single keys of `model.circuit-breaker`.",
        "fallback": "What is sent when no instance can respond; replaces `model.fallback`.",
        "failover": "When a request goes to another instance; replaces `model.failover`.",
        "timeout": "Timeouts for the backends of this service; override those of `webclient`.",
        "max-retries": "Most attempts after the first one; overrides `model.max-retries`.",
        "forward-authorization": "`false` keeps clients' keys from the backends of this service.",
    },
    model.Instance: {
        "name": "Model name, as clients send it.",
        "base-url": "Address of the backend, like `http://10.0.0.7:8000`; a `/v1` at its end is not repeated.",
        "path": "Path of the service's main endpoint, if not the usual one; its prefix applies to the others.",
        "weight": "Share of the load, relative to the other instances of the model.",
        "enabled": "Whether it gets requests.",
        "adapter": "Dialect of the backend.",
        "api-key": "Key that the backend gets, like `${OPENAI_API_KEY}`. Clients' keys are not forwarded then.",
        "headers": "Headers that the backend gets, by name; they replace those of the client.",
        "upstream-model": "The backend's name for the model, if it is another.",
        "timeout": "Timeouts for this backend; override those of the service.",
        "max-retries": "Most attempts after a failed one at this instance; overrides the service's.",
        "rate-limit": "Limit of this instance. If it is exceeded, another instance is used.",
        "circuit-breaker": "Overrides single keys of the service's circuit breaker.",
        "priority": "Tier: instances with a larger number are used only if none with a smaller one is available.",
        "max-concurrency": "Limit of requests in flight at the backend (host and port), for all its models together.",
        "health-path": "Path of the health check; only 2xx and 3xx are a success.",
        "proxy": "URL of the HTTP proxy to this backend, or `none`.",
        "forward-authorization": "`false` keeps clients' keys from this backend.",
    },
    model.LoadBalance: {
        "type": "The strategy; see [load balancing](routing.md#load-balancing).",
        "hash-algorithm": "Hash function of the hash strategies.",
        "load-factor": "How much busier than the average an instance may be before its requests go elsewhere.",
        "health-check": "How instances are checked.",
    },
    model.HealthCheck: {
        "enabled": "Whether instances are checked in addition to what real requests show.",
        "type": "`http` sends a GET that costs the backend nothing; `tcp` only opens a connection.",
        "path": "Path of the check, for all instances; only 2xx and 3xx are a success. By default, the adapter's.",
        "interval": "How often an instance without traffic is checked.",
        "timeout": "How long a check may take.",
        "failure-threshold": "Consecutive failures after which an instance is DOWN.",
        "success-threshold": "Consecutive successes after which it is UP again.",
    },
    model.RateLimit: {
        "enabled": _ENABLED,
        "algorithm": "How requests are counted; see [algorithms](limits.md#algorithms).",
        "capacity": "Burst size: requests allowed at once.",
        "rate": "Requests per second over time.",
        "scope": "Who shares a bucket: all requests of the section, or those of a model, client or instance.",
        "key": "Sections with the same key share one bucket.",
        "client-ip-enable": "Enables `client-ip` together with this section.",
        "client-ip": "An additional limit for each client; keys left out are those of the section around it.",
        "window-size": "Length of the window.",
        "max-requests": "Requests allowed within the window.",
        "warm-up-period": "Time until the full rate is allowed.",
        "cold-factor": "At first, this fraction (1/`cold-factor`) of `capacity` and `rate` is allowed.",
        "queue": "Delay requests so that they leave evenly, instead of rejecting them.",
        "tokens-per-minute": "Tokens per minute; an additional limit, or the only one if nothing else is set.",
    },
    model.ClientLimit: {
        "enabled": _ENABLED,
        "capacity": "Burst size: requests of one client allowed at once.",
        "rate": "Requests of one client per second over time.",
        "window-size": "Length of the window.",
        "max-requests": "Requests of one client allowed within the window.",
        "tokens-per-minute": "Tokens per minute of one client.",
        "max-concurrency": "Requests of one client in flight. Not for an instance.",
        "max-clients": "Number of clients remembered; the one that was idle longest is forgotten first.",
        "max-idle-time": "How long a client is remembered after its last request.",
    },
    model.CircuitBreaker: {
        "enabled": _ENABLED,
        "failure-threshold": "Consecutive failures that open the circuit breaker.",
        "failure-ratio": "Share of failures within `window` that opens it, from 0 to 1; replaces `failure-threshold`.",
        "minimum-requests": "Requests within `window` below which the ratio is not looked at.",
        "window": "Time over which the ratio is measured.",
        "timeout": "How long it stays open before requests test the instance.",
        "success-threshold": "Requests that test the instance at a time, and successes that close the circuit breaker.",
    },
    model.Fallback: {
        "enabled": _ENABLED,
        "strategy": "What is sent: `response` or an error, the cached response to the same request, another model's.",
        "cache-size": "Responses kept in each worker.",
        "cache-ttl": "How long a response is kept.",
        "response": "Body to send.",
        "message": "Text of the error to send.",
        "status": "HTTP status of the response or the error.",
        "model": "Model to send the request to.",
    },
    model.Failover: {
        "enabled": "Whether a failed request goes to another instance.",
        "retry-on": "Statuses of a backend after which another instance is tried.",
        "deadline": "How long after a request an attempt can start.",
        "max-cooldown": "Longest pause that a backend can ask for with `Retry-After`.",
        "budget-ratio": "Retries that cost a backend work, as a share of the requests.",
        "budget-rate": "Retries per second that are allowed in addition to `budget-ratio`.",
    },
    model.Queue: {
        "size": "Requests that can wait for one backend.",
        "timeout": "How long a request waits for a slot.",
    },
    model.TimeoutSettings: {
        "connection": "Time for name lookup, connection and TLS together.",
        "read": "Sets both `first-byte` and `idle`.",
        "first-byte": "Longest time until the response starts.",
        "first-content": "Longest time until the first token of a stream.",
        "idle": "Longest pause within a response.",
        "total": "Longest time for the complete call.",
        "write": "How long the backend may read nothing of a request that is being sent.",
    },
    model.WebClient: {
        "connection-timeout": "Time for name lookup, connection and TLS together.",
        "read-timeout": "Longest pause before and within a response. Large models may need minutes for a first token.",
        "write-timeout": "How long a backend may read nothing of a request that is being sent.",
        "first-byte-timeout": "Longest time until the response starts. By default, `read-timeout`.",
        "first-content-timeout": "Longest time until the first token of a stream.",
        "idle-timeout": "Longest pause within a response. By default, `read-timeout`.",
        "total-timeout": "Longest time for the complete call.",
        "heartbeat-interval": "Interval of comments to a stream's client that waits for the first token.",
        "dns-cache": "How long the addresses of a name are reused; 0 disables the cache.",
        "proxy": "URL of the HTTP proxy to all backends, or `none`. By default, that of the environment.",
        "ssl": "How `https://` backends are authenticated.",
        "connection-pool": "Connections to one backend, in each worker.",
    },
    model.Tls: {
        "trust-store": "PEM file with certificates to trust in addition to the system's.",
        "trust-all": "Accept any certificate. For tests only.",
    },
    model.ConnectionPool: {
        "max-connections": "Most connections to one backend.",
        "max-idle-time": "How long an idle connection is kept.",
        "pending-acquire-timeout": "How long a request waits for a connection.",
    },
    model.State: {
        "url": "Redis or Valkey server (`redis://`, `rediss://`, `unix://`). Needs `pip install 'jairouter[redis]'`.",
        "timeout": "How long to wait for the server; after that, each host applies the limits on its own.",
    },
    model.StoreSettings: {
        "max-revisions": "Number of revisions kept, in addition to the first one.",
        "path": "Folder of the Java version's store (`model-router-config@N.json`), for the API that merges its files.",
        "state-dir": "Folder for revisions and usage, by default next to the file. `JAIROUTER_STATE_DIR` overrides it.",
    },
    monitoring.Monitoring: {
        "metrics": "Which metrics are collected, and under which names they are shown.",
    },
    monitoring.Metrics: {
        "enabled": "Whether metrics are collected.",
        "prefix": "Prefix of the metrics' names.",
        "collection-interval": "How often a worker records what only it knows, such as its connection pools.",
        "enabled-categories": "Categories of metrics that are shown.",
        "custom-tags": "Labels that every series has, by name.",
        "disabled": "Names of metrics that are counted, but not shown.",
        "custom": "Metrics of your own, normally registered with the management API.",
        "aliases": "Also show the names `model_router_*` of the Java version's documentation.",
        "max-series": "Most series of one metric; further ones are counted as `other`.",
    },
    monitoring.CustomMetric: {
        "name": "Name of the metric: letters, digits, `_` and `.`.",
        "type": "Kind of metric.",
        "description": "What it counts.",
        "unit": "Unit of its values.",
        "category": "Category it is listed under.",
        "tags": "Labels of its series, by name.",
        "created-at": "When it was registered; written by the management API.",
        "updated-at": "When it was last changed; written by the management API.",
    },
    monitoring.Logging: {
        "level": "Level of a logger, by its name; `root` for all. See [levels](observability.md#levels).",
        "format": "Lines for people, or a JSON object per line.",
        "access": "Lines of requests.",
    },
    monitoring.AccessLog: {
        "enabled": "Whether each request has a line.",
        "file": "File for the lines of requests. By default, standard error.",
    },
    monitoring.Usage: {
        "enabled": "Whether token usage is recorded.",
        "file": "SQLite file to record in, on a local disk. By default, with the revisions; see `store.state-dir`.",
        "keep-days": "Days for which hourly totals are kept.",
        "recent": "Number of single calls kept.",
        "ask-in-streams": "Ask backends for the usage of streams; see [where the numbers come from](usage.md).",
        "flush-interval": "How often the file is written.",
    },
    monitoring.Tracing: {
        "enabled": "Whether spans are sent.",
        "endpoint": "URL of the collector, for OTLP over HTTP.",
        "service-name": "Name of this service in the traces.",
        "sampling-ratio": "Share of traces recorded, of those that start here.",
        "headers": "Headers that the collector gets, by name.",
        "timeout": "How long to wait for the collector.",
    },
    management.Management: {
        "endpoints": "All endpoints together.",
        "endpoint": "Each endpoint.",
        "metrics": "Labels of metrics, as in Spring Boot.",
    },
    management.Endpoints: {"web": "The endpoints over HTTP."},
    management.Web: {
        "exposure": "Which endpoints there are.",
        "discovery": "The list of links at `/actuator`.",
    },
    management.Exposure: {
        "include": "Names of the endpoints to expose; `*` for all.",
        "exclude": "Names of the endpoints not to expose; overrides `include`.",
    },
    management.Discovery: {"enabled": "Whether `/actuator` lists the endpoints."},
    management.EndpointSettings: {
        "health": "`/actuator/health`.",
        "info": "`/actuator/info`.",
        "metrics": "`/actuator/metrics`.",
        "prometheus": "`/actuator/prometheus`.",
        "loggers": "`/actuator/loggers`.",
        "env": "`/actuator/env`.",
        "configprops": "`/actuator/configprops`.",
        "jairouter-metrics": "`/actuator/jairouter-metrics`.",
    },
    management.EndpointAccess: {
        "enabled": "Spring's older key, used if `access` is not set: `false` is `none`.",
        "access": "What can be done with the endpoint.",
    },
    management.HealthEndpoint: {
        "show-details": "Who sees more than the status. `when-authorized`: whoever can use the management API.",
        "show-components": "Who sees the components. By default, as `show-details`.",
    },
    management.ValuesEndpoint: {
        "show-values": "Who sees the values; secrets are always masked.",
    },
    management.MetricTags: {"tags": "Labels that every series has; `monitoring.metrics.custom-tags` overrides them."},
}

# Settings that a running gateway does not follow; it reads them at start. An empty set stands for the whole section.
READ_AT_START: Final[Mapping[type[msgspec.Struct], frozenset[str]]] = {
    model.Server: frozenset({"host", "port", "workers", "worker-timeout"}),
    model.Shutdown: frozenset(),
    model.WebClient: frozenset({"dns-cache", "proxy"}),
    model.Tls: frozenset(),
    model.ConnectionPool: frozenset(),
    model.State: frozenset(),
    monitoring.Tracing: frozenset(),
}


def description(struct: type[msgspec.Struct], key: str) -> str:
    """Return what a key of a section does. Raises `KeyError` if the table lacks it."""
    return next(found[key] for one in struct.__mro__ if key in (found := DESCRIPTIONS.get(one, {})))


def read_at_start(struct: type[msgspec.Struct], key: str) -> bool:
    """Whether a change of a key takes effect only when the gateway is started again."""
    keys = READ_AT_START.get(struct)
    return keys is not None and (not keys or key in keys)
