"""What happened in one call: noted as it happens, by name, and told to the sinks once."""

from collections.abc import Callable
from typing import Final, Self

from msgspec.structs import replace

from jairouter_cli.observe.events import Attempt, Completed
from jairouter_cli.routing.call import Call, Target

_NO_HEAD: Final = -1.0  # the seconds to the head of an answer, as long as there is none


class CallRecord(Completed, eq=False, gc=False, kw_only=True):
    """The record of a call that is under way; what it becomes at the end is what the sinks get."""

    clock: Callable[[], float]
    started: float
    """When the request had been read, on the clock of the gateway."""
    last_failure: str = ""
    """Why the answer that a client got a part of broke off."""

    @classmethod
    def begin(
        cls, clock: Callable[[], float], call: Call, request_id: str, path: str, started: float | None = None
    ) -> Self:
        """Begin the record of a call, now if it has not `started` before."""
        at = clock() if started is None else started
        return cls(call, request_id, path=path, head_s=_NO_HEAD, clock=clock, started=at)

    @property
    def age_s(self) -> float:
        """How long ago the request had been read."""
        return self.clock() - self.started

    def tried(self, target: Target, status: int | None, began: float, failure: str = "") -> float:
        """Note an attempt that began at a time; return what the time is now."""
        now = self.clock()
        self.attempts.append(Attempt(target, status, failure, now - began))
        return now

    def waited(self, began: float) -> None:
        """Note that the call was held up since a time, by a limit or for a slot."""
        self.queued_s += self.clock() - began

    def cut_off(self, failure: str) -> None:
        """Note that the last attempt's answer broke off in its midst."""
        self.last_failure = failure
        if self.attempts:
            self.attempts[-1] = replace(self.attempts[-1], failure=failure)

    def has_content(self) -> None:
        """Note that the first content of a stream is on its way to the client."""
        self.first_token_s = self.clock() - self.started

    def end(self, status: int, ended: str) -> Completed:
        """End it; `status` is what the client was told. To be called once."""
        self.status, self.ended = status, ended
        self.duration_s = self.clock() - self.started
        if self.head_s < 0:
            self.head_s = self.duration_s
        return self
