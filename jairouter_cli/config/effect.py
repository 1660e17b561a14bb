"""When a setting takes effect: one table, and the search for settings without effect.

Must not live here: whether a value is valid, see `parse`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import msgspec

from jairouter_cli.config.document import Path
from jairouter_cli.config.kinds import Secret
from jairouter_cli.config.model import (
    Balancing,
    CircuitBreaker,
    ClientLimit,
    Config,
    Fallback,
    FallbackStrategy,
    HealthCheck,
    Instance,
    Limiting,
    LoadBalance,
    ModelSection,
    ProbeType,
    Queue,
    RateLimit,
    Server,
    Service,
    Shutdown,
    ShutdownMode,
    State,
    Tls,
)
from jairouter_cli.config.monitoring import Tracing

Section = msgspec.Struct
Said = Mapping[int, Mapping[str, Path]]
"""By the `id` of each section that the file has: where each of its fields stands."""


@dataclass(frozen=True, slots=True)
class Above:
    """The sections around one, the nearest last."""

    sections: tuple[Section, ...]

    def nearest(self, kind: type[Any]) -> Any:
        """Return the nearest one of a kind; None if there is none."""
        return next((one for one in reversed(self.sections) if isinstance(one, kind)), None)


@dataclass(frozen=True, slots=True)
class Effect:
    """Fields of a section that take effect under a condition, and the words for it."""

    section: type[Section]
    fields: tuple[str, ...]
    holds: Callable[[Any, Above], bool]
    words: str


def _algorithm(section: Any, above: Above) -> Limiting:
    rules = section if isinstance(section, RateLimit) else above.nearest(RateLimit)
    return (rules.algorithm if rules else None) or Limiting.TOKEN_BUCKET


def _is_window(section: Any, above: Above) -> bool:
    return _algorithm(section, above) is Limiting.SLIDING_WINDOW


def _is_strategy(wanted: FallbackStrategy, section: Fallback, _: Above) -> bool:
    return section.strategy is wanted


def _breaker_says(section: CircuitBreaker, above: Above, field: str) -> bool:
    """Whether a breaker has a setting, of its own or from the sections around it."""
    around = [getattr(one, "circuit_breaker", None) for one in above.sections]
    return any(getattr(one, field) is not None for one in (section, *around) if one is not None)


def _has_breaker(config: Config) -> bool:
    """Whether breakers are switched on anywhere: what one section says may be for another."""
    found = [config.model.circuit_breaker]
    for service in config.model.services.values():
        found += [service.circuit_breaker, *(one.circuit_breaker for one in service.instances)]
    return any(one is not None and one.enabled for one in found)


def _has_slots(config: Config) -> bool:
    instances = (one for service in config.model.services.values() for one in service.instances)
    return config.model.max_concurrency is not None or any(one.max_concurrency is not None for one in instances)


def _has_tiers(instance: Instance, above: Above) -> bool:
    service = above.nearest(Service)
    same = [one for one in service.instances if one.name == instance.name] if service else []
    return len(same) < 2 or len({one.priority for one in same}) > 1  # noqa: PLR2004 - one alone may get others yet


def _fails_over(section: Any, above: Above) -> bool:
    nearer = section if isinstance(section, Service | ModelSection) else above.nearest(Service)
    failover = nearer.failover or above.nearest(ModelSection).failover
    return bool(failover.enabled)


_FALLBACKS: Final = {
    FallbackStrategy.CACHE: ("cache_size", "cache_ttl_s"),
    FallbackStrategy.DEFAULT: ("response", "message", "status"),
    FallbackStrategy.MODEL: ("model",),
}
_HASHING: Final = frozenset({Balancing.IP_HASH, Balancing.CONSISTENT_HASH, Balancing.PREFIX_AFFINITY})
_WINDOW: Final = "algorithm: sliding-window"

EFFECTS: Final[tuple[Effect, ...]] = (
    *(
        Effect(section, fields, holds, words)
        for section in (RateLimit, ClientLimit)
        for fields, holds, words in (
            (("window_size_s", "max_requests"), _is_window, _WINDOW),
            (
                ("capacity",),
                lambda one, above: not _is_window(one, above),
                "another algorithm; a sliding-window uses max-requests and window-size, or rate",
            ),
            (
                ("rate",),
                lambda one, above: not (_is_window(one, above) and one.max_requests is not None),
                "a sliding-window without max-requests, or another algorithm",
            ),
        )
    ),
    Effect(
        RateLimit,
        ("warm_up_period_s", "cold_factor"),
        lambda one, above: _algorithm(one, above) is Limiting.WARM_UP,
        "algorithm: warm-up",
    ),
    Effect(
        RateLimit,
        ("queue",),
        lambda one, above: not one.queue or _algorithm(one, above) is Limiting.LEAKY_BUCKET,
        "algorithm: leaky-bucket",
    ),
    Effect(
        LoadBalance,
        ("hash_algorithm",),
        lambda one, _: one.type in _HASHING,
        "type: ip-hash, consistent-hash or prefix-affinity",
    ),
    Effect(
        LoadBalance, ("load_factor",), lambda one, _: one.type is Balancing.PREFIX_AFFINITY, "type: prefix-affinity"
    ),
    Effect(
        LoadBalance,
        ("health_check",),
        lambda _, above: above.nearest(Service) is None,
        "to be in model.load-balance, for all services",
    ),
    Effect(HealthCheck, ("path",), lambda one, _: one.type is ProbeType.HTTP, "type: http"),
    *(
        Effect(Fallback, fields, partial(_is_strategy, strategy), f"strategy: {strategy}")
        for strategy, fields in _FALLBACKS.items()
    ),
    Effect(
        Fallback,
        ("message",),
        lambda one, _: one.response is None or one.strategy is not FallbackStrategy.DEFAULT,
        "a fallback without response",
    ),
    Effect(
        CircuitBreaker,
        ("failure_threshold",),
        lambda one, _: one.failure_ratio is None,
        "a circuit breaker without failure-ratio",
    ),
    Effect(
        CircuitBreaker,
        ("minimum_requests", "window_s"),
        lambda one, above: _breaker_says(one, above, "failure_ratio"),
        "a circuit breaker with failure-ratio",
    ),
    Effect(Instance, ("priority",), _has_tiers, "instances of one model with different priorities"),
    Effect(Instance, ("max_retries",), _fails_over, "failover.enabled: true"),
    Effect(Service, ("max_retries",), _fails_over, "failover.enabled: true"),
    Effect(
        Queue,
        ("size", "timeout_s"),
        lambda _, above: _has_slots(above.nearest(Config)),
        "max-concurrency in an instance or in model",
    ),
    Effect(Shutdown, ("timeout_s",), lambda one, _: one.mode is ShutdownMode.GRACEFUL, "mode: graceful"),
    Effect(
        Server,
        ("open_management",),
        lambda one, _: not one.open_management or one.admin_token is None,
        "a gateway without admin-token",
    ),
    Effect(State, ("timeout_s",), lambda one, _: one.url is not None, "state.url"),
    Effect(Tls, ("trust_store",), lambda one, _: not one.trust_all, "trust-all: false"),
)

# Sections that are off unless they are switched on, and whether something else does that.
OFF_BY_DEFAULT: Final[Mapping[type[Section], Callable[[Any, Above], bool]]] = {
    RateLimit: lambda one, _: one.limits_clients or one.client_ip.enabled,
    ClientLimit: lambda _, above: above.nearest(RateLimit).limits_clients,
    CircuitBreaker: lambda _, above: _has_breaker(above.nearest(Config)),
    Fallback: lambda _one, _above: False,
    Tracing: lambda _one, _above: False,
}


def in_vain(config: Config, said: Said) -> Iterator[tuple[Path, str]]:
    """Yield what the file says without effect: where, and why."""
    yield from _of(config, Above(()), said)


def _of(section: Section, above: Above, said: Said) -> Iterator[tuple[Path, str]]:
    fields = said.get(id(section), {})
    off = OFF_BY_DEFAULT.get(type(section))
    if off is not None and fields and "enabled" not in fields and not off(section, above):
        first = next(iter(fields.values()))
        yield first[:-1], "it is off by default; set enabled: true"
    else:
        for effect in EFFECTS:
            if isinstance(section, effect.section) and not effect.holds(section, above):
                yield from ((fields[name], f"it needs {effect.words}") for name in effect.fields if name in fields)
    within = Above((*above.sections, section))
    for member in msgspec.structs.astuple(section):
        members = member if isinstance(member, tuple) else member.values() if isinstance(member, Mapping) else (member,)
        for one in members:
            if isinstance(one, msgspec.Struct) and not isinstance(one, Secret):
                yield from _of(one, within, said)
