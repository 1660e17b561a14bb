"""A stream of chat completions as one of Anthropic's Messages API.

Its grammar: `message_start`, blocks one after another with indexes that rise by one, `message_delta`, `message_stop`.
The first call of a tool is passed on piece by piece. Pieces of several calls may come mixed, and the later calls are
kept until the first has ended, for there is one block at a time.
"""

from typing import Any, Final

import msgspec

from jairouter_cli.adapters.chat import ChatAnswer, ChatChoice, ChatUsage, ToolCall, ToolCallPiece, decoder, text_of
from jairouter_cli.adapters.failed import BackendFailed
from jairouter_cli.adapters.messages.answer import SIGNATURE, id_of, stop_reason, usage
from jairouter_cli.payloads.reading import UNREADABLE
from jairouter_cli.payloads.sse import EventGate, events_in

_DONE: Final = b"[DONE]"
_encode: Final = msgspec.json.Encoder().encode


class MessagesStream:
    """The events, made of a backend's as they come. `expected` are the tokens of the prompt, roughly.

    `feed` and `rest` raise `BackendFailed` for what is no stream of a chat, or an error in it.
    """

    __slots__ = (
        *("_answer", "_block", "_calls", "_choice", "_expected", "_gate", "_is_done", "_live", "_model", "_next"),
        *("_out", "_usage", "_written"),
    )

    def __init__(self, model: str, expected: int) -> None:
        self._model: Final = model
        self._expected: Final = expected
        self._gate: Final = EventGate()
        self._out: list[bytes] = []
        self._answer: ChatAnswer | None = None
        self._block = ""
        """The kind of the block that is open."""
        self._next = 0
        self._calls: list[tuple[int, ToolCall]] = []
        """The calls in their order, each with the number under which its pieces come."""
        self._live: ToolCall | None = None
        """The one that is passed on as it comes."""
        self._choice: ChatChoice | None = None
        self._usage: ChatUsage | None = None
        self._written = 0
        self._is_done = False

    def feed(self, chunk: bytes) -> bytes:
        """Take in bytes as they come, return those that go on."""
        whole = self._gate.feed(chunk)
        if whole:
            self._take(whole)
        return self._taken()

    def rest(self) -> bytes:
        """Return what is left at the end of the backend's stream, which has to be complete."""
        if rest := self._gate.rest():
            self._take(rest)
        if not self._is_done:
            if self._choice is None:
                raise BackendFailed("the stream ended before the answer was complete")
            self._end()
        return self._taken()

    def _taken(self) -> bytes:
        out, self._out = b"".join(self._out), []
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
            self._begin(answer)
        if answer.usage is not None:
            self._usage = answer.usage
        for choice in (answer.choices or ())[:1]:
            if (said := choice.delta or choice.message) is not None:
                if thought := said.thought:
                    self._say("thinking", "thinking_delta", "thinking", thought)
                if text := said.text:
                    self._say("text", "text_delta", "text", text)
                for piece in said.tool_calls or ():
                    self._call(piece)
            if choice.finish_reason:
                self._choice = choice

    # --- events ---

    def _event(self, kind: str, **members: Any) -> None:
        self._out.append(b"event: %s\ndata: %s\n\n" % (kind.encode(), _encode({"type": kind, **members})))

    def _begin(self, answer: ChatAnswer) -> None:
        self._answer = answer
        begun: dict[str, Any] = {
            "id": id_of(answer),
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage(None, max(1, self._expected), 1),
        }
        self._event("message_start", message=begun)

    def _say(self, block: str, kind: str, member: str, text: str) -> None:
        if self._block != block:
            self._close()
            begun: dict[str, Any] = {"type": block, member: ""}
            if block == "thinking":
                begun["signature"] = ""
            self._open(block, begun)
        self._written += 1
        self._event("content_block_delta", index=self._next, delta={"type": kind, member: text})

    def _open(self, block: str, begun: dict[str, Any]) -> None:
        self._block = block
        self._event("content_block_start", index=self._next, content_block=begun)

    def _close(self) -> None:
        if not self._block:
            return
        if self._block == "thinking":
            proof = {"type": "signature_delta", "signature": SIGNATURE}
            self._event("content_block_delta", index=self._next, delta=proof)
        self._event("content_block_stop", index=self._next)
        self._block = ""
        self._live = None
        self._next += 1

    # --- calls of tools ---

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
            passed = _encode(arguments).decode() if isinstance(arguments, dict) else text_of(arguments)
        found.arguments += passed
        self._written += 1
        if self._live is found:
            self._pass(passed)
        elif self._live is None and found is self._calls[0][1] and found.name:
            self._close()
            self._begin_call(found)

    def _begin_call(self, call: ToolCall) -> None:
        name = call.id or f"toolu_{self._next}"
        self._open("tool_use", {"type": "tool_use", "id": name, "name": call.name, "input": {}})
        self._live = call
        self._pass(call.arguments)

    def _pass(self, arguments: str) -> None:
        if arguments:
            delta = {"type": "input_json_delta", "partial_json": arguments}
            self._event("content_block_delta", index=self._next, delta=delta)

    def _end(self) -> None:
        """Close what is open, send the calls that were kept, and say why and at what cost the answer ended."""
        self._is_done = True
        if self._answer is None:
            raise BackendFailed("the stream ended before the answer began")
        first = self._live
        self._close()
        has_call = first is not None
        for _, call in self._calls:
            if call is not first and call.name:
                self._begin_call(call)
                self._close()
                has_call = True
        choice = self._choice
        reason, sequence = stop_reason(choice.finish_reason if choice else None, has_call=has_call), None
        if reason == "end_turn" and choice is not None and isinstance(choice.stop_reason, str) and choice.stop_reason:
            reason, sequence = "stop_sequence", choice.stop_reason
        delta = {"stop_reason": reason, "stop_sequence": sequence}
        self._event("message_delta", delta=delta, usage=usage(self._usage, self._expected, self._written))
        self._event("message_stop")


def _error_in(data: bytes) -> str:
    try:
        found = msgspec.json.decode(data)
    except UNREADABLE:
        found = None
    told = found.get("error") if isinstance(found, dict) else None
    message = told.get("message") if isinstance(told, dict) else told
    return str(message) if message else "the stream has an event that is not one of a chat"
