"""The vocabulary of routing: a request (`Call`), an instance that can serve it (`Target`), how it ended (`Outcome`)."""

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from msgspec import Struct

from jairouter_cli.auth.credentials import has_credential, withheld
from jairouter_cli.config.kinds import ApiDialect
from jairouter_cli.config.model import Dialect, HealthCheck, ServiceType
from jairouter_cli.routing.admission import Limit
from jairouter_cli.routing.breaker import BreakerRules


class Call(Struct, frozen=True, gc=False):
    """One request of a client, as far as routing needs to know it.

    Calls with the same `affinity` should go to the same instance; it is worked out for strategies that look at it.
    """

    service: ServiceType
    model: str
    client_ip: str = ""
    stream: bool = False
    affinity: str = ""


class Timeouts(NamedTuple):
    """How long to wait for a backend, in seconds.

    `first_byte_s` is the silence before its answer, `idle_s` that between pieces of it; `first_content_s` is the time
    a stream may take to its first token, `total_s` that of the whole call, attempts and all; None is for ever.
    """

    connect_s: float
    first_byte_s: float
    idle_s: float
    write_s: float
    first_content_s: float | None = None
    total_s: float | None = None


class Probe(NamedTuple):
    """How to ask a target, free of charge, whether it works: GET `path`, or None for a connection alone.

    `strict` is for a path that somebody named: then only 2xx and 3xx are good, else everything below 500, as even a
    refusal says that somebody is there.
    """

    path: str | None = None
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """One instance, ready to be called: everything that a request to it needs, worked out beforehand.

    `key` names its live state: the service, the instance's id, and its ordinal among equals. `origin` is scheme and
    authority; `path` is that of the service's main endpoint; `prefix` is where the others begin, up to and with `/v1`.
    `machine` is host and port, on which `max_concurrency` requests may be at once. `breaker` is None for no
    breaker. `limits` are those that other instances may not have reached. `proxy` is a URL, empty for none, None
    for the one that holds for all. `forwards_credentials` is whether it may see the keys of clients.
    """

    key: tuple[ServiceType, str, int]
    id: str
    origin: str
    prefix: str
    path: str
    weight: int
    dialect: Dialect
    timeouts: Timeouts
    max_retries: int
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    machine: str
    upstream_model: str | None = None
    enabled: bool = True
    priority: int = 0
    max_concurrency: int | None = None
    breaker: BreakerRules | None = None
    check: HealthCheck = field(default_factory=HealthCheck)
    probe: Probe = field(default_factory=Probe)
    limits: tuple[Limit, ...] = ()
    proxy: str | None = field(default=None, repr=False)
    forwards_credentials: bool = True
    speaks: frozenset[ApiDialect] | None = None
    """The APIs of chats that it has; None where nobody has said."""
    replaced: frozenset[str] = field(init=False)
    """The headers of a client that the instance does not get: those it sets itself, and keys that it is not to see."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "replaced", self._withheld.union(name for name, _ in self.headers))

    @property
    def has_own_key(self) -> bool:
        """Whether it is called with a credential of its own, and not with the client's."""
        return has_credential(name for name, _ in self.headers)

    @property
    def sees_credentials(self) -> bool:
        """Whether it gets the keys of clients."""
        return not self._withheld

    @property
    def _withheld(self) -> frozenset[str]:
        return withheld(has_own_key=self.has_own_key, forwards=self.forwards_credentials)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of its machine."""
        host, _, port = self.machine.rpartition(":")
        return host, int(port)


class Outcome(Enum):
    """How an attempt ended, seen from the instance."""

    OK = "ok"
    """It answered, whatever the status: client errors are not the instance's fault."""
    FAILED = "failed"
    """It could not be reached, broke off, was too slow, or answered with one of the 5xx of `failover.retry-on`."""
    REFUSED = "refused"
    """It answered with one of the 4xx of `failover.retry-on`: 429, too busy to serve, which is no failure."""
    LEFT = "left"
    """The client went away; nobody's failure."""
    STOPPED = "stopped"
    """The gateway shut down in its midst; not the instance's failure."""


class Turn(Enum):
    """What may become of an instance."""

    UP = "up"
    DOWN = "down"
    BREAKER_OPENED = "opened"
    BREAKER_CLOSED = "closed"
