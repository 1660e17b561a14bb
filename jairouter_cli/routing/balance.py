"""Choosing among the instances that may answer: one small function a strategy (contract 5.1)."""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Final, NamedTuple

from jairouter_cli.config.model import Balancing, HashAlgorithm
from jairouter_cli.routing.call import Call, Target
from jairouter_cli.routing.ledger import Live


class Seat(NamedTuple):
    """A candidate: the target and its live state."""

    target: Target
    live: Live


class Chance(NamedTuple):
    """What a strategy may look at beside the candidates."""

    call: Call
    rng: Random
    hash_algorithm: HashAlgorithm


Strategy = Callable[[Sequence[Seat], Chance], Seat]


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
    loads = [seat.live.in_flight / seat.target.weight for seat in seats]
    least = min(loads)
    equals = [seat for seat, load in zip(seats, loads, strict=True) if load == least]
    return equals[0] if len(equals) == 1 else in_turn(equals, chance)


def by_client(seats: Sequence[Seat], chance: Chance) -> Seat:
    """Choose the same instance for the same client address: weighted rendezvous hashing.

    Removing an instance moves only its own clients. Without an address the choice is random.
    """
    client = chance.call.client_ip
    if not client:
        return by_weight_at_random(seats, chance)
    return max(seats, key=lambda seat: _rendezvous(client, seat.target, chance.hash_algorithm))


def _rendezvous(client: str, target: Target, algorithm: HashAlgorithm) -> float:
    text = f"{client}\0{target.id}\0{target.key[2]}".encode()
    digest = hashlib.new(algorithm.value, text, usedforsecurity=False).digest()
    uniform = (int.from_bytes(digest[:8], "big") + 1) / (2**64 + 1)
    return -target.weight / math.log(uniform)


STRATEGIES: Final[Mapping[Balancing, Strategy]] = {
    Balancing.RANDOM: by_weight_at_random,
    Balancing.ROUND_ROBIN: in_turn,
    Balancing.LEAST_CONNECTIONS: least_busy,
    Balancing.IP_HASH: by_client,
}
