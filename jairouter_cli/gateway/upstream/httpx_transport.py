"""The upstream role over httpx's transport: no redirects, cookies, decoding or headers of its own."""

from collections.abc import AsyncIterator
from typing import Final

import httpx

from jairouter_cli.config.model import ConnectionPool
from jairouter_cli.gateway.upstream.exchange import FailureKind, Headers, UpstreamFailure, UpstreamRequest

# Every class of httpx.TransportError, nearest class first; a test fails when httpx grows one that falls through.
FAILURES: Final[tuple[tuple[type[Exception], FailureKind], ...]] = (
    (httpx.ConnectTimeout, FailureKind.CONNECT_TIMEOUT),
    (httpx.PoolTimeout, FailureKind.POOL_TIMEOUT),
    (httpx.ReadTimeout, FailureKind.RESPONSE_TIMEOUT),
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
        sent = httpx.Request(
            request.method,
            request.origin + request.path,
            headers=list(request.headers),
            content=request.body,
            extensions={
                "timeout": {
                    "connect": timeouts.connect_s,
                    "read": timeouts.silence_s,
                    "write": timeouts.write_s,
                    "pool": self._pool_timeout_s,
                }
            },
        )
        try:
            return HttpxExchange(await self._transport.handle_async_request(sent), timeouts.silence_s)
        except httpx.TransportError as error:
            raise translated(error) from error

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()


class HttpxExchange:
    """An answer that httpx is reading."""

    def __init__(self, response: httpx.Response, silence_s: float) -> None:
        self._response = response
        self._silence_s = silence_s
        self.status: Final = response.status_code
        self.headers: Final[Headers] = [(name.lower(), value) for name, value in response.headers.raw]

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes. Raises `UpstreamFailure`."""
        stream = self._response.stream
        if not isinstance(stream, httpx.AsyncByteStream):
            raise TypeError(stream)
        try:
            async for chunk in stream:
                yield chunk
        except httpx.ReadTimeout as error:
            raise UpstreamFailure(FailureKind.IDLE_TIMEOUT, _detail(error), self._silence_s) from error
        except httpx.TransportError as error:
            raise translated(error) from error

    async def aclose(self) -> None:
        """Give the connection back, or close it if the body was not read to its end."""
        await self._response.aclose()


def translated(error: httpx.TransportError) -> UpstreamFailure:
    """Return what an error of httpx is to the gateway."""
    kind = next(kind for foreign, kind in FAILURES if isinstance(error, foreign))
    return UpstreamFailure(kind, _detail(error))


def _detail(error: Exception) -> str:
    return str(error) or type(error).__name__
