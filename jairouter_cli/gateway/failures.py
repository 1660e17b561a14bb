"""What a client is told when no instance answered, or when an answer broke off: from failures to errors. Pure.

It gets counts and kinds, never addresses: which backends there are is no affair of a client's.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from jairouter_cli.gateway.limits import refused
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
from jairouter_cli.routing.failover import Exhausted, Obstacle

# The names by which clients know timeouts; other failures are no timeouts.
_TIMEOUTS: Final = {
    FailureKind.CONNECT_TIMEOUT: "connect",
    FailureKind.FIRST_BYTE_TIMEOUT: "first-byte",
    FailureKind.FIRST_CONTENT_TIMEOUT: "first-content",
    FailureKind.IDLE_TIMEOUT: "idle",
    FailureKind.TOTAL_TIMEOUT: "total",
}
# What a client is told when nobody could even be tried: the obstacle that will go away first.
_NOBODY: Final[tuple[tuple[Obstacle, type[ServiceUnavailable]], ...]] = (
    (Obstacle.FULL, InstancesFull),
    (Obstacle.COOLING_DOWN, InstancesCooling),
    (Obstacle.BREAKER_OPEN, CircuitBreakerOpen),
    (Obstacle.DOWN, InstancesDown),
)
_TRY_AGAIN_S: Final = 1.0  # nobody was reached, and the next request will look anew


def cut_off(model: str, failure: UpstreamFailure) -> RequestError:
    """Return the error of an answer that broke off in its midst."""
    if name := _TIMEOUTS.get(failure.kind):
        return UpstreamTimeout(model=model, timeout=name, seconds=failure.after_s)
    return UpstreamTruncated(model=model)


def unanswered(model: str, end: Exhausted, failures: Sequence[UpstreamFailure], attempts: int) -> RequestError:
    """Return the error of a call that no instance answered, after some failures of so many attempts."""
    details: dict[str, object] = {"attempts": attempts}
    if failures:
        details["failures"] = dict(Counter(failure.kind.value for failure in failures))
    if end.obstacles:
        details["passed_over"] = dict(Counter(what.value for what in end.obstacles.values()))
    if end.bound is not None:
        details["bound"] = end.bound.value
    if failures:
        return _failed(model, failures[-1], details)
    if end.refusal is not None:
        return refused(end.refusal, **details)
    found = set(end.obstacles.values())
    error = next((error for what, error in _NOBODY if what in found), ServiceUnavailable)
    wait_s = _TRY_AGAIN_S if end.retry_after_s is None else end.retry_after_s
    return error(model=model, details=details, retry_after_s=wait_s)


def _failed(model: str, failure: UpstreamFailure, details: dict[str, object]) -> RequestError:
    """Return the error of a call whose last attempt failed in this way."""
    if name := _TIMEOUTS.get(failure.kind):
        return UpstreamTimeout(model=model, timeout=name, seconds=failure.after_s, details=details)
    if failure.kind is FailureKind.BROKEN:
        return UpstreamError(model=model, details=details)
    return ServiceUnavailable(model=model, details=details, retry_after_s=_TRY_AGAIN_S)
