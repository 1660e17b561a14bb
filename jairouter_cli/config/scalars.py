"""Converts single values from the file to the types of the model.

Each reader takes the plain value that YAML gave (str, int, float or bool) and returns the converted one; it raises
`Expected` with a phrase for what it expected. Ranges are checked by `parse`, which knows the field.
"""

import ipaddress
import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from typing import Final

from jairouter_cli.config.addresses import fault_of_url
from jairouter_cli.config.kinds import (
    Bytes,
    MetricName,
    MetricPrefix,
    Moment,
    Network,
    Origin,
    Secret,
    Url,
    UrlPath,
    ValueUnit,
)
from jairouter_cli.config.spelling import squash

Scalar = str | int | float | bool

_DIGITS: Final = 400  # of a number that is read; what is larger than any setting is refused by its range

# Schemes of applications (`app://obsidian.md`) and of extensions of browsers are origins, too.
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:([0-9]{1,5}|\*))?")

_UNITS_S: Final = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZES: Final = {"": 1, "B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}  # as in Spring's DataSize: powers of 1024
_ISO_DURATION: Final = re.compile(
    r"PT(?:(?P<h>\d+(?:\.\d+)?)H)?(?:(?P<m>\d+(?:\.\d+)?)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?", re.IGNORECASE | re.ASCII
)
HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token of RFC 9110, 5.6.2
METRIC_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.]*")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")  # what no header may hold; a tab it may
_UNWRITABLE: Final = re.compile(r"[\s\x00-\x1f\x7f\ud800-\udfff]")
_TRUE: Final = frozenset({"true", "yes", "on"})
_FALSE: Final = frozenset({"false", "no", "off"})


class Expected(Exception):
    """A value was not what the reader takes; the argument is the phrase for what it would have taken."""


class Unset(Exception):
    """A placeholder names an environment variable that is not set and has no default; the argument is its name."""


def expand(text: str, environ: Mapping[str, str]) -> str:
    """Replace each `${NAME}` or `${NAME:default}` in `text`; a default may hold placeholders itself.

    What a variable contains is taken as it is, never expanded again. Raises `Unset`.
    """
    start = text.find("${")
    if start < 0:
        return text
    end = _closing(text, start + 2)
    name, has_default, default = text[start + 2 : end].partition(":")
    value = environ.get(name.strip())
    if value is None:
        if not has_default:
            raise Unset(name.strip())
        value = expand(default, environ)
    return text[:start] + value + expand(text[end + 1 :], environ)


def _closing(text: str, start: int) -> int:
    """Return the index of the `}` that closes a placeholder whose inside begins at `start`."""
    depth, at = 1, start
    while at < len(text):
        if text.startswith("${", at):
            depth, at = depth + 1, at + 1
        elif text[at] == "}":
            depth -= 1
            if not depth:
                return at
        at += 1
    raise Expected("a closing } for ${")


def text_of(value: object) -> str | None:
    """Return what a value is as text: of a number how it is written in the file; None if that is not known."""
    written = getattr(value, "written", None)
    if isinstance(written, str):
        return written
    if isinstance(value, str):
        return str(value)
    return str(int(value)) if isinstance(value, int) and not isinstance(value, bool) else None


def read_text(value: Scalar) -> str:
    """Read text; a number is taken as it is written, other YAML types want quotes."""
    text = text_of(value)
    if text is None:
        raise Expected("text (put it in quotes)")
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise Expected("valid UTF-8 text")
    return text


def read_bool(value: Scalar) -> bool:
    """Read `true` or `false`; `yes`, `no`, `on`, `off` are taken too."""
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise Expected("true or false")


def read_int(value: Scalar) -> int:
    """Read a whole number, also from text (a placeholder yields text)."""
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and re.fullmatch(rf"[+-]?\d{{1,{_DIGITS}}}", value.strip()):
        return int(value)
    raise Expected("a whole number")


def read_float(value: Scalar) -> float:
    """Read a number, also from text."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number or (isinstance(value, str) and re.fullmatch(r"[+-]?\d+(\.\d*)?", value.strip())):
        with suppress(OverflowError):  # an integer that no float can hold
            found = float(value)
            if math.isfinite(found):
                return found
    raise Expected("a number")


def read_duration(value: Scalar, unit: ValueUnit) -> float:
    """Read a duration in seconds from `10s`, `500ms`, `PT1M30S` or a plain number of `unit`s."""
    text = str(value).strip()
    found = None if isinstance(value, bool) else _seconds(text, unit)
    if found is None or not math.isfinite(found):
        raise Expected("a duration like 10s, 500ms or PT10S")
    return found


def _seconds(text: str, unit: ValueUnit) -> float | None:
    if match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)", text):
        number, name = float(match[1]), match[2].lower()
        if not name:
            return number * unit.seconds
        if name in _UNITS_S:
            return number * _UNITS_S[name]
    elif (match := _ISO_DURATION.fullmatch(text)) and any(match.groups()):
        return sum(float(amount) * _UNITS_S[name] for name, amount in match.groupdict().items() if amount)
    return None


def read_size(value: Scalar) -> Bytes:
    """Read a size in bytes from `10MB`, `512KB` or a plain number."""
    text = text_of(value) or ""
    if match := re.fullmatch(rf"(\d{{1,{_DIGITS}}})\s*([a-zA-Z]*)", text.strip()):
        factor = _SIZES.get(match[2].upper())
        if factor is not None:
            return Bytes(int(match[1]) * factor)
    raise Expected("a size like 10MB or 512KB")


def read_url(value: Scalar) -> Url:
    """Read an absolute http(s) URL; a trailing slash is dropped."""
    text = read_text(value).strip()
    if fault := fault_of_url(text):
        raise Expected(fault)
    return Url(text.rstrip("/"))


def read_path(value: Scalar) -> UrlPath:
    """Read a URL path, which begins with a slash."""
    text = read_text(value).strip()
    if not re.fullmatch(r"/[^\s#]*", text) or _UNWRITABLE.search(text):
        raise Expected("a path that begins with /, like /v1/chat/completions")
    return UrlPath(text)


def read_network(value: Scalar) -> Network:
    """Read an address or a network."""
    try:
        return Network(ipaddress.ip_network(read_text(value).strip(), strict=False))
    except ValueError:
        raise Expected("an IP address or a network, like 10.0.0.0/8") from None


def read_origin(value: Scalar) -> Origin:
    """Read an origin as browsers send it, with a port of `*`, or `*` alone."""
    text = read_text(value).strip().lower()
    if text != "*" and not _ORIGIN.fullmatch(text):
        raise Expected("an origin, like https://chat.example or http://localhost:*, or *")
    return Origin(text)


def read_metric_prefix(value: Scalar) -> MetricPrefix:
    """Read the prefix of metric names."""
    text = read_text(value)
    if text and not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]*", text):
        raise Expected("letters, digits and _, beginning with a letter")
    return MetricPrefix(text)


def read_metric_name(value: Scalar) -> MetricName:
    """Read the name of a custom metric."""
    text = read_text(value)
    if not METRIC_NAME.fullmatch(text):
        raise Expected("letters, digits, _ and ., not beginning with a digit")
    return MetricName(text)


def read_moment(value: Scalar) -> Moment:
    """Read a moment in ISO 8601, with its zone."""
    text = read_text(value)
    try:
        zone = datetime.fromisoformat(text).tzinfo
    except ValueError:
        zone = None
    if zone is None:
        raise Expected("a time in quotes, like '2026-11-24T08:00:00Z'")
    return Moment(text)


def read_secret(value: Scalar) -> Secret:
    """Read a value that will be masked; it may not hold line breaks, for it becomes a header."""
    text = read_text(value)
    if re.search(r"[\r\n\x00]", text):
        raise Expected("text without line breaks")
    if _CONTROL.search(text):
        raise Expected("text without control characters")
    return Secret(text)


def read_choice(value: Scalar, choices: type[StrEnum]) -> StrEnum:
    """Read a member of an enumeration in any spelling."""
    form = squash(str(value))
    for choice in choices:
        if squash(choice.value) == form:
            return choice
    raise Expected("one of " + ", ".join(choice.value for choice in choices))


READERS: Final[Mapping[type, Callable[[Scalar], object]]] = {
    str: read_text,
    bool: read_bool,
    int: read_int,
    float: read_float,
    Bytes: read_size,
    Url: read_url,
    UrlPath: read_path,
    Network: read_network,
    Origin: read_origin,
    Secret: read_secret,
    MetricPrefix: read_metric_prefix,
    MetricName: read_metric_name,
    Moment: read_moment,
}
# The kinds of values that are text, whatever they look like.
TEXTS: Final = frozenset({str, Url, UrlPath, Network, Secret, MetricPrefix, MetricName, Moment})
