"""The headers in which keys are carried, and who may see what is in them.

A client's own keys go to backends that have none, as clients point their SDKs at the gateway with the key of the
backend behind it. They go nowhere else: not to a backend with a key of its own, and not to one that says
`forward-authorization: false`. What is the gateway's own never leaves it, whatever header it comes in.
"""

import hmac
import re
from collections.abc import Iterable, Iterator
from typing import Final

from jairouter_cli.payloads.headers import Headers

CREDENTIALS: Final = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key", "x-auth-token"})
"""The headers in which clients and instances carry keys."""

OF_THE_GATEWAY: Final = frozenset({"cookie", "x-admin-token"})
"""Headers that are meant for the gateway, or for the page of the browser that sends them; no backend gets them."""

ADMIN_HEADERS: Final = ("authorization", "x-admin-token")
"""Where the admin token may be: behind `Bearer`, or alone."""

NONE: Final = frozenset[str]()

_WORDS: Final = re.compile(r'[\s,;:="]+')


def withheld(*, has_own_key: bool, forwards: bool) -> frozenset[str]:
    """Return the headers of a client that a backend does not get: its keys, unless the backend is to judge them."""
    return CREDENTIALS if has_own_key or not forwards else NONE


def has_credential(names: Iterable[str]) -> bool:
    """Whether one of these headers carries a key."""
    return not CREDENTIALS.isdisjoint(names)


def tokens_in(authorizations: Iterable[str], admin_tokens: Iterable[str]) -> Iterator[str]:
    """Yield what was given as the admin token: behind `Bearer`, or in a header of its own."""
    for line in authorizations:
        scheme, _, credential = line.partition(" ")
        if scheme.lower() == "bearer":
            yield credential.strip()
    yield from admin_tokens


def is_token(given: str, token: str) -> bool:
    """Whether this is the token; how long it takes does not tell how much of it is right."""
    return hmac.compare_digest(given.encode("latin-1", "replace"), token.encode())


def without(headers: Headers, secret: str) -> Headers:
    """Return the headers that do not tell a secret, alone or behind a word such as `Bearer`."""
    return [(name, value) for name, value in headers if len(value) < len(secret) or not _tells(value, secret)]


def _tells(value: str, secret: str) -> bool:
    return any(is_token(word, secret) for word in (value, *_WORDS.split(value)))
