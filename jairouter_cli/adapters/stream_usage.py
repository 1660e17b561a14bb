"""Asking a backend for the usage of a stream (`stream_options.include_usage`), and hiding the frame that tells it.

Every other byte of the request and of the stream stays as it is.
"""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from jairouter_cli.adapters.members import TOKEN, members
from jairouter_cli.adapters.sse import EventGate

_NAME: Final = "stream_options"
_ASKED: Final = b'"include_usage":true'
# Who sets one of these has decided; the second would come into force by the first.
_DECIDED: Final = frozenset({"include_usage", "continuous_usage_stats"})

_NO_CHOICES: Final = re.compile(rb'"choices"\s*:\s*\[\s*\]')
_EVENT: Final = re.compile(rb".*?(?:\r\n\r\n|\n\n|\r\r|\Z)", re.DOTALL)
_LINE: Final = re.compile(rb"\r\n|\n|\r")


class _Request(msgspec.Struct):
    stream_options: msgspec.Raw = msgspec.Raw()


class _Frame(msgspec.Struct):
    choices: list[Any]
    usage: dict[str, Any]


_request: Final = msgspec.json.Decoder(_Request)
_options: Final = msgspec.json.Decoder(dict[str, Any])
_frame: Final = msgspec.json.Decoder(_Frame)


def lacks_usage(body: bytes | bytearray) -> bool:
    """Whether a streaming request says nothing of usage, so that it may be asked for; the body was found good before.

    What is no object is left to the backend to judge.
    """
    said = bytes(_request.decode(body).stream_options)
    if said in {b"", b"null"}:
        return True
    try:
        options = _options.decode(said)
    except msgspec.MsgspecError:
        return False
    return _DECIDED.isdisjoint(options)


def asking(body: bytes | bytearray) -> bytes:
    """Return the body of a request that `lacks_usage` with the question put in."""
    if not bytes(_request.decode(body).stream_options):
        start = body.index(b"{") + 1
        return b"".join([body[:start], b'"', _NAME.encode(), b'":{', _ASKED, b"},", body[start:]])
    *_, start = (at for name, at in members(body) if name == _NAME)  # of several the last one counts
    tokens = TOKEN.finditer(body, start)
    first = next(tokens)
    if first[0] != b"{":  # it is null, and this is what comes behind it
        return b"".join([body[:start], b"{", _ASKED, b"}", body[first.start() :]])
    comma = b"" if next(tokens)[0] == b"}" else b","
    return b"".join([body[: first.end()], _ASKED, comma, body[first.end() :]])


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
        for event in _EVENT.findall(events):
            if _tells_usage(event):
                said = event.lstrip(b"\r\n")  # blank lines before it are of the event before
                kept.append(event[: len(event) - len(said)])
                self._hidden(said)
            else:
                kept.append(event)
        return b"".join(kept)


def _tells_usage(event: bytes) -> bool:
    """Whether an event is the one that was asked for: no choices, and the usage."""
    data = b"\n".join(line[5:] for line in _LINE.split(event) if line.startswith(b"data:"))
    try:
        return not _frame.decode(data).choices
    except (msgspec.MsgspecError, RecursionError):
        return False
