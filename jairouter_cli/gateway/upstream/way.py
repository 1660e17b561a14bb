"""The way to one origin: its name, its proxy, TLS; at its end a connection.

To `http://` a proxy is asked with the whole URL; to `https://` it is asked for a tunnel (RFC 9110, 9.3.6).
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Callable
from typing import Final, TypeVar
from urllib.parse import urlsplit

from jairouter_cli.gateway.upstream.dial import dial
from jairouter_cli.gateway.upstream.exchange import FailureKind, UpstreamFailure
from jairouter_cli.gateway.upstream.proxies import Proxies
from jairouter_cli.gateway.upstream.resolver import Resolver
from jairouter_cli.gateway.upstream.words import reason

_TUNNEL_HEAD_BYTES: Final = 16 * 1024
_PROXY_WANTS_CREDENTIALS: Final = 407

P = TypeVar("P", bound=asyncio.Protocol)


class Way:
    """How an origin is reached. Raises `UpstreamFailure` if its address, or that of its proxy, can be none."""

    def __init__(
        self,
        origin: str,
        resolver: Resolver,
        proxies: Proxies,
        own_proxy: str | None,
        tls: Callable[[], ssl.SSLContext],
    ) -> None:
        try:
            url = urlsplit(origin)
            host = url.hostname or ""
            self.host: Final = host if host.isascii() else host.encode("idna").decode("ascii")
            self.port: Final = url.port or (443 if url.scheme == "https" else 80)
            self.host_header: Final = _authority(self.host, url.port)
        except ValueError:  # UnicodeError is one
            raise UpstreamFailure(FailureKind.UNREACHABLE, "the base-url has no valid host and port") from None
        self._resolver: Final = resolver
        self.proxy: Final = proxies.find(url.scheme, self.host, self.port, own_proxy)
        self._tls: Final = tls() if url.scheme == "https" else None

    @property
    def name(self) -> str:
        """What the backend is called in metrics."""
        via = "" if self.proxy is None else f" via {self.proxy}"
        return f"{self.host}:{self.port}{via}"

    @property
    def target_prefix(self) -> str:
        """What stands before a path in a request line: nothing, unless a proxy is to forward it."""
        return f"http://{self.host_header}" if self._is_forwarded else ""

    @property
    def proxy_authorization(self) -> str:
        """The credentials that go with each request to a proxy that is to forward it."""
        return self.proxy.authorization if self.proxy is not None and self._tls is None else ""

    @property
    def _is_forwarded(self) -> bool:
        return self.proxy is not None and self._tls is None

    def fault(self, status: int) -> str:
        """Return what an answer says of the way and not of the backend, or nothing."""
        return _CREDENTIALS if self._is_forwarded and status == _PROXY_WANTS_CREDENTIALS else ""

    async def open(self, make: Callable[[], P], within_s: float) -> P:
        """Return a connection. Raises `UpstreamFailure`."""
        try:
            async with asyncio.timeout(within_s):
                opened = await self._reach()
                try:
                    _, protocol = await asyncio.get_running_loop().create_connection(
                        make, sock=opened, ssl=self._tls, server_hostname=self.host if self._tls else None
                    )
                except BaseException:
                    opened.close()
                    raise
                return protocol
        except TimeoutError:
            raise self._too_late(within_s) from None
        except OSError as error:  # ssl.SSLError is one
            raise UpstreamFailure(FailureKind.UNREACHABLE, reason(error)) from error

    async def knock(self, within_s: float) -> None:
        """Open a socket and close it. Raises `UpstreamFailure`."""
        try:
            async with asyncio.timeout(within_s):
                (await self._reach()).close()
        except TimeoutError:
            raise self._too_late(within_s) from None
        except OSError as error:
            raise UpstreamFailure(FailureKind.UNREACHABLE, reason(error)) from error

    def _too_late(self, within_s: float) -> UpstreamFailure:
        detail = f"no connection within {within_s:g} s"
        host = self.host if self.proxy is None else self.proxy.host
        if self._resolver.is_looking_up(host):
            detail = f"the name {host} was not resolved within {within_s:g} s"
        return UpstreamFailure(FailureKind.CONNECT_TIMEOUT, detail, within_s)

    async def _reach(self) -> socket.socket:
        """Return a socket at whose other end the backend is, or a proxy that forwards. Raises `OSError`."""
        if self.proxy is None:
            return await self._dial(self.host, self.port)
        try:
            opened = await self._dial(self.proxy.host, self.proxy.port)
        except OSError as error:
            raise OSError(f"the proxy cannot be reached: {reason(error)}") from error
        if self._tls is not None:
            try:
                await self._tunnel(opened)
            except BaseException:
                opened.close()
                raise
        return opened

    async def _dial(self, host: str, port: int) -> socket.socket:
        addresses = await self._resolver.resolve(host)
        try:
            return await dial([one.at(port) for one in addresses])
        except (OSError, asyncio.CancelledError):
            self._resolver.doubt(host)
            raise

    async def _tunnel(self, opened: socket.socket) -> None:
        """Ask the proxy to connect the socket to the backend. Raises `OSError`."""
        loop, to = asyncio.get_running_loop(), _authority(self.host, self.port)
        authorization = self.proxy.authorization if self.proxy is not None else ""
        line = f"proxy-authorization: {authorization}\r\n" if authorization else ""
        await loop.sock_sendall(opened, f"CONNECT {to} HTTP/1.1\r\nhost: {to}\r\n{line}\r\n".encode("ascii"))
        head = b""
        while b"\r\n\r\n" not in head:
            data = await loop.sock_recv(opened, _TUNNEL_HEAD_BYTES)
            head += data
            if not data or len(head) > _TUNNEL_HEAD_BYTES:
                raise OSError("the proxy did not answer CONNECT in HTTP")
        match = re.match(rb"HTTP/1\.[01] (\d{3})[ \r]", head)
        status = int(match[1]) if match else 0
        if status == _PROXY_WANTS_CREDENTIALS:
            raise OSError(_CREDENTIALS)
        if not 200 <= status < 300 or not head.endswith(b"\r\n\r\n"):  # noqa: PLR2004 - 2xx
            raise OSError(f"the proxy refused to connect to the backend: HTTP {status}")


_CREDENTIALS: Final = "the proxy requires a user and a password, or rejected those it got"


def _authority(host: str, port: int | None) -> str:
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"
