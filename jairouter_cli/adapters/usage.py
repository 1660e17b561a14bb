"""How many tokens a call costs: what is expected before, and what the backend's own `usage` says afterwards."""

import json
import re
from typing import Any, Final

import msgspec

BYTES_PER_TOKEN: Final = 4  # of text in English; what is wrong about it is put right when the answer is there
PICTURE_TOKENS: Final = 1000  # about what vision models count for one, whatever its size in bytes

_TAIL_BYTES: Final = 8192  # the last frame of a stream, or the end of an answer: where `usage` stands
_INLINE_FILE: Final = re.compile(rb'base64,[^"]*|"data"\s*:\s*"[^"]{256,}"')
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


_said: Final = msgspec.json.Decoder(_Said)
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
    """Listens to an answer for its `usage`; where there is none, its events are counted."""

    __slots__ = ("_events", "_tail")

    def __init__(self) -> None:
        self._tail = b""
        self._events = 0

    def add(self, piece: bytes) -> None:
        """Take a piece of the answer."""
        self._events += piece.count(b"\ndata:") + piece.startswith(b"data:")
        self._tail = (self._tail + piece)[-_TAIL_BYTES:]

    def tokens(self, prompt: float) -> float | None:
        """Return what the whole call cost.

        Without a `usage` it is the prompt and an event for a token, as chats stream them; None for no stream either.
        """
        tail = self._tail.decode("utf-8", "replace")
        for match in reversed(list(_USAGE.finditer(tail))):
            said = _read(tail[match.end() :])
            if said is not None:
                return said
        return prompt + self._events if self._events else None


def _read(text: str) -> float | None:
    """Read the object that a text begins with."""
    try:
        found, _ = _object.raw_decode(text)
        usage = msgspec.convert(found, _Usage)
    except (ValueError, RecursionError):  # msgspec's errors are among them
        return None
    if usage.total_tokens is not None:
        return float(usage.total_tokens)
    parts = (usage.prompt_tokens, usage.completion_tokens, usage.input_tokens, usage.output_tokens)
    known = [part for part in parts if part is not None]
    return float(sum(known)) if known else None
