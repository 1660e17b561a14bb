"""Server-sent events as far as a relay needs them: where one ends, and whether it says something (WHATWG HTML, 9.2)."""

from typing import Any, Final

import msgspec

from jairouter_cli.payloads.reading import UNREADABLE

# An event that grows past this is let through in pieces: memory is bounded, whatever a backend sends.
MAX_HELD_BYTES: Final = 1 << 20

_ENDS: Final = (b"\n\n", b"\n\r\n", b"\r\r")
_LONGEST_END: Final = 3


class EventGate:
    """Lets whole events through and holds back the beginning of one, so that what is cut off ends between two.

    A client that reads `data: {"cho` and then the end, or an error event, would choke on the half one.
    """

    __slots__ = ("_held",)

    is_plain = True
    """Whether what it lets through can be read."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, chunk: bytes) -> bytes:
        """Take in bytes as they come, return those that may go on."""
        if not self._held and chunk.endswith(b"\n\n"):
            return chunk
        held = self._held
        start = max(0, len(held) - _LONGEST_END + 1)  # what came before has been looked at
        held += chunk
        end = max(at + len(mark) if (at := held.rfind(mark, start)) >= 0 else 0 for mark in _ENDS)
        if not end and len(held) > MAX_HELD_BYTES:
            end = len(held)
        whole = bytes(held[:end])
        del held[:end]
        return whole

    def rest(self) -> bytes:
        """Return what is held back when the stream has ended as it should."""
        rest, self._held = bytes(self._held), bytearray()
        return rest

    def says_something(self, events: bytes) -> bool:
        """Whether the events that were let through last have content."""
        return has_content(events)


class _Delta(msgspec.Struct):
    """What a model may say in a piece of a chat."""

    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    tool_calls: Any = None
    function_call: Any = None
    refusal: Any = None
    audio: Any = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    text: str | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None


_decoder: Final = msgspec.json.Decoder(_Chunk)


def has_content(events: bytes) -> bool:
    """Whether any of these events says something: not a comment, and not a chat's opening without a word.

    Events of a shape that is not known count as content.
    """
    return any(line.startswith(b"data:") and _says_something(line[5:].strip()) for line in events.split(b"\n"))


def _says_something(data: bytes) -> bool:
    try:
        chunk = _decoder.decode(data)
    except UNREADABLE:
        return True
    if chunk.choices is None:
        return True
    return any(_is_content(choice) for choice in chunk.choices)


def _is_content(choice: _Choice) -> bool:
    if choice.finish_reason or choice.text:
        return True
    return choice.delta is not None and any(getattr(choice.delta, name) for name in choice.delta.__struct_fields__)
