"""What happened in one call: noted as it happens, by name, and told to the sinks once."""

from collections.abc import Callable
from typing import Final

from jairouter_cli.observe.events import Attempt, Completed
from jairouter_cli.routing.call import Call, Target


class CallRecord(Completed):
    """The record of a call that is under way; what it becomes at the end is what the sinks get."""

    __slots__ = ("_clock", "last_failure", "started")

    def __init__(
        self, clock: Callable[[], float], call: Call, request_id: str, path: str, started: float | None = None
    ) -> None:
        super().__init__(call, request_id, path=path)
        self._clock: Final = clock
        self.started: Final = clock() if started is None else started
        """When the request had been read, on the clock of the gateway."""
        self.head_s = -1.0  # there is none yet
        self.last_failure = ""
        """Why the answer that a client got a part of broke off."""

    @property
    def age_s(self) -> float:
        """How long ago the request had been read."""
        return self._clock() - self.started

    def tried(self, target: Target, status: int | None, began: float, failure: str = "") -> float:
        """Note an attempt that began at a time; return what the time is now."""
        now = self._clock()
        self.attempts.append(Attempt(target, status, failure, now - began))
        return now

    def waited(self, began: float) -> None:
        """Note that the call was held up since a time, by a limit or for a slot."""
        self.queued_s += self._clock() - began

    def cut_off(self, failure: str) -> None:
        """Note that the last attempt's answer broke off in its midst."""
        self.last_failure = failure
        if self.attempts:
            self.attempts[-1] = self.attempts[-1]._replace(failure=failure)

    def has_content(self) -> None:
        """Note that the first content of a stream is on its way to the client."""
        self.first_token_s = self._clock() - self.started

    def end(self, status: int, ended: str) -> Completed:
        """End it; `status` is what the client was told. To be called once."""
        self.status, self.ended = status, ended
        self.duration_s = self._clock() - self.started
        if self.head_s < 0:
            self.head_s = self.duration_s
        return self
