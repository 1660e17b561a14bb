"""A stream of chat completions as one of Anthropic's Messages API.

Its grammar: `message_start`, blocks one after another with indexes that rise by one, `message_delta`, `message_stop`.
"""

from typing import Any, Final

from jairouter_cli.adapters.chat import ChatAnswer, ChatChoice, ToolCall, TranslatedRequest
from jairouter_cli.adapters.chat_stream import ChatStream, Run
from jairouter_cli.adapters.messages.answer import SIGNATURE, id_of, stop_reason, usage

_BLOCKS: Final[dict[Run, tuple[str, str, str]]] = {
    "thought": ("thinking", "thinking_delta", "thinking"),
    "text": ("text", "text_delta", "text"),
}


class MessagesStream(ChatStream):
    """The events of a message to a model that was asked for by a name; `expected` are the prompt's tokens, roughly."""

    __slots__ = ("_expected", "_index", "_model", "_request")

    def __init__(self, model: str, expected: int, request: TranslatedRequest) -> None:
        super().__init__()
        self._model: Final = model
        self._expected: Final = expected
        self._request: Final = request
        self._index = 0
        """That of the block that is open, or comes next."""

    def begin(self, answer: ChatAnswer) -> None:
        """Write `message_start`."""
        begun: dict[str, Any] = {
            "id": id_of(answer, self._request),
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage(None, max(1, self._expected), 1),
        }
        self._event("message_start", message=begun)

    def open_run(self, run: Run) -> None:
        """Begin a block."""
        kind, _, member = _BLOCKS[run]
        block = {"type": kind, member: ""}
        if run == "thought":
            block["signature"] = ""
        self._event("content_block_start", index=self._index, content_block=block)

    def say(self, run: Run, text: str) -> None:
        """Write a piece of a block."""
        _, kind, member = _BLOCKS[run]
        self._event("content_block_delta", index=self._index, delta={"type": kind, member: text})

    def close_run(self, run: Run) -> None:
        """End a block; thoughts with a proof."""
        if run == "thought":
            proof = {"type": "signature_delta", "signature": SIGNATURE}
            self._event("content_block_delta", index=self._index, delta=proof)
        self._stop()

    def open_call(self, call: ToolCall) -> None:
        """Begin a block of a call."""
        block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        self._event("content_block_start", index=self._index, content_block=block)

    def pass_arguments(self, call: ToolCall, text: str) -> None:  # noqa: ARG002 - the one that is open
        """Write a piece of its arguments."""
        delta = {"type": "input_json_delta", "partial_json": text}
        self._event("content_block_delta", index=self._index, delta=delta)

    def close_call(self, call: ToolCall) -> None:  # noqa: ARG002 - the one that is open
        """End the block."""
        self._stop()

    def end(self, choice: ChatChoice | None, *, has_call: bool) -> None:
        """Write `message_delta` and `message_stop`."""
        reason, sequence = stop_reason(choice.finish_reason if choice else None, has_call=has_call), None
        if reason == "end_turn" and choice is not None and isinstance(choice.stop_reason, str) and choice.stop_reason:
            reason, sequence = "stop_sequence", choice.stop_reason
        told = usage(self.usage, self._expected, self.written)
        self._event("message_delta", delta={"stop_reason": reason, "stop_sequence": sequence}, usage=told)
        self._event("message_stop")

    def _stop(self) -> None:
        self._event("content_block_stop", index=self._index)
        self._index += 1

    def _event(self, kind: str, **members: Any) -> None:
        self.event(kind, {"type": kind, **members})
