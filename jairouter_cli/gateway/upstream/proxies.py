"""Which proxy a backend is reached through: the instance's, the gateway's, or that of the environment.

The environment is read as curl reads it: `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, small letters first.
"""

import base64
import ipaddress
import re
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from jairouter_cli.gateway.upstream.exchange import FailureKind, UpstreamFailure

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_PROXY_PORT: Final = 80


class Proxy(NamedTuple):
    """A proxy that speaks HTTP; `authorization` is the header's value, or empty."""

    host: str
    port: int
    authorization: str

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def read(text: str) -> Proxy:
    """Return a proxy by its URL. Raises `UpstreamFailure` if it is none that can be used."""
    try:
        url = urlsplit(text if "://" in text else f"http://{text}")
        host, port = url.hostname, url.port or _PROXY_PORT
    except ValueError:
        host, port = None, 0
    if not host or url.scheme != "http":
        said = url.scheme if host else "no URL"
        detail = f"only http:// proxies are supported, but the proxy is {said}"
        raise UpstreamFailure(FailureKind.UNREACHABLE, detail)
    authorization = ""
    if url.username is not None:
        credentials = f"{unquote(url.username)}:{unquote(url.password or '')}".encode()
        authorization = f"Basic {base64.b64encode(credentials).decode()}"
    return Proxy(host, port, authorization)


class Proxies:
    """The proxies of the gateway: those of a setting (None: not set, empty: none), else those of the environment."""

    def __init__(self, setting: str | None, environ: Mapping[str, str]) -> None:
        self._setting: Final = setting
        self._environ: Final = environ

    def find(self, scheme: str, host: str, port: int | None, own: str | None) -> Proxy | None:
        """Return the proxy for an address; `own` is the instance's setting. Raises `UpstreamFailure`."""
        if own is not None:
            return read(own) if own else None
        if _is_loopback(host) or _is_excepted(self._variable("no_proxy"), host, port or _DEFAULT_PORTS[scheme]):
            return None
        text = self._of_environment(scheme) if self._setting is None else self._setting
        return read(text) if text else None

    def _of_environment(self, scheme: str) -> str:
        if scheme == "http" and "REQUEST_METHOD" in self._environ:  # of a CGI, HTTP_PROXY is a header of its client
            return self._environ.get("http_proxy", "") or self._variable("all_proxy")
        return self._variable(f"{scheme}_proxy") or self._variable("all_proxy")

    def _variable(self, name: str) -> str:
        value = self._environ.get(name)
        return (self._environ.get(name.upper(), "") if value is None else value).strip()


def _is_loopback(host: str) -> bool:
    address = _address(host)
    if address is not None:
        return address.is_loopback or address.is_unspecified
    name = host.rstrip(".")
    return name == "localhost" or name.endswith(".localhost")


def _is_excepted(exceptions: str, host: str, port: int) -> bool:
    """Whether `NO_PROXY` names a host: `*`, a domain with all below it, an address or a network; perhaps a port."""
    return any(_matches(one, host.rstrip(".").lower(), port) for one in re.split(r"[,\s]+", exceptions.lower()) if one)


def _matches(exception: str, host: str, port: int) -> bool:
    if exception == "*":
        return True
    if (match := re.fullmatch(r"(\[.+\]|[^:]+):(\d+)", exception)) is not None:
        return int(match[2]) == port and _matches(match[1], host, port)
    address = _address(host)
    if (network := _network(exception)) is not None:
        return address is not None and address in network
    domain = exception.removeprefix("*").strip(".")
    return address is None and bool(domain) and (host == domain or host.endswith(f".{domain}"))


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return None
