"""The door through Litestar: ASGI route handlers for the endpoints."""

from typing import Any

from litestar.handlers import ASGIRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from jairouter_cli.errors import InvalidRequest
from jairouter_cli.gateway.upstream.exchange import Headers
from jairouter_cli.web.body import Body
from jairouter_cli.web.endpoints import ENDPOINTS, Endpoint
from jairouter_cli.web.openai import OpenAI


def endpoint_routes(openai: OpenAI) -> list[ASGIRouteHandler]:
    """Return a route for each endpoint."""
    return [
        ASGIRouteHandler(list(endpoint.paths), copy_scope=False)(_handler(openai, endpoint)) for endpoint in ENDPOINTS
    ]


def _handler(openai: OpenAI, endpoint: Endpoint) -> ASGIApp:
    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        await openai.answer(endpoint, AsgiDoor(scope, receive, send))

    return handle


class AsgiDoor:
    """One request over ASGI."""

    __slots__ = ("_receive", "_send", "client_ip", "headers", "lost", "method", "path", "query", "started")

    def __init__(self, scope: Any, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send: Any = send
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: str = scope["query_string"].decode("latin-1")
        self.client_ip: str = scope["client"][0] if scope["client"] else ""
        self.headers: Headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        self.lost: tuple[str, ...] = ()
        self.started = False

    async def body(self, limit_bytes: int) -> bytes | bytearray:
        """Read the body; what comes in one piece is not copied."""
        collected = Body(limit_bytes, int(dict(self.headers).get("content-length", -1)))
        while True:
            message: Any = await self._receive()
            if message["type"] != "http.request":
                raise InvalidRequest(problem="it was cut off")
            collected.add(message["body"])
            if not message["more_body"]:
                return collected.whole()

    async def left(self) -> None:
        """Wait for the client's leaving."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer."""
        await self.start(status, headers)
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def start(self, status: int, headers: Headers) -> None:
        """Send the head of an answer."""
        self.started = True
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def piece(self, data: bytes) -> None:
        """Send a piece of the body."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        """End the body as complete."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def break_off(self) -> None:
        """Say no more: Granian breaks a transfer off that the application leaves without an end."""
