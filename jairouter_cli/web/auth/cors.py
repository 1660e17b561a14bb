"""Which pages of other origins may use `/v1` in a browser (CORS), and what their browsers are told.

Nothing is ever told that lets a browser send cookies along: keys come in headers that pages set themselves.
"""

from collections.abc import Sequence
from typing import Final

from jairouter_cli.config.kinds import Origin
from jairouter_cli.payloads.headers import Headers, RequestHeaders

_ANY: Final = "*"
_ANY_PORT: Final = ":*"
_VARY: Final = ("vary", "Origin")
_EXPOSED: Final = (
    "X-Request-Id, Retry-After, X-JAiRouter-Fallback, X-JAiRouter-Route, OpenAI-Processing-Ms, Request-Id, "
    "X-RateLimit-Limit-Requests, X-RateLimit-Limit-Tokens, X-RateLimit-Remaining-Requests, "
    "X-RateLimit-Remaining-Tokens, X-RateLimit-Reset-Requests, X-RateLimit-Reset-Tokens"
)
_KEPT_S: Final = "600"


def is_preflight(method: str, headers: RequestHeaders) -> bool:
    """Whether a browser asks if a page may send a request, before it does."""
    return method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers


def allowing(origin: str, allowed: Sequence[Origin]) -> Headers:
    """Return the headers by which a browser lets a page have an answer; if it may not, that others may."""
    if _ANY in allowed:
        return [("access-control-allow-origin", _ANY), ("access-control-expose-headers", _EXPOSED)]
    if not is_allowed(origin, allowed):
        return [_VARY]
    return [("access-control-allow-origin", origin), ("access-control-expose-headers", _EXPOSED), _VARY]


def preflight(headers: RequestHeaders, allowed: Sequence[Origin], methods: str) -> tuple[int, Headers]:
    """Return status and headers of the answer to a preflight."""
    origin = headers.get("origin", "")
    if not is_allowed(origin, allowed):
        return 403, [_VARY]
    told = [
        ("access-control-allow-origin", _ANY if _ANY in allowed else origin),
        ("access-control-allow-methods", methods),
        ("access-control-max-age", _KEPT_S),
        ("vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Private-Network"),
    ]
    asked = headers.get("access-control-request-headers", "")
    if asked and asked.isascii():  # what is sent back must be fit for a header
        told.append(("access-control-allow-headers", asked))
    if headers.get("access-control-request-private-network") == "true":
        told.append(("access-control-allow-private-network", "true"))
    return 204, told


def is_allowed(origin: str, allowed: Sequence[Origin]) -> bool:
    """Whether an origin is among those that are allowed."""
    return origin.isascii() and any(_matches(origin.lower(), one) for one in allowed)


def _matches(origin: str, one: Origin) -> bool:
    if not one.endswith(_ANY_PORT):
        return one in {origin, _ANY}
    start = one.removesuffix(_ANY_PORT)
    rest = origin.removeprefix(start)
    return rest != origin and (not rest or (rest[0] == ":" and rest[1:].isdigit()))
