"""Where the members of a JSON object stand in its text, so that one can be changed and every other byte stays."""

import json
import re
from collections.abc import Iterator
from typing import Final

# Strings are skipped whole, so that what they contain is never taken for structure.
TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]:,]', re.DOTALL)


def members(body: bytes | bytearray) -> Iterator[tuple[str, int]]:
    """Yield the name of each member of the object itself, and where its value begins, spaces and all.

    The body was found good before.
    """
    depth = 0
    is_key, key = True, b""
    for token in TOKEN.finditer(body):
        text = token[0]
        if text in b"{[":
            depth += 1
            is_key = depth == 1
        elif text in b"}]":
            depth -= 1
        elif depth != 1:
            continue
        elif text == b",":
            is_key = True
        elif text == b":":
            is_key = False
            yield json.loads(key), token.end()
        elif is_key:
            key = text
