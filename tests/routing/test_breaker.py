"""Closed, open, half-open: named examples, and what holds under any order of outcomes."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from jairouter_cli.routing import breaker
from jairouter_cli.routing.breaker import BreakerRules, BreakerState
from jairouter_cli.routing.record import Record

RULES = BreakerRules(failure_threshold=3, timeout_s=60.0, success_threshold=2)
RATIO = BreakerRules(failure_ratio=0.5, minimum_requests=10, window_s=10.0, timeout_s=60.0)


def permit(record: Record, rules: BreakerRules, now: float) -> float:
    """Take a permit that there is."""
    taken = breaker.take(record, rules, now)
    assert taken is not None
    return taken


def fail(record: Record, rules: BreakerRules, now: float, times: int = 1) -> None:
    """Let requests fail, one after the other."""
    for _ in range(times):
        breaker.fail(record, rules, permit(record, rules, now), now)


def succeed(record: Record, rules: BreakerRules, now: float, times: int = 1) -> None:
    """Let requests go well, one after the other."""
    for _ in range(times):
        breaker.succeed(record, rules, permit(record, rules, now), now)


def test_failures_in_a_row_open_it_and_a_success_between_begins_anew() -> None:
    """Two, a success, two: closed. A third: open, until its time is over."""
    record = Record()
    fail(record, RULES, 0.0, 2)
    succeed(record, RULES, 0.0)
    fail(record, RULES, 1.0, 2)
    assert breaker.state(record) is BreakerState.CLOSED
    fail(record, RULES, 2.0)
    assert (breaker.state(record), breaker.reopens_at(record)) == (BreakerState.OPEN, 62.0)
    assert breaker.take(record, RULES, 61.9) is None


def test_asking_changes_nothing() -> None:
    """Whether it would let a request through can be asked as often as one likes."""
    record = Record()
    fail(record, RULES, 0.0, 3)
    assert [breaker.allows(record, RULES, 60.0) for _ in range(5)] == [True] * 5
    assert breaker.state(record) is BreakerState.OPEN


def test_half_open_lets_few_through_and_closes_after_as_many_successes() -> None:
    """Two trials at a time; no third; both well: closed."""
    record = Record()
    fail(record, RULES, 0.0, 3)
    trials = [permit(record, RULES, 60.0), permit(record, RULES, 60.0)]
    assert breaker.take(record, RULES, 60.0) is None
    assert not breaker.succeed(record, RULES, trials[0], 61.0)
    third = permit(record, RULES, 61.0)
    assert breaker.succeed(record, RULES, trials[1], 62.0)
    assert breaker.state(record) is BreakerState.CLOSED
    assert not breaker.fail(record, RULES, third, 63.0), "a result with an old permit is ignored"


def test_a_failed_trial_opens_it_again() -> None:
    """For the whole time; the other trial's end is ignored then."""
    record = Record()
    fail(record, RULES, 0.0, 3)
    one, other = permit(record, RULES, 60.0), permit(record, RULES, 60.0)
    assert breaker.fail(record, RULES, one, 61.0)
    assert not breaker.succeed(record, RULES, other, 62.0)
    assert (breaker.state(record), breaker.reopens_at(record)) == (BreakerState.OPEN, 121.0)


def test_late_failures_do_not_keep_it_open() -> None:
    """Requests from before it opened, that fail while it is open, do not extend its time."""
    record = Record()
    old = [permit(record, RULES, 0.0) for _ in range(5)]
    fail(record, RULES, 0.0, 3)
    for one in old:
        breaker.fail(record, RULES, one, 30.0)
    assert breaker.reopens_at(record) == 60.0


def test_a_trial_that_nothing_can_be_said_of_is_given_back() -> None:
    """Its client left: another may try."""
    record = Record()
    fail(record, RULES, 0.0, 3)
    trials = [permit(record, RULES, 60.0), permit(record, RULES, 60.0)]
    breaker.give_back(record, trials[0])
    assert breaker.take(record, RULES, 61.0) is not None


def test_a_ratio_needs_a_minimum_of_requests() -> None:
    """Nine failures of nine: closed. Half of ten or more: open; less than half: closed."""
    record = Record()
    fail(record, RATIO, 0.0, 9)
    assert breaker.state(record) is BreakerState.CLOSED
    fail(record, RATIO, 0.0)
    assert breaker.state(record) is BreakerState.OPEN
    record = Record()
    succeed(record, RATIO, 0.0, 100)
    fail(record, RATIO, 1.0, 90)
    assert breaker.state(record) is BreakerState.CLOSED
    fail(record, RATIO, 1.0, 10)
    assert breaker.state(record) is BreakerState.OPEN


def test_a_ratio_forgets_what_is_older_than_its_window() -> None:
    """Successes of an hour ago do not hide that everything fails now."""
    record = Record()
    succeed(record, RATIO, 0.0, 1000)
    fail(record, RATIO, 3600.0, 10)
    assert breaker.state(record) is BreakerState.OPEN


class Breaker(RuleBasedStateMachine):
    """Any order of requests, outcomes and time, with permits of any age."""

    @initialize(
        threshold=st.integers(1, 4), trials=st.integers(1, 3), ratio=st.sampled_from([None, 0.3, 1.0]), least=st.just(3)
    )
    def begin(self, threshold: int, trials: int, ratio: float | None, least: int) -> None:
        """Begin with any settings."""
        self.limits = BreakerRules(threshold, ratio, least, 10.0, 60.0, trials)
        self.record, self.now, self.open = Record(), 0.0, list[tuple[float, bool]]()

    @rule()
    def take(self) -> None:
        """Ask for a permit: it comes if and only if it was said to."""
        could = breaker.allows(self.record, self.limits, self.now)
        taken = breaker.take(self.record, self.limits, self.now)
        assert (taken is not None) == could
        if taken is not None:
            self.open.append((taken, breaker.is_trial(self.record, taken)))

    @rule(which=st.integers(0, 20), end=st.sampled_from(["succeed", "fail", "give_back"]))
    def finish(self, which: int, end: str) -> None:
        """End a request, whatever the age of its permit."""
        if not self.open:
            return
        taken, _ = self.open.pop(which % len(self.open))
        if end == "succeed":
            breaker.succeed(self.record, self.limits, taken, self.now)
        elif end == "fail":
            breaker.fail(self.record, self.limits, taken, self.now)
        else:
            breaker.give_back(self.record, taken)

    @rule(seconds=st.floats(0, 70))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    @invariant()
    def never_more_trials_than_permits(self) -> None:
        """Trials under way are as many as are counted, and no more than are allowed."""
        trials = [taken for taken, _ in self.open if breaker.is_trial(self.record, taken)]
        if breaker.state(self.record) is BreakerState.HALF_OPEN:
            assert len(trials) == sum(self.record.permits) <= self.limits.success_threshold

    def teardown(self) -> None:
        """Recover, always: once everything has ended and its time is over, good answers close it."""
        if not hasattr(self, "open"):
            return
        for taken, _ in self.open:
            breaker.give_back(self.record, taken)
        self.now += self.limits.timeout_s
        succeed(self.record, self.limits, self.now, self.limits.success_threshold)
        assert breaker.state(self.record) is BreakerState.CLOSED


TestBreaker = Breaker.TestCase


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 5))
def test_it_opens_at_the_threshold_and_not_before(results: list[bool], threshold: int) -> None:
    """One request after the other: open if and only if so many in a row have failed."""
    record, rules, streak = Record(), BreakerRules(failure_threshold=threshold), 0
    for ok in results:
        taken = breaker.take(record, rules, 0.0)
        assert (taken is None) == (streak >= threshold)
        if taken is None:
            return
        (breaker.succeed if ok else breaker.fail)(record, rules, taken, 0.0)
        streak = 0 if ok else streak + 1
