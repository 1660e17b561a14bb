"""The configuration, compiled into lookups. A request takes the table once and keeps it to its end.

Must not live here: live state (see `ledger`), choosing an instance (see `balance`, `failover`).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlsplit

from jairouter_cli.auth.caller import Callers
from jairouter_cli.config.model import (
    BREAKER_DEFAULTS,
    DEFAULT_PATHS,
    Balancing,
    CircuitBreaker,
    ClientLimit,
    Config,
    Dialect,
    Failover,
    Fallback,
    HashAlgorithm,
    HealthCheck,
    Instance,
    LoadBalance,
    ProbeType,
    Service,
    ServiceType,
    TimeoutSettings,
)
from jairouter_cli.routing.admission import Limit, Unit
from jairouter_cli.routing.breaker import BreakerRules
from jairouter_cli.routing.call import Probe, Target, Timeouts
from jairouter_cli.routing.limits import (
    client_caps,
    client_sections,
    instance_limits,
    management_limits,
    request_limits,
)
from jairouter_cli.routing.unknown import model_not_found

T = TypeVar("T")

_SAFE: Final = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"  # every sign of ASCII: what is encoded already stays so

# What each kind of backend answers for nothing: no model is loaded for it, no token generated.
PROBE_PATHS: Final[Mapping[Dialect, str]] = {
    Dialect.OLLAMA: "/api/tags",
    Dialect.VLLM: "/health",
    Dialect.LOCALAI: "/healthz",
    Dialect.GPUSTACK: "/healthz",
}


@dataclass(frozen=True, slots=True)
class Pool:
    """The enabled instances that serve one model, in file order, and how to choose among them.

    `disabled` are those that would serve it; `fallback` is None where nothing takes the place of an answer. `limits`
    are those that a call must pass whichever instance it goes to; `caps` are how many one client can have in flight.
    """

    service: ServiceType
    model: str
    targets: tuple[Target, ...]
    balancing: Balancing = Balancing.RANDOM
    hash_algorithm: HashAlgorithm = HashAlgorithm.MD5
    load_factor: float = 1.25
    failover: Failover = field(default_factory=Failover)
    fallback: Fallback | None = None
    disabled: tuple[Target, ...] = ()
    limits: tuple[Limit, ...] = ()
    caps: tuple[Limit, ...] = ()
    is_tiered: bool = field(init=False)
    """Whether some instances come before others."""
    counts_tokens: bool = field(init=False)
    """Whether it matters how many tokens a call costs."""

    def __post_init__(self) -> None:
        limits = [*self.limits, *(limit for target in self.targets for limit in target.limits)]
        object.__setattr__(self, "counts_tokens", any(limit.unit is Unit.TOKENS for limit in limits))
        object.__setattr__(self, "is_tiered", len({target.priority for target in self.targets}) > 1)


_LONGEST_ALIAS: Final = 256  # letters; a pattern must not take long


@dataclass(frozen=True, slots=True)
class Table:
    """All pools of a configuration, and the configuration itself."""

    config: Config
    pools: Mapping[tuple[ServiceType, str], Pool]
    targets: tuple[Target, ...]
    """Every target, disabled ones, too."""
    management: tuple[Limit, ...] = ()
    """The limits of what is no work of a model's."""
    callers: Callers = field(default_factory=Callers)
    """Finds out who calls."""
    aliases: tuple[tuple[re.Pattern[str], str], ...] = ()
    """Other names of models, in their order, each with the model."""

    def meant(self, service: ServiceType, name: str) -> str | None:
        """Return the model that another name of it means; None for a name that is one, or that nobody knows."""
        if (service, name) in self.pools or len(name) > _LONGEST_ALIAS:
            return None
        fitting = (model for pattern, model in self.aliases if pattern.fullmatch(name))
        return next((model for model in fitting if (service, model) in self.pools), None)

    def pool(self, service: ServiceType, model: str) -> Pool:
        """Return the pool of a model, compared letter by letter.

        Raises `ModelNotFound` if no enabled instance of the service has that name.
        """
        try:
            return self.pools[service, model]
        except KeyError:
            raise model_not_found(self.pools, service, model) from None

    @property
    def models(self) -> tuple[str, ...]:
        """The names of all models with an enabled instance, each once, in file order."""
        return tuple(dict.fromkeys(model for _, model in self.pools))

    @property
    def limits(self) -> tuple[Limit, ...]:
        """Every limit, each once."""
        pools, targets = self.pools.values(), self.targets
        of_pools = [limit for pool in pools for limit in (*pool.limits, *pool.caps)]
        found = (*of_pools, *(limit for target in targets for limit in target.limits), *self.management)
        return tuple({limit.name: limit for limit in found}.values())

    @property
    def most_clients(self) -> int:
        """How many clients are remembered."""
        return max((one.max_clients for one in client_sections(self.config)), default=ClientLimit().max_clients)

    @property
    def client_memory_s(self) -> float:
        """How long a silent client is remembered."""
        return max((one.max_idle_time_s for one in client_sections(self.config)), default=ClientLimit().max_idle_time_s)


def compile_table(config: Config, token: str | None = None) -> Table:
    """Work out every lookup that a request will need; `token` is the admin token, None where there is none."""
    slots = _slots(config)
    pools: dict[tuple[ServiceType, str], Pool] = {}
    everyone: list[Target] = []
    for kind, service in config.model.services.items():
        by_model: dict[str, list[Target]] = {}
        for instance, ordinal in _numbered(service):
            target = _target(config, kind, service, instance, ordinal, slots)
            by_model.setdefault(instance.name, []).append(target)
            everyone.append(target)
        for model, targets in by_model.items():
            if any(target.enabled for target in targets):
                pools[kind, model] = _pool(config, kind, service, model, targets)
    server = config.server
    callers = Callers(server.trusted_proxies, token)
    aliases = tuple((_pattern(name), model) for name, model in config.model.aliases.items())
    return Table(config, pools, tuple(everyone), management_limits(server.management_rate_limit), callers, aliases)


def _pattern(name: str) -> re.Pattern[str]:
    """Return what fits the names that an alias stands for."""
    return re.compile(".*".join(map(re.escape, re.split(r"\*+", name))), re.DOTALL)


def _numbered(service: Service) -> Iterator[tuple[Instance, int]]:
    """Yield the instances of a service, each with its ordinal among those with its id."""
    seen: dict[str, int] = {}
    for instance in service.instances:
        seen[instance.id] = seen.get(instance.id, 0) + 1
        yield instance, seen[instance.id]


def _pool(config: Config, kind: ServiceType, service: Service, model: str, targets: Sequence[Target]) -> Pool:
    balance: LoadBalance = service.load_balance or config.model.load_balance
    fallback = service.fallback or config.model.fallback
    return Pool(
        service=kind,
        model=model,
        targets=tuple(target for target in targets if target.enabled),
        balancing=balance.type,
        hash_algorithm=balance.hash_algorithm,
        load_factor=balance.load_factor,
        failover=service.failover or config.model.failover,
        fallback=fallback if fallback is not None and fallback.enabled else None,
        disabled=tuple(target for target in targets if not target.enabled),
        limits=request_limits(config, kind, model),
        caps=client_caps(config, kind),
    )


def _slots(config: Config) -> dict[str, int | None]:
    """Return how many requests each machine takes at once: the least that any of its instances says."""
    limits: dict[str, int | None] = {}
    for service in config.model.services.values():
        for instance in service.instances:
            own, machine = instance.max_concurrency, _machine(instance)
            known = [limit for limit in (own, limits.get(machine)) if limit is not None]
            limits[machine] = min(known, default=None)
    everyone = config.model.max_concurrency
    return {machine: everyone if limit is None else limit for machine, limit in limits.items()}


def _machine(instance: Instance) -> str:
    """Return host and port, the port by scheme where the URL has none."""
    url = urlsplit(instance.base_url)
    return f"{url.hostname}:{url.port or (443 if url.scheme == 'https' else 80)}"


def _target(
    config: Config,
    kind: ServiceType,
    service: Service,
    instance: Instance,
    ordinal: int,
    slots: Mapping[str, int | None],
) -> Target:
    origin, prefix, path = _place(kind, instance)
    dialect = instance.adapter or service.adapter or config.model.adapter
    check, machine = config.model.load_balance.health_check, _machine(instance)
    return Target(
        key=(kind, instance.id, ordinal),
        id=instance.id,
        origin=origin,
        prefix=prefix,
        path=path,
        weight=instance.weight,
        dialect=dialect,
        timeouts=_timeouts(config, service, instance),
        max_retries=_first(instance.max_retries, service.max_retries, config.model.max_retries),
        headers=_headers(instance),
        upstream_model=instance.upstream_model,
        proxy=None if instance.proxy is None else instance.proxy.value,
        enabled=instance.enabled,
        priority=instance.priority,
        machine=machine,
        max_concurrency=slots[machine],
        forwards_credentials=_forwards_credentials(service, instance),
        speaks=None if instance.speaks is None else frozenset(instance.speaks),
        breaker=_breaker(instance.circuit_breaker, service.circuit_breaker, config.model.circuit_breaker),
        check=check,
        probe=_probe(check, instance, dialect, prefix),
        limits=instance_limits(
            config, kind, instance.name, f"{instance.id}#{ordinal}" if ordinal > 1 else instance.id, instance.rate_limit
        ),
    )


def _breaker(*levels: CircuitBreaker | None) -> BreakerRules | None:
    """Return the rules of an instance's breaker, the nearest setting first; None if it has none."""
    given = [level for level in (*levels, BREAKER_DEFAULTS) if level is not None]

    def nearest(name: str) -> Any:
        return next((value for level in given if (value := getattr(level, name)) is not None), None)

    return BreakerRules(*map(nearest, BreakerRules._fields)) if nearest("enabled") else None


def _probe(check: HealthCheck, instance: Instance, dialect: Dialect, prefix: str) -> Probe:
    path = instance.health_path or check.path
    if check.type is ProbeType.TCP and instance.health_path is None:
        return Probe()
    if path is not None:
        return Probe(in_ascii(path), strict=True)
    if dialect in PROBE_PATHS:
        base = urlsplit(instance.base_url).path.rstrip("/").removesuffix("/v1")
        return Probe(in_ascii(base) + PROBE_PATHS[dialect])
    return Probe(f"{prefix}/models")


def _place(kind: ServiceType, instance: Instance) -> tuple[str, str, str]:
    """Split an instance's address into origin, prefix and path.

    A base URL that ends in `/v1`, as SDKs take it, and a path that begins with it name that segment once. The prefix
    is the path without the endpoint's own part: `/v1-openai` for `/v1-openai/chat/completions`.
    """
    url = urlsplit(instance.base_url)
    base, path = url.path.rstrip("/"), instance.path or DEFAULT_PATHS[kind]
    if base.endswith("/v1") and path.startswith("/v1/"):
        base = base.removesuffix("/v1")
    endpoint = DEFAULT_PATHS[kind].removeprefix("/v1")
    prefix = base + (path.removesuffix(endpoint) if path.endswith(endpoint) else "/v1")
    return f"{url.scheme}://{url.netloc}", in_ascii(prefix), in_ascii(base + path)


def in_ascii(path: str) -> str:
    """Return a path as it goes into a request line: what is not ASCII is percent-encoded (RFC 3987, 3.1)."""
    return path if path.isascii() else quote(path, safe=_SAFE)


def _timeouts(config: Config, service: Service, instance: Instance) -> Timeouts:
    """Work out the timeouts.

    The nearest setting wins: the instance's, the service's, the gateway's; on each level the finer one.
    """
    client = config.webclient
    levels = [
        *(settings for settings in (instance.timeout, service.timeout) if settings is not None),
        TimeoutSettings(
            connection_s=client.connection_timeout_s,
            read_s=client.read_timeout_s,
            first_byte_s=client.first_byte_timeout_s,
            first_content_s=client.first_content_timeout_s,
            idle_s=client.idle_timeout_s,
            total_s=client.total_timeout_s,
            write_s=client.write_timeout_s,
        ),
    ]
    return Timeouts(
        connect_s=_first(*(level.connection_s for level in levels)),
        first_byte_s=_first(*(one for level in levels for one in (level.first_byte_s, level.read_s))),
        idle_s=_first(*(one for level in levels for one in (level.idle_s, level.read_s))),
        write_s=_first(*(level.write_s for level in levels)),
        first_content_s=next((level.first_content_s for level in levels if level.first_content_s is not None), None),
        total_s=next((level.total_s for level in levels if level.total_s is not None), None),
    )


def _forwards_credentials(service: Service, instance: Instance) -> bool:
    said = instance.forward_authorization
    return service.forward_authorization is not False if said is None else said


def _headers(instance: Instance) -> tuple[tuple[str, str], ...]:
    """Return the headers that the instance sets itself; its own `Authorization` wins over its `api-key`."""
    headers = {name.lower(): secret.value for name, secret in instance.headers.items()}
    if instance.api_key is not None:
        headers.setdefault("authorization", f"Bearer {instance.api_key.value}")
    # header values travel as latin-1; UTF-8 text keeps its bytes this way
    return tuple((name, value.encode("utf-8").decode("latin-1")) for name, value in headers.items())


def _first(*values: T | None) -> T:
    """Return the first value that is given; the last one always is."""
    return next(value for value in values if value is not None)
