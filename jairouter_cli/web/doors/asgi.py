"""The door through Litestar: ASGI route handlers for the endpoints."""

import asyncio
from collections.abc import Mapping
from typing import Any

from litestar.handlers import ASGIRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from jairouter_cli.payloads.headers import Headers, RequestHeaders
from jairouter_cli.request_errors import InvalidRequest
from jairouter_cli.web.doors.body import Intake
from jairouter_cli.web.doors.door import Answer, check_head


def routes(answers: Mapping[str, Answer]) -> list[ASGIRouteHandler]:
    """Return a route for each path."""
    return [ASGIRouteHandler(path, copy_scope=False)(_handler(answer)) for path, answer in answers.items()]


def _handler(answer: Answer) -> ASGIApp:
    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(AsgiDoor(scope, receive, send))

    return handle


class AsgiPieces:
    """The pieces of a body over ASGI; nothing at its end. Raises `InvalidRequest` if it is cut off."""

    __slots__ = ("_has_ended", "_receive")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._has_ended = False

    async def __call__(self) -> bytes:
        """Return the next piece."""
        while not self._has_ended:
            message: Any = await self._receive()
            if message["type"] != "http.request":
                raise InvalidRequest(problem="it was cut off")
            self._has_ended = not message.get("more_body")
            if message.get("body"):
                return bytes(message["body"])
        return b""


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
        lines = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        self.headers = RequestHeaders(lines)
        self.lost: tuple[str, ...] = ()
        self.started = False

    async def body(self, intake: Intake, task: "asyncio.Task[object] | None") -> bytes | bytearray:
        """Read the body; what comes in one piece is not copied."""
        return await intake.take(AsgiPieces(self._receive), self.headers.get("content-length"), task)

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
        check_head(status, headers)
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
