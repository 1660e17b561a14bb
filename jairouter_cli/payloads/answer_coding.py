"""Answers that a backend has packed (`content-encoding`): their bytes pass, what they say is heard from a copy.

What is packed in a way that is not known here passes, too, and nothing is heard of it.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Protocol

from jairouter_cli.payloads.sse import EventGate, has_content

Hear = Callable[[bytes], None]

_PIECE_BYTES: Final = 1 << 16
# What a piece of an answer (256 KiB at most) may become, else it is no text that a model wrote; gzip can reach 1000:1.
_MOST_BYTES: Final = 8 << 20
_PLAIN: Final = frozenset({"", "identity"})


class _Engine(Protocol):
    """A decompressor, as `zlib` makes them."""

    @property
    def eof(self) -> bool:
        """Whether the end of what was packed is reached."""

    @property
    def unconsumed_tail(self) -> bytes:
        """What was not read yet, as the output has its limit."""

    @property
    def unused_data(self) -> bytes:
        """What follows the end."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Return at most so many bytes."""


def _gzip(_: bytes) -> _Engine:
    return zlib.decompressobj(wbits=31)


def _deflate(head: bytes) -> _Engine:
    """Return what reads RFC 1950, as RFC 9110 has it, or RFC 1951 bare, as some send it."""
    has_header = head[0] & 0x0F == zlib.DEFLATED and int.from_bytes(head[:2], "big") % 31 == 0
    return zlib.decompressobj(wbits=15 if has_header else -15)


_ENGINES: Final[Mapping[str, Callable[[bytes], _Engine]]] = {"gzip": _gzip, "x-gzip": _gzip, "deflate": _deflate}
_HEAD_BYTES: Final = 2


def is_packed(coding: str) -> bool:
    """Whether a `content-encoding` says that an answer is packed."""
    return coding.strip().lower() not in _PLAIN


def unpacker(coding: str) -> "Unpacker | None":
    """Return what reads this `content-encoding`; None if nothing here does."""
    make = _ENGINES.get(coding.strip().lower())
    return None if make is None else Unpacker(make)


def accepted(value: str) -> str:
    """Return a client's `accept-encoding` less what is not read here, so that no backend answers in it."""
    offers = [offer.strip() for offer in value.split(",")]
    known = [offer for offer in offers if offer.partition(";")[0].strip().lower() in {*_ENGINES, "identity"}]
    if len(known) == len(offers):
        return value
    return ", ".join(known) or "identity"


class Unpacker:
    """Unpacks in pieces of a bounded size, however much comes of a few bytes."""

    __slots__ = ("_engine", "_head", "_make")

    def __init__(self, make: Callable[[bytes], _Engine]) -> None:
        self._make: Final = make
        self._engine: _Engine | None = None
        self._head = b""

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing of what was packed."""
        return not self._head and (self._engine is None or self._engine.eof)

    def unpack(self, piece: bytes) -> Iterator[bytes]:
        """Yield what a piece contains. Raises `zlib.error`."""
        data = self._head + piece
        while data or (self._engine is not None and not self._engine.eof):
            if self._engine is None or self._engine.eof:  # another one may follow the first
                if len(data) < _HEAD_BYTES:
                    break
                self._engine = self._make(data)
            plain = self._engine.decompress(data, _PIECE_BYTES)
            data = self._engine.unused_data if self._engine.eof else self._engine.unconsumed_tail
            if plain:
                yield plain
            elif not self._engine.eof:
                break
        self._head = data


class Ear:
    """Hears what a packed answer says, as long as it can be read."""

    __slots__ = ("_hear", "_unpacker")

    def __init__(self, coding: str, hear: Hear) -> None:
        self._unpacker = unpacker(coding)
        self._hear: Final = hear

    @property
    def is_deaf(self) -> bool:
        """Whether nothing more will be heard."""
        return self._unpacker is None

    def add(self, piece: bytes) -> None:
        """Take a piece."""
        if self._unpacker is None:
            return
        size = 0
        try:
            for plain in self._unpacker.unpack(piece):
                size += len(plain)
                if size > _MOST_BYTES:
                    self._unpacker = None
                    return
                self._hear(plain)
        except zlib.error:
            self._unpacker = None


class PackedGate(EventGate):
    """Lets everything through as it comes, for where an event ends cannot be seen; `hear` gets the events."""

    __slots__ = ("_ear", "_events", "_hear", "_heard")

    is_plain = False

    def __init__(self, coding: str, hear: Hear | None) -> None:
        super().__init__()
        self._events: Final = EventGate()
        self._ear: Final = Ear(coding, self._listen)
        self._hear: Final = hear
        self._heard = b""

    def feed(self, chunk: bytes) -> bytes:
        """Take in bytes as they come, return the same."""
        self._heard = b""
        self._ear.add(chunk)
        return chunk

    def rest(self) -> bytes:
        """Return nothing: nothing is held back; but hear the last event."""
        if self._hear is not None and (rest := self._events.rest()):
            self._hear(rest)
        return b""

    def says_something(self, events: bytes) -> bool:
        """Whether what was fed last has content; what cannot be read has."""
        return bool(events) and (self._ear.is_deaf or has_content(self._heard))

    def _listen(self, plain: bytes) -> None:
        if events := self._events.feed(plain):
            if len(self._heard) < _PIECE_BYTES:  # enough to find content in
                self._heard += events
            if self._hear is not None:
                self._hear(events)
