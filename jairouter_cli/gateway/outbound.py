"""A client's request, made ready for the instance that it goes to."""

import hmac
import re
from typing import Final, NamedTuple

from jairouter_cli.adapters.dialects import MANNERS
from jairouter_cli.gateway.upstream.exchange import UpstreamRequest
from jairouter_cli.payloads.answer_coding import accepted
from jairouter_cli.payloads.headers import HOP_BY_HOP, Headers
from jairouter_cli.payloads.rename import rename_form, rename_json
from jairouter_cli.payloads.stream_usage import asking
from jairouter_cli.routing.call import CREDENTIALS, Call, Target

# What a client's request has that no backend gets. docs/routing.md says the same.
_NOT_FORWARDED: Final = (
    HOP_BY_HOP
    # made anew, or answered by our own server
    | {"host", "content-length", "content-encoding", "expect"}
    # what a browser says of its page and keeps for the gateway: a backend that judges origins would refuse the page
    | {"cookie", "origin", "referer"}
    # who asks, in a client's own words: to a backend they would be the gateway's
    | {"forwarded", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip", "cf-connecting-ip"}
    # meant for the gateway
    | {"x-admin-token"}
)
_KINDS_NOT_FORWARDED: Final = ("sec-", "x-forwarded-", "x-original-", "x-jairouter-", "access-control-request-")
_WORDS: Final = re.compile(r'[\s,;:="]+')
# What a backend says to pages of other sites is for the gateway to say.
NOT_RETURNED: Final = HOP_BY_HOP | {
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-private-network",
    "access-control-expose-headers",
    "access-control-max-age",
}


class Inbound(NamedTuple):
    """A client's request, as it will be forwarded. `tail` is the endpoint's path behind the version segment.

    `endpoint` is where that endpoint is served, however the client spelt it; `credential` is the client's own.
    `other_model` is the model that is asked in place of the one that the body names, or None. With `asks_usage` the
    usage of its stream is asked for, which the client has not, of backends that tell it.
    """

    call: Call
    tail: str
    is_main: bool
    query: str
    headers: Headers
    body: bytes | bytearray
    request_id: str
    endpoint: str = ""
    credential: str = ""
    other_model: str | None = None
    asks_usage: bool = False


def is_forwarded(name: str) -> bool:
    """Whether a client's header goes on to backends, by its name."""
    return name not in _NOT_FORWARDED and not name.startswith(_KINDS_NOT_FORWARDED)


def without(headers: Headers, secret: str) -> Headers:
    """Return the headers that do not tell a secret, alone or behind a word such as `Bearer`."""
    told = secret.encode()
    return [(name, value) for name, value in headers if len(value) < len(secret) or not _tells(value, told)]


def _tells(value: str, secret: bytes) -> bool:
    words = (value, *_WORDS.split(value))
    return any(hmac.compare_digest(word.encode("latin-1", "replace"), secret) for word in words)


def outbound(inbound: Inbound, target: Target, expires_at: float, patience_s: float) -> UpstreamRequest:
    """Return the request as the instance gets it; `patience_s` bounds the wait for its answer."""
    path = target.path if inbound.is_main else target.prefix + inbound.tail
    if inbound.query:
        path = f"{path}{'&' if '?' in path else '?'}{inbound.query}"
    timeouts = target.timeouts
    if patience_s < timeouts.first_byte_s:
        connect_s = min(timeouts.connect_s, patience_s)
        timeouts = timeouts._replace(first_byte_s=patience_s, connect_s=connect_s)
    model = target.upstream_model or inbound.other_model
    body, headers = inbound.body, _headers(inbound.headers, target)
    if asks_usage(inbound, target):
        body = asking(body)
        headers = [pair for pair in headers if pair[0] != "accept-encoding"]  # a frame is taken out of it
    else:
        headers = [(name, accepted(value)) if name == "accept-encoding" else (name, value) for name, value in headers]
    if model is not None:
        body = _renamed(body, inbound.headers, model)
    return UpstreamRequest(target.origin, path, headers, body, timeouts, expires_at, proxy=target.proxy)


def asks_usage(inbound: Inbound, target: Target) -> bool:
    """Whether the instance is asked for the usage of a stream in the client's place."""
    return inbound.asks_usage and MANNERS[target.dialect].tells_usage


def _renamed(body: bytes | bytearray, headers: Headers, model: str) -> bytes:
    """Return the body with the name by which the backend knows the model."""
    content_type = dict(headers).get("content-type", "")
    if content_type.startswith("multipart/"):
        return rename_form(body, content_type, model)
    return rename_json(body, model)


def _headers(headers: Headers, target: Target) -> Headers:
    """Return the client's headers without those of its own connection, and with the instance's own in their place."""
    dropped = _NOT_FORWARDED
    if target.headers:
        dropped = dropped.union(name for name, _ in target.headers)
        if target.has_own_key:
            dropped = dropped | CREDENTIALS  # of a client's keys none goes there beside it
    if named := [value for name, value in headers if name == "connection" and value != "keep-alive"]:
        dropped = dropped.union(token.strip().lower() for value in named for token in value.split(","))
    manner = MANNERS[target.dialect]
    kept = [pair for pair in headers if pair[0] not in dropped and not pair[0].startswith(_KINDS_NOT_FORWARDED)]
    if manner.bearer:
        kept = [(name, manner.authorization(value) if name == "authorization" else value) for name, value in kept]
    return kept + list(target.headers)
