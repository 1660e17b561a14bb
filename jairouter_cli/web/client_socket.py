"""The kernel's view of a client's connection, for what Granian's RSGI interface has no word for.

RSGI takes every piece of an answer at once, however slow the client is, and ends every answer as if it were complete.
The socket itself says when it can take more, and can be closed. It belongs to Granian; it is found by its addresses
among this process's open files, so this works on Linux only, and is looked for only when it is needed.
"""

import asyncio
import contextlib
import os
import socket
import struct
from pathlib import Path
from typing import Final

_OPEN_FILES: Final = Path("/proc/self/fd")
_INTERNET: Final = frozenset({socket.AF_INET, socket.AF_INET6})


def find(client: str, server: str) -> socket.socket | None:
    """Return a duplicate of the socket between two `host:port` addresses, or None. The caller closes it."""
    wanted = _address(client), _address(server)
    for entry in os.scandir(_OPEN_FILES):
        try:
            if not os.readlink(entry.path).startswith("socket:"):  # noqa: PTH115 - thousands of them
                continue
            found = socket.socket(fileno=os.dup(int(entry.name)))
        except OSError:  # closed since
            continue
        try:
            if (found.getpeername()[:2], found.getsockname()[:2]) == wanted:
                return found
        except OSError:  # not connected
            pass
        found.close()
    return None


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


async def writable(client: socket.socket) -> None:
    """Return when the kernel would take more for the client; at once if the connection is gone."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_writer(client, tell)
    try:
        await ready
    finally:
        loop.remove_writer(client)


def reset_all(port: int) -> None:
    """Break off every connection of clients to a port of this process."""
    if not _OPEN_FILES.exists():
        return
    for entry in os.scandir(_OPEN_FILES):
        with contextlib.suppress(OSError):  # no socket, closed since, or the one that listens
            if os.readlink(entry.path).startswith("socket:"):  # noqa: PTH115 - as above
                with socket.socket(fileno=os.dup(int(entry.name))) as found:
                    if found.family in _INTERNET and found.getsockname()[1] == port and found.getpeername():
                        reset(found)


def reset(client: socket.socket) -> None:
    """Break the connection off: what was under way is lost, and the client can tell."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.shutdown(socket.SHUT_RDWR)
