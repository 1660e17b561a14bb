"""A backend that does as it is told: answers, delays, drips, cuts, resets; and remembers what it was sent.

What it is told is for POSTs; a GET asks whether it works, and is answered by what it is told for those.
"""

import asyncio
import json
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Received:
    """One request as it came over the wire."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes
    gone: threading.Event = field(default_factory=threading.Event)
    """Set when the connection on which it came has been closed by the other side."""

    def header(self, name: str) -> str | None:
        """Return a header's first value."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class Wire:
    """The connection on which a request came."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, *pieces: bytes) -> None:
        """Send pieces, each in a write of its own."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def closed(self) -> None:
        """Wait until the other side closes."""
        try:
            while await self.reader.read(65536):
                pass
        except OSError:
            pass


Behaviour = Callable[[Received, Wire], Awaitable[None]]


def answer(
    body: bytes | dict[str, object], status: str = "200 OK", content_type: str = "application/json"
) -> Behaviour:
    """Answer every request with this."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(data)}\r\n\r\n"

    async def behave(_: Received, wire: Wire) -> None:
        await wire.send(head.encode() + data)

    return behave


def chosen(by_model: dict[str, "Behaviour"]) -> Behaviour:
    """Behave by the model that is asked for."""

    async def behave(received: Received, wire: Wire) -> None:
        await by_model[json.loads(received.body)["model"]](received, wire)

    return behave


def raw(*pieces: bytes, then: str = "fin") -> Behaviour:
    """Send these bytes, then `fin`, `rst` or `wait` until the other side closes."""

    async def behave(received: Received, wire: Wire) -> None:
        await wire.send(*pieces)
        if then == "rst":
            await asyncio.sleep(0.05)  # so that the bytes are read before the reset discards them
            wire.reset()
        elif then == "wait":
            await wire.closed()
            received.gone.set()
        else:
            wire.writer.close()

    return behave


class Backend:
    """A server in a thread of its own, on a free port of the loopback interface."""

    def __init__(self, behave: Behaviour) -> None:
        self.behave = behave
        self.behave_when_asked: Behaviour = answer({})
        self.requests: list[Received] = []
        self.questions: list[Received] = []
        self.connections = 0
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._arrived = threading.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        started.wait()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def wait_for(self, count: int, timeout_s: float = 10) -> list[Received]:
        """Wait until so many requests have come."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.requests) >= count, timeout_s), "the request never came"
        return self.requests

    def refuse(self) -> None:
        """Close the port and every connection, as if the process had been killed; `listen` opens it again."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)

    def listen(self) -> None:
        """Open the port again."""

        async def start() -> None:
            self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)

        asyncio.run_coroutine_threadsafe(start(), self._loop).result(10)

    def stop(self) -> None:
        """Close everything."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._server = self._loop.run_until_complete(asyncio.start_server(self._connected, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]
        started.set()
        self._loop.run_forever()

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while (received := await _receive(reader)) is not None:
                is_question = received.line.startswith("GET ")
                with self._arrived:
                    (self.questions if is_question else self.requests).append(received)
                    self._arrived.notify_all()
                behave = self.behave_when_asked if is_question else self.behave
                await behave(received, Wire(reader, writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()


async def _receive(reader: asyncio.StreamReader) -> Received | None:
    """Read one request; None when the connection ends."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, OSError):
        return None
    line, *rest = head.strip().split("\r\n")
    headers = [(name, value.strip()) for name, _, value in (text.partition(":") for text in rest)]
    given = {name.lower(): value for name, value in headers}
    if "chunked" in given.get("transfer-encoding", ""):
        return Received(line, headers, await _dechunk(reader))
    return Received(line, headers, await reader.readexactly(int(given.get("content-length", "0"))))


async def _dechunk(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body


@contextmanager
def backend(behave: Behaviour) -> Iterator[Backend]:
    """Run a backend."""
    running = Backend(behave)
    try:
        yield running
    finally:
        running.stop()
