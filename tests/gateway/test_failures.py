"""What a client is told when no instance answered, by a table of all that may have happened."""

import pytest

from jairouter_cli.gateway.failures import cut_off, unanswered
from jairouter_cli.gateway.upstream.exchange import FailureKind, UpstreamFailure
from jairouter_cli.request_errors import (
    CircuitBreakerOpen,
    InstancesCooling,
    InstancesDown,
    InstancesFull,
    RequestError,
    ServiceUnavailable,
    UpstreamError,
    UpstreamTimeout,
    UpstreamTruncated,
)
from jairouter_cli.routing.failover import Bound, Exhausted, Obstacle

FAILED: dict[FailureKind, tuple[type[RequestError], str]] = {
    FailureKind.UNREACHABLE: (ServiceUnavailable, ""),
    FailureKind.POOL_TIMEOUT: (ServiceUnavailable, ""),
    FailureKind.BROKEN: (UpstreamError, ""),
    FailureKind.CONNECT_TIMEOUT: (UpstreamTimeout, "connect"),
    FailureKind.FIRST_BYTE_TIMEOUT: (UpstreamTimeout, "first-byte"),
    FailureKind.FIRST_CONTENT_TIMEOUT: (UpstreamTimeout, "first-content"),
    FailureKind.IDLE_TIMEOUT: (UpstreamTimeout, "idle"),
    FailureKind.TOTAL_TIMEOUT: (UpstreamTimeout, "total"),
}
NOBODY: dict[Obstacle, type[RequestError]] = {
    Obstacle.FULL: InstancesFull,
    Obstacle.COOLING_DOWN: InstancesCooling,
    Obstacle.BREAKER_OPEN: CircuitBreakerOpen,
    Obstacle.DOWN: InstancesDown,
    Obstacle.LIMITED: ServiceUnavailable,
    Obstacle.DISABLED: ServiceUnavailable,
}


@pytest.mark.parametrize("kind", FailureKind)
def test_the_last_failure_names_the_error(kind: FailureKind) -> None:
    """With counts of all of them, what ended the attempts, and no address."""
    failures = [UpstreamFailure(FailureKind.UNREACHABLE, "10.0.0.1"), UpstreamFailure(kind, "10.0.0.2", 3.0)]
    error = unanswered("m", Exhausted(bound=Bound.RETRIES), failures, 2)
    expected, timeout = FAILED[kind]
    counts = {"unreachable": 2} if kind is FailureKind.UNREACHABLE else {"unreachable": 1, kind.value: 1}
    assert type(error) is expected
    assert error.details == {**error.details, "attempts": 2, "failures": counts, "bound": Bound.RETRIES.value}
    assert error.params.get("timeout", "") == timeout
    assert "10.0.0" not in f"{error} {error.details}"


@pytest.mark.parametrize("kind", FailureKind)
def test_what_breaks_off_names_the_timeout_or_is_truncated(kind: FailureKind) -> None:
    """An answer that had begun is no other's to give."""
    error = cut_off("m", UpstreamFailure(kind, "10.0.0.1", 3.0))
    assert type(error) is (UpstreamTimeout if FAILED[kind][1] else UpstreamTruncated)


@pytest.mark.parametrize("what", Obstacle)
def test_where_nobody_could_be_tried_the_obstacle_names_the_error(what: Obstacle) -> None:
    """The client may come back when it goes away, or in a second where that cannot be told."""
    for wait_s, expected in ((7.5, 7.5), (None, 1.0)):
        error = unanswered("m", Exhausted({"a": what, "b": what}, None, wait_s), [], 0)
        assert (type(error), error.retry_after_s) == (NOBODY[what], expected)
        assert error.details == {**error.details, "attempts": 0, "passed_over": {what.value: 2}}


def test_of_several_obstacles_the_one_counts_that_goes_away_first() -> None:
    """In the order in which they do."""
    left = list(NOBODY)[:4]
    while left:
        error = unanswered("m", Exhausted({what.value: what for what in reversed(left)}), [], 0)
        assert type(error) is NOBODY[left.pop(0)]
