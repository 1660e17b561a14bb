"""Whether a page of somebody else's asks, in a browser on this machine and behind its user's back."""

import ipaddress
from typing import Final
from urllib.parse import SplitResult, urlsplit

from litestar.datastructures import Headers

# What a browser says of a request that its user, or a page of ours, has made.
_OURS: Final = frozenset({"same-origin", "none"})


def is_cross_site(headers: Headers) -> bool:
    """Whether a browser says that a page of another origin asks, by `Sec-Fetch-Site` or by `Origin`."""
    hosts = headers.getall("host", [])
    origins = {_authority(origin) for origin in headers.getall("origin", [])}
    sites = {site.strip().lower() for site in headers.getall("sec-fetch-site", [])}
    return bool(sites - _OURS) or bool(origins - {host.lower() for host in hosts})


def is_ours(headers: Headers, own_name: str) -> bool:
    """Whether `Host` is an address, this machine, or the name under which the gateway listens.

    Another name may have been made to point here by whoever owns it (DNS rebinding).
    """
    names = [_name(host) for host in headers.getall("host", [])]
    return bool(names) and all(name in {"localhost", own_name.lower()} or _is_address(name) for name in names)


def _authority(origin: str) -> str:
    return _split(origin).netloc.lower()


def _name(host: str) -> str:
    try:
        return (_split(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
