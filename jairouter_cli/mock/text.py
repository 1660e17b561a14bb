"""What pretend models say: replies, vectors, scores. Pure, and the same for the same question."""

import base64
import hashlib
import math
import struct
from typing import Any


def last_user_text(messages: list[dict[str, Any]]) -> str:
    """Return what the user said last, of a content that is text or a list of parts."""
    for message in reversed(messages):
        if message.get("role") == "user":
            return content_text(message.get("content"))
    return ""


def content_text(content: Any) -> str:
    """Return the text of a message's content."""
    if isinstance(content, list):
        return " ".join(str(part.get("text", f"[{part.get('type')}]")) for part in content if isinstance(part, dict))
    return str(content or "")


def reply(question: str, max_tokens: int | None = None) -> tuple[list[str], str]:
    """Return the words of an answer, each with the space before it, and the finish reason."""
    words = (
        f"You said: {question}".split()
        if question
        else ["Hello!", "Say", "something", "and", "I", "will", "repeat", "it."]
    )
    kept = words[:max_tokens] if max_tokens else words
    pieces = [word if index == 0 else f" {word}" for index, word in enumerate(kept)]
    return pieces, "stop" if len(kept) == len(words) else "length"


def count_tokens(text: str) -> int:
    """Return the number of words, which is what this server counts as tokens."""
    return len(text.split())


def embedding(text: str, dimensions: int = 64) -> list[float]:
    """Return a vector of length one; texts that share words point in similar directions."""
    vector = [0.0] * dimensions
    for word in text.lower().split() or [""]:
        digest = hashlib.shake_128(word.encode()).digest(dimensions)
        for index, byte in enumerate(digest):
            vector[index] += byte - 127.5
    length = math.sqrt(sum(value * value for value in vector))
    return [value / length for value in vector]


def as_base64(vector: list[float]) -> str:
    """Return a vector as OpenAI's `encoding_format: base64` has it: 32-bit floats, little-endian."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def relevance(query: str, document: str) -> float:
    """Return how much of a query's words a document has, 0 to 1."""
    wanted, found = set(query.lower().split()), set(document.lower().split())
    return round(len(wanted & found) / len(wanted), 4) if wanted else 0.0
