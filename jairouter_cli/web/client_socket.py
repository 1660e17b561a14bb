"""The kernel's view of a client's connection, for what Granian's RSGI interface has no word for.

RSGI takes every piece of an answer at once, however slow the client is, and ends every answer as if it were complete.
The socket itself says when it can take more, and can be closed. It belongs to Granian; it is found by its addresses
among this process's open files, so this works on Linux only, and is looked for only when it is needed.
"""

import asyncio
import contextlib
import ctypes
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_OPEN_FILES: Final = Path("/proc/self/fd")
_SO_ATTACH_FILTER: Final = 26  # of Linux; the module `socket` has no name for it
_LET_NOTHING_PASS: Final = struct.pack("=HBBI", 0x06, 0, 0, 0)  # BPF: return 0
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
    for found in _at(port):
        if not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            with contextlib.suppress(OSError):  # the client was faster
                reset(found)


def has_clients(port: int) -> bool:
    """Whether any client has a connection to a port of this process."""
    for found in _at(port):
        with contextlib.suppress(OSError):  # the one that listens, or one of ours that does not even do that
            found.getpeername()
            return True
    return False


def hold_off(port: int) -> bool:
    """Let no new connection come about at a port of this process; return whether that could be done.

    What is left in the queue is taken as ever. A client that knocks hears nothing, and knocks again a second later.
    (Closing the port at once would reset the queue; HAProxy and nginx have to be helped in the same way.)
    """
    program = ctypes.create_string_buffer(_LET_NOTHING_PASS)
    pointer = struct.pack("@HP", 1, ctypes.addressof(program))
    is_done = False
    for found in _at(port):
        if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            with contextlib.suppress(OSError):  # a sandbox that knows no filters
                found.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, pointer)
                is_done = True
    return is_done


def _at(port: int) -> Iterator[socket.socket]:
    """Yield duplicates of this process's sockets that stand at a port; each is closed afterwards."""
    if not _OPEN_FILES.exists():
        return
    for entry in list(os.scandir(_OPEN_FILES)):
        try:
            if not os.readlink(entry.path).startswith("socket:"):  # noqa: PTH115 - as above
                continue
            found = socket.socket(fileno=os.dup(int(entry.name)))
        except OSError:  # closed since
            continue
        with found:
            if found.family in _INTERNET and found.getsockname()[1] == port:
                yield found


def reset(client: socket.socket) -> None:
    """Break the connection off: what was under way is lost, and the client can tell."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.shutdown(socket.SHUT_RDWR)
