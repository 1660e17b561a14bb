"""The door through Granian's own interface: the endpoints go straight to the gateway, all else goes to Litestar.

It carries about twice as many requests per second as ASGI does. Both doors pass the same tests.
"""

import asyncio
import contextlib
import socket
from collections.abc import Mapping
from typing import Any, Final

from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined] # imported there for this
from litestar import Litestar
from litestar.types import ASGIApp

from jairouter_cli.payloads.headers import Headers, RequestHeaders
from jairouter_cli.request_errors import InvalidRequest, PayloadTooLarge
from jairouter_cli.web.doors import client_socket
from jairouter_cli.web.doors.body import Intake
from jairouter_cli.web.doors.door import Answer, ClientLeft, check_head
from jairouter_cli.web.doors.header_lines import header_lines

# How much of an answer goes out before the client is asked whether it keeps up.
_UNCHECKED_BYTES: Final = 256 * 1024

# HTTP/1.0, as Granian calls it: an answer without a length lasts until the end of the connection.
_WITHOUT_PIECES: Final = "1"

# How long the last piece has to reach the kernel before its connection is reset.
_ON_ITS_WAY_S: Final = 0.01

# How long a door without a free descriptor waits before it tries again.
_AGAIN_S: Final = 0.05

# How long a client is listened to that goes on sending what was refused.
_LINGER_S: Final = 2.0

DROPPED_HEADER: Final = "x-jairouter-dropped-headers"  # names those of a backend's that could not be sent on


class RsgiApplication:
    """The whole application of a worker: the answers to some paths, and what answers all others by ASGI."""

    def __init__(self, answers: Mapping[str, Answer], litestar: Litestar, others: ASGIApp) -> None:
        self._answers: Final = answers
        self._litestar: Final = litestar
        self._others: Final = others
        self._end = asyncio.Event()
        self._life: asyncio.Task[None] | None = None

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start what runs beside the requests."""
        started = loop.create_future()
        self._life = loop.create_task(self._live(started))
        loop.run_until_complete(started)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """End what runs beside the requests."""
        self._end.set()
        if self._life is not None:
            loop.run_until_complete(self._life)

    async def _live(self, started: "asyncio.Future[None]") -> None:
        """Hold Litestar's lifespan, which must be left in the task that entered it."""
        try:
            async with self._litestar.lifespan():
                started.set_result(None)
                await self._end.wait()
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)  # whoever waits for it would wait for ever

    def begun(self, scope: Any, proto: Any) -> "RsgiPieces | None":
        """Ask for the body of a request to an endpoint before its task begins, in whatever thread; None for others."""
        if scope.path not in self._answers or scope.method != "POST":
            return None
        pieces = RsgiPieces(proto, scope)
        pieces.ask()
        return pieces

    async def __rsgi__(self, scope: Any, proto: Any, pieces: "RsgiPieces | None" = None) -> None:
        """Answer one request, whose body may have been asked for."""
        answer = self._answers.get(scope.path)
        if answer is not None:
            await answer(RsgiDoor(scope, proto, pieces or RsgiPieces(proto, scope)))
        else:
            bridge = Bridge(scope, proto)
            await self._others(bridge.scope, bridge.receive, bridge.send)


class RsgiPieces:
    """The pieces of a body over RSGI; nothing at its end. Raises `InvalidRequest` if it is cut off.

    Granian gives an empty piece at the end. One more before tells of a cut, or of fields that come after the body.
    """

    __slots__ = ("_asked", "_following", "_scope")

    def __init__(self, proto: Any, scope: Any) -> None:
        self._following = aiter(proto).__anext__
        self._scope = scope
        self._asked: Any = None

    def ask(self) -> None:
        """Ask for the first piece already."""
        self._asked = self._following()

    async def __call__(self) -> bytes:
        """Return the next piece."""
        asked, self._asked = self._asked, None
        piece: bytes = await (self._following() if asked is None else asked)
        if not piece:
            with contextlib.suppress(StopAsyncIteration):
                await self._following()
                if "trailer" not in self._scope.headers:
                    raise InvalidRequest(problem="it was cut off")
        return piece


async def _linger(pieces: RsgiPieces) -> None:
    """Take what a client still sends of a body that was refused, for a while: a reset would take its answer away."""
    with contextlib.suppress(TimeoutError, InvalidRequest):
        async with asyncio.timeout(_LINGER_S):
            while await pieces():
                pass


class RsgiDoor:
    """One request over RSGI."""

    __slots__ = (
        "_is_refused",
        "_pieces",
        "_proto",
        "_scope",
        "_sockets",
        "_transport",
        "_unchecked_bytes",
        "client_ip",
        "headers",
        "lost",
        "method",
        "path",
        "query",
        "started",
    )

    def __init__(self, scope: Any, proto: Any, pieces: RsgiPieces) -> None:
        self._scope = scope
        self._proto = proto
        self._pieces = pieces
        self._transport: Any = None
        self._sockets: list[socket.socket] = []
        self._unchecked_bytes = 0
        self.method: str = scope.method
        self.path: str = scope.path
        self.query = _as_latin1(scope.query_string)
        self.client_ip: str = scope.client.rpartition(":")[0].strip("[]")
        self.headers: RequestHeaders
        self.lost: tuple[str, ...]
        self.headers, self.lost = header_lines(scope.headers)
        self.started = False
        self._is_refused = False

    async def body(self, intake: Intake, task: "asyncio.Task[object] | None") -> bytes | bytearray:
        """Read the body; a small one comes in one piece."""
        try:
            return await intake.take(self._pieces, self.headers.get("content-length"), task)
        except PayloadTooLarge:
            self._is_refused = True
            raise

    async def left(self) -> None:
        """Wait for the client's leaving."""
        await self._proto.client_disconnect()

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer."""
        check_head(status, headers)
        self._proto.response_bytes(status, _as_text(headers), body)
        self.started = True
        if self._is_refused:
            await _linger(self._pieces)

    async def start(self, status: int, headers: Headers) -> None:
        """Send the head of an answer."""
        check_head(status, headers)
        self._transport = self._proto.response_stream(status, _as_text(headers))
        self.started = True

    async def piece(self, data: bytes) -> None:
        """Send a piece of the body; from time to time, wait for a client that is slow to take it."""
        try:
            await self._transport.send_bytes(data)
        except ProtocolClosed:
            self._close()
            raise ClientLeft from None
        self._unchecked_bytes += len(data)
        if self._unchecked_bytes > _UNCHECKED_BYTES:
            self._unchecked_bytes = 0
            await self._keep_pace()

    async def _keep_pace(self) -> None:
        """Wait until the client has taken most of what was sent."""
        if not self._sockets:
            self._sockets = await self._find()
        for one in self._sockets:
            await client_socket.writable(one)

    async def end(self) -> None:
        """Let go of the transport: Granian ends an answer when nobody holds it any more."""
        self._transport = None
        self._close()

    async def break_off(self) -> None:
        """Break the connection off: on its own Granian would end the answer as if it were complete.

        Where it cannot be found though its client is there, the answer is left without an end until the client leaves.
        """
        await asyncio.sleep(_ON_ITS_WAY_S)
        stop = client_socket.reset if self._scope.http_version == _WITHOUT_PIECES else client_socket.cut
        is_broken = False
        for broken in self._sockets or await self._find():
            with contextlib.suppress(OSError):  # the client was faster
                stop(broken)
            broken.close()
            is_broken = True
        self._sockets = []
        if not is_broken:
            await self._proto.client_disconnect()
        self._transport = None

    async def _find(self) -> list[socket.socket]:
        """Return the client's connection, once there is a descriptor for it; nothing if it is gone."""
        while True:
            try:
                return client_socket.find(self._scope.client, self._scope.server)
            except OSError:
                await asyncio.sleep(_AGAIN_S)

    def _close(self) -> None:
        client_socket.close(self._sockets)
        self._sockets = []


def _as_latin1(text: str) -> str:
    """Return text whose bytes, which are UTF-8, are those that came when it is written as latin-1."""
    return text if text.isascii() else text.encode().decode("latin-1")


def _with_host(scope: Any) -> Headers:
    """Return the header lines; an address in the request line stands over `Host` (RFC 9112, 3.2.2)."""
    named, _ = header_lines(scope.headers)
    lines = named.lines
    if not scope.authority:
        return lines
    return [("host", scope.authority), *(line for line in lines if line[0] != "host")]


def _as_text(headers: Headers) -> list[tuple[str, str]]:
    """Return headers as Granian takes them: it writes text as UTF-8, so that bytes which are no UTF-8 cannot be sent.

    A header with such bytes is left out, and named in one of ours.
    """
    if all(value.isascii() for _, value in headers):
        return list(headers)
    sent, dropped = [], []
    for name, value in headers:
        try:
            sent.append((name, value if value.isascii() else value.encode("latin-1").decode()))
        except UnicodeError:
            dropped.append(name)
    return [*sent, (DROPPED_HEADER, ", ".join(dropped))] if dropped else sent


class Bridge:
    """A request over RSGI as ASGI sees it, for Litestar; its answers are small and whole."""

    def __init__(self, scope: Any, proto: Any) -> None:
        self._proto = proto
        self._pieces = RsgiPieces(proto, scope)
        self._is_read = False
        self._head: tuple[int, list[tuple[str, str]]] = (500, [])
        self._body = bytearray()
        client, _, port = scope.client.rpartition(":")
        server, _, server_port = scope.server.rpartition(":")
        self.scope: Any = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": scope.http_version,
            "method": scope.method,
            "scheme": scope.scheme,
            "path": scope.path,
            "raw_path": scope.path.encode(),
            "query_string": scope.query_string.encode(),
            "root_path": "",
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in _with_host(scope)],
            "client": (client.strip("[]"), int(port)),
            "server": (server.strip("[]"), int(server_port)),
            "state": {},
        }

    async def receive(self) -> Any:
        """Give the body, piece by piece, then the client's leaving."""
        if not self._is_read:
            piece = await self._pieces()
            self._is_read = not piece
            return {"type": "http.request", "body": piece, "more_body": bool(piece)}
        await self._proto.client_disconnect()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Collect the answer and send it when it is whole."""
        if message["type"] == "http.response.start":
            headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"]]
            self._head = message["status"], headers
            return
        self._body += message.get("body", b"")
        if not message.get("more_body"):
            check_head(*self._head)
            self._proto.response_bytes(*self._head, bytes(self._body))
            if self._head[0] == PayloadTooLarge.status and not self._is_read:
                await _linger(self._pieces)
