"""Finds the limits of a call in the configuration, in the order client, gateway, service, model, instance."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from jairouter_cli.config.model import (
    LIMIT_DEFAULTS,
    ClientLimit,
    Config,
    Limiting,
    LimitScope,
    ManagementLimit,
    RateLimit,
    ServiceType,
    window_of,
)
from jairouter_cli.config.place import Place
from jairouter_cli.routing.admission import Limit, Unit
from jairouter_cli.routing.buckets import LimitRule, stepper

_LEAST, _MOST = 1e-9, 1e15
_SECONDS_PER_MINUTE: Final = 60


class _Level(NamedTuple):
    """A place at which limits stand, and what they are read from."""

    place: Place
    rules: RateLimit | None


def request_limits(config: Config, kind: ServiceType, model: str) -> tuple[Limit, ...]:
    """Return the limits that every call for a model must pass, whichever instance it goes to."""
    found = [limit for level in _common(config, kind) for limit in _limits(level, kind, model, None)]
    return tuple(sorted({limit.name: limit for limit in found}.values(), key=lambda limit: not limit.per_client))


def instance_limits(
    config: Config, kind: ServiceType, model: str, key: str, rules: RateLimit | None
) -> tuple[Limit, ...]:
    """Return the limits that only calls to one instance must pass; `key` is its id with its number among equals."""
    own = _Level(Place(kind, key), rules)
    found = [limit for level in (*_common(config, kind), own) for limit in _limits(level, kind, model, key)]
    return tuple({limit.name: limit for limit in found}.values())


def client_caps(config: Config, kind: ServiceType) -> tuple[Limit, ...]:
    """Return how many calls one client can have in flight, for the gateway and for the service."""
    caps = []
    for level in _common(config, kind):
        most = level.rules.client_ip.max_concurrency if level.rules and level.rules.limits_clients else None
        if most is not None:
            rule = LimitRule(capacity=_fit(most))
            caps.append(
                Limit(
                    f"{level.place.key}/in-flight:",
                    "client-ip",
                    level.place,
                    Unit.IN_FLIGHT,
                    rule,
                    stepper(rule),
                    per_client=True,
                )
            )
    return tuple(caps)


def management_limits(rules: ManagementLimit) -> tuple[Limit, ...]:
    """Return the limit of what is no work of a model's."""
    if not rules.enabled:
        return ()
    rule = LimitRule(capacity=_fit(rules.capacity), rate=_fit(rules.rate))
    return (Limit("management/client:", "management", Place(), Unit.REQUESTS, rule, stepper(rule), per_client=True),)


def client_sections(config: Config) -> Iterator[ClientLimit]:
    """Yield every section about clients."""
    yield from (rules.client_ip for rules in _sections(config))


def _sections(config: Config) -> Iterator[RateLimit]:
    everywhere = [config.model.rate_limit]
    for service in config.model.services.values():
        everywhere += [service.rate_limit, *(instance.rate_limit for instance in service.instances)]
    yield from (rules for rules in everywhere if rules is not None)


def _common(config: Config, kind: ServiceType) -> tuple[_Level, ...]:
    service = config.model.services.get(kind)
    return (
        _Level(Place(), config.model.rate_limit),
        _Level(Place(kind), service.rate_limit if service else None),
    )


def _limits(level: _Level, kind: ServiceType, model: str, instance: str | None) -> Iterator[Limit]:
    """Yield the limits of a level: those of one instance if one is named, else those that hold for all."""
    rules = level.rules
    if rules is None:
        return
    of_instance = level.place.scope == "instance" or rules.scope is LimitScope.INSTANCE
    if rules.enabled and of_instance == (instance is not None):
        name, scope, per_client = _bucket(level, rules, kind, model, instance)
        for unit, rule in _rules(rules):
            limit = f"{name}{'' if unit is Unit.REQUESTS else '/tokens'}{'/client:' if per_client else ''}"
            yield Limit(limit, scope, level.place, unit, rule, stepper(rule), per_client, of_instance)
    if rules.limits_clients and (level.place.scope == "instance") == (instance is not None):
        for unit, rule in _client_rules(rules):
            limit = f"{level.place.key}/clients{'' if unit is Unit.REQUESTS else '/tokens'}/client:"
            yield Limit(
                limit,
                "client-ip",
                level.place,
                unit,
                rule,
                stepper(rule),
                per_client=True,
                of_instance=level.place.scope == "instance",
            )


def _bucket(
    level: _Level, rules: RateLimit, kind: ServiceType, model: str, instance: str | None
) -> tuple[str, str, bool]:
    """Return the name of a level's bucket, its scope, and whether each client has its own."""
    name = level.place.key if rules.key is None else f"key:{rules.key}"
    if rules.scope is LimitScope.CLIENT_IP:
        return name, "client-ip", True
    if level.place.scope == "instance" or rules.scope is LimitScope.SERVICE:
        return name, level.place.scope, False
    if rules.scope is LimitScope.MODEL:
        return f"{name}/model:{kind}:{model}", "model", False
    return f"{name}/instance:{kind}:{instance}", "instance", False


def _rules(rules: RateLimit) -> Iterator[tuple[Unit, LimitRule]]:
    """Yield what a section limits."""
    if rules.limits_requests:
        yield Unit.REQUESTS, _rule(rules)
    if rules.tokens_per_minute is not None:
        yield Unit.TOKENS, _per_minute(rules.tokens_per_minute)


def _client_rules(rules: RateLimit) -> Iterator[tuple[Unit, LimitRule]]:
    own = rules.client_ip
    if own.limits_requests:
        yield Unit.REQUESTS, _rule(rules, own)
    if own.tokens_per_minute is not None:
        yield Unit.TOKENS, _per_minute(own.tokens_per_minute)


def _rule(rules: RateLimit, nearer: ClientLimit | None = None) -> LimitRule:
    """Return the rule for requests: what the nearer section says counts, then what this one does, then the defaults."""

    def said(name: str) -> float:
        values = (getattr(section, name, None) for section in (nearer, rules, LIMIT_DEFAULTS))
        return _fit(next(value for value in values if value is not None))

    most, window_s = window_of(nearer, rules)
    return LimitRule(
        rules.algorithm or Limiting.TOKEN_BUCKET,
        said("capacity"),
        said("rate"),
        window_s,
        most,
        said("warm_up_period_s"),
        said("cold_factor"),
        rules.queue,
    )


def _per_minute(tokens: int) -> LimitRule:
    most = _fit(tokens)
    return LimitRule(capacity=most, rate=most / _SECONDS_PER_MINUTE)


def _fit(setting: float) -> float:
    """Return a setting that can be reckoned with: infinity is a lot, and no wait is without end."""
    return float(max(_LEAST, min(_MOST, setting)))
