"""What every answer of Litestar's has in common: headers that bound what browsers do with it, HEAD, and CORS.

And the paths under which probes and Prometheus ask other servers.
"""

from typing import Any, Final

from litestar.types import ASGIApp, Message, Receive, Scope, Send

from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.payloads.headers import RequestHeaders
from jairouter_cli.web.auth.cors import allowing, is_preflight, preflight
from jairouter_cli.web.v1.endpoints import PREFIXES

RawLines = list[tuple[bytes, bytes]]

_EVERY: Final = ((b"x-content-type-options", b"nosniff"),)
# Swagger UI sets styles of elements; all else of a page comes from here, and nobody frames it.
_POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE: Final = (
    (b"content-security-policy", _POLICY),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
_PAGES: Final = ("/swagger-ui", "/docs")
# what vLLM, llama.cpp, Caddy and others call them
_ALIASES: Final = {"/health": "/actuator/health", "/metrics": "/actuator/prometheus"}
_V1: Final = tuple(f"{prefix}/v1/" for prefix in PREFIXES)


class Courtesies:
    """An application, and what is added to its answers."""

    def __init__(self, inner: ASGIApp, gateway: Gateway) -> None:
        self._inner: Final = inner
        self._gateway: Final = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer HEAD as GET, without the body; add headers; answer preflights."""
        asked: Any = scope
        if (path := _ALIASES.get(asked["path"])) is not None:
            asked = {**asked, "path": path, "raw_path": path.encode()}
        extra = [*_EVERY, *self._for_origin(asked)]
        if asked["path"].startswith(_V1) and is_preflight(asked["method"], (headers := _named(asked))):
            status, told = preflight(headers, self._allowed, "GET, HEAD, POST")
            await send({"type": "http.response.start", "status": status, "headers": [*_EVERY, *_raw(told)]})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        is_head = asked["method"] == "HEAD"

        async def adding(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *extra, *_for_page(asked["path"], message)]
            elif message["type"] == "http.response.body" and is_head:
                message["body"] = b""
            await send(message)

        if is_head:
            asked["method"] = "GET"
        try:
            await self._inner(asked, receive, adding)
        finally:
            if is_head:
                asked["method"] = "HEAD"

    @property
    def _allowed(self) -> Any:
        return self._gateway.table.config.server.cors.allowed_origins

    def _for_origin(self, scope: Any) -> RawLines:
        if not scope["path"].startswith(_V1) or "origin" not in (headers := _named(scope)):
            return []
        return _raw(allowing(headers.get("origin", ""), self._allowed))


def _for_page(path: str, message: Any) -> tuple[tuple[bytes, bytes], ...]:
    kinds = [value for name, value in message["headers"] if name.lower() == b"content-type"]
    return _PAGE if path.startswith(_PAGES) or any(kind.startswith(b"text/html") for kind in kinds) else ()


def _named(scope: Any) -> RequestHeaders:
    return RequestHeaders([(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]])


def _raw(headers: Any) -> RawLines:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
