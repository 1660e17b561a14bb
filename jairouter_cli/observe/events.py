"""The events that the gateway reports. A sink is any callable that takes one and returns at once."""

from collections.abc import Callable
from typing import NamedTuple

from jairouter_cli.routing.call import Call


class Attempt(NamedTuple):
    """One try at one instance; `failure` says why it did not answer, or is empty."""

    instance: str
    status: int | None
    failure: str = ""


class Completed(NamedTuple):
    """A call has ended.

    `status` is what the client was told, 499 if it left first. `ended` is `ok`, `failed`, `truncated` or `left`.
    """

    call: Call
    request_id: str
    status: int
    ended: str
    attempts: tuple[Attempt, ...]
    duration_s: float


Sink = Callable[[Completed], None]
