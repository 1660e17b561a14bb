"""Ranges of values: which are rejected, and which are probably a mistake.

In addition to the range of its field, every number fits into a clock, a socket or a counter.
"""

import operator
import re
from collections.abc import Callable
from typing import Any, Final

from jairouter_cli.config.fields import Field
from jairouter_cli.config.kinds import MILLISECONDS, SECONDS, Bytes, Secret
from jairouter_cli.config.scalars import Scalar

_MOST: Final = (1 << 31) - 1  # what fits into a C int everywhere
_LONGEST_S: Final = 365 * 86400.0
_LARGEST: Final = 1 << 50  # bytes
_SHORT_MS: Final = 1000  # below that a plain number of milliseconds may have been meant in seconds
_LONG_S: Final = 10_000  # from that on a plain number of seconds may have been meant in milliseconds
_SMALL: Final = 1024  # bytes


def out_of_bounds(spec: Field, value: Any) -> str:
    """Return a phrase for the range that a value misses, or nothing."""
    bounds = spec.bounds
    if bounds is not None and bounds.min_length is not None and len(value) < bounds.min_length:
        return "non-empty text"
    if not isinstance(value, int | float) or isinstance(value, bool):
        return ""
    noun, most, words = _kind(spec, value)
    ranges: list[tuple[Any, Callable[[Any, Any], bool], str]] = [(most, operator.le, f"of at most {words}")]
    ranges.append((-most, operator.ge, f"of at least -{words}"))
    if bounds is not None:
        ranges = [
            (bounds.gt, operator.gt, f"greater than {bounds.gt}"),
            (bounds.ge, operator.ge, f"of at least {bounds.ge}"),
            (bounds.le, operator.le, f"of at most {bounds.le}"),
            *ranges,
        ]
    missed = (text for limit, holds, text in ranges if limit is not None and not holds(value, limit))
    return next((f"{noun} {text}" for text in missed), "")


def out_of_form(spec: Field, value: Any) -> str:
    """Return a phrase for the form that a value does not have, or nothing."""
    text = value.value if isinstance(value, Secret) else value
    return "" if spec.form is None or re.fullmatch(spec.form.pattern, text) else spec.form.wanted


def _kind(spec: Field, value: float) -> tuple[str, float, str]:
    """Return what a number is called, and how large it may be, whatever its field says."""
    if spec.unit:
        return "a duration", _LONGEST_S, "365d"
    if isinstance(value, Bytes):
        return "a size", _LARGEST, "1048576GB"
    return "a number", _MOST, str(_MOST)


def unlikely(spec: Field, written: Scalar, value: Any) -> str:
    """Return what a value means and what may have been meant, or nothing; a unit leaves no doubt."""
    text = str(written).strip()
    if isinstance(value, Bytes):
        small = 0 < value < _SMALL and text.isdecimal()
        return f"{text} is {text} bytes; did you mean {text}MB?" if small else ""
    if not text.replace(".", "", 1).isdecimal():
        return ""
    if spec.unit is MILLISECONDS and 0 < value * 1000 < _SHORT_MS:
        return f"{text} is {text} milliseconds; did you mean {text}s? (write {text}ms if not)"
    if spec.unit is SECONDS and value >= _LONG_S and not value % 1000:
        meant = f"{value / 1000:g}s"
        return f"{text} is {text} seconds; did you mean {meant}? (write {text}s if not)"
    return ""
