"""How many tokens a call costs: what is expected before, and what the backend's own `usage` says afterwards."""

import re
from typing import Final, Protocol

import msgspec

from jairouter_cli.payloads.reading import UNREADABLE, read
from jairouter_cli.payloads.reported import MOST_TOKENS, ReportedUsage, usage_in, usage_of
from jairouter_cli.payloads.shapes import AnswerWords, CostMembers
from jairouter_cli.payloads.spent import Source, Spent

BYTES_PER_TOKEN: Final = 4  # of text in English; what is wrong about it is put right when the answer is there
PICTURE_TOKENS: Final = 1000  # about what vision models count for one, whatever its size in bytes

_TAIL_BYTES: Final = 8192  # the last frame of a stream, or the end of an answer: where `usage` stands
_KEPT_BYTES: Final = 2 * _TAIL_BYTES
_NAME_BYTES: Final = len('"usage"')  # a report that begins in what goes, and ends in what stays, is read before
_INLINE_FILE: Final = re.compile(rb'base64,[^"]{64,}+|"data"\s*+:\s*+"[^"]{256,}+"')
_MOST_FILES: Final = 10_000  # more are none, and would take long to find
_MODEL: Final = re.compile(rb'"model"\s*:\s*"([^"\\]{1,256})"')
_LAST_EVENT: Final = re.compile(
    rb'(?:^|[\r\n])data: ?(?:\[DONE\]|\{[^\r\n]*"type": ?"(?:message_stop|response\.(?:completed|incomplete|failed))")'
)
_NUMBER: Final = re.compile(rb'"?([+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)"?')
_LONGEST_NUMBER: Final = 64


_said: Final = msgspec.json.Decoder(CostMembers)
_words_of: Final = msgspec.json.Decoder(AnswerWords)
_PROMPTS: Final = ("messages", "prompt", "input", "instructions", "tools", "query", "documents")


def expected_tokens(body: bytes | bytearray) -> tuple[float, float]:
    """Return how many tokens the prompt of a request in JSON has, roughly, and how many it asks for at most.

    The second is 0 where nothing is said about it; both are for a form, of which nothing is known. Neither is more than
    `MOST_TOKENS`, whatever numbers are named.
    """
    said = read(_said, body)
    if said is None:
        return 0.0, 0.0
    size, pictures = 0, 0
    for name in _PROMPTS:
        text = bytes(getattr(said, name))
        files = _INLINE_FILE.findall(text) if text.count(b"base64,") + text.count(b'"data"') <= _MOST_FILES else ()
        size += len(text) - sum(map(len, files))
        pictures += len(files)
    numbers = (
        _number(most)
        for most in (said.max_completion_tokens, said.max_tokens, said.max_output_tokens, said.num_predict)
    )
    copies = max(1.0, _number(said.n), _number(said.best_of))
    most = next((number for number in numbers if number), 0.0) * copies * _prompts(bytes(said.prompt))
    return min(size / BYTES_PER_TOKEN + pictures * PICTURE_TOKENS, MOST_TOKENS), min(most, MOST_TOKENS)


def _prompts(said: bytes) -> int:
    """Return how many prompts a member holds, each of which is answered: about, as it is not read for that."""
    start = said[1:64].lstrip() if said.startswith(b"[") else b""
    end = {b'"': b'",', b"[": b"],"}.get(start[:1])
    return 1 if end is None else said.count(end) + 1


def _number(said: msgspec.Raw) -> float:
    """Return a number as backends read it, as text, too, between 0 and `MOST_TOKENS`; 0 for anything else."""
    match = _NUMBER.match(memoryview(said)[:_LONGEST_NUMBER])
    return 0.0 if match is None else min(max(0.0, float(match[1])), MOST_TOKENS)


class Asked(Protocol):
    """A request, as far as what it cost is estimated from it."""

    @property
    def expected_tokens(self) -> tuple[float, float]:
        """How many tokens its prompt has, roughly, and how many it asks for at most."""


class Meter:
    """Listens to an answer for its `usage`; where there is none, its events are counted, or its text is measured."""

    __slots__ = ("_earlier", "_size", "_tail", "events")

    def __init__(self) -> None:
        self._tail: list[bytes] = []
        self._earlier: ReportedUsage | None = None
        """What was reported in what is not kept."""
        self._size = 0
        self.events = 0

    def add(self, piece: bytes) -> None:
        """Take a piece of the answer."""
        self.events += piece.count(b"\ndata:") + piece.count(b"\rdata:") + piece.startswith(b"data:")
        self._tail.append(piece)
        self._size += len(piece)
        if self._size > _KEPT_BYTES:
            self._trim()

    def _trim(self) -> None:
        """Keep no more than the end, and what the rest reports."""
        heard = b"".join(self._tail)
        reported = usage_in(heard, len(heard) - _TAIL_BYTES + _NAME_BYTES)
        if reported is not None:
            self._earlier = reported.after(self._earlier)
        self._tail, self._size = [heard[-_TAIL_BYTES:]], _TAIL_BYTES

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
            input_tokens, _ = usage.parts or (0, 0)
            return float(input_tokens + self._said if self._has_only_begun(usage) else usage.total)
        return prompt + self._said if self.events else None

    def spent(self, request: Asked, *, cut: bool) -> Spent | None:
        """Return the tokens of the call, as the backend counts them or else as they look; None if there are none.

        `cut` says that the answer was not heard to its end.
        """
        usage = self._usage()
        parts = None if usage is None else usage.parts
        if usage is not None and parts is not None and self._has_only_begun(usage):
            return Spent(parts[0], self._said, Source.PARTIAL if cut else Source.ESTIMATED)
        if parts is not None:
            return Spent(*parts, Source.MEASURED)
        said = self._said or _words(b"".join(self._tail))
        if not said:
            return None
        prompt, _ = request.expected_tokens
        return Spent(round(prompt), said, Source.PARTIAL if cut else Source.ESTIMATED)

    def model(self) -> str:
        """Return the model that the answer says it is of, empty where what was kept of it does not."""
        found = _MODEL.search(b"".join(self._tail))
        return found[1].decode("utf-8", "replace") if found else ""

    @property
    def _said(self) -> int:
        """Events, without the word at the end that says nothing."""
        return self.events - (b"data: [DONE]" in b"".join(self._tail)) if self.events else 0

    def _has_only_begun(self, usage: ReportedUsage) -> bool:
        """Whether that is but what Anthropic's stream reports before its answer."""
        return usage.is_in_parts and self.events > 0 and b'"message_delta"' not in b"".join(self._tail)

    def _usage(self) -> ReportedUsage | None:
        """Return what was reported last."""
        heard = b"".join(self._tail)
        if self._earlier is None and (usage := usage_of(heard)) is not None:
            return usage
        usage = usage_in(heard)
        return self._earlier if usage is None else usage.after(self._earlier)


def _words(body: bytes) -> int:
    """Return about how many tokens the words of a chat's or a completion's answer are."""
    try:
        answer = _words_of.decode(body)
    except UNREADABLE:
        return 0
    texts = (choice.text or (choice.message.content if choice.message else None) or "" for choice in answer.choices)
    return round(sum(len(text.encode()) for text in texts) / BYTES_PER_TOKEN)
