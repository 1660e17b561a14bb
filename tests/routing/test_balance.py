"""Strategies: shares follow weights, and a changed set moves only what it must."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jairouter_cli.config.model import Balancing, HashAlgorithm
from jairouter_cli.routing.balance import STRATEGIES, Chance
from jairouter_cli.routing.call import Call, Outcome
from jairouter_cli.routing.ledger import Seat
from tests.routing.factory import CALL, chance, leased, ledger, seats, target

weights = st.lists(st.integers(1, 9), min_size=1, max_size=6)
HASHING = [Balancing.IP_HASH, Balancing.CONSISTENT_HASH, Balancing.PREFIX_AFFINITY]


def candidates(shares: list[int]) -> list[Seat]:
    """Make a candidate per weight, named a, b, c, ..."""
    targets = [target(chr(97 + index), weight) for index, weight in enumerate(shares)]
    return seats(ledger(targets), targets)


def pick(balancing: Balancing, among: list[Seat], luck: Chance) -> str:
    """Choose."""
    return STRATEGIES[balancing].choose(among, luck).target.id


def busy(seat: Seat, requests: int) -> None:
    """Let requests be under way on a candidate."""
    seat.live.record.in_flight[0] = float(requests)


def key(number: int) -> Call:
    """Make a call that has nothing in common with the others."""
    return Call(CALL.service, CALL.model, client_ip=f"10.0.{number // 250}.{number % 250}", affinity=f"s{number}")


def test_every_strategy_of_the_configuration_exists() -> None:
    """Each value that `load-balance.type` may have is served."""
    assert set(STRATEGIES) == set(Balancing)


@given(st.sampled_from(Balancing), weights, st.integers(0, 3), st.booleans())
def test_every_strategy_chooses_a_candidate_and_has_scores(
    balancing: Balancing, shares: list[int], load: int, has_key: bool
) -> None:
    """Whatever the weights, the load, and what is known of the call."""
    among, luck = candidates(shares), chance(key(1) if has_key else Call(CALL.service, CALL.model))
    for seat in among:
        busy(seat, load)
    assert pick(balancing, among, luck) in {seat.target.id for seat in among}
    assert not any(math.isnan(STRATEGIES[balancing].score(seat, luck)) for seat in among)


@given(weights, st.integers(1, 5))
def test_round_robin_gives_exact_shares(shares: list[int], rounds: int) -> None:
    """Over whole rounds each instance gets exactly its weight."""
    among, luck = candidates(shares), chance()
    picks = [pick(Balancing.ROUND_ROBIN, among, luck) for _ in range(sum(shares) * rounds)]
    assert Counter(picks) == {seat.target.id: seat.target.weight * rounds for seat in among}


def test_round_robin_is_smooth() -> None:
    """The heavy instance's turns are spread, not in a block."""
    among, luck = candidates([5, 1, 1]), chance()
    assert "".join(pick(Balancing.ROUND_ROBIN, among, luck) for _ in range(7)) == "aabacaa"


def test_random_follows_weights() -> None:
    """Ten thousand draws lie within a few standard deviations of the weights."""
    among, luck = candidates([1, 3]), chance()
    picks = Counter(pick(Balancing.RANDOM, among, luck) for _ in range(10_000))
    assert 7300 < picks["b"] < 7700


def test_least_connections_counts_per_weight_and_takes_turns_among_equals() -> None:
    """Three in flight on weight 3 is as busy as one on weight 1."""
    among, luck = candidates([1, 3]), chance()
    busy(among[0], 1)
    busy(among[1], 2)
    assert pick(Balancing.LEAST_CONNECTIONS, among, luck) == "b"
    busy(among[1], 3)
    assert Counter(pick(Balancing.LEAST_CONNECTIONS, among, luck) for _ in range(4)) == {"a": 1, "b": 3}
    busy(among[1], 4)
    assert pick(Balancing.LEAST_CONNECTIONS, among, luck) == "a"


@pytest.mark.parametrize("algorithm", HashAlgorithm)
@pytest.mark.parametrize("balancing", HASHING)
def test_hashing_moves_only_the_keys_of_what_is_gone(balancing: Balancing, algorithm: HashAlgorithm) -> None:
    """Without one instance, every key of the others stays where it was; shares follow the weights."""
    among = candidates([1, 1, 2])

    def place(these: list[Seat], number: int) -> str:
        return pick(balancing, these, chance(key(number), algorithm=algorithm))

    before = {number: place(among, number) for number in range(1000)}
    after = {number: place(among[1:], number) for number in range(1000)}
    assert {number for number in before if before[number] != after[number]} == {n for n in before if before[n] == "a"}
    shares = Counter(before.values())
    assert 180 < shares["a"] < 320
    assert 430 < shares["c"] < 570


@given(weights, st.integers(1, 9))
def test_a_new_instance_takes_keys_and_moves_no_others(shares: list[int], weight: int) -> None:
    """A key either stays or goes to what is new."""
    bigger = candidates([*shares, weight])
    for number in range(30):
        luck = chance(key(number))
        now = pick(Balancing.CONSISTENT_HASH, bigger, luck)
        assert now in {bigger[-1].target.id, pick(Balancing.CONSISTENT_HASH, bigger[:-1], luck)}


@pytest.mark.parametrize("balancing", [Balancing.IP_HASH, Balancing.CONSISTENT_HASH])
def test_hashing_without_a_key_is_random(balancing: Balancing) -> None:
    """Clients that cannot be told apart are spread."""
    among, luck = candidates([1, 1]), chance(Call(CALL.service, CALL.model))
    assert {pick(balancing, among, luck) for _ in range(50)} == {"a", "b"}


@given(weights, st.lists(st.integers(0, 40), min_size=1, max_size=60))
def test_prefix_affinity_never_makes_a_hot_spot(shares: list[int], keys: list[int]) -> None:
    """However the keys fall, nobody gets more than its share of what is under way times the load factor, rounded up."""
    among = candidates(shares)
    for count, number in enumerate(keys, 1):
        luck = chance(key(number))
        chosen = STRATEGIES[Balancing.PREFIX_AFFINITY].choose(among, luck)
        busy(chosen, chosen.live.in_flight + 1)
        assert chosen.live.in_flight <= math.ceil(1.25 * count * chosen.target.weight / sum(shares))


def test_prefix_affinity_keeps_a_key_while_there_is_room() -> None:
    """The same beginning goes to the same instance, and to the same second one when the first is busy."""
    among = candidates([1, 1, 1])
    home = pick(Balancing.PREFIX_AFFINITY, among, chance(key(7)))
    assert {pick(Balancing.PREFIX_AFFINITY, among, chance(key(7))) for _ in range(9)} == {home}
    for seat in among:
        busy(seat, 4 if seat.target.id == home else 1)
    second = {pick(Balancing.PREFIX_AFFINITY, among, chance(key(7))) for _ in range(9)}
    assert len(second) == 1
    assert home not in second


def test_latency_prefers_the_fast_and_counts_what_waits_there() -> None:
    """Of two, the one whose answer is expected first; ten waiting on the fast one make it the slower."""
    targets = [target("fast"), target("slow")]
    book = ledger(targets)
    for one, seconds in zip(targets, (0.1, 0.5), strict=True):
        book.live(one).took(seconds, 1000.0)
    among = seats(book, targets)
    assert {pick(Balancing.LATENCY, among, chance(seed=seed)) for seed in range(20)} == {"fast"}
    busy(among[0], 10)
    assert {pick(Balancing.LATENCY, among, chance(seed=seed)) for seed in range(20)} == {"slow"}


def test_latency_tries_what_it_does_not_know_with_one_request_first() -> None:
    """Unknown and idle is worth a try; unknown and busy waits for what that brings."""
    targets = [target("known"), target("new")]
    book = ledger(targets)
    book.live(targets[0]).took(0.1, 1000.0)
    among = seats(book, targets)
    assert pick(Balancing.LATENCY, among, chance()) == "new"
    busy(among[1], 1)
    assert pick(Balancing.LATENCY, among, chance()) == "known"


def test_a_peak_counts_at_once_and_fades() -> None:
    """One slow answer is felt in full; ten seconds later a third of it is left."""
    one = target("a")
    live = ledger([one]).live(one)
    live.took(0.1, 0.0)
    live.took(2.0, 1.0)
    assert live.latency_s(1.0) == 2.0
    assert live.latency_s(11.0) == pytest.approx(2.0 / math.e)
    live.took(0.1, 11.0)
    assert 0.7 < live.latency_s(11.0) < 0.9


def test_a_failure_never_makes_an_instance_look_fast() -> None:
    """An error that comes in no time attracts nobody."""
    one = target("a")
    book = ledger([one])
    book.live(one).took(1.0, 1000.0)
    leased(book, one, 1000.0).settle(Outcome.FAILED, 1000.001, "HTTP 500")
    assert book.live(one).latency_s(1000.001) > 0.99
