"""Which path a client means that has missed it: the base URL without `/v1`, or with it twice, or a slip of the pen."""

import difflib
from collections.abc import Collection
from typing import Final

_LONGEST: Final = 100
_ALIKE: Final = 0.8


def nearest_path(path: str, known: Collection[str]) -> str | None:
    """Return the one of the known paths that is likely meant, or None."""
    asked = path.rstrip("/")
    if not asked or len(asked) > _LONGEST:
        return None
    if asked in known:
        return asked
    if (listing := f"{asked}/models") in known:
        return listing
    begun = [one for one in known if one.endswith(asked)]
    if begun:
        return min(begun, key=len)
    # what a client puts behind its base URL, when that ends in a whole path or in something of its own
    over = [one for one in known if asked.endswith(one) or asked.startswith(f"{one}/")]
    if over:
        return max(over, key=len)
    close = difflib.get_close_matches(asked, known, 1, _ALIKE)
    return close[0] if close else None
