"""Server-sent events as far as a relay needs them: where one ends, and whether it says something (WHATWG HTML, 9.2).

There is one reading of events for all who look into a stream. A line may end with LF, CR LF or CR, and whoever
forgets one of them lets half an event through, or takes two for one. Most streams end their pieces with LF LF, behind
a whole event: the gate looks for that first, and passes the very bytes that came.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from jairouter_cli.payloads.reading import UNREADABLE
from jairouter_cli.payloads.shapes import StreamChoice, StreamChunk

MAX_HELD_BYTES: Final = 1 << 20
"""An event that grows past this is let through in pieces: memory is bounded, whatever a backend sends."""

_LONGEST_END: Final = 3
_END: Final = re.compile(rb"(?>\r\n|[\r\n])(?>\r\n|[\r\n])")
_LINE: Final = re.compile(rb"\r\n|\n|\r")


class Event(NamedTuple):
    """One event: its `raw` bytes with the blank line behind it, its name, and its data, the lines joined by LF."""

    raw: bytes
    name: bytes
    data: bytes


def events_in(text: bytes) -> Iterator[Event]:
    """Yield the events of a text, whose last one may lack its blank line; comments are events that say nothing.

    llama.cpp sends an error in a field of its own, `error:`, which is read as an event of that name. Nothing is read
    beyond the event that is asked for: a piece may hold a thousand, and the first may be all that matters.
    """
    start = 0
    for end in _ends(text):
        yield _event(text[start:end])
        start = end
    if start < len(text):
        yield _event(text[start:])


def _ends(text: bytes) -> Iterator[int]:
    """Yield where events end."""
    if b"\r" in text:
        yield from (found.end() for found in _END.finditer(text))
        return
    at = text.find(b"\n\n")
    while at >= 0:
        yield at + 2
        at = text.find(b"\n\n", at + 2)


def _event(raw: bytes) -> Event:
    name, data = b"", list[bytes]()
    for line in _LINE.split(raw):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.strip()
        elif field == b"error":
            name, data = b"error", [value.strip()]
    return Event(raw, name, b"\n".join(data))


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
        last = len(held) - 1  # a CR there is most likely half of a CR LF
        end = max(held.rfind(b"\n\n", start), held.rfind(b"\r\r", start), held.rfind(b"\n\r", start, last)) + 2
        if end == 1:  # none was found
            end = 0
        elif held[end - 1 : end + 1] == b"\r\n":
            end += 1
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


_decoder: Final = msgspec.json.Decoder(StreamChunk)


def has_content(events: bytes) -> bool:
    """Whether any of these events says something: not a comment, and not a chat's opening without a word.

    Events of a shape that is not known count as content.
    """
    return any(event.data and _says_something(event.data.strip()) for event in events_in(events))


def _says_something(data: bytes) -> bool:
    try:
        chunk = _decoder.decode(data)
    except UNREADABLE:
        return True
    if chunk.choices is None:
        return True
    return any(_is_content(choice) for choice in chunk.choices)


def _is_content(choice: StreamChoice) -> bool:
    if choice.finish_reason or choice.text:
        return True
    return choice.delta is not None and any(getattr(choice.delta, name) for name in choice.delta.__struct_fields__)
