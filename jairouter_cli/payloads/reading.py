r"""Reading JSON that others wrote, however odd: what cannot be read is None, and nothing else is raised.

A byte order mark, and a lone surrogate (`\ud83d` without its second half: a text that was cut), are valid to many
backends, but not to msgspec: a copy without them is read in place of such a body.
"""

import codecs
from typing import Final, TypeVar

import msgspec

UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""All that msgspec raises for what is no JSON, no text, of another shape, or too deep."""

_BACKSLASH: Final = b"\\\\"  # one, as JSON spells it

T = TypeVar("T")


def read(decoder: msgspec.json.Decoder[T], body: bytes | bytearray | memoryview) -> T | None:
    """Return what a body says; None if it cannot be read, or says it in another shape."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        return None
    except UNREADABLE:
        pass
    try:
        return decoder.decode(mended(bytes(body)))
    except UNREADABLE:
        return None


def mended(body: bytes) -> bytes:
    """Return a body of the same length that msgspec reads, and in which everything stands where it did.

    Texts in it are not those of the body: with what may be half of a pair other letters of its block change, too. In no
    step anything is done for each of them, for there may be millions.
    """
    if body.startswith(codecs.BOM_UTF8):
        body = b"   " + body[len(codecs.BOM_UTF8) :]
    if b"\\u" not in body:
        return body
    # what is left then is the beginning of an escape
    return body.replace(_BACKSLASH, b"__").replace(rb"\ud", rb"\u0").replace(rb"\uD", rb"\u0")
