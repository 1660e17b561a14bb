"""The events that the gateway reports. A sink is any callable that takes an event and returns at once.

Those that come with every request are msgspec's, which makes them faster than Python can, and has the collector not
look at them: they hold each other in no circles.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from msgspec import Struct

from jairouter_cli.payloads.spent import Spent
from jairouter_cli.routing.admission import Limit
from jairouter_cli.routing.call import Call, Target

LEFT: Final = "left"  # the failure of an attempt whose client did not wait for its end
_CANNED: Final = frozenset({"default", "cache"})  # fallbacks that ask nobody


class Attempt(Struct, frozen=True, gc=False):
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


class Completed(Struct, eq=False, gc=False):
    """A call that has ended. Nobody changes it any more; sinks may keep it.

    Times are in seconds, and start when the request has been read.
    """

    call: Call
    request_id: str
    status: int = 0
    """What the client was told; 499 if it left first."""
    ended: str = ""
    """`ok`, `failed`, `truncated` or `left`; what the gateway refused or could not answer has `failed`."""
    attempts: list[Attempt] = []
    """In their order."""
    duration_s: float = 0.0
    """To the end of the answer."""
    queued_s: float = 0.0
    """How long the call waited for a slot, or was held back by a limit."""
    passed_over: tuple[tuple[str, str], ...] = ()
    """Instances that were not tried, with the reason."""
    fallback: str = ""
    """What took the place of an answer, or empty."""
    path: str = ""
    """The endpoint's, however the client spelt it."""
    strategy: str = ""
    """That by which instances were chosen."""
    is_known: bool = False
    """Whether the model is configured at all."""
    head_s: float = 0.0
    """To the head of an answer, or to the failure."""
    first_token_s: float | None = None
    """To a stream's first content on its way to the client; None for no stream, or one without."""
    events: int = 0
    """Those of a stream."""
    request_bytes: int = 0
    """Of the body, unpacked."""
    response_bytes: int = 0
    """Of the body, as it went out."""
    spent: Spent | None = None
    """What it cost, None if that is not known."""
    decisions: Sequence[tuple[Limit, bool]] = ()
    """Every limit that was asked, and whether it let the call pass."""
    credential: str = ""
    """The client's own: no sink may keep more than its fingerprint."""
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
