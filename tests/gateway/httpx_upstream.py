"""The upstream role over httpx's transport: no redirects, cookies, decoding or headers of its own.

The reference that the same tests hold `http1` against; slower by an order of magnitude.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Final, cast

import httpx

from jairouter_cli.config.model import ConnectionPool
from jairouter_cli.gateway.upstream.exchange import FailureKind, PoolState, UpstreamFailure, UpstreamRequest
from jairouter_cli.gateway.upstream.head import coding_fault, passed_on, size_fault, status_fault
from jairouter_cli.gateway.upstream.proxies import Proxies
from jairouter_cli.gateway.upstream.resolver import Resolver
from jairouter_cli.gateway.upstream.way import Way

# Every class of httpx.TransportError, nearest class first; a test fails when httpx grows one that falls through.
FAILURES: Final[tuple[tuple[type[Exception], FailureKind], ...]] = (
    (httpx.ConnectTimeout, FailureKind.CONNECT_TIMEOUT),
    (httpx.PoolTimeout, FailureKind.POOL_TIMEOUT),
    (httpx.ReadTimeout, FailureKind.FIRST_BYTE_TIMEOUT),
    (httpx.WriteTimeout, FailureKind.BROKEN),
    (httpx.ConnectError, FailureKind.UNREACHABLE),
    (httpx.ProxyError, FailureKind.UNREACHABLE),
    (httpx.UnsupportedProtocol, FailureKind.UNREACHABLE),
    (httpx.ReadError, FailureKind.BROKEN),
    (httpx.WriteError, FailureKind.BROKEN),
    (httpx.CloseError, FailureKind.BROKEN),
    (httpx.ProtocolError, FailureKind.BROKEN),
)


class HttpxUpstream:
    """Sends requests through one pool of connections."""

    def __init__(self, pool: ConnectionPool) -> None:
        limits = httpx.Limits(
            max_connections=pool.max_connections,
            max_keepalive_connections=pool.max_connections,
            keepalive_expiry=pool.max_idle_time_s,
        )
        self._pool_timeout_s = pool.pending_acquire_timeout_s
        self._transport = httpx.AsyncHTTPTransport(limits=limits, trust_env=False)

    async def send(self, request: UpstreamRequest) -> "HttpxExchange":
        """Send, and return when the answer's headers have come. Raises `UpstreamFailure`."""
        timeouts = request.timeouts
        limits = {
            "connect": timeouts.connect_s,
            "read": timeouts.first_byte_s,
            "write": timeouts.write_s,
            "pool": self._pool_timeout_s,
        }
        sent = httpx.Request(
            request.method,
            request.origin + request.path,
            headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers],
            content=bytes(request.body),
            extensions={"timeout": limits},
        )
        try:
            async with asyncio.timeout_at(_finite(request.expires_at)):
                response = await self._transport.handle_async_request(sent)
        except TimeoutError:
            raise _timed_out(FailureKind.TOTAL_TIMEOUT, timeouts.total_s) from None
        except httpx.TransportError as error:
            raise translated(error, timeouts.first_byte_s) from error
        limits["read"] = timeouts.idle_s
        exchange = HttpxExchange(response, request)
        if fault := exchange.fault:
            await exchange.aclose()
            raise UpstreamFailure(FailureKind.BROKEN, fault)
        return exchange

    async def knock(self, origin: str, proxy: str | None, within_s: float) -> None:
        """Open a connection and close it. Raises `UpstreamFailure`."""
        await Way(origin, Resolver(0), Proxies("", {}), proxy, ssl.create_default_context).knock(within_s)

    def pools(self) -> tuple[PoolState, ...]:
        """Return nothing: the transport keeps that to itself."""
        return ()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()


class HttpxExchange:
    """An answer that httpx is reading."""

    def __init__(self, response: httpx.Response, request: UpstreamRequest) -> None:
        self._response = response
        self._request = request
        self._pieces: AsyncIterator[bytes] = aiter(cast("httpx.AsyncByteStream", response.stream))
        self._next: asyncio.Task[bytes] | None = None
        self._content_by = float("inf")
        self._content_s = 0.0
        self.status: Final = response.status_code
        headers = [(name.lower().decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw]
        self.fault: Final = status_fault(response.status_code) or coding_fault(headers) or size_fault(headers)
        self.headers: Final = passed_on(headers)

    async def read(self) -> bytes:
        """Return the next piece of the body, nothing at its end. Raises `UpstreamFailure`."""
        timeouts = self._request.timeouts
        if self._next is None:
            self._next = asyncio.ensure_future(self._following())
        try:
            async with asyncio.timeout_at(_finite(min(self._request.expires_at, self._content_by))):
                data = await asyncio.shield(self._next)
        except TimeoutError:
            if self._content_by < self._request.expires_at:
                raise _timed_out(FailureKind.FIRST_CONTENT_TIMEOUT, self._content_s) from None
            raise _timed_out(FailureKind.TOTAL_TIMEOUT, timeouts.total_s) from None
        except httpx.ReadTimeout:
            raise _timed_out(FailureKind.IDLE_TIMEOUT, timeouts.idle_s) from None
        except httpx.TransportError as error:
            raise translated(error) from error
        self._next = None
        return data

    async def _following(self) -> bytes:
        while True:
            try:
                if data := await anext(self._pieces):
                    return data
            except StopAsyncIteration:
                return b""

    def expect_content(self, within_s: float | None) -> None:
        """Bound the time to the first content, or lift the bound."""
        self._content_s = within_s or 0.0
        self._content_by = float("inf") if within_s is None else asyncio.get_running_loop().time() + within_s

    async def aclose(self) -> None:
        """Give the connection back, or close it if the body was not read to its end."""
        if self._next is not None:
            self._next.cancel()
            await asyncio.gather(self._next, return_exceptions=True)
        await self._response.aclose()


def translated(error: httpx.TransportError, after_s: float = 0.0) -> UpstreamFailure:
    """Return what an error of httpx is to the gateway."""
    kind = next(kind for foreign, kind in FAILURES if isinstance(error, foreign))
    return UpstreamFailure(kind, str(error) or type(error).__name__, after_s)


def _timed_out(kind: FailureKind, after_s: float | None) -> UpstreamFailure:
    return UpstreamFailure(kind, f"after {after_s or 0:g} s", after_s or 0.0)


def _finite(at: float) -> float | None:
    return None if at == float("inf") else at
