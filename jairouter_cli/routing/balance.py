"""Load balancing: chooses one of the available instances, with one small function per strategy.

Each strategy also has a score, which explains to people why an instance was chosen.
"""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Final, NamedTuple

from jairouter_cli.config.model import Balancing, HashAlgorithm
from jairouter_cli.routing.call import Call, Target
from jairouter_cli.routing.ledger import Seat


class Chance:
    """What a strategy may look at beside the candidates."""

    __slots__ = ("call", "hash_algorithm", "load_factor", "now", "rng")

    def __init__(self, call: Call, rng: Random, now: float, hash_algorithm: HashAlgorithm, load_factor: float) -> None:
        self.call: Final = call
        self.rng: Final = rng
        self.now: Final = now
        self.hash_algorithm: Final = hash_algorithm
        self.load_factor: Final = load_factor


class Strategy(NamedTuple):
    """A way to choose; `score` says, in words that `meaning` explains, what it makes of each candidate."""

    choose: Callable[[Sequence[Seat], Chance], Seat]
    score: Callable[[Seat, Chance], float]
    meaning: str


def by_weight_at_random(seats: Sequence[Seat], chance: Chance) -> Seat:
    """Choose at random, in proportion to the weights."""
    left = chance.rng.random() * sum(seat.target.weight for seat in seats)
    for seat in seats:
        left -= seat.target.weight
        if left < 0:
            return seat
    return seats[-1]


def in_turn(seats: Sequence[Seat], chance: Chance) -> Seat:  # noqa: ARG001 - one signature for all strategies
    """Choose in smooth weighted round robin: a, a, b, a for weights 3 and 1, not a, a, a, b in blocks.

    Every candidate gains its weight, the one with most is chosen and pays the sum (the algorithm of nginx).
    """
    total = 0
    best = seats[0]
    for seat in seats:
        seat.live.turn += seat.target.weight
        total += seat.target.weight
        if seat.live.turn > best.live.turn:
            best = seat
    best.live.turn -= total
    return best


def least_busy(seats: Sequence[Seat], chance: Chance) -> Seat:
    """Choose the fewest requests in flight per weight; equals take turns."""
    loads = [_load(seat, chance) for seat in seats]
    least = min(loads)
    equals = [seat for seat, load in zip(seats, loads, strict=True) if load == least]
    return equals[0] if len(equals) == 1 else in_turn(equals, chance)


def by_client(seats: Sequence[Seat], chance: Chance) -> Seat:
    """Choose the same instance for the same client address: weighted rendezvous hashing.

    Removing an instance moves only its own clients. Without an address the choice is random.
    """
    if not chance.call.client_ip:
        return by_weight_at_random(seats, chance)
    return max(seats, key=lambda seat: _rank_of_client(seat, chance))


def by_key(seats: Sequence[Seat], chance: Chance) -> Seat:
    """Choose the same instance for the same key of affinity, which is the client's address if it has none other."""
    if not chance.call.affinity:
        return by_client(seats, chance)
    return max(seats, key=lambda seat: _rank_of_key(seat, chance))


def fastest_of_two(seats: Sequence[Seat], chance: Chance) -> Seat:
    """Choose, of two at random, the one whose answer is expected first.

    What is expected is the average time to an answer, peaks counting at once, times the requests before. Two choices
    rather than all: what is fastest now would be swamped by all workers at once (Finagle's peak EWMA).
    """
    count = len(seats)
    first = int(chance.rng.random() * count)
    second = int(chance.rng.random() * (count - 1))
    one, other = seats[first], seats[second + (second >= first)] if count > 1 else seats[first]
    return other if _cost(other, chance) < _cost(one, chance) else one


def by_prefix(seats: Sequence[Seat], chance: Chance) -> Seat:
    """Choose the same instance for the same key of affinity, unless it is busier than the others by the load factor.

    Then the next in the key's own order takes it (consistent hashing with bounded loads). Without a key it is the least
    busy one.
    """
    if not chance.call.affinity:
        return least_busy(seats, chance)
    in_flight = [seat.live.in_flight for seat in seats]
    fair = chance.load_factor * (sum(in_flight) + 1) / sum(seat.target.weight for seat in seats)
    free = [seat for seat, count in zip(seats, in_flight, strict=True) if count < math.ceil(fair * seat.target.weight)]
    return max(free, key=lambda seat: _rank_of_key(seat, chance))


# --- scores ---


def _weight(seat: Seat, chance: Chance) -> float:  # noqa: ARG001
    return float(seat.target.weight)


def _standing(seat: Seat, chance: Chance) -> float:  # noqa: ARG001
    return seat.live.turn + seat.target.weight


def _load(seat: Seat, chance: Chance) -> float:  # noqa: ARG001
    return seat.live.in_flight / seat.target.weight


def _cost(seat: Seat, chance: Chance) -> float:
    """Return the seconds that an answer is expected to take; one that nobody knows is tried, by one request first."""
    latency_s, in_flight = seat.live.latency_s(chance.now), seat.live.in_flight
    if not latency_s and in_flight:
        return math.inf
    return latency_s * (in_flight + 1) / seat.target.weight


def _rank_of_client(seat: Seat, chance: Chance) -> float:
    return _rendezvous(chance.call.client_ip, seat.target, chance.hash_algorithm)


def _rank_of_key(seat: Seat, chance: Chance) -> float:
    return _rendezvous(chance.call.affinity or chance.call.client_ip, seat.target, chance.hash_algorithm)


def _rendezvous(key: str, target: Target, algorithm: HashAlgorithm) -> float:
    text = f"{key}\0{target.id}\0{target.key[2]}".encode()
    digest = hashlib.new(algorithm.value, text, usedforsecurity=False).digest()
    uniform = (int.from_bytes(digest[:8], "big") + 1) / (2**64 + 1)
    return -target.weight / math.log(uniform)


STRATEGIES: Final[Mapping[Balancing, Strategy]] = {
    Balancing.RANDOM: Strategy(by_weight_at_random, _weight, "weight, the share of requests"),
    Balancing.ROUND_ROBIN: Strategy(in_turn, _standing, "current weight, the highest is next"),
    Balancing.LEAST_CONNECTIONS: Strategy(least_busy, _load, "requests in flight per weight, the lowest is next"),
    Balancing.IP_HASH: Strategy(by_client, _rank_of_client, "hash rank for this client, the highest is chosen"),
    Balancing.CONSISTENT_HASH: Strategy(by_key, _rank_of_key, "hash rank for this key, the highest is chosen"),
    Balancing.LATENCY: Strategy(fastest_of_two, _cost, "expected seconds, the lower of two random instances is chosen"),
    Balancing.PREFIX_AFFINITY: Strategy(
        by_prefix, _rank_of_key, "hash rank for this key, the highest that is not overloaded"
    ),
}
# Those that look at `Call.affinity`.
USE_AFFINITY: Final = frozenset({Balancing.CONSISTENT_HASH, Balancing.PREFIX_AFFINITY})
# Those for which it is how a prompt begins, where no session and no user is named.
USE_PREFIX: Final = frozenset({Balancing.PREFIX_AFFINITY})
