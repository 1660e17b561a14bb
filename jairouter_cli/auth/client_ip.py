"""Whose request it is: the peer's, unless the peer is a proxy that is trusted to say for whom it asks.

There is one function, `client_ip`, for all that goes by the client's address: who may manage, limits, logs, balancing.
"""

import ipaddress
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

from jairouter_cli.config.kinds import Network
from jairouter_cli.payloads.headers import Headers

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

UNKNOWN: Final = "unknown"
"""The client of whom a trusted proxy says nothing that can be used: no address, so neither trusted nor this machine."""

_MOST_HOPS: Final = 64  # proxies in a row; whoever names more means to keep us busy
_MAPPED: Final = "::ffff:"
_MAPPED_BITS: Final = 96


def client_ip(peer: str, headers: Headers, trusted: Sequence[Network]) -> str:
    """Return the nearest address that no trusted proxy has: going from the peer backwards through those it names.

    All lines of `X-Forwarded-For` are read, or of `Forwarded` (RFC 7239). Where both are there, both must name the same
    client. The client is `UNKNOWN` where they do not, where the way leads over something that is no address, and where
    another machine names a loopback address, which is its own and not ours.
    """
    nearest = plain(peer)
    if not trusted or not is_trusted(nearest, tuple(trusted)):
        return nearest
    told = list(_told(headers))
    if not told:
        return nearest
    clients = {_walk(nearest, hops, tuple(trusted)) for hops in told}
    return clients.pop() if len(clients) == 1 else UNKNOWN


def client_in(scope: Any, trusted: Sequence[Network]) -> str:
    """Return the same for a request over ASGI."""
    peer = scope["client"][0] if scope["client"] else ""
    if not trusted:
        return plain(peer)
    return client_ip(
        peer, [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]], trusted
    )


def plain(peer: str) -> str:
    """Return a peer's address; that of IPv4 where a socket for both kinds gives it in IPv6's clothes."""
    if not peer.startswith(_MAPPED):
        return peer
    address = _address(peer)
    return peer if address is None else str(address)


def is_loopback(client: str) -> bool:
    """Whether an address is one of this machine's own."""
    address = _address(client)
    return address is not None and address.is_loopback


def forwarded(lines: Sequence[str]) -> list[str]:
    """Return what `Forwarded` says, hop by hop (RFC 7239), for `pairs` to read; "" for what cannot be read.

    Quotes that are not closed, or that hide a separator, leave nothing to be read of the whole: a client may have
    opened them so that the words of the proxy behind it are taken for its own.
    """
    text = ",".join(lines)
    quoted = text.split('"')
    if len(quoted) % 2 == 0 or "\\" in text or any(not _SEPARATORS.isdisjoint(part) for part in quoted[1::2]):
        return [""]
    return text.split(",")


_SEPARATORS: Final = frozenset(",;=")


def pairs(hop: str) -> dict[str, str]:
    """Return what is said of one hop, by names in lower case; nothing if it is not written as it should be."""
    found: dict[str, str] = {}
    for pair in hop.split(";"):
        name, equals, value = (part.strip() for part in pair.partition("="))
        bare = value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
        if not equals or '"' in bare or name.lower() in found:
            return {}
        found[name.lower()] = bare
    return found


def _told(headers: Headers) -> Iterator[list[str]]:
    """Yield, for each kind of header that is there, the hops that it names, the farthest first."""
    if lines := [value for name, value in headers if name == "x-forwarded-for"]:
        yield ",".join(lines).rsplit(",", _MOST_HOPS)
    if lines := [value for name, value in headers if name == "forwarded"]:
        yield [pairs(hop).get("for", "") for hop in forwarded(lines)[-_MOST_HOPS - 1 :]]


def _walk(peer: str, hops: Sequence[str], trusted: tuple[Network, ...]) -> str:
    """Go back from the peer to the first hop that is not trusted."""
    client, is_here = peer, is_loopback(peer)
    for named in reversed(hops[-_MOST_HOPS:]):
        address = _address(named.strip())
        if address is None or (address.is_loopback and not is_here):
            return UNKNOWN
        client, is_here = str(address), address.is_loopback
        if not is_trusted(client, trusted):
            return client
    return client if len(hops) <= _MOST_HOPS else UNKNOWN


def _address(text: str) -> Address | None:
    """Read an address, with or without port, brackets and zone; IPv4 in IPv6's clothes is IPv4."""
    if text.startswith("["):
        bare, bracket, port = text[1:].partition("]")
        if not bracket or (port and not _is_port(port)):
            return None
    elif text.count(":") == 1:
        bare, _, port = text.partition(":")
        if not _is_port(f":{port}"):
            return None
    else:
        bare = text
    try:
        address = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_port(text: str) -> bool:
    """Whether this is a port with its colon, a number or a hidden one (RFC 7239, 6.2)."""
    number = text[1:]
    return text[:1] == ":" and number.isascii() and (number.isdigit() or number[:1] == "_")


@lru_cache(maxsize=4096)
def is_trusted(text: str, trusted: tuple[Network, ...]) -> bool:
    """Whether an address is that of a proxy that is trusted to say for whom it asks."""
    address = _address(text)
    return address is not None and any(address in network for network in _networks(trusted))


@lru_cache(maxsize=16)
def _networks(trusted: tuple[Network, ...]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(_network(network) for network in trusted)


def _network(text: Network) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Read a network; one of IPv4 in IPv6's clothes is one of IPv4, as its addresses are."""
    network = ipaddress.ip_network(text)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < _MAPPED_BITS:
        return network
    return ipaddress.ip_network((mapped, network.prefixlen - _MAPPED_BITS))
