"""Asking a backend for the usage of a stream (`stream_options.include_usage`), and hiding the frame that tells it.

Every other byte of the request and of the stream stays as it is.
"""

import re
from collections.abc import Callable
from typing import Final

import msgspec

from jairouter_cli.payloads.members import members
from jairouter_cli.payloads.reading import UNREADABLE, read
from jairouter_cli.payloads.shapes import StreamOptionsMember, UsageFrame
from jairouter_cli.payloads.sse import Event, EventGate, events_in

_NAME: Final = "stream_options"
_ASKED: Final = b'"include_usage":true'
# Who sets one of these has decided; the second would come into force by the first.
_DECIDED: Final = frozenset({"include_usage", "continuous_usage_stats"})

_NO_CHOICES: Final = re.compile(rb'"choices"\s*:\s*\[\s*\]')
_EMPTY: Final = re.compile(rb"\{\s*\}")


_request: Final = msgspec.json.Decoder(StreamOptionsMember)
_options: Final = msgspec.json.Decoder(dict[str, msgspec.Raw] | None)
_frame: Final = msgspec.json.Decoder(UsageFrame)


def lacks_usage(body: bytes | bytearray) -> bool:
    """Whether a streaming request says nothing of usage, so that it may be asked for.

    What cannot be read is left to the backend to judge.
    """
    request = read(_request, body)
    if request is None:
        return False
    said = bytes(request.stream_options)
    if said in {b"", b"null"}:
        return True
    options = read(_options, said)
    return options is not None and _DECIDED.isdisjoint(options)


def asking(body: bytes | bytearray) -> bytes:
    """Return the body of a request that `lacks_usage` with the question put in.

    Raises `InvalidRequest` for more members than requests have.
    """
    found = members(body)
    own = next((member for member in reversed(found) if member.name == _NAME), None)  # of several the last one counts
    if own is None:
        start = body.index(b"{") + 1
        comma = b"," if found else b""
        return b"".join([body[:start], b'"', _NAME.encode(), b'":{', _ASKED, b"}", comma, body[start:]])
    if body[own.start : own.start + 1] != b"{":  # it is null
        return b"".join([body[: own.start].rstrip(), b"{", _ASKED, b"}", body[own.end :]])
    comma = b"" if _EMPTY.match(body, own.start) else b","
    return b"".join([body[: own.start + 1], _ASKED, comma, body[own.start + 1 :]])


class HidingGate(EventGate):
    """Lets whole events through, but for the frame that tells the usage: that goes to `hidden`."""

    __slots__ = ("_hidden",)

    def __init__(self, hidden: Callable[[bytes], None]) -> None:
        super().__init__()
        self._hidden: Final = hidden

    def feed(self, chunk: bytes) -> bytes:
        """Take in bytes as they come, return those that may go on."""
        return self._visible(super().feed(chunk))

    def rest(self) -> bytes:
        """Return what is held back when the stream has ended as it should."""
        return self._visible(super().rest())

    def _visible(self, events: bytes) -> bytes:
        if _NO_CHOICES.search(events) is None:
            return events
        kept = []
        for event in events_in(events):
            if _tells_usage(event):
                said = event.raw.lstrip(b"\r\n")  # blank lines before it are of the event before
                kept.append(event.raw[: len(event.raw) - len(said)])
                self._hidden(said)
            else:
                kept.append(event.raw)
        return b"".join(kept)


def _tells_usage(event: Event) -> bool:
    """Whether an event is the one that was asked for: no choices, and the usage."""
    try:
        return not _frame.decode(event.data).choices
    except UNREADABLE:
        return False
