"""The neutral form in the middle of every translation: chat completions, as far as other dialects need them.

Backends differ in what they send: members may be missing, null, or of a type of their own. What cannot be used is as if
it were not there.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec


class FunctionPiece(msgspec.Struct):
    """The function of a tool call, or a piece of one in a stream."""

    name: Any = None
    arguments: Any = None


class ToolCallPiece(msgspec.Struct):
    """A tool call, or a piece of one in a stream."""

    index: int | None = None
    id: Any = None
    function: FunctionPiece | None = None


class ChatWords(msgspec.Struct):
    """What a model says: a whole message, or a piece of one."""

    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    tool_calls: list[ToolCallPiece] | None = None

    @property
    def text(self) -> str:
        """The answer's words."""
        return self.content if isinstance(self.content, str) else ""

    @property
    def thought(self) -> str:
        """The words before the answer, which backends have under one of two names."""
        found = self.reasoning_content or self.reasoning
        return found if isinstance(found, str) else ""


class ChatChoice(msgspec.Struct):
    """The one choice that is asked for; `stop_reason` is vLLM's: the sequence at which it stopped."""

    index: int = 0
    message: ChatWords | None = None
    delta: ChatWords | None = None
    finish_reason: str | None = None
    stop_reason: Any = None


class UsageDetails(msgspec.Struct):
    """What the tokens of a prompt, or of an answer, were."""

    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class ChatUsage(msgspec.Struct):
    """The tokens of a call."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: UsageDetails | None = None
    completion_tokens_details: UsageDetails | None = None


class ChatAnswer(msgspec.Struct):
    """A whole answer, or an event of a stream."""

    id: Any = None
    created: Any = None
    choices: list[ChatChoice] | None = None
    usage: ChatUsage | None = None


class ToolCall(msgspec.Struct):
    """A tool call of which pieces come: what has come of it."""

    id: str = ""
    name: str = ""
    arguments: str = ""
    is_written: bool = False
    """Whether a client has it, or some of it."""


class TranslatedRequest(NamedTuple):
    """A request for chat completions, made of another dialect's.

    `dropped` names what was left out. `tools` says of a function what it was in the dialect, where it was another kind.
    `key` is for the ids of its answer: agents take two answers of one id for one, and some backends give all the same.
    """

    body: dict[str, Any]
    dropped: list[str]
    tools: Mapping[str, str] = {}
    key: str = ""


decoder: Final = msgspec.json.Decoder(ChatAnswer)


def text_of(value: Any) -> str:
    """Return a text, an empty one for anything else."""
    return value if isinstance(value, str) else ""


def arguments_of(text: str) -> dict[str, Any]:
    """Return the arguments of a call as an object; what is no object is kept under one name."""
    if not text.strip():
        return {}
    try:
        found = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return {"arguments": text}
    return found if isinstance(found, dict) else {"arguments": found}
