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
