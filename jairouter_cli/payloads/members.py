"""Where the members of a JSON object stand in its text, so that one can be changed and every other byte stays.

What a value contains is passed over by msgspec, at once, and not token by token: a body of 60 MB has millions of them.
"""

import json
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from jairouter_cli.payloads.reading import UNREADABLE, mended
from jairouter_cli.request_errors import InvalidRequest

_KEY: Final = re.compile(rb'\s*("[^"\\]*+(?:\\.[^"\\]*+)*+")\s*:\s*', re.DOTALL)
_TRAILING: Final = re.compile(r"trailing characters \(byte (\d+)\)")
# Requests have a dozen. Who sends millions is not to keep others waiting: each costs a step of ours.
_MOST: Final = 1000

_value: Final = msgspec.json.Decoder(msgspec.Raw)


class Member(NamedTuple):
    """A member of an object: its name, and where in the text its value begins and ends."""

    name: str
    start: int
    end: int


def members(body: bytes | bytearray) -> list[Member]:
    """Return the members of the object itself, in order; none if they cannot be told apart.

    Raises `InvalidRequest` if they are more than requests have.
    """
    try:
        return list(_walk(body))
    except UNREADABLE:
        pass
    try:
        return list(_walk(mended(bytes(body))))
    except UNREADABLE:
        return []


def elements(array: bytes | msgspec.Raw) -> Iterator[msgspec.Raw]:
    """Yield the elements of an array whose text was found good before; nothing for what is none."""
    text = memoryview(array)
    at = 1
    while at < len(text) and text[at - 1] in b"[,":
        try:
            end = _end(text, at)
        except UNREADABLE:  # an empty array
            return
        yield _value.decode(text[at:end])
        at = end + 1


def _walk(body: bytes | bytearray) -> Iterator[Member]:
    text = memoryview(body)
    at = body.find(b"{") + 1
    for _ in range(_MOST):
        key = _KEY.match(body, at)
        if key is None:
            return
        start = key.end()
        at = _end(text, start)
        yield Member(_name(key[1]), start, at)
        if at >= len(text) or text[at] != ord(","):
            return
        at += 1
    raise InvalidRequest(problem=f"the object has more than {_MOST} members")


def _name(text: bytes) -> str:
    """Read a name; one with bytes that are no text is none that is looked for."""
    return str(json.loads(text.decode("utf-8", "replace"), strict=False))


def _end(text: memoryview, start: int) -> int:
    """Return where what follows a value stands, spaces left out. Raises what msgspec does if there is no value."""
    try:
        _value.decode(text[start:])
    except msgspec.DecodeError as error:
        # the one thing that msgspec says of where a value ends: it counts from 1 what it found behind it
        if (found := _TRAILING.search(str(error))) is None:
            raise
        return start + int(found[1]) - 1
    return len(text)
