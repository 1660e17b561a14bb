"""Whose request it is: the peer's, unless the peer is a proxy that is trusted to say for whom it asks (demand 26)."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from jairouter_cli.config.kinds import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_FOR: Final = re.compile(r'(?:^|;)\s*for\s*=\s*(?:"([^"]*)"|([^;"\s]+))', re.IGNORECASE)


def client_ip(peer: str, headers: Mapping[str, str], trusted: Sequence[Network]) -> str:
    """Return the nearest address that no trusted proxy has: going from the peer backwards through those it names.

    `X-Forwarded-For` is read, and `Forwarded` (RFC 7239) where there is none of it. What is no address ends the way.
    """
    if not is_trusted(peer, tuple(trusted)):
        return peer
    client = peer
    for named in reversed(_named(headers)):
        address = _address(named)
        if address is None:
            return client
        client = str(address)
        if not is_trusted(client, tuple(trusted)):
            return client
    return client


def _named(headers: Mapping[str, str]) -> list[str]:
    if given := headers.get("x-forwarded-for"):
        return [part.strip() for part in given.split(",")]
    hops = headers.get("forwarded", "").split(",")
    found = (_FOR.search(hop) for hop in hops if hop)
    return ["".join(one for one in match.groups() if one) if match else "" for match in found]


def _address(text: str) -> Address | None:
    """Read an address, with or without port and brackets; IPv4 in IPv6's clothes is IPv4."""
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@lru_cache(maxsize=4096)
def is_trusted(text: str, trusted: tuple[Network, ...]) -> bool:
    """Whether an address is that of a proxy that is trusted to say for whom it asks."""
    address = _address(text)
    return address is not None and any(address in network for network in _networks(trusted))


@lru_cache(maxsize=16)
def _networks(trusted: tuple[Network, ...]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(network) for network in trusted)
