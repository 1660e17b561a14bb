"""The header lines of a request over Granian's own interface, which leaves out values that are not ASCII.

It tells that such a header is there, but not what it says. Who reads it must not take it for absent.
"""

from typing import Any, Final

from jairouter_cli.payloads.headers import RequestHeaders

UNREADABLE: Final = "\xff"
"""Stands for a value that is there and cannot be had."""

# Of several lines the first may be the one that is left out, and these must be known whole.
_WHOLE: Final = ("x-forwarded-for", "forwarded")


def header_lines(given: Any) -> tuple[RequestHeaders, tuple[str, ...]]:
    """Return all headers of a request, `UNREADABLE` where one cannot be read, and the names of those."""
    named = RequestHeaders(given.items())
    lost = [] if len(named) == len(given) else [name for name in given.keys() if name not in named]  # noqa: SIM118 - no mapping
    lost += [name for name in _WHOLE if name in named and not given[name]]
    if not lost:
        return named, ()
    return RequestHeaders([*((name, UNREADABLE) for name in lost), *named.lines]), tuple(lost)
