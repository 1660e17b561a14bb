"""What a request costs to read grows with its size, and not with the square of it."""

import re
import time
from collections.abc import Callable

import pytest
from litestar.datastructures import Headers
from litestar.datastructures.headers import Accept
from multipart import parse_options_header

from jairouter_cli.auth.client_ip import client_ip
from jairouter_cli.auth.credentials import without
from jairouter_cli.config.kinds import Network
from jairouter_cli.config.model import Locale
from jairouter_cli.payloads.request_coding import codings
from jairouter_cli.telemetry.expressions import compiled
from jairouter_cli.web.auth.pages import is_cross_site, is_ours
from jairouter_cli.web.language import negotiate

Reader = Callable[[str], object]

TRUSTED = (Network("127.0.0.0/8"),)
READERS: dict[str, Reader] = {
    "accept-language": lambda text: negotiate(text, Locale.EN),
    "accept": lambda text: Accept(text[:1024]).best_match(["application/json"], "application/json"),
    "x-forwarded-for": lambda text: client_ip("127.0.0.1", [("x-forwarded-for", text)], TRUSTED),
    "forwarded": lambda text: client_ip("127.0.0.1", [("forwarded", text)], TRUSTED),
    "content-type": parse_options_header,
    "content-encoding": lambda text: codings([("content-encoding", text)]),
    "authorization": lambda text: without([("authorization", text)], "secret"),
    "origin": lambda text: is_cross_site(Headers({"origin": text, "host": text})),
    "host": lambda text: is_ours(Headers({"host": text}), "h"),
}
PIECES: tuple[str, ...] = (
    " ",
    ",",
    ";",
    "=",
    '"',
    "a",
    "a,",
    "a;",
    "a=",
    '"a"',
    "; ",
    ", ",
    ";q=",
    "a-",
    "\\",
    '\\"',
    "127.0.0.1,",
    "for=",
)
PIECES += ('for="127.0.0.1",', "a/b;c=d,", "[", ":", "%", "/", "é")
AROUND = (("", ""), ("a", "!"), ("a;", "q"), ("multipart/form-data; boundary=", "x"), ('for="', ""), ("Bearer ", "x"))


def best_of(read: Reader, text: str, tries: int = 3) -> float:
    """Return the shortest time that it took, of this thread alone: others may have the processor meanwhile."""
    times = []
    for _ in range(tries):
        began = time.thread_time()
        read(text)
        times.append(time.thread_time() - began)
    return min(times)


@pytest.mark.parametrize("name", READERS)
def test_time_is_linear_in_size(name: str) -> None:
    """Eight times the size takes about eight times as long; by the square it would be sixty-four."""
    read = READERS[name]
    for piece in PIECES:
        for start, end in AROUND:
            small, large = (start + piece * (size // len(piece)) + end for size in (4_000, 32_000))
            floor = 2e-5  # below it a clock tells nothing
            ratio = best_of(read, large) / max(best_of(read, small), floor)
            if ratio >= 24:  # perhaps somebody else had the processor
                ratio = best_of(read, large, 20) / max(best_of(read, small, 20), floor)
            assert ratio < 24, (piece, start, end)


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a|a)(a|a)(a|a)(a|a)$",
        "a?" * 30 + "$",
        ".*.*.*.*x",
        "(a*)*",
        "(a){9}",
        "(?:a|b)+",
        "a" * 201,
        "(a?)?",
    ],
)
def test_expressions_that_could_take_hours_are_refused(pattern: str) -> None:
    """Before they are compiled."""
    with pytest.raises(ValueError, match="use at most 200 characters"):
        compiled(pattern)


def test_expressions_that_are_fine() -> None:
    """Are compiled, with their flags; what is none is none."""
    for pattern in ("server", "^http.*", "a|b|c|d", "(?:a|b)[.]c+", "jvm.*(used|max)"):
        assert compiled(pattern) == re.compile(pattern)
    assert compiled("A", re.IGNORECASE) == re.compile("A", re.IGNORECASE)
    assert compiled("(") is None
    assert compiled("[") is None
