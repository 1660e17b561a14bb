"""The role "one client's request and the way back", which the server's interfaces play each in its own way."""

from typing import Protocol

from jairouter_cli.gateway.upstream.exchange import Headers
from jairouter_cli.web.intake import Intake


class ClientLeft(Exception):
    """The client has gone; raised by what would send to it."""


class Door(Protocol):
    """One request. Exactly one answer goes out: `whole`, or `start`, pieces, and `end` or `break_off`."""

    method: str
    path: str
    query: str
    client_ip: str
    headers: Headers
    lost: tuple[str, ...]
    """The names of headers that are there, but of which the server does not tell what they say."""
    started: bool
    """Whether the head of an answer has gone out."""

    async def body(self, intake: Intake) -> bytes | bytearray:
        """Return the request's body. Raises `PayloadTooLarge`, `BodyLate`, `InvalidRequest` if it was cut off."""

    async def left(self) -> None:
        """Return when the client has gone. To be called once the body was read."""

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer."""

    async def start(self, status: int, headers: Headers) -> None:
        """Send the head of an answer whose body follows."""

    async def piece(self, data: bytes) -> None:
        """Send a piece of the body; waits while the client is slow to take it. Raises `ClientLeft`."""

    async def end(self) -> None:
        """End the body as complete."""

    async def break_off(self) -> None:
        """End the body so that the client cannot take it for complete."""
