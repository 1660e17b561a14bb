"""Admission: checks all limits of a call, then charges all of them, or none.

Must not live here: the algorithms (see `buckets`), which limits a call must pass (`limits`), where numbers are stored.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from jairouter_cli.config.place import Place
from jairouter_cli.routing.buckets import BucketNumbers, BucketStep, Decision, LimitRule, owe, step

_IPV6_CLIENT_BITS: Final = 64  # what one household or one machine is given: whoever has it has all of its addresses


class Unit(Enum):
    """What a limit counts; the value is the word in `details`, lists and the management API."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    IN_FLIGHT = "in-flight"


@dataclass(frozen=True, slots=True, eq=False)
class Limit:
    """One limit. `name` is that of its bucket; if it is `per_client`, the client's address comes behind it.

    `place` is where it is configured. `of_instance` tells those that another instance may not have reached.
    """

    name: str
    scope: str
    place: Place
    unit: Unit
    rule: LimitRule
    step: BucketStep
    per_client: bool = False
    of_instance: bool = False


class Demand(NamedTuple):
    """What a call asks of one bucket."""

    limit: Limit
    name: str
    cost: float = 1.0


class Refusal(NamedTuple):
    """The limit that refused a call; of several, the one that will do so for longest."""

    limit: Limit
    decision: Decision


class Shelf(Protocol):
    """Buckets by their names: a mapping that may forget those not used for long."""

    def get(self, name: str, default: BucketNumbers, /) -> BucketNumbers:
        """Return a bucket's numbers, or the default."""

    def __setitem__(self, name: str, numbers: BucketNumbers, /) -> None: ...


class Shelves(NamedTuple):
    """All buckets: those that the configuration names, and those of clients."""

    fixed: Shelf
    clients: Shelf


@lru_cache(maxsize=16_384)
def demanded(limits: tuple[Limit, ...], client: str) -> tuple[Demand, ...]:
    """Return what a call asks of some limits: of those of tokens, one."""
    return tuple(Demand(limit, limit.name + client if limit.per_client else limit.name) for limit in limits)


def of_tokens(demands: Sequence[Demand], tokens: float) -> tuple[Demand, ...]:
    """Return the same, with what a call costs that is expected to take so many tokens.

    That is a whole bucket at most: what a call asks for beyond it is owed when it was used, not when it is named.
    """
    return tuple(
        one._replace(cost=min(tokens, one.limit.rule.limit)) if one.limit.unit is Unit.TOKENS else one
        for one in demands
    )


def charge(shelves: Shelves, demands: Sequence[Demand], now: float) -> float | Refusal:
    """Take what is demanded from every bucket, or nothing and say why not.

    Returns the seconds that the call is to be held back so that all flow evenly, mostly 0.
    """
    fixed, clients = shelves
    refusals: list[Refusal] = []
    charged: list[tuple[Shelf, str, BucketNumbers]] = []
    wait_s = 0.0
    for limit, name, cost in demands:
        shelf = clients if limit.per_client else fixed
        numbers, answer = limit.step(shelf.get(name, ()), now, cost)
        if not answer[0]:
            refusals.append(Refusal(limit, Decision(*answer)))
        elif answer[4] > wait_s:
            wait_s = answer[4]
        charged.append((shelf, name, numbers))
    if refusals:
        return gravest(refusals)
    for shelf, name, numbers in charged:
        shelf[name] = numbers
    return wait_s


def gravest(refusals: Sequence[Refusal]) -> Refusal:
    """Return the one that counts: that of an instance last, the longest wait first."""
    return max(refusals, key=lambda one: (not one.limit.of_instance, one.decision.retry_after_s))


def peek(shelves: Shelves, demands: Sequence[Demand], now: float) -> list[Decision]:
    """Return what would be decided, and change nothing."""
    return [
        step(limit.rule, (shelves.clients if limit.per_client else shelves.fixed).get(name, ()), now, cost)[1]
        for limit, name, cost in demands
    ]


def correct(shelves: Shelves, corrections: Sequence[Demand]) -> None:
    """Take what costs turned out to be more than was demanded, or give back what they were less."""
    for limit, name, more in corrections:
        shelf = shelves.clients if limit.per_client else shelves.fixed
        if numbers := shelf.get(name, ()):
            shelf[name] = owe(limit.rule, numbers, more)


@lru_cache(maxsize=16_384)
def client_of(address: str) -> str:
    """Return whom an address belongs to: itself, or the network that one client of IPv6 has."""
    try:
        read = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(read, ipaddress.IPv4Address):
        return str(read)
    if read.ipv4_mapped is not None:
        return str(read.ipv4_mapped)
    return str(ipaddress.ip_network((read, _IPV6_CLIENT_BITS), strict=False))
