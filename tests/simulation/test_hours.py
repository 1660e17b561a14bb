"""Hours of traffic with failing, slow and flapping backends, in seconds: availability, added load, fairness."""

import pytest

from jairouter_cli.config.model import Balancing, Failover, HealthCheck
from jairouter_cli.config.place import Place
from jairouter_cli.routing.admission import Limit, Unit
from jairouter_cli.routing.breaker import BreakerRules
from jairouter_cli.routing.buckets import LimitRule, stepper
from jairouter_cli.routing.call import Target
from jairouter_cli.routing.failover import Bound
from jairouter_cli.routing.table import Pool
from tests.routing.factory import pool, target
from tests.simulation.world import (
    ERROR,
    HANGS,
    REFUSED,
    Behaviour,
    Doing,
    Seen,
    World,
    between,
    flapping,
    sometimes,
    takes,
)

HOUR = 3600.0
CHECK = HealthCheck(interval_s=30.0)
BREAKER = BreakerRules(failure_threshold=5, timeout_s=30.0, success_threshold=2)
GOOD = takes(0.4)


def three(balancing: Balancing = Balancing.ROUND_ROBIN) -> Pool:
    """Return three instances, as they are configured by default but for a breaker."""
    targets = [target(name, max_retries=2, check=CHECK, breaker=BREAKER) for name in "abc"]
    return pool(targets, balancing)


def simulate(these: Pool, first: Behaviour, per_s: float = 8.0, hours: float = 2.0, seed: int = 1) -> Seen:
    """Let one of three behave in a way of its own."""
    world = World(these, {"a": first, "b": GOOD, "c": GOOD}, seed)
    world.traffic("everybody", per_s, hours * HOUR)
    world.probes(hours * HOUR)
    return world.run()


@pytest.mark.parametrize("trouble", [REFUSED, ERROR, HANGS], ids=["refuses", "errs", "hangs"])
def test_half_an_hour_without_one_of_three(trouble: Doing) -> None:
    """Nobody is told of it, and hardly anything is sent to it; afterwards it has its third again."""
    seen = simulate(three(), between(HOUR, 1.5 * HOUR, trouble, GOOD))
    assert seen.availability == 1.0
    assert seen.added_load < 0.005
    assert 0.24 < seen.attempts["a"] / seen.requests < 0.27  # a third of three quarters of the time


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_backend_that_flaps(seed: int) -> None:
    """Twenty seconds well, twenty seconds not, for two hours: nobody is told, and a tenth is added at most."""
    seen = simulate(three(), flapping(20.0, ERROR, GOOD), seed=seed)
    assert seen.availability == 1.0
    assert seen.added_load < 0.1


def test_errors_now_and_then_are_hidden() -> None:
    """Every twentieth request to one of three fails: it stays in use, and nobody is told."""
    seen = simulate(three(), sometimes(0.05, ERROR, GOOD))
    assert seen.availability == 1.0
    assert 0.3 < seen.attempts["a"] / seen.requests < 0.36


@pytest.mark.parametrize("share", [0.3, 0.6, 1.0])
def test_no_storm_when_everything_fails(share: float) -> None:
    """All three fail at random, or always: the budget holds what retries add, whatever max-retries would allow."""
    these = pool(
        [target(name, max_retries=9, check=HealthCheck(enabled=False)) for name in "abc"],
        failover=Failover(budget_ratio=0.2, budget_rate=1.0),
    )
    failing = sometimes(share, ERROR, GOOD)
    world = World(these, dict.fromkeys("abc", failing))
    world.traffic("everybody", 50.0, 600.0)
    seen = world.run()
    assert seen.added_load <= 0.2 + 1.0 / 50 + 0.01
    assert seen.availability >= 1 - share
    assert seen.given_up[Bound.BUDGET] >= 0.9 * len(seen.failed_at) or share < 1.0


def test_everything_down_costs_nothing_and_recovers_by_itself() -> None:
    """Ten minutes without anybody: breakers keep the backends free, and soon after their return all is answered."""
    bad = between(HOUR, HOUR + 600.0, ERROR, GOOD)
    world = World(three(), dict.fromkeys("abc", bad))
    world.traffic("everybody", 8.0, 2 * HOUR)
    world.probes(2 * HOUR)
    tried_before = 0

    def note() -> None:
        nonlocal tried_before
        tried_before = sum(world.seen.attempts.values())

    tried = 0

    def note_after() -> None:
        nonlocal tried
        tried = sum(world.seen.attempts.values()) - tried_before

    world.at(HOUR, note)
    world.at(HOUR + 600.0, note_after)
    seen = world.run()
    assert tried < 200, "of 4800 requests in that time"
    assert min(seen.failed_at) >= HOUR
    assert max(seen.failed_at) < HOUR + 600.0 + 2 * BREAKER.timeout_s


def test_latency_sends_the_slow_one_less() -> None:
    """One of three takes ten times as long: with its share cut, hardly anybody waits for it."""
    by_turns = simulate(three(), takes(4.0), hours=0.5)
    by_latency = simulate(three(Balancing.LATENCY), takes(4.0), hours=0.5)
    assert by_turns.attempts["a"] / by_turns.requests > 0.32
    assert by_latency.attempts["a"] / by_latency.requests < 0.1
    assert by_latency.slowest("everybody") < by_turns.slowest("everybody") / 3


def test_least_connections_evens_out_what_is_under_way() -> None:
    """The slow one never has many more under way than the fast ones."""
    seen = simulate(three(Balancing.LEAST_CONNECTIONS), takes(4.0), hours=0.5)
    assert seen.most_at_once["a"] <= max(seen.most_at_once[name] for name in "bc") + 1


def slots(limit: int) -> list[Target]:
    """Return two instances with so many slots each."""
    return [target(name, check=CHECK, max_concurrency=limit) for name in "ab"]


def test_a_flood_of_one_client_does_not_drown_another() -> None:
    """Four slots, a client that asks for twice what they can do, and one that asks now and then, and hardly waits."""
    world = World(pool(slots(2), Balancing.LEAST_CONNECTIONS), dict.fromkeys("ab", takes(0.5)))
    world.traffic("flood", 16.0, 300.0)
    world.traffic("light", 0.5, 300.0)
    seen = world.run()
    assert seen.availability == 1.0
    assert max(seen.most_at_once.values()) == 2
    assert seen.slowest("light") < 2.0
    assert seen.slowest("flood") > 100.0


def test_a_reload_every_second_changes_nothing() -> None:
    """An instance comes and goes with requests under way: all are answered, and slots are never passed."""
    both = pool(slots(2), Balancing.LEAST_CONNECTIONS)
    one = pool(slots(2)[:1], Balancing.LEAST_CONNECTIONS)
    world = World(both, dict.fromkeys("ab", takes(0.5)))
    for second in range(600):
        world.at(float(second + 2), lambda these=(one, both)[second % 2]: world.reload(these))  # type: ignore[misc]
    world.traffic("everybody", 3.0, 600.0)
    seen = world.run()
    assert seen.availability == 1.0
    assert max(seen.most_at_once.values()) == 2


def test_the_same_seed_tells_the_same_story() -> None:
    """To the last request."""
    first, second = (simulate(three(Balancing.RANDOM), flapping(20.0, ERROR, GOOD), hours=0.2) for _ in range(2))
    assert first == second


def test_a_flooding_client_does_not_take_what_a_light_one_needs() -> None:
    """Fifty a second beside one every ten seconds, for an hour: with a limit for each, the light one is never refused.

    With one limit for both, it would be: that is what limits of clients are for.
    """
    each = LimitRule(capacity=20, rate=2)
    both = LimitRule(capacity=20, rate=2)
    refused = {}
    for name, rule, per_client in (("each", each, True), ("both", both, False)):
        limit = Limit(name, "client-ip", Place(), Unit.REQUESTS, rule, stepper(rule), per_client)
        world = World(pool([target("a")], limits=(limit,)), {"a": GOOD})
        world.traffic("flood", 50.0, HOUR / 4)
        world.traffic("light", 0.1, HOUR / 4)
        seen = world.run()
        refused[name] = seen.refused["light"]
        served = len(seen.lasted_s["flood"])
        assert served <= 20 + 2 * HOUR / 4 + 1
    assert refused["each"] == 0
    assert refused["both"] > 30
