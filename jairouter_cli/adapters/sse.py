"""Server-sent events as far as a relay needs them: where one ends (WHATWG HTML, 9.2)."""

from typing import Final

# An event that grows past this is let through in pieces: memory is bounded, whatever a backend sends.
MAX_HELD_BYTES: Final = 1 << 20

_ENDS: Final = (b"\n\n", b"\r\n\r\n", b"\r\r")


class EventGate:
    """Lets whole events through and holds back the beginning of one, so that what is cut off ends between two.

    A client that reads `data: {"cho` and then the end, or an error event, would choke on the half one.
    """

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """Take in bytes as they come, return those that may go on."""
        if not self._held and chunk.endswith(b"\n\n"):
            return chunk
        data = self._held + chunk
        end = max(data.rfind(mark) + len(mark) if mark in data else 0 for mark in _ENDS)
        if not end and len(data) > MAX_HELD_BYTES:
            end = len(data)
        self._held = data[end:]
        return data[:end]

    def rest(self) -> bytes:
        """Return what is held back when the stream has ended as it should."""
        rest, self._held = self._held, b""
        return rest
