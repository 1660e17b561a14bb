"""Computes the replies, vectors and scores of the mock models. Pure and deterministic."""

import base64
import hashlib
import math
import re
import struct
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Final

from msgspec import Meta, Struct

# Chinese and Japanese are written without spaces: there, each character counts as a word.
_SPACELESS: Final = r"\u3040-\u30ff\u3400-\u9fff"
_PIECE: Final = re.compile(rf"\s*(?:[{_SPACELESS}]|[^\s{_SPACELESS}]+)")
_TERM: Final = re.compile(rf"[{_SPACELESS}]|[^\W{_SPACELESS}]+")

_GREETING: Final = "Hello! Say something and I will repeat it."

# What embeddings and completions take: a text, or a list of texts, of tokens, of lists of tokens.
Input = str | Annotated[list[str | int | list[int]], Meta(min_length=1)]


class Part(Struct, frozen=True):
    """One part of a message's content: text, or anything else that is known by its type only."""

    type: str
    text: str | None = None

    def __str__(self) -> str:
        return f"[{self.type}]" if self.text is None else self.text


class Message(Struct, frozen=True):
    """One turn of a conversation."""

    role: str
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        """The content as text; an image is `[image_url]`."""
        return " ".join(map(str, self.content)) if isinstance(self.content, list) else self.content or ""


def last_user_text(messages: Sequence[Message]) -> str:
    """Return what the user said last; empty if they have not."""
    return next((message.text for message in reversed(messages) if message.role == "user"), "")


def texts(given: Input) -> list[str]:
    """Return each input as a text. Tokens stay the numbers they are; a list of nothing but tokens is one input."""
    if isinstance(given, str):
        return [given]
    if all(isinstance(one, int) for one in given):
        return [" ".join(map(str, given))]
    return [" ".join(map(str, one)) if isinstance(one, list) else str(one) for one in given]


def words(text: str) -> list[str]:
    """Cut a text into its words, each with the space before it; joined they are the text without its last space."""
    return _PIECE.findall(text)


def count_tokens(text: str) -> int:
    """Return the number of words, which is what this server counts as tokens."""
    return len(words(text))


def reply(question: str, max_tokens: int | None = None) -> tuple[list[str], str]:
    """Return the words of an answer and the finish reason: `length` if `max_tokens` cut it, else `stop`."""
    said = words(f"You said: {question}" if question.strip() else _GREETING)
    kept = said[:max_tokens]
    return kept, "stop" if len(kept) == len(said) else "length"


def embedding(text: str, dimensions: int = 64) -> list[float]:
    """Return a vector of length one; texts that share words point in similar directions.

    Each word moves eight places, chosen by its hash, up or down: the work grows with the text, not with `dimensions`.
    """
    vector = [0.0] * dimensions
    for term, count in Counter(_terms(text)).items():
        for number in struct.unpack("<8I", hashlib.sha256(term.encode()).digest()):
            vector[(number >> 1) % dimensions] += count if number & 1 else -count
    if not any(vector):  # with few dimensions all moves may cancel out
        vector[0] = 1.0
    length = math.hypot(*vector)
    return [value / length for value in vector]


def as_base64(vector: Sequence[float]) -> str:
    """Return a vector as OpenAI's `encoding_format: base64` has it: 32-bit floats, little-endian."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def relevance(query: str, document: str) -> float:
    """Return how much of a query's words a document has, 0 to 1."""
    wanted = set(_terms(query))
    return round(len(wanted & set(_terms(document))) / len(wanted), 4)


def _terms(text: str) -> list[str]:
    """Return the words that count when texts are compared, without case and punctuation; never none."""
    return _TERM.findall(text.casefold()) or text.split() or [""]
