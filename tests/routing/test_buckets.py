"""Limits: the documents' examples, and what holds over any time, order of costs, clock and change of settings."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jairouter_cli.config.model import Limiting
from jairouter_cli.routing.buckets import MOST_COST, MOST_NUMBERS, BucketNumbers, LimitRule, owe, step

BUCKET = LimitRule(Limiting.TOKEN_BUCKET, capacity=5, rate=2)
LEAKY = LimitRule(Limiting.LEAKY_BUCKET, capacity=5, rate=2)
EVEN = LimitRule(Limiting.LEAKY_BUCKET, capacity=5, rate=2, queue=True)
WINDOW = LimitRule(Limiting.SLIDING_WINDOW, window_s=16, max_requests=5)
WARM = LimitRule(Limiting.WARM_UP, capacity=9, rate=3, warm_up_s=60, cold_factor=3)
EVERY = [BUCKET, LEAKY, EVEN, WINDOW, WARM]

# Every kind of limit, with settings within what is configured in earnest.
rules = st.builds(
    LimitRule,
    st.sampled_from(Limiting),
    capacity=st.integers(1, 50),
    rate=st.integers(1, 50),
    window_s=st.integers(1, 60),
    max_requests=st.integers(1, 50),
    warm_up_s=st.integers(1, 60),
    cold_factor=st.floats(1, 5),
    queue=st.booleans(),
)


def most(rule: LimitRule, seconds: float) -> float:
    """Return how much may be granted within a time at most."""
    if rule.algorithm is Limiting.SLIDING_WINDOW:
        return rule.max_requests * (1 + seconds // rule.window_s)
    return rule.capacity + rule.rate * seconds + 1e-3


class Bucket:
    """A bucket in use."""

    def __init__(self, rule: LimitRule) -> None:
        self.rule = rule
        self.numbers: BucketNumbers = ()

    def ask(self, now: float, cost: float = 1.0) -> Any:
        """Ask, and keep what is to be kept."""
        self.numbers, decision = step(self.rule, self.numbers, now, cost)
        return decision

    def many(self, now: float, times: int = 60) -> int:
        """Return how many of many are granted at once."""
        return sum(self.ask(now).allowed for _ in range(times))


@pytest.mark.parametrize(("rule", "at_once", "later"), [(BUCKET, 5, 2), (LEAKY, 5, 2), (WINDOW, 5, 0), (WARM, 3, 1)])
def test_at_once_and_a_second_later(rule: LimitRule, at_once: int, later: int) -> None:
    """What a fresh bucket grants, and what the next second brings; a warming one begins with a third."""
    bucket = Bucket(rule)
    assert (bucket.many(1000.0), bucket.many(1001.0)) == (at_once, later)


def test_the_steady_rate_is_the_configured_one() -> None:
    """Polled every 10 ms for a hundred seconds: ten a second, not 5.27 as in the original."""
    bucket = Bucket(LimitRule(Limiting.TOKEN_BUCKET, capacity=100, rate=10))
    bucket.many(1000.0, 100)
    granted = sum(bucket.ask(1000.0 + tick / 100).allowed for tick in range(1, 10_001))
    assert granted in {999, 1000}


def test_a_sliding_window_slides() -> None:
    """Five in sixteen seconds, wherever they begin: what was granted counts for sixteen, up to seventeen."""
    bucket = Bucket(WINDOW)
    assert [bucket.ask(1000.0 + second).allowed for second in (0, 1, 2, 3, 4, 5)] == [True] * 5 + [False]
    assert not bucket.ask(1016.0).allowed
    assert bucket.ask(1017.1).allowed
    assert not bucket.ask(1017.2).allowed


def test_warming_up() -> None:
    """A third of the rate when cold, all of it after a minute, cold again after a minute without anybody."""
    bucket = Bucket(WARM)
    bucket.many(1000.0)
    minutes = [sum(bucket.many(1000.0 + minute * 60 + second, 9) for second in range(1, 61)) for minute in range(2)]
    assert minutes[0] == pytest.approx(120, abs=2)  # two thirds of the rate on the average
    assert minutes[1] == pytest.approx(180, abs=2)
    assert bucket.many(1000.0 + 120 + 62) == 9  # full after three seconds, and not yet idle for a minute
    assert bucket.many(1300.0) == 3


def test_an_even_flow() -> None:
    """With a queue: one after the other, half a second apart; the seventh of seven at once is one too many."""
    bucket = Bucket(EVEN)
    answers = [bucket.ask(1000.0) for _ in range(7)]
    assert [one.allowed for one in answers] == [True] * 6 + [False]
    assert [one.wait_s for one in answers[:6]] == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]
    assert answers[6].retry_after_s == pytest.approx(0.5)


def test_what_costs_more_than_a_whole_bucket_is_granted_by_a_full_one() -> None:
    """And owed: a prompt of twelve tokens in a bucket of five waits for no more than a full bucket."""
    bucket = Bucket(BUCKET)
    assert bucket.ask(1000.0, 12).allowed
    refused = bucket.ask(1000.0)
    assert (refused.allowed, refused.retry_after_s) == (False, pytest.approx(4.0))
    assert bucket.ask(1004.0).allowed


def test_a_cost_that_turns_out_to_be_another() -> None:
    """The difference is owed, or given back."""
    bucket = Bucket(BUCKET)
    bucket.ask(1000.0, 2)
    bucket.numbers = owe(bucket.rule, bucket.numbers, 3)
    assert bucket.ask(1000.0).remaining == 0
    bucket.numbers = owe(bucket.rule, bucket.numbers, -4)
    assert bucket.ask(1000.0, 4).allowed
    assert owe(bucket.rule, (), 1) == ()


times = st.lists(st.tuples(st.floats(0, 30), st.integers(1, 5)), max_size=60)


@settings(max_examples=300)
@given(rules, times)
def test_never_more_than_its_bound_over_any_time(rule: LimitRule, gaps: list[tuple[float, int]]) -> None:
    """Between any two moments; held-back requests counted when they are let go."""
    bucket, now, granted = Bucket(rule), 1000.0, list[tuple[float, int]]()
    for gap, cost in gaps:
        now += gap
        decision = bucket.ask(now, min(cost, int(rule.limit)))
        assert 0 <= decision.remaining <= rule.limit + 1e-6
        if decision.allowed:
            granted.append((now + decision.wait_s, min(cost, int(rule.limit))))
        assert len(bucket.numbers) <= MOST_NUMBERS
    for index, (start, _) in enumerate(granted):
        for end, _ in granted[index:]:
            within = sum(cost for at, cost in granted[index:] if start <= at <= end)
            assert within <= most(rule, end - start)


@settings(max_examples=300)
@given(rules, times, st.integers(1, 5))
def test_waiting_as_long_as_was_said_is_enough(rule: LimitRule, gaps: list[tuple[float, int]], wanted: int) -> None:
    """Retry-After comes from the real state: after it, and not a moment earlier to speak of, the same is granted."""
    bucket, now = Bucket(rule), 1000.0
    for gap, cost in gaps:
        now += gap
        bucket.ask(now, cost)
    refused = bucket.ask(now, wanted)
    if refused.allowed:
        return
    assert refused.retry_after_s > 0
    if refused.retry_after_s > 0.02:
        _, early = step(rule, bucket.numbers, now + refused.retry_after_s * 0.9 - 0.01, wanted)
        assert not early.allowed
    assert bucket.ask(now + refused.retry_after_s + 1e-5, wanted).allowed


@given(rules, st.integers(20, 60))
def test_demand_is_met_up_to_the_bound(rule: LimitRule, seconds: int) -> None:
    """Under constant demand what is granted comes near to what may be."""
    if rule.algorithm is Limiting.WARM_UP:
        rule = rule._replace(cold_factor=1.0)
    rule = rule._replace(capacity=max(rule.capacity, rule.rate))  # so that nothing is lost between the questions
    bucket, granted = Bucket(rule), 0
    for tick in range(seconds * 10):
        granted += bucket.many(1000.0 + tick / 10, 8)
    span = (seconds * 10 - 1) / 10
    if rule.algorithm is Limiting.SLIDING_WINDOW:
        whole = span // (rule.window_s * 17 / 16 + 0.1)
        assert granted >= rule.max_requests * whole
    else:
        assert granted >= rule.capacity + rule.rate * span - 2


@settings(max_examples=200)
@given(rules, st.lists(st.tuples(st.floats(-1e5, 1e5), st.integers(1, 5)), max_size=40))
def test_a_clock_that_jumps_harms_nothing(rule: LimitRule, jumps: list[tuple[float, int]]) -> None:
    """Whatever the clock does: afterwards, in steady time, the bucket grants as it should, neither less nor more."""
    bucket, now = Bucket(rule), 1e6
    for jump, cost in jumps:
        now = max(1.0, now + jump)
        bucket.ask(now, cost)
    settled = now + 1000 + rule.window_s * 2 + rule.warm_up_s
    assert 1 <= bucket.many(settled) <= most(rule, 0) + 1


@settings(max_examples=200)
@given(st.sampled_from(Limiting), st.lists(st.tuples(rules, st.floats(0, 5)), min_size=1, max_size=8), st.booleans())
def test_settings_changed_in_the_middle_keep_the_bound(
    algorithm: Limiting, changes: list[tuple[LimitRule, float]], queue: bool
) -> None:
    """The level is carried over: all that is granted is within what the most generous settings would have granted."""
    told = [(rule._replace(algorithm=algorithm, queue=queue), gap) for rule, gap in changes]
    if algorithm is Limiting.SLIDING_WINDOW:
        told = [(rule._replace(window_s=16.0), gap) for rule, gap in told]
    bucket, now, granted = Bucket(told[0][0]), 1000.0, 0
    for rule, gap in told:
        now += gap
        bucket.rule = rule
        granted += bucket.many(now, 60)
    best = LimitRule(
        algorithm,
        capacity=max(rule.capacity for rule, _ in told),
        rate=max(rule.rate for rule, _ in told),
        window_s=16.0,
        max_requests=max(rule.max_requests for rule, _ in told),
    )
    slack = len(told) * 2 + (best.capacity if queue else 0)
    assert granted <= most(best, now - 1000.0) + slack


@pytest.mark.parametrize("rule", EVERY, ids=lambda rule: f"{rule.algorithm}{rule.queue}")
def test_another_algorithm_begins_anew(rule: LimitRule) -> None:
    """Numbers of another one are not mistaken for its own."""
    for other in EVERY:
        bucket = Bucket(other)
        bucket.many(1000.0)
        bucket.rule = rule
        assert bucket.ask(1000.0).allowed == (other.kind != rule.kind)


def test_a_leaky_bucket_takes_over_the_level_of_a_token_bucket() -> None:
    """A meter is the same thing seen from below."""
    bucket = Bucket(BUCKET)
    bucket.many(1000.0, 3)
    bucket.rule = LEAKY
    assert bucket.many(1000.0) == 2


@settings(max_examples=200)
@given(rules, times, st.integers(1, 5))
def test_what_is_given_back_was_never_taken(rule: LimitRule, gaps: list[tuple[float, int]], cost: int) -> None:
    """As much is granted afterwards as without it, neither less nor more."""
    bucket, now = Bucket(rule), 1000.0
    for gap, wanted in gaps:
        now += gap
        bucket.ask(now, wanted)
    other = Bucket(rule)
    other.numbers = bucket.numbers
    if not bucket.ask(now, cost).allowed:
        return
    bucket.numbers = owe(rule, bucket.numbers, -cost)
    for wait in (0.0, 0.5, 3.0, rule.window_s):
        asked, plain = bucket.ask(now + wait, 0.0), other.ask(now + wait, 0.0)
        assert asked.remaining == pytest.approx(plain.remaining, abs=1e-3)


odd = st.sampled_from([math.inf, -math.inf, math.nan, 1e308, -1e308, 2.0**63, -1.0, 1e-320]) | st.floats()


@given(rules, st.lists(st.tuples(st.floats(0, 8), odd, odd), min_size=1, max_size=20))
def test_no_number_spoils_a_level(rule: LimitRule, asked: list[tuple[float, float, float]]) -> None:
    """Whatever calls cost, and whatever that is corrected by: levels stay numbers, and come back to what they were."""
    bucket, now = Bucket(rule), 1000.0
    for gap, cost, correction in asked:
        now += gap
        decision = bucket.ask(now, cost)
        assert all(map(math.isfinite, decision[1:]))
        bucket.numbers = owe(rule, bucket.numbers, correction)
        assert all(map(math.isfinite, bucket.numbers))
    now += 40 * (MOST_COST / rule.rate + rule.window_s + rule.warm_up_s)
    assert bucket.ask(now).allowed
