"""The events that the gateway reports. A sink is any callable that takes one and returns at once."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from jairouter_cli.payloads.spent import Spent
from jairouter_cli.routing.admission import Limit
from jairouter_cli.routing.call import Call, Target

LEFT: Final = "left"  # the failure of an attempt whose client did not wait for its end
_CANNED: Final = frozenset({"default", "cache"})  # fallbacks that ask nobody


class Attempt(NamedTuple):
    """One try at one instance; `failure` says why it did not answer, or is empty.

    `duration_s` is how long it took to the head of an answer, or to the failure.
    """

    target: Target
    status: int | None
    failure: str = ""
    duration_s: float = 0.0

    @property
    def instance(self) -> str:
        """The id of the instance."""
        return self.target.id


class Completed(NamedTuple):
    """A call has ended.

    `status` is what the client was told, 499 if it left first. `ended` is `ok`, `failed`, `truncated` or `left`; what
    the gateway refused or could not answer has `failed`. Times begin when the request has been read: `head_s` is that
    of an answer's head or of the failure, `first_token_s` that of a stream's first content on its way to the client.
    `queued_s` is how long the call waited for a slot, or was held back by a limit; `passed_over` are instances that
    were not tried, with the reason; `fallback` says what took the place of an answer, or is empty. `path` is the
    endpoint's, `strategy` that by which instances were chosen; `is_known` is whether the model is configured at all.
    `events` are those of a stream. `credential` is the client's own: no sink may keep more than its fingerprint.
    """

    call: Call
    request_id: str
    status: int
    ended: str
    attempts: Sequence[Attempt]
    duration_s: float
    queued_s: float = 0.0
    passed_over: tuple[tuple[str, str], ...] = ()
    fallback: str = ""
    path: str = ""
    strategy: str = ""
    is_known: bool = False
    head_s: float = 0.0
    first_token_s: float | None = None
    events: int = 0
    request_bytes: int = 0
    response_bytes: int = 0
    spent: Spent | None = None
    decisions: Sequence[tuple[Limit, bool]] = ()
    """Every limit that was asked, and whether it let the call pass."""
    credential: str = ""
    method: str = "POST"

    @property
    def answered(self) -> Attempt | None:
        """The attempt whose answer the client got, None if it got none, or one that no backend gave."""
        if self.fallback in _CANNED or not self.attempts:
            return None
        if self.attempts[-1].status is not None:
            return self.attempts[-1]
        found = next((one for one in reversed(self.attempts) if one.status is not None), None)
        # with a later failure behind it, it is the answer only if nothing took its place
        return found if found is not None and found.status == self.status else None


class Handled(NamedTuple):
    """A request to the gateway itself has been answered: management, health, pages.

    `ended` is `ok`, `failed` or `left`; `template` is that of the path, empty if nothing is there.
    """

    client_ip: str
    method: str
    path: str
    status: int
    ended: str
    duration_s: float
    response_bytes: int
    template: str = ""


Sink = Callable[[Completed], None]
