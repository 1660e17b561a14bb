"""A client's request, made ready for the instance that it goes to."""

from typing import Final

from jairouter_cli.adapters.dialects import MANNERS
from jairouter_cli.auth.credentials import OF_THE_GATEWAY
from jairouter_cli.gateway.inbound import Inbound
from jairouter_cli.gateway.upstream.exchange import UpstreamRequest
from jairouter_cli.payloads.answer_coding import accepted
from jairouter_cli.payloads.headers import HOP_BY_HOP, Headers, RequestHeaders
from jairouter_cli.routing.call import Target

# What a client's request has that no backend gets. docs/routing.md says the same.
_NOT_FORWARDED: Final = (
    HOP_BY_HOP
    # made anew, or answered by our own server
    | {"host", "content-length", "content-encoding", "expect"}
    # what a browser says of its page and keeps for the gateway: a backend that judges origins would refuse the page
    | {"origin", "referer"}
    # who asks, in a client's own words: to a backend they would be the gateway's
    | {"forwarded", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip", "cf-connecting-ip"}
    | OF_THE_GATEWAY
)
_KINDS_NOT_FORWARDED: Final = ("sec-", "x-forwarded-", "x-original-", "x-jairouter-", "access-control-request-")
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


def is_forwarded(name: str) -> bool:
    """Whether a client's header goes on to backends, by its name."""
    return name not in _NOT_FORWARDED and not name.startswith(_KINDS_NOT_FORWARDED)


def outbound(inbound: Inbound, target: Target, expires_at: float, patience_s: float) -> UpstreamRequest:
    """Return the request as the instance gets it; `patience_s` bounds the wait for its answer.

    Raises `InvalidRequest` if its body has more members than requests have, and has to be changed.
    """
    path = target.path if inbound.is_main else target.prefix + inbound.tail
    if inbound.query:
        path = f"{path}{'&' if '?' in path else '?'}{inbound.query}"
    timeouts = target.timeouts
    if patience_s < timeouts.first_byte_s:
        connect_s = min(timeouts.connect_s, patience_s)
        timeouts = timeouts._replace(first_byte_s=patience_s, connect_s=connect_s)
    asks = asks_usage(inbound, target)
    headers = _headers(inbound.headers, target)
    if asks:
        headers = [pair for pair in headers if pair[0] != "accept-encoding"]  # a frame is taken out of it
    elif "accept-encoding" in inbound.headers:
        headers = [(name, accepted(value)) if name == "accept-encoding" else (name, value) for name, value in headers]
    body = inbound.request.forwarded(target.upstream_model or inbound.other_model, asks_usage=asks)
    return UpstreamRequest(target.origin, path, headers, body, timeouts, expires_at, proxy=target.proxy)


def asks_usage(inbound: Inbound, target: Target) -> bool:
    """Whether the instance is asked for the usage of a stream in the client's place."""
    return inbound.asks_usage and MANNERS[target.dialect].tells_usage


def _headers(headers: RequestHeaders, target: Target) -> Headers:
    """Return the client's headers without those of its own connection, and with the instance's own in their place."""
    dropped = _NOT_FORWARDED
    if target.replaced:
        dropped = dropped | target.replaced
    if "connection" in headers and (named := _of_the_connection(headers)):
        dropped = dropped.union(named)
    manner = MANNERS[target.dialect]
    kept = [pair for pair in headers.lines if pair[0] not in dropped and not pair[0].startswith(_KINDS_NOT_FORWARDED)]
    if manner.bearer:
        kept = [(name, manner.authorization(value) if name == "authorization" else value) for name, value in kept]
    return kept + list(target.headers)


def _of_the_connection(headers: RequestHeaders) -> list[str]:
    """Return the headers that the client's `Connection` names, which are meant for that connection alone."""
    lines = [value for name, value in headers.lines if name == "connection" and value != "keep-alive"]
    return [token.strip().lower() for line in lines for token in line.split(",")]
