"""What an examination finds."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class FindingStatus(StrEnum):
    """How a checked part is: the gateway works with a warning, and does not, or not completely, with a failure."""

    OK = "OK"
    WARNING = "WARNING"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report: `why` it matters and the `fix`, a command or an order, are empty if all is well."""

    check: str
    verdict: FindingStatus
    found: str
    why: str = ""
    fix: str = ""


def ok(check: str, found: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(check, FindingStatus.OK, found)


def warning(check: str, found: str, *, why: str, fix: str) -> Finding:
    """Return something that works, and may not be meant."""
    return Finding(check, FindingStatus.WARNING, found, why, fix)


def failed(check: str, found: str, *, why: str, fix: str) -> Finding:
    """Return something that does not work."""
    return Finding(check, FindingStatus.FAILED, found, why, fix)


def worst(findings: Iterable[Finding]) -> FindingStatus:
    """Return the gravest verdict."""
    order = list(FindingStatus)
    return max((one.verdict for one in findings), key=order.index, default=FindingStatus.OK)
