"""How long a backend asks to be left alone."""

from datetime import UTC
from email.utils import parsedate_to_datetime


def retry_after_s(text: str, now: float) -> float:
    """Read a `Retry-After`, in seconds or as a date (RFC 9110, 10.2.3), at a wall clock time; 0 if it is neither."""
    bare = text.strip()
    if bare.isdecimal():
        return float(bare[:9])
    try:
        at = parsedate_to_datetime(bare)
        return max(0.0, at.replace(tzinfo=at.tzinfo or UTC).timestamp() - now)
    except (ValueError, OverflowError):
        return 0.0
