"""A stream of chat completions, read for whoever makes another dialect of it.

What a model says comes in runs: thoughts, words, calls of tools. The first call of a tool is passed on piece by piece.
Pieces of several calls may come mixed; the later calls are kept until the first has ended, for the dialects have one
item at a time.
"""

from abc import ABC, abstractmethod
from typing import Final, Literal

import msgspec

from jairouter_cli.adapters.chat import ChatAnswer, ChatChoice, ChatUsage, ToolCall, ToolCallPiece, decoder, text_of
from jairouter_cli.adapters.failed import BackendFailed
from jairouter_cli.payloads.reading import UNREADABLE
from jairouter_cli.payloads.sse import EventGate, events_in

_DONE: Final = b"[DONE]"
encode: Final = msgspec.json.Encoder().encode

Run = Literal["thought", "text"]


class ChatStream(ABC):
    """Reads the events as they come, and has a dialect write its own with the methods below.

    `feed` and `rest` raise `BackendFailed` for what is no stream of a chat, or an error in it.
    """

    __slots__ = (
        *("_answer", "_calls", "_choice", "_gate", "_is_done", "_live", "_run", "events"),
        *("out", "usage", "written"),
    )

    def __init__(self) -> None:
        self._gate: Final = EventGate()
        self._answer: ChatAnswer | None = None
        self._run: Run | None = None
        self._calls: list[tuple[int, ToolCall]] = []
        """The calls in their order, each with the number under which its pieces come."""
        self._live: ToolCall | None = None
        """The one that is passed on as it comes."""
        self._choice: ChatChoice | None = None
        self._is_done = False
        self.usage: ChatUsage | None = None
        self.written = 0
        """Pieces of what the model has said, about as many as its tokens."""
        self.out: list[bytes] = []
        self.events = 0
        """How many were written."""

    # --- what a dialect writes ---

    @abstractmethod
    def begin(self, answer: ChatAnswer) -> None:
        """Write what comes first."""

    @abstractmethod
    def open_run(self, run: Run) -> None:
        """Begin thoughts, or words."""

    @abstractmethod
    def say(self, run: Run, text: str) -> None:
        """Write some of it."""

    @abstractmethod
    def close_run(self, run: Run) -> None:
        """End it."""

    @abstractmethod
    def open_call(self, call: ToolCall) -> None:
        """Begin a call, whose name is known."""

    @abstractmethod
    def pass_arguments(self, call: ToolCall, text: str) -> None:
        """Write some of its arguments."""

    @abstractmethod
    def close_call(self, call: ToolCall) -> None:
        """End it; it is complete now."""

    @abstractmethod
    def end(self, choice: ChatChoice | None, *, has_call: bool) -> None:
        """Write what comes last; `choice` says why the answer ended, if the backend does."""

    def failed(self, message: str) -> bytes:  # noqa: ARG002 - for dialects that have it
        """Return what comes before the event of an error."""
        return b""

    def event(self, name: str, members: object) -> None:
        """Write an event."""
        self.events += 1
        self.out.append(b"event: %s\ndata: %s\n\n" % (name.encode(), encode(members)))

    # --- reading ---

    def feed(self, chunk: bytes) -> bytes:
        """Take in bytes as they come, return those that go on."""
        whole = self._gate.feed(chunk)
        if whole:
            self._take(whole)
        return self.taken()

    def rest(self) -> bytes:
        """Return what is left at the end of the backend's stream, which has to be complete."""
        if rest := self._gate.rest():
            self._take(rest)
        if not self._is_done:
            if self._choice is None:
                raise BackendFailed("the stream ended before the answer was complete")
            self._end()
        return self.taken()

    def taken(self) -> bytes:
        """Return what was written since."""
        out, self.out = b"".join(self.out), []
        return out

    def _take(self, events: bytes) -> None:
        for event in events_in(events):
            data = event.data.strip()
            if not data or self._is_done:
                continue
            if data == _DONE:
                self._end()
                continue
            try:
                answer = decoder.decode(data)
            except UNREADABLE:
                raise BackendFailed("the stream has an event that is not one of a chat") from None
            if answer.choices is None and answer.usage is None:
                raise BackendFailed(_error_in(data))
            self._add(answer)

    def _add(self, answer: ChatAnswer) -> None:
        if self._answer is None:
            self._answer = answer
            self.begin(answer)
        if answer.usage is not None:
            self.usage = answer.usage
        for choice in (answer.choices or ())[:1]:
            if (said := choice.delta or choice.message) is not None:
                if thought := said.thought:
                    self._say("thought", thought)
                if text := said.text:
                    self._say("text", text)
                for piece in said.tool_calls or ():
                    self._call(piece)
            if choice.finish_reason:
                self._choice = choice

    def _say(self, run: Run, text: str) -> None:
        if self._run != run:
            self._close()
            self._run = run
            self.open_run(run)
        self.written += 1
        self.say(run, text)

    def _close(self) -> None:
        """End what is open."""
        if self._run is not None:
            run, self._run = self._run, None
            self.close_run(run)
        if self._live is not None:
            call, self._live = self._live, None
            self.close_call(call)

    def _call(self, piece: ToolCallPiece) -> None:
        """Add a piece of a call.

        Backends number the calls, but some give all of them the number 0, and tell another one by its id; some repeat
        id and name in each piece, and some send the name late.
        """
        number = piece.index or 0
        found = next((one for at, one in reversed(self._calls) if at == number), None)
        name = text_of(piece.id)
        if found is None or (name and found.id and name != found.id):
            found = ToolCall()
            self._calls.append((number, found))
        function = piece.function
        found.id = found.id or name
        passed = ""
        if function is not None:
            found.name = found.name or text_of(function.name)
            arguments = function.arguments
            passed = encode(arguments).decode() if isinstance(arguments, dict) else text_of(arguments)
        found.arguments += passed
        self.written += 1
        if self._live is found:
            if passed:
                self.pass_arguments(found, passed)
        elif self._live is None and not found.is_written and found is self._calls[0][1] and found.name:
            self._close()
            self._begin_call(found)

    def _begin_call(self, call: ToolCall) -> None:
        call.id = call.id or f"call_{len(self._calls)}_{self.events}"
        call.is_written = True
        self._live = call
        self.open_call(call)
        if call.arguments:
            self.pass_arguments(call, call.arguments)

    def _end(self) -> None:
        """Close what is open, send the calls that were kept, and say why and at what cost the answer ended."""
        self._is_done = True
        if self._answer is None:
            raise BackendFailed("the stream ended before the answer began")
        self._close()
        for _, call in self._calls:
            if not call.is_written and call.name:
                self._begin_call(call)
                self._close()
        self.end(self._choice, has_call=any(call.is_written for _, call in self._calls))


def _error_in(data: bytes) -> str:
    try:
        found = msgspec.json.decode(data)
    except UNREADABLE:
        found = None
    told = found.get("error") if isinstance(found, dict) else None
    message = told.get("message") if isinstance(told, dict) else told
    return str(message) if message else "the stream has an event that is not one of a chat"
