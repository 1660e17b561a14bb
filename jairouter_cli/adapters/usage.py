"""How many tokens a call costs: what is expected before, and what the backend's own `usage` says afterwards."""

import json
import re
from typing import Any, Final

import msgspec

from jairouter_cli.routing.call import Source, Spent

BYTES_PER_TOKEN: Final = 4  # of text in English; what is wrong about it is put right when the answer is there
PICTURE_TOKENS: Final = 1000  # about what vision models count for one, whatever its size in bytes

_TAIL_BYTES: Final = 8192  # the last frame of a stream, or the end of an answer: where `usage` stands
_KEPT_BYTES: Final = 2 * _TAIL_BYTES
_INLINE_FILE: Final = re.compile(rb'base64,[^"]*|"data"\s*:\s*"[^"]{256,}"')
_MODEL: Final = re.compile(rb'"model"\s*:\s*"([^"\\]{1,256})"')
_LAST_EVENT: Final = re.compile(
    rb'(?:^|\n)data: ?(?:\[DONE\]|\{[^\n]*"type": ?"(?:message_stop|response\.(?:completed|incomplete|failed))")'
)
_USAGE: Final = re.compile(r'"usage"\s*:\s*(?=\{)')


class _Said(msgspec.Struct):
    """The members of a request that say how much it may cost."""

    messages: msgspec.Raw = msgspec.Raw()
    prompt: msgspec.Raw = msgspec.Raw()
    input: msgspec.Raw = msgspec.Raw()
    instructions: msgspec.Raw = msgspec.Raw()
    tools: msgspec.Raw = msgspec.Raw()
    query: msgspec.Raw = msgspec.Raw()
    documents: msgspec.Raw = msgspec.Raw()
    max_tokens: Any = None
    max_completion_tokens: Any = None
    max_output_tokens: Any = None
    n: Any = None


class _Usage(msgspec.Struct):
    """What backends of several kinds report."""

    total_tokens: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None

    @property
    def parts(self) -> tuple[int, int] | None:
        """The tokens of the prompt, and of the answer; None if nothing is said of them."""
        first = self.input_tokens if self.prompt_tokens is None else self.prompt_tokens
        last = self.output_tokens if self.completion_tokens is None else self.completion_tokens
        if first is None and last is None:
            return None if self.total_tokens is None else (self.total_tokens, 0)
        return first or 0, last or 0


class _Answer(msgspec.Struct):
    """A whole answer."""

    usage: _Usage | None = None


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message | None = None
    text: str | None = None


class _Words(msgspec.Struct):
    """What a whole answer says."""

    choices: list[_Choice]


_said: Final = msgspec.json.Decoder(_Said)
_answer: Final = msgspec.json.Decoder(_Answer)
_words_of: Final = msgspec.json.Decoder(_Words)
_object: Final = json.JSONDecoder()
_PROMPTS: Final = ("messages", "prompt", "input", "instructions", "tools", "query", "documents")


def expected_tokens(body: bytes | bytearray) -> tuple[float, float]:
    """Return how many tokens the prompt of a request in JSON has, roughly, and how many it asks for at most.

    The second is 0 where nothing is said about it; both are for a form, of which nothing is known.
    """
    try:
        said = _said.decode(body)
    except msgspec.MsgspecError:
        return 0.0, 0.0
    size, pictures = 0, 0
    for name in _PROMPTS:
        text = bytes(getattr(said, name))
        files = _INLINE_FILE.findall(text)
        size += len(text) - sum(map(len, files))
        pictures += len(files)
    asked = next((most for most in (said.max_completion_tokens, said.max_tokens, said.max_output_tokens) if most), 0)
    copies = said.n if isinstance(said.n, int) else 1
    most = asked * max(1, copies) if isinstance(asked, int | float) else 0
    return size / BYTES_PER_TOKEN + pictures * PICTURE_TOKENS, max(0.0, float(most))


class Meter:
    """Listens to an answer for its `usage`; where there is none, its events are counted, or its text is measured."""

    __slots__ = ("_size", "_tail", "events")

    def __init__(self) -> None:
        self._tail: list[bytes] = []
        self._size = 0
        self.events = 0

    def add(self, piece: bytes) -> None:
        """Take a piece of the answer."""
        self.events += piece.count(b"\ndata:") + piece.startswith(b"data:")
        self._tail.append(piece)
        self._size += len(piece)
        if self._size > _KEPT_BYTES:
            self._tail = [b"".join(self._tail)[-_TAIL_BYTES:]]
            self._size = _TAIL_BYTES

    @property
    def has_ended(self) -> bool:
        """Whether the last event was there that ends a stream, in any of the dialects."""
        return _LAST_EVENT.search(b"".join(self._tail)) is not None

    def tokens(self, prompt: float) -> float | None:
        """Return what the whole call cost.

        Without a `usage` it is the prompt and an event for a token, as chats stream them; None for no stream either.
        """
        usage = self._usage()
        if usage is not None:
            return float(sum(usage.parts or ()) if usage.total_tokens is None else usage.total_tokens)
        return prompt + self._said if self.events else None

    def spent(self, request: bytes | bytearray, *, cut: bool) -> Spent | None:
        """Return the tokens of the call, as the backend counts them or else as they look; None if there are none.

        `cut` says that the answer was not heard to its end.
        """
        usage = self._usage()
        parts = None if usage is None else usage.parts
        if parts is not None:
            return Spent(*parts, Source.MEASURED)
        said = self._said or _words(b"".join(self._tail))
        if not said:
            return None
        prompt, _ = expected_tokens(request)
        return Spent(round(prompt), said, Source.PARTIAL if cut else Source.ESTIMATED)

    def model(self) -> str:
        """Return the model that the answer says it is of, empty where what was kept of it does not."""
        found = _MODEL.search(b"".join(self._tail))
        return found[1].decode("utf-8", "replace") if found else ""

    @property
    def _said(self) -> int:
        """Events, without the word at the end that says nothing."""
        return self.events - (b"data: [DONE]" in b"".join(self._tail)) if self.events else 0

    def _usage(self) -> _Usage | None:
        """Return the last `usage` that there is."""
        if len(self._tail) == 1 and (usage := _of_whole(self._tail[0])) is not None:
            return usage
        tail = b"".join(self._tail)
        if b'"usage"' not in tail:
            return None
        text = tail.decode("utf-8", "replace")
        found = (_read(text[match.end() :]) for match in reversed(list(_USAGE.finditer(text))))
        return next((usage for usage in found if usage is not None), None)


def _of_whole(body: bytes) -> _Usage | None:
    """Return what a whole answer says, the common and the fast way; None for a shape or a piece of its own."""
    try:
        usage = _answer.decode(body).usage
    except (msgspec.MsgspecError, RecursionError):
        return None
    return usage if usage is not None and usage.parts is not None else None


def _read(text: str) -> _Usage | None:
    """Read the object that a text begins with; None unless it says anything of tokens."""
    try:
        found, _ = _object.raw_decode(text)
        usage = msgspec.convert(found, _Usage)
    except (ValueError, RecursionError):  # msgspec's errors are among them
        return None
    return None if usage.parts is None else usage


def _words(body: bytes) -> int:
    """Return about how many tokens the words of a chat's or a completion's answer are."""
    try:
        answer = _words_of.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        return 0
    texts = (choice.text or (choice.message.content if choice.message else None) or "" for choice in answer.choices)
    return round(sum(len(text.encode()) for text in texts) / BYTES_PER_TOKEN)
