"""Circuit breakers: closed, open, half-open.

A permit is the number of the breaker's epoch; every change of state starts a new epoch, and results with the permit
of an earlier one are ignored. The functions change the numbers of one record; the clock is an argument.
"""

from enum import IntEnum
from typing import Final, NamedTuple

from jairouter_cli.routing.record import Number, Record


class BreakerState(IntEnum):
    """The states; the values are those of the gauge."""

    CLOSED = 0
    OPEN = 1
    HALF_OPEN = 2


class BreakerRules(NamedTuple):
    """`circuit-breaker` of an instance, all levels taken together; see `config.model.CircuitBreaker`."""

    failure_threshold: int = 5
    failure_ratio: float | None = None
    minimum_requests: int = 20
    window_s: float = 10.0
    timeout_s: float = 60.0
    success_threshold: int = 2


_STATE: Final = int(Number.BREAKER_STATE)
_EPOCH: Final = int(Number.BREAKER_EPOCH)
_UNTIL: Final = int(Number.BREAKER_UNTIL)
_STREAK: Final = int(Number.BREAKER_STREAK)
_START: Final = int(Number.WINDOW_START)
_TOTAL: Final = int(Number.WINDOW_TOTAL)
_FAILED: Final = int(Number.WINDOW_FAILED)
_TOTAL_BEFORE: Final = int(Number.WINDOW_TOTAL_BEFORE)
_FAILED_BEFORE: Final = int(Number.WINDOW_FAILED_BEFORE)

_CLOSED, _OPEN, _HALF_OPEN = (float(state) for state in BreakerState)


def state(record: Record) -> BreakerState:
    """Return the state, which an open breaker keeps until somebody takes a permit after its time."""
    return BreakerState(int(record.numbers[_STATE]))


def reopens_at(record: Record) -> float:
    """Return when an open breaker will allow requests again."""
    return record.numbers[_UNTIL]


def streak(record: Record) -> int:
    """Return how many failures in a row a closed breaker has seen, or successes one that is half-open."""
    return int(record.numbers[_STREAK])


def force(record: Record, state: BreakerState, until: float) -> None:
    """Put it into a state, by hand; `until` is when an open one allows requests again."""
    with record.lock:
        record.numbers[_UNTIL] = until
        _become(record, _OPEN if state is BreakerState.OPEN else _CLOSED)


def allows(record: Record, rules: BreakerRules, now: float) -> bool:
    """Whether `take` would give a permit. Changes nothing."""
    current = record.numbers[_STATE]
    if current == _CLOSED:
        return True
    if current == _OPEN:
        return now >= record.numbers[_UNTIL]
    return sum(record.permits) < rules.success_threshold


def take(record: Record, rules: BreakerRules, now: float) -> float | None:
    """Return a permit, or None. The first one after an open breaker's time makes it half-open."""
    if record.numbers[_STATE] == _CLOSED:
        return record.numbers[_EPOCH]
    with record.lock:
        if not allows(record, rules, now):
            return None
        numbers = record.numbers
        if numbers[_STATE] == _OPEN:
            _become(record, _HALF_OPEN)
        if numbers[_STATE] == _HALF_OPEN:
            record.permits[record.worker] += 1
        return numbers[_EPOCH]


def is_trial(record: Record, permit: float) -> bool:
    """Whether a permit is one of those that decide whether the breaker closes."""
    return record.numbers[_STATE] == _HALF_OPEN and record.numbers[_EPOCH] == permit


def succeed(record: Record, rules: BreakerRules, permit: float, now: float) -> bool:
    """Take in that a request with this permit went well; return whether the state changed by it."""
    numbers = record.numbers
    if numbers[_STATE] == _CLOSED and rules.failure_ratio is None and not numbers[_STREAK]:
        return False
    with record.lock:
        if numbers[_EPOCH] != permit:
            return False
        if numbers[_STATE] == _HALF_OPEN:
            record.permits[record.worker] -= 1
            numbers[_STREAK] += 1
            if numbers[_STREAK] >= rules.success_threshold:
                _become(record, _CLOSED)
                return True
        else:
            numbers[_STREAK] = 0
            _count(record, rules, now, failed=False)
    return False


def fail(record: Record, rules: BreakerRules, permit: float, now: float) -> bool:
    """Take in that a request with this permit failed; return whether the state changed by it."""
    with record.lock:
        numbers = record.numbers
        if numbers[_EPOCH] != permit:
            return False
        if numbers[_STATE] == _CLOSED:
            numbers[_STREAK] += 1
            _count(record, rules, now, failed=True)
            if not _is_too_much(record, rules, now):
                return False
        numbers[_UNTIL] = now + rules.timeout_s
        _become(record, _OPEN)
        return True


def give_back(record: Record, permit: float) -> None:
    """Take in that nothing can be said of a request with this permit: the client left, or it was never sent."""
    if is_trial(record, permit):
        with record.lock:
            if is_trial(record, permit):
                record.permits[record.worker] -= 1


def _become(record: Record, new: float) -> None:
    """Begin an epoch. The state goes last: a worker that dies in the middle leaves a breaker that works."""
    numbers = record.numbers
    for worker in range(len(record.permits)):
        record.permits[worker] = 0.0
    for number in (_STREAK, _START, _TOTAL, _FAILED, _TOTAL_BEFORE, _FAILED_BEFORE):
        numbers[number] = 0.0
    numbers[_EPOCH] += 1
    numbers[_STATE] = new


def _count(record: Record, rules: BreakerRules, now: float, *, failed: bool) -> None:
    """Count a result in the window, which is two halves of time: this one and the one before."""
    if rules.failure_ratio is None:
        return
    _slide(record, rules, now)
    record.numbers[_TOTAL] += 1
    record.numbers[_FAILED] += failed


def _slide(record: Record, rules: BreakerRules, now: float) -> None:
    numbers, half_s = record.numbers, rules.window_s / 2
    age = now - numbers[_START]
    if 0 <= age < half_s:
        return
    is_next = half_s <= age < rules.window_s
    numbers[_TOTAL_BEFORE] = numbers[_TOTAL] if is_next else 0.0
    numbers[_FAILED_BEFORE] = numbers[_FAILED] if is_next else 0.0
    numbers[_TOTAL] = numbers[_FAILED] = 0.0
    numbers[_START] = now


def _is_too_much(record: Record, rules: BreakerRules, now: float) -> bool:
    numbers = record.numbers
    if rules.failure_ratio is None:
        return numbers[_STREAK] >= rules.failure_threshold
    _slide(record, rules, now)
    total = numbers[_TOTAL] + numbers[_TOTAL_BEFORE]
    failed = numbers[_FAILED] + numbers[_FAILED_BEFORE]
    return total >= rules.minimum_requests and failed >= rules.failure_ratio * total
