"""Regular expressions that come with a request: compiled if none of them can keep a worker busy."""

import re
from typing import Final

_LONGEST: Final = 200
_MOST: Final = 3
_REPEATED_GROUP: Final = re.compile(r"\)[*+?{]")
_REPEATS: Final = frozenset("*+?{")


def compiled(pattern: str, flags: int = 0) -> re.Pattern[str] | None:
    """Return an expression; None if it is none. Raises `ValueError` for one that could take hours on a name.

    What takes long is one repetition in another, and many in a row, or many groups with alternatives in a row.
    """
    plain = pattern.replace("(?", "(")  # a kind of group, no repetition
    repeats = sum(letter in _REPEATS for letter in plain)
    groups = plain.count("(") if "|" in plain else 0
    if len(pattern) > _LONGEST or repeats + groups > _MOST or _REPEATED_GROUP.search(pattern):
        raise ValueError(
            f"use at most {_LONGEST} characters, {_MOST} of * + ? {{ and groups, and do not repeat a group"
        )
    try:
        return re.compile(pattern, flags)
    except (re.error, OverflowError, RecursionError):
        return None
