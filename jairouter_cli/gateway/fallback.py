"""What is answered when no instance can: a text of the configuration, or what was answered before."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

import msgspec

from jairouter_cli.config.model import Fallback
from jairouter_cli.payloads.headers import Headers

FALLBACK_HEADER: Final = "x-jairouter-fallback"

_LARGEST_BYTES: Final = 1024 * 1024  # of an answer that is kept
_KEPT_HEADERS: Final = ("content-type", "content-encoding")
# Headers that differ from one request to the next, and change nothing in what is asked, or by whom.
_SAYS_NOTHING: Final = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "keep-alive",
        "traceparent",
        "tracestate",
        "user-agent",
        "x-request-id",
        "x-stainless-read-timeout",
        "x-stainless-retry-count",
    }
)
_CACHE_CONTROL: Final = frozenset({"cache-control", "pragma"})
_FORBID: Final = frozenset({"no-store", "no-cache", "private", "max-age=0", "s-maxage=0"})
_OF_ONE_ANSWER: Final = frozenset({"set-cookie", "set-cookie2", "content-range"})


class Canned:
    """An answer that no backend gave; it plays the role of an `Exchange`."""

    __slots__ = ("_body", "headers", "status")

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        self.status = status
        self.headers: Headers = [*headers, ("content-length", str(len(body)))]
        self._body = body

    async def read(self) -> bytes:
        """Return the body, then nothing."""
        body, self._body = self._body, b""
        return body

    def expect_content(self, within_s: float | None) -> None:
        """Expect nothing: it is there already."""

    async def aclose(self) -> None:
        """Close nothing."""


def configured(fallback: Fallback) -> Canned | None:
    """Return the answer that the configuration holds, if it holds one; JSON if it is some."""
    if fallback.response is None:
        return None
    body = fallback.response.encode()
    try:
        msgspec.json.decode(body)
    except msgspec.MsgspecError:
        kind = "text/plain; charset=utf-8"
    else:
        kind = "application/json"
    return Canned(fallback.status, [("content-type", kind), (FALLBACK_HEADER, "default")], body)


def key_of(parts: tuple[str, ...], headers: Headers, body: bytes | bytearray) -> bytes:
    """Return the key of a request: where it goes (`parts`), and all that it says, byte for byte.

    Any header may say who asks, or what for; only those that never do are left out. Better few hits than a wrong one.
    """
    said = sorted((pair for pair in headers if pair[0] not in _SAYS_NOTHING), key=itemgetter(0))
    return hashlib.sha256(msgspec.msgpack.encode((parts, said, body))).digest()


def may_look(asked: Headers) -> bool:
    """Whether a client leaves it open that it is answered from memory, and its answer remembered."""
    return _directives(asked).isdisjoint(_FORBID)


def may_keep(answered: Headers) -> bool:
    """Whether a backend leaves it open that its answer is given again to whoever asks the same in the same words."""
    names = {name for name, _ in answered}
    varies = {part.strip().lower() for name, value in answered if name == "vary" for part in value.split(",")}
    return (
        _directives(answered).isdisjoint(_FORBID)
        and names.isdisjoint(_OF_ONE_ANSWER)
        and varies.isdisjoint({"*"} | _SAYS_NOTHING)
    )


def _directives(headers: Headers) -> set[str]:
    """Return what `Cache-Control` says, without arguments but for that of ages of nothing."""
    said = ",".join(value for name, value in headers if name in _CACHE_CONTROL)
    parts = (part.strip().lower().replace('"', "").replace(" ", "") for part in said.split(","))
    return {part if part in _FORBID else part.partition("=")[0] for part in parts}


@dataclass(slots=True)
class _Kept:
    at: float
    headers: Headers
    body: bytes


class AnswerCache:
    """Answers of the past, the longest unused one goes first."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()

    def keep(self, key: bytes, headers: Headers, body: bytes, now: float, rules: Fallback) -> None:
        """Keep an answer."""
        named = [(name, value) for name, value in headers if name in _KEPT_HEADERS]
        self._kept[key] = _Kept(now, named, body)
        self._kept.move_to_end(key)
        while len(self._kept) > rules.cache_size:
            self._kept.popitem(last=False)

    def find(self, key: bytes, now: float, rules: Fallback) -> Canned | None:
        """Return what was answered to the same request, with its age, if it is not too old."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        age_s = now - kept.at
        if age_s > rules.cache_ttl_s:
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        headers = [*kept.headers, (FALLBACK_HEADER, "cache"), ("age", str(int(age_s)))]
        return Canned(200, headers, kept.body)


class Copy:
    """A copy of an answer that is being relayed, to be kept if it ends well and is not too large."""

    __slots__ = ("_pieces", "_size", "key", "rules")

    def __init__(self, key: bytes, rules: Fallback) -> None:
        self.key: Final = key
        self.rules: Final = rules
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> None:
        """Take a piece."""
        self._size += len(piece)
        if self._size <= _LARGEST_BYTES:
            self._pieces.append(piece)
        else:
            self._pieces.clear()

    @property
    def body(self) -> bytes | None:
        """All of it, or None if it was too large, or nothing of it passed by here: events are not copied."""
        return b"".join(self._pieces) or None
