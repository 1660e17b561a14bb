"""What a call cost in tokens, and how that is known."""

from enum import Enum

from msgspec import Struct


class Source(Enum):
    """Where a number of tokens comes from."""

    MEASURED = "measured"
    """The backend's own `usage`."""
    ESTIMATED = "estimated"
    """Counted or guessed here, from texts and events."""
    PARTIAL = "partial"
    """Estimated, of an answer that was cut off or left in its midst."""


class Spent(Struct, frozen=True, gc=False):
    """The tokens of a call: of the prompt, and of the answer."""

    input_tokens: int
    output_tokens: int
    source: Source
