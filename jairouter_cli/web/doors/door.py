"""The role "one client's request and the way back", which the server's interfaces play each in its own way."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from jairouter_cli.payloads.headers import Headers, RequestHeaders
from jairouter_cli.request_errors import UpstreamUnsendable
from jairouter_cli.web.doors.body import Intake


class ClientLeft(Exception):
    """The client has gone; raised by what would send to it."""


# Granian's process ends when it is given 24,574; no client takes nearly as many.
MOST_HEADER_LINES: Final = 1024

_LEAST_STATUS: Final = 200
_LAST_STATUS: Final = 999  # with a larger one Granian's process ends, too


def check_head(status: int, headers: Headers) -> None:
    """Look whether the head of an answer can be sent. Raises `UpstreamUnsendable`."""
    if len(headers) > MOST_HEADER_LINES:
        raise UpstreamUnsendable(problem=f"{len(headers)} header lines, of at most {MOST_HEADER_LINES}")
    if not _LEAST_STATUS <= status <= _LAST_STATUS:
        raise UpstreamUnsendable(problem=f"the status {status}")


class Door(Protocol):
    """One request. Exactly one answer goes out: `whole`, or `start`, pieces, and `end` or `break_off`."""

    method: str
    path: str
    query: str
    client_ip: str
    headers: RequestHeaders
    lost: tuple[str, ...]
    """The names of headers that are there, but of which the server does not tell what they say."""
    started: bool
    """Whether the head of an answer has gone out."""

    async def body(self, intake: Intake, task: "asyncio.Task[object] | None") -> bytes | bytearray:
        """Return the request's body. Raises `PayloadTooLarge`, `BodyLate`, `InvalidRequest` if it was cut off."""

    async def left(self) -> None:
        """Return when the client has gone. To be called once the body was read."""

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer. Raises `UpstreamUnsendable`."""

    async def start(self, status: int, headers: Headers) -> None:
        """Send the head of an answer whose body follows. Raises `UpstreamUnsendable`."""

    async def piece(self, data: bytes) -> None:
        """Send a piece of the body; waits while the client is slow to take it. Raises `ClientLeft`."""

    async def end(self) -> None:
        """End the body as complete."""

    async def break_off(self) -> None:
        """End the body so that the client cannot take it for complete."""


Answer = Callable[[Door], Awaitable[None]]
"""Answers one request, whatever happens."""
