"""What backends report of tokens: the members `usage` of their answers, in the shapes that there are.

A number that cannot be one of tokens (negative, broken, no number, beyond all measure) makes its report none: rather
not measured than wrong.
"""

import json
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import astuple

from jairouter_cli.payloads.reading import UNREADABLE
from jairouter_cli.payloads.shapes import AnswerUsage, UsageMembers

MOST_TOKENS: Final = 1_000_000_000  # of one call; the largest contexts have some millions

_NAME: Final = b'"usage"'
_OBJECT: Final = re.compile(rb'"usage"\s*:\s*(?=\{)')
_LONGEST_BYTES: Final = 4096  # of a report
_LOOKS: Final = 32  # at the last places where one may be: those that tell nothing are mostly `null`

_json: Final = json.JSONDecoder()


class ReportedUsage(NamedTuple):
    """The tokens of a call, None where nothing is said of them.

    Those of the prompt that were read from a cache, or written to one, are a part of `prompt_tokens`, but stand beside
    Anthropic's `input_tokens`.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None

    @property
    def parts(self) -> tuple[int, int] | None:
        """The tokens of the prompt, and of the answer; None if nothing is said of them."""
        first, last = self.prompt_tokens, self.completion_tokens
        if first is None:
            inputs = (self.input_tokens, self.cache_creation_input_tokens, self.cache_read_input_tokens)
            first = None if set(inputs) == {None} else sum(count or 0 for count in inputs)
        last = self.output_tokens if last is None else last
        if first is None and last is None:
            return None if self.total_tokens is None else (self.total_tokens, 0)
        return first or 0, last or 0

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.parts or ()) if self.total_tokens is None else self.total_tokens

    @property
    def is_in_parts(self) -> bool:
        """Whether it may be one of several that a stream tells, as Anthropic's does."""
        return self.prompt_tokens is self.completion_tokens is self.total_tokens is None

    def after(self, earlier: "ReportedUsage | None") -> "ReportedUsage":
        """Return what both say of one stream: Anthropic's tell the prompt at the beginning, the answer at the end."""
        if earlier is None or not self.is_in_parts:
            return self
        return ReportedUsage(*(late or early for late, early in zip(self, earlier, strict=True)))


_answer: Final = msgspec.json.Decoder(AnswerUsage)


def usage_of(answer: bytes) -> ReportedUsage | None:
    """Return what a whole answer reports, the common and the fast way; None for a shape or a piece of its own."""
    try:
        found = _answer.decode(answer).usage
    except UNREADABLE:
        return None
    return None if found is None else _checked(found)


def usage_in(text: bytes, before: int | None = None) -> ReportedUsage | None:
    """Return what a piece of an answer reports, in members that begin `before` some place in it."""
    end = len(text) if before is None else before
    last = next((usage for at in _backwards(text, end) if (usage := _read(text, at)) is not None), None)
    if last is None:
        return None
    first = text.find(_NAME, 0, end)
    return last.after(_read(text, first))


def _backwards(text: bytes, end: int) -> Iterator[int]:
    """Yield where the last members `usage` stand."""
    for _ in range(_LOOKS):
        at = text.rfind(_NAME, 0, end)
        if at < 0:
            return
        yield at
        end = at + len(_NAME) - 1


def _read(text: bytes, at: int) -> ReportedUsage | None:
    """Read the report that stands at a place, if one does."""
    start = _OBJECT.match(text, at)
    if start is None:
        return None
    said = text[start.end() : start.end() + _LONGEST_BYTES].decode("utf-8", "replace")
    try:
        found, _ = _json.raw_decode(said)
        return _checked(msgspec.convert(found, UsageMembers))
    except (ValueError, RecursionError):  # msgspec's errors are among them
        return None


def _checked(said: UsageMembers) -> ReportedUsage | None:
    """Return the numbers; None if one cannot be a number of tokens, or all are missing."""
    counts: list[int | None] = []
    for value in astuple(said):
        if value is None or (type(value) is int and 0 <= value <= MOST_TOKENS):  # in all but a few answers
            counts.append(value)
        elif _is_count(value):
            counts.append(int(value))
        else:
            return None
    return ReportedUsage._make(counts) if counts.count(None) < len(counts) else None


def _is_count(value: object) -> bool:
    """Whether this can be a number of tokens: some backends tell 12.0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= MOST_TOKENS and value == int(value)
