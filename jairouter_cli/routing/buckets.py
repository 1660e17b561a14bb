"""Rate limits as step functions: from the numbers of a bucket, the time and a cost to new numbers and a decision.

The numbers are few and plain, so that a dict, shared memory and a script in Redis (`state/limits.lua`, the same steps)
can hold them. A bucket that does not exist yet is the empty tuple. Over any time t, a bucket grants at most
`capacity + rate * t`, a sliding window `max_requests` in any window; but a cost above a whole bucket is granted
by a full one, which then owes the rest.
"""

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from jairouter_cli.config.model import Limiting

BucketNumbers = tuple[float, ...]

SUB_WINDOWS: Final = 16  # a sliding window forgets in steps of this part of it, and never too early
MOST_NUMBERS: Final = SUB_WINDOWS + 4

MOST_COST: Final = 1e9  # of one call: far beyond any, and small enough that a level loses nothing of it by rounding

_EPSILON: Final = 1e-6  # of a request, so that waiting as long as was said is never too short by a rounding
_JUMP_S: Final = 1.0  # a clock that goes back by more has been set; by less, it is another worker's


class LimitRule(NamedTuple):
    """The settings of one limit. `rate` is per second."""

    algorithm: Limiting = Limiting.TOKEN_BUCKET
    capacity: float = 100
    rate: float = 10
    window_s: float = 60.0
    max_requests: float = 100
    warm_up_s: float = 300.0
    cold_factor: float = 3.0
    queue: bool = False

    @property
    def kind(self) -> int:
        """The kind of numbers that its buckets have: those of another kind say nothing to it.

        A leaky bucket, read as a meter, is a token bucket seen from below: its numbers are the same.
        """
        if self.queue and self.algorithm is Limiting.LEAKY_BUCKET:
            return QUEUE
        return _KINDS[self.algorithm]

    @property
    def limit(self) -> float:
        """What is shown as the limit: as much as can be granted at once."""
        return self.max_requests if self.algorithm is Limiting.SLIDING_WINDOW else self.capacity


class Decision(NamedTuple):
    """What a limit says. `retry_after_s` is how long until the same cost is granted if nobody else takes any.

    `remaining` is what is left, after the cost if it was granted; `reset_s` how long until all is there again; `wait_s`
    how long a request that was granted is to be held back so that all flow evenly.
    """

    allowed: bool
    remaining: float
    retry_after_s: float
    reset_s: float
    wait_s: float = 0.0


StepResult = tuple[bool, float, float, float, float]
"""A decision's members: what steps answer, for a NamedTuple takes longer to make than all of the arithmetic."""

BucketStep = Callable[[BucketNumbers, float, float], tuple[BucketNumbers, StepResult]]

BUCKET, QUEUE, WINDOW, WARMING = 1, 2, 3, 4
_KINDS: Final[Mapping[Limiting, int]] = {
    Limiting.TOKEN_BUCKET: BUCKET,
    Limiting.LEAKY_BUCKET: BUCKET,
    Limiting.SLIDING_WINDOW: WINDOW,
    Limiting.WARM_UP: WARMING,
}


@lru_cache(maxsize=1024)
def stepper(rule: LimitRule) -> BucketStep:
    """Return the step of a rule: `(numbers, now, cost)` to the numbers without the cost, and the decision.

    When it is refused the numbers are only brought up to date.
    """
    return _STEPPERS[rule.kind](rule)


def fair(cost: float) -> float:
    """Return a cost that can be one: no less than nothing, and not beyond all measure, as NaN is, too."""
    if cost < 0.0:
        return 0.0
    return min(MOST_COST, cost) if cost == cost else MOST_COST  # noqa: PLR0124 - NaN is not


def fair_correction(more: float) -> float:
    """Return a correction of a cost that can be one; NaN is none."""
    return max(-MOST_COST, min(MOST_COST, more)) if more == more else 0.0  # noqa: PLR0124


def step(rule: LimitRule, numbers: BucketNumbers, now: float, cost: float) -> tuple[BucketNumbers, Decision]:
    """Ask a bucket for `cost`."""
    new, answer = stepper(rule)(numbers, now, cost)
    return new, Decision(*answer)


def owe(rule: LimitRule, numbers: BucketNumbers, more: float) -> BucketNumbers:
    """Return a bucket's numbers after its last cost turned out to be more, or less: all of it, to give it back."""
    if not numbers or numbers[0] != rule.kind:
        return numbers
    more = fair_correction(more)
    kind, *rest = numbers
    if kind == QUEUE:
        return kind, rest[0] + more / rule.rate
    if kind == WINDOW:
        last, width, *counts = rest
        newest = int(last) % len(counts)
        counts[newest] = max(0.0, counts[newest] + more)
        return (kind, last, width, *counts)
    return (kind, rest[0] - more, *rest[1:])


def _bucket(rule: LimitRule) -> BucketStep:
    """Hold at most `capacity`, full at first, and gain `rate` a second. Numbers: level, at."""
    capacity, rate = rule.capacity, rule.rate
    # asked several times for each request: no call of min and max where it grants

    def step(numbers: BucketNumbers, now: float, cost: float) -> tuple[BucketNumbers, StepResult]:
        if not 0.0 <= cost <= MOST_COST:
            cost = fair(cost)
        if numbers and numbers[0] == BUCKET:
            _, level, at = numbers
            if now > at:
                level += (now - at) * rate
                at = now
            elif at - now > _JUMP_S:
                at = now
            if not level <= capacity:  # NaN, which an older gateway may have left, is not, either
                level = capacity
        else:
            level, at = capacity, now
        if level < cost and level + _EPSILON < (needed := min(cost, capacity)):
            waits = (needed - level) / rate
            return (BUCKET, level, at), (False, max(0.0, level), waits, (capacity - level) / rate, 0.0)
        level -= cost
        left = level if level > 0.0 else 0.0  # noqa: FURB136
        return (BUCKET, level, at), (True, left, 0.0, (capacity - level) / rate, 0.0)

    return step


def _queue(rule: LimitRule) -> BucketStep:
    """Let one leave every 1/rate seconds; who would wait for more than `capacity` others is refused. Numbers: free at.

    A request that is granted is held back until its turn.
    """
    capacity, rate = rule.capacity, rule.rate

    def step(numbers: BucketNumbers, now: float, cost: float) -> tuple[BucketNumbers, StepResult]:
        if not 0.0 <= cost <= MOST_COST:
            cost = fair(cost)
        free_at = numbers[1] if numbers and numbers[0] == QUEUE else now
        if free_at < now or free_at - now > (capacity + cost + 1) / rate + _JUMP_S:
            free_at = now  # long free, or the clock was set back, or the rate was raised
        wait_s = free_at - now
        remaining = max(0.0, capacity - wait_s * rate)
        if wait_s * rate > capacity + _EPSILON:
            return (QUEUE, free_at), (False, 0.0, wait_s - capacity / rate, wait_s, 0.0)
        free_at += cost / rate
        return (QUEUE, free_at), (True, remaining, 0.0, free_at - now, wait_s)

    return step


def _warming(rule: LimitRule) -> BucketStep:
    """Be a bucket whose rate rises from a `cold_factor`th to the whole within `warm_up_s`. Numbers: level, at, since.

    It is cold at first, with a `cold_factor`th of its capacity in it (one request at least), and cold again when it
    has been full, and nobody has come, for as long as it takes to warm up.
    """
    capacity, rate, period = rule.capacity, rule.rate, rule.warm_up_s
    cold = 1 / rule.cold_factor
    curve = (1 - cold) / (2 * period)
    first = max(1.0, capacity * cold)
    whole = cold * period + curve * period * period

    def worth(warm_s: float) -> float:
        """Return the seconds of the whole rate that so many seconds since it was cold are worth."""
        if warm_s < period:
            return cold * warm_s + curve * warm_s * warm_s
        return whole + warm_s - period

    def until(warm_s: float, worth_s: float) -> float:
        """Return how long until so many more seconds of the whole rate have come together."""
        wanted = worth(warm_s) + max(0.0, worth_s)
        if wanted >= whole:
            return period + wanted - whole - warm_s
        if curve < _EPSILON / period:
            return wanted / cold - warm_s
        return (math.sqrt(cold * cold + 4 * curve * wanted) - cold) / (2 * curve) - warm_s

    def step(numbers: BucketNumbers, now: float, cost: float) -> tuple[BucketNumbers, StepResult]:
        cost = cost if 0.0 <= cost <= MOST_COST else fair(cost)
        level, at, since = numbers[1:] if numbers and numbers[0] == WARMING else (first, now, now)
        if at - now > _JUMP_S:
            since, at = since - (at - now), now
        elapsed = max(0.0, now - at)
        warm_s = at - since
        if elapsed > period and elapsed > period + until(warm_s, (capacity - level) / rate):
            level, at, since = first, now, now
        else:
            level = min(capacity, level + rate * (worth(warm_s + elapsed) - worth(warm_s)))
            at = max(at, now)
        warm_s = at - since
        needed = min(cost, capacity)
        if level + _EPSILON < needed:
            waits = until(warm_s, (needed - level) / rate)
            reset = until(warm_s, (capacity - level) / rate)
            return (WARMING, level, at, since), (False, max(0.0, level), waits, reset, 0.0)
        level -= cost
        reset = until(warm_s, (capacity - level) / rate)
        return (WARMING, level, at, since), (True, max(0.0, level), 0.0, reset, 0.0)

    return step


def _window(rule: LimitRule) -> BucketStep:
    """Grant at most `max_requests` in any window of `window_s`, counted in parts. Numbers: newest part, width, counts.

    A part counts until the whole of it is older than the window, so the limit is kept a little longer than it must be,
    by a sixteenth of the window at most.
    """
    most, window_s = rule.max_requests, rule.window_s
    width = window_s / SUB_WINDOWS
    size = SUB_WINDOWS + 1

    def step(numbers: BucketNumbers, now: float, cost: float) -> tuple[BucketNumbers, StepResult]:
        if not 0.0 <= cost <= MOST_COST:
            cost = fair(cost)
        newest = math.floor(now / width)
        if not numbers or numbers[0] != WINDOW:
            counts = [0.0] * size
        else:
            _, last, its_width, *counts = numbers
            if its_width != width:  # the window was changed: all that counts is as old as the newest of it
                total = sum(counts)
                counts = [0.0] * size
                counts[newest % size] = total
            elif newest >= last:
                for part in range(int(last) + 1, min(newest, int(last) + size) + 1):
                    counts[part % size] = 0.0
            elif (last - newest) * width <= _JUMP_S + width:
                newest = int(last)
            else:
                counts = [0.0] * size  # the clock was set back
        taken = sum(counts)
        reset_s = (newest + 1) * width + window_s - now
        if taken + cost <= most + _EPSILON or (cost > most and taken <= _EPSILON):
            counts[newest % size] += cost
            remaining = max(0.0, most - taken - cost)
            return (WINDOW, newest, width, *counts), (True, remaining, 0.0, reset_s, 0.0)
        excess = taken - max(0.0, most - cost)
        part = newest - size + 1
        while part < newest and excess - counts[part % size] > _EPSILON:
            excess -= counts[part % size]
            part += 1
        waits = max(0.0, (part + 1) * width + window_s - now)
        return (WINDOW, newest, width, *counts), (False, max(0.0, most - taken), waits, reset_s, 0.0)

    return step


_STEPPERS: Final[Mapping[int, Callable[[LimitRule], BucketStep]]] = {
    BUCKET: _bucket,
    QUEUE: _queue,
    WINDOW: _window,
    WARMING: _warming,
}
