"""Configuration compiled into lookups. A request takes the table once and keeps it to its end.

Must not live here: live state (see `ledger`), choosing (see `balance`, `attempts`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from jairouter_cli.config.model import (
    DEFAULT_PATHS,
    Balancing,
    Config,
    HashAlgorithm,
    Instance,
    LoadBalance,
    Service,
    ServiceType,
    TimeoutSettings,
)
from jairouter_cli.errors import ModelNotFound
from jairouter_cli.routing.call import Target, Timeouts

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pool:
    """The enabled instances that serve one model, in file order, and how to choose among them."""

    service: ServiceType
    model: str
    targets: tuple[Target, ...]
    balancing: Balancing
    hash_algorithm: HashAlgorithm


@dataclass(frozen=True, slots=True)
class Table:
    """All pools of a configuration, and the configuration itself."""

    config: Config
    pools: Mapping[tuple[ServiceType, str], Pool]

    def pool(self, service: ServiceType, model: str) -> Pool:
        """Return the pool of a model, compared letter by letter.

        Raises `ModelNotFound` if no enabled instance of the service has that name.
        """
        try:
            return self.pools[service, model]
        except KeyError:
            raise ModelNotFound(model=model, service=service.value, param="model") from None

    @property
    def targets(self) -> tuple[Target, ...]:
        """Every target of every pool."""
        return tuple(target for pool in self.pools.values() for target in pool.targets)

    @property
    def models(self) -> tuple[str, ...]:
        """The names of all models with an enabled instance, each once, in file order."""
        return tuple(dict.fromkeys(model for _, model in self.pools))


def compile_table(config: Config) -> Table:
    """Work out every lookup that a request will need."""
    pools = {}
    for kind, service in config.model.services.items():
        balance = service.load_balance or config.model.load_balance
        for model, targets in _by_model(config, kind, service).items():
            pools[kind, model] = _pool(kind, model, tuple(targets), balance)
    return Table(config, pools)


def _pool(kind: ServiceType, model: str, targets: tuple[Target, ...], balance: LoadBalance) -> Pool:
    return Pool(kind, model, targets, balance.type, balance.hash_algorithm)


def _by_model(config: Config, kind: ServiceType, service: Service) -> dict[str, list[Target]]:
    targets: dict[str, list[Target]] = {}
    seen: dict[str, int] = {}
    for instance in service.instances:
        seen[instance.id] = seen.get(instance.id, 0) + 1
        if instance.enabled:
            target = _target(config, kind, service, instance, seen[instance.id])
            targets.setdefault(instance.name, []).append(target)
    return targets


def _target(config: Config, kind: ServiceType, service: Service, instance: Instance, ordinal: int) -> Target:
    origin, prefix, path = _place(kind, instance)
    return Target(
        key=(kind, instance.id, ordinal),
        id=instance.id,
        origin=origin,
        prefix=prefix,
        path=path,
        weight=instance.weight,
        dialect=instance.adapter or service.adapter or config.model.adapter,
        timeouts=_timeouts(config, service, instance),
        max_retries=_first(instance.max_retries, service.max_retries, config.model.max_retries),
        headers=_headers(instance),
        upstream_model=instance.upstream_model,
    )


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
    return f"{url.scheme}://{url.netloc}", prefix, base + path


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
