"""The dialects that differ from OpenAI's in small things only, as rows of one table.

Bodies pass through untouched for all of them: each serves the OpenAI API itself, and what the Java version rewrote
(dropping fields, adding `do_sample`) is what its users complained of.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from jairouter_cli.config.model import Dialect


@dataclass(frozen=True, slots=True)
class Manner:
    """How a dialect wants to be spoken to."""

    bearer: bool = True
    """A client's `Authorization` gets the `Bearer ` that it lacks."""
    tells_usage: bool = True
    """It takes `stream_options.include_usage`, and tells the usage of a stream in a frame of its own."""

    def authorization(self, value: str) -> str:
        """Return a client's `Authorization` as this dialect wants it."""
        if not self.bearer or " " in value.strip():
            return value
        return "Bearer " + value.strip()


MANNERS: Final[Mapping[Dialect, Manner]] = {
    Dialect.NORMAL: Manner(bearer=False),
    Dialect.GPUSTACK: Manner(),
    Dialect.OLLAMA: Manner(),
    Dialect.VLLM: Manner(),
    Dialect.XINFERENCE: Manner(),
    Dialect.LOCALAI: Manner(),
}
