"""Strategies: shares follow weights, and a changed set moves only what it must."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jairouter_cli.config.model import Balancing, HashAlgorithm
from jairouter_cli.routing.balance import STRATEGIES, Chance, Seat
from jairouter_cli.routing.call import Call
from tests.routing.factory import CALL, ledger, target

weights = st.lists(st.integers(1, 9), min_size=1, max_size=6)


def seats(shares: list[int]) -> list[Seat]:
    """Make a candidate per weight, named a, b, c, ..."""
    targets = [target(chr(97 + index), weight) for index, weight in enumerate(shares)]
    book = ledger(targets)
    return [Seat(one, book.live(one)) for one in targets]


def chance(call: Call = CALL, seed: int = 1) -> Chance:
    """Make a chance with a seeded generator."""
    return Chance(call, Random(seed), HashAlgorithm.MD5)


def test_every_strategy_of_the_configuration_exists() -> None:
    """Each value that `load-balance.type` may have is served."""
    assert set(STRATEGIES) == set(Balancing)


@given(weights, st.integers(1, 5))
def test_round_robin_gives_exact_shares(shares: list[int], rounds: int) -> None:
    """Over whole rounds each instance gets exactly its weight."""
    candidates, luck = seats(shares), chance()
    picks = [STRATEGIES[Balancing.ROUND_ROBIN](candidates, luck).target.id for _ in range(sum(shares) * rounds)]
    assert Counter(picks) == {seat.target.id: seat.target.weight * rounds for seat in candidates}


def test_round_robin_is_smooth() -> None:
    """The heavy instance's turns are spread, not in a block."""
    candidates, luck = seats([5, 1, 1]), chance()
    picks = "".join(STRATEGIES[Balancing.ROUND_ROBIN](candidates, luck).target.id for _ in range(7))
    assert picks == "aabacaa"


def test_random_follows_weights() -> None:
    """Ten thousand draws lie within a few standard deviations of the weights."""
    candidates, luck = seats([1, 3]), chance()
    picks = Counter(STRATEGIES[Balancing.RANDOM](candidates, luck).target.id for _ in range(10_000))
    assert 7300 < picks["b"] < 7700


def test_least_connections_counts_per_weight_and_takes_turns_among_equals() -> None:
    """Three in flight on weight 3 is as busy as one on weight 1."""
    candidates, luck = seats([1, 3]), chance()
    pick = STRATEGIES[Balancing.LEAST_CONNECTIONS]
    candidates[0].live.in_flight, candidates[1].live.in_flight = 1, 2
    assert pick(candidates, luck).target.id == "b"
    candidates[1].live.in_flight = 3
    assert Counter(pick(candidates, luck).target.id for _ in range(4)) == {"a": 1, "b": 3}
    candidates[1].live.in_flight = 4
    assert pick(candidates, luck).target.id == "a"


@pytest.mark.parametrize("algorithm", HashAlgorithm)
def test_ip_hash_moves_only_the_clients_of_what_is_gone(algorithm: HashAlgorithm) -> None:
    """Without one instance, every client of the others stays where it was; shares follow the weights."""
    candidates = seats([1, 1, 2])
    pick = STRATEGIES[Balancing.IP_HASH]

    def place(among: list[Seat], client: int) -> str:
        call = Call(CALL.service, CALL.model, client_ip=f"10.0.{client // 250}.{client % 250}")
        return pick(among, Chance(call, Random(1), algorithm)).target.id

    before = {client: place(candidates, client) for client in range(2000)}
    after = {client: place(candidates[1:], client) for client in range(2000)}
    assert {client for client in before if before[client] != after[client]} == {c for c in before if before[c] == "a"}
    shares = Counter(before.values())
    assert 400 < shares["a"] < 600
    assert 900 < shares["c"] < 1100


def test_ip_hash_without_an_address_is_random() -> None:
    """Clients that cannot be told apart are spread."""
    candidates, luck = seats([1, 1]), chance(Call(CALL.service, CALL.model))
    assert {STRATEGIES[Balancing.IP_HASH](candidates, luck).target.id for _ in range(50)} == {"a", "b"}
