"""Collecting a request's body, which is held once, in one piece, and never over its limit."""

from jairouter_cli.errors import PayloadTooLarge


class Body:
    """A body that comes in pieces; `length` is what was announced, -1 for nothing. Raises `PayloadTooLarge`."""

    __slots__ = ("_data", "_limit_bytes", "_only", "_size")

    def __init__(self, limit_bytes: int, length: int) -> None:
        if length > limit_bytes:
            raise PayloadTooLarge(limit_bytes=limit_bytes, setting="server.max-body-size")
        self._limit_bytes = limit_bytes
        self._only: bytes | None = None
        self._data = bytearray(max(length, 0))
        self._size = 0

    def add(self, piece: bytes) -> None:
        """Take a piece; one that is all is not copied."""
        end = self._size + len(piece)
        if end > self._limit_bytes:
            raise PayloadTooLarge(limit_bytes=self._limit_bytes, setting="server.max-body-size")
        if self._size == 0 and end >= len(self._data):
            self._only = piece
        elif piece:
            if self._only is not None:
                self._data[: self._size] = self._only
                self._only = None
            self._data[self._size : end] = piece
        self._size = end

    def whole(self) -> bytes | bytearray:
        """Return what has come."""
        if self._only is not None:
            return self._only
        del self._data[self._size :]
        return self._data
