"""The shapes that msgspec reads bodies into: of each only the members that somebody looks at.

They stand by themselves because msgspec makes these classes when they are defined, which compiled modules cannot have.
"""

from typing import Any

import msgspec


class CallMembers(msgspec.Struct):
    """The members of a request that say whom it is for; all others are skipped over, unread."""

    model: str | None = None
    stream: bool | None = None


class RawCallMembers(msgspec.Struct):
    """The same, with the text of `model` as it stands in the body."""

    model: msgspec.Raw = msgspec.Raw()
    stream: bool | None = None


class CostMembers(msgspec.Struct):
    """The members of a request that say how much it may cost."""

    messages: msgspec.Raw = msgspec.Raw()
    prompt: msgspec.Raw = msgspec.Raw()
    input: msgspec.Raw = msgspec.Raw()
    instructions: msgspec.Raw = msgspec.Raw()
    tools: msgspec.Raw = msgspec.Raw()
    query: msgspec.Raw = msgspec.Raw()
    documents: msgspec.Raw = msgspec.Raw()
    max_tokens: msgspec.Raw = msgspec.Raw()
    max_completion_tokens: msgspec.Raw = msgspec.Raw()
    max_output_tokens: msgspec.Raw = msgspec.Raw()
    num_predict: msgspec.Raw = msgspec.Raw()
    n: msgspec.Raw = msgspec.Raw()
    best_of: msgspec.Raw = msgspec.Raw()


class AnswerMessage(msgspec.Struct):
    """A message of a whole answer."""

    content: str | None = None


class AnswerChoice(msgspec.Struct):
    """A choice of a whole answer: of a chat, or of a completion."""

    message: AnswerMessage | None = None
    text: str | None = None


class AnswerWords(msgspec.Struct):
    """What a whole answer says."""

    choices: list[AnswerChoice]


class UsageMembers(msgspec.Struct):
    """The members that count tokens, whatever they are; in the order of `ReportedUsage`."""

    prompt_tokens: Any = None
    completion_tokens: Any = None
    total_tokens: Any = None
    input_tokens: Any = None
    output_tokens: Any = None
    cache_creation_input_tokens: Any = None
    cache_read_input_tokens: Any = None


class AnswerUsage(msgspec.Struct):
    """A whole answer, as far as its usage goes."""

    usage: UsageMembers | None = None


class MessageRole(msgspec.Struct):
    """Who says a message of a prompt."""

    role: str = ""


class AffinityMembers(msgspec.Struct):
    """The members that say whose request it is, and how its prompt begins; all others are skipped over."""

    user: msgspec.Raw = msgspec.Raw()
    prompt_cache_key: msgspec.Raw = msgspec.Raw()
    system: msgspec.Raw = msgspec.Raw()
    instructions: msgspec.Raw = msgspec.Raw()
    messages: msgspec.Raw = msgspec.Raw()
    prompt: msgspec.Raw = msgspec.Raw()
    input: msgspec.Raw = msgspec.Raw()


class StreamOptionsMember(msgspec.Struct):
    """What a request says of its stream."""

    stream_options: msgspec.Raw = msgspec.Raw()


class UsageFrame(msgspec.Struct):
    """An event that tells the usage of a stream."""

    choices: list[Any]
    usage: dict[str, Any]


class StreamDelta(msgspec.Struct):
    """What a model may say in a piece of a chat."""

    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    tool_calls: Any = None
    function_call: Any = None
    refusal: Any = None
    audio: Any = None


class StreamChoice(msgspec.Struct):
    """A choice of an event: of a chat, or of a completion."""

    delta: StreamDelta | None = None
    text: str | None = None
    finish_reason: str | None = None


class StreamChunk(msgspec.Struct):
    """An event of a stream."""

    choices: list[StreamChoice] | None = None
