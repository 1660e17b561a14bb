"""The events that the gateway reports. A sink is any callable that takes one and returns at once."""

from collections.abc import Callable
from typing import NamedTuple

from jairouter_cli.routing.call import Call


class Attempt(NamedTuple):
    """One try at one instance; `failure` says why it did not answer, or is empty.

    `duration_s` is how long it took to the head of an answer, or to the failure.
    """

    instance: str
    status: int | None
    failure: str = ""
    duration_s: float = 0.0


class Completed(NamedTuple):
    """A call has ended.

    `status` is what the client was told, 499 if it left first. `ended` is `ok`, `failed`, `truncated` or `left`.
    `passed_over` are instances that were not tried, with the reason; `queued_s` is how long it waited for a slot;
    `fallback` says what took the place of an answer, or is empty.
    """

    call: Call
    request_id: str
    status: int
    ended: str
    attempts: tuple[Attempt, ...]
    duration_s: float
    queued_s: float = 0.0
    passed_over: tuple[tuple[str, str], ...] = ()
    fallback: str = ""


Sink = Callable[[Completed], None]
