"""The kinds of values in a configuration: secrets, sizes, durations, addresses, and their ranges.

`Annotated` carries what a type cannot say: other accepted keys (`Alias`), the unit of a plain number, a range. Must not
live here: sections, see `model` and its neighbours; reading, see `scalars`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta, Struct

MASK: Final = "******"


class ApiDialect(StrEnum):
    """The APIs of chats that an instance may speak: the values of `speaks`."""

    CHAT = "chat"
    MESSAGES = "messages"
    RESPONSES = "responses"


class Secret(Struct, frozen=True):
    """A value that is never shown unless asked for: its `str` and `repr` are a mask."""

    value: str

    def __str__(self) -> str:
        return MASK

    __repr__ = __str__


@dataclass(frozen=True, slots=True)
class Alias:
    """Other keys under which a field is read; a dotted one is looked up in a nested mapping."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ValueUnit:
    """The unit of a duration that is written as a plain number, in seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class TextForm:
    """What the letters of a value have to look like, and the phrase for that; a value that is shown to nobody, too."""

    pattern: str
    wanted: str


class Bytes(int):
    """A size; `10MB`, `512KB` or a plain number of bytes in the file."""


class Url(str):
    """An absolute http(s) URL with a host, without query, fragment, credentials or trailing slash."""

    __slots__ = ()


class UrlPath(str):
    """The path of an endpoint, beginning with `/`."""

    __slots__ = ()


class Network(str):
    """An IP address or a network in CIDR notation, in its canonical form: `10.0.0.0/8`, `::1/128`."""

    __slots__ = ()


class Origin(str):
    """Where a page comes from, in lower case: `https://host:port`, with `*` for any port, or `*` for any page."""

    __slots__ = ()


class MetricPrefix(str):
    """What the names of metrics begin with: letters, digits and `_`; empty for no prefix."""

    __slots__ = ()


class MetricName(str):
    """What a metric of the operator's own is called: letters, digits, `_` and `.`."""

    __slots__ = ()


class Moment(str):
    """A moment in ISO 8601, with its zone."""

    __slots__ = ()


MILLISECONDS: Final = ValueUnit(0.001)
SECONDS: Final = ValueUnit(1.0)

Positive = Annotated[int, Meta(gt=0)]
Count = Annotated[int, Meta(ge=0)]
Millis = Annotated[float, Meta(gt=0), MILLISECONDS]
Seconds = Annotated[float, Meta(gt=0), SECONDS]
WaitTime = Annotated[float, Meta(ge=0), MILLISECONDS]
Port = Annotated[int, Meta(ge=0, le=65535)]
Rate = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(gt=0, le=1)]
Status = Annotated[int, Meta(ge=200, le=599)]
Text = Annotated[str, Meta(min_length=1)]
Name = Annotated[
    str,
    Meta(min_length=1),
    TextForm(r"[^\x00-\x1f\x7f\ud800-\udfff]*", "text without line breaks or control characters"),
]
ApiKey = Annotated[Secret, TextForm(r"[\x21-\x7e]*|.*\$\{.*", "a key of printable ASCII characters without spaces")]
