"""A stream of chat completions as one of OpenAI's Responses API.

Its grammar: `response.created`, items one after another (added, their parts and deltas, done), and at last
`response.completed` or `response.incomplete` with the whole answer. Every event has a number that rises by one.
"""

from typing import Any, Final

from jairouter_cli.adapters.chat import ChatAnswer, ChatChoice, ToolCall, TranslatedRequest
from jairouter_cli.adapters.chat_stream import ChatStream, Run
from jairouter_cli.adapters.responses.answer import (
    call_item,
    custom_input,
    finish,
    head,
    is_custom,
    key_of,
    message_item,
    reasoning_item,
    text_part,
    usage,
)


class ResponsesStream(ChatStream):
    """The events of an answer of a model that was asked for by a name; `expected` are the prompt's tokens, roughly."""

    __slots__ = ("_expected", "_head", "_item", "_key", "_model", "_output", "_request", "_said")

    def __init__(self, model: str, expected: int, request: TranslatedRequest) -> None:
        super().__init__()
        self._model: Final = model
        self._expected: Final = expected
        self._request: Final = request
        self._head: dict[str, Any] = {}
        self._key = ""
        self._item = ""
        """The id of the item that is open."""
        self._said: list[str] = []
        self._output: list[dict[str, Any]] = []

    def begin(self, answer: ChatAnswer) -> None:
        """Write that it has begun."""
        self._key, self._head = key_of(answer, self._request), head(answer, self._model, self._request)
        self._event("response.created", response=self._head)
        self._event("response.in_progress", response=self._head)

    def open_run(self, run: Run) -> None:
        """Begin an item, and its one part."""
        self._said = []
        number = len(self._output)
        if run == "thought":
            self._item = f"rs_{self._key}_{number}"
            self._added({**reasoning_item(self._item, ""), "status": "in_progress"})
            part = {"type": "reasoning_text", "text": ""}
        else:
            self._item = f"msg_{self._key}_{number}"
            self._added(message_item(self._item, None, "in_progress"))
            part = text_part("")
        self._of_part("response.content_part.added", part=part)

    def say(self, run: Run, text: str) -> None:
        """Write a piece of it."""
        self._said.append(text)
        if run == "thought":
            self._of_part("response.reasoning_text.delta", delta=text)
        else:
            self._of_part("response.output_text.delta", delta=text, logprobs=[])

    def close_run(self, run: Run) -> None:
        """End the part and the item."""
        text = "".join(self._said)
        if run == "thought":
            self._of_part("response.reasoning_text.done", text=text)
            self._of_part("response.content_part.done", part={"type": "reasoning_text", "text": text})
            self._done(reasoning_item(self._item, text))
        else:
            self._of_part("response.output_text.done", text=text, logprobs=[])
            self._of_part("response.content_part.done", part=text_part(text))
            self._done(message_item(self._item, text))

    def open_call(self, call: ToolCall) -> None:
        """Begin an item of a call."""
        self._item = f"{'ctc' if is_custom(call, self._request) else 'fc'}_{self._key}_{len(self._output)}"
        self._added(call_item(self._item, call, self._request, "in_progress"))

    def pass_arguments(self, call: ToolCall, text: str) -> None:
        """Write a piece of its arguments; a text stands within them, and is written when it is complete."""
        if not is_custom(call, self._request):
            self._of_item("response.function_call_arguments.delta", delta=text)

    def close_call(self, call: ToolCall) -> None:
        """End the item."""
        if is_custom(call, self._request):
            text = custom_input(call)
            self._of_item("response.custom_tool_call_input.delta", delta=text)
            self._of_item("response.custom_tool_call_input.done", input=text)
        else:
            self._of_item("response.function_call_arguments.done", arguments=call.arguments or "{}", name=call.name)
        self._done(call_item(self._item, call, self._request))

    def end(self, choice: ChatChoice | None, *, has_call: bool) -> None:  # noqa: ARG002 - its items say so
        """Write the whole answer."""
        reason = choice.finish_reason if choice else None
        finish(self._head, self._output, reason, usage(self.usage, self._expected, self.written))
        self._event(f"response.{self._head['status']}", response=self._head)

    def failed(self, message: str) -> bytes:
        """Return the answer as one that has failed, if it had begun: agents wait for one of these ends."""
        if not self._head:
            return b""
        self._head["status"], self._head["error"] = "failed", {"code": "server_error", "message": message}
        self._event("response.failed", response=self._head)
        return self.taken()

    def _added(self, item: dict[str, Any]) -> None:
        self._event("response.output_item.added", output_index=len(self._output), item=item)

    def _done(self, item: dict[str, Any]) -> None:
        self._event("response.output_item.done", output_index=len(self._output), item=item)
        self._output.append(item)

    def _of_item(self, kind: str, **members: Any) -> None:
        self._event(kind, item_id=self._item, output_index=len(self._output), **members)

    def _of_part(self, kind: str, **members: Any) -> None:
        self._of_item(kind, content_index=0, **members)

    def _event(self, kind: str, **members: Any) -> None:
        self.event(kind, {"type": kind, "sequence_number": self.events, **members})
