"""Header lines, and which of them belong to a connection."""

from collections.abc import Sequence
from typing import Final

Headers = Sequence[tuple[str, str]]
"""Names in lower case; values as latin-1 text, which keeps any bytes."""

HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Meant for one connection, not for the message (RFC 9110, 7.6.1)."""


class RequestHeaders(dict[str, str]):
    """The value of each header of a request, by names in lower case: of several lines of one name, the last one's.

    `lines` are all of them, in their order.
    """

    __slots__ = ("lines",)

    def __init__(self, lines: Headers) -> None:
        super().__init__(lines)
        self.lines: Final = lines
