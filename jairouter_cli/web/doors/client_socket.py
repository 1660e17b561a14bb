"""The kernel's view of a client's connection, for what Granian's RSGI interface has no word for.

RSGI takes every piece of an answer at once, however slow the client is, and ends every answer as if it were complete.
The socket itself says when it can take more, and can be closed. It belongs to Granian; it is found by its addresses
among this process's open files, so this works on Linux only, and is looked for only when it is needed.
"""

import asyncio
import ctypes
import errno
import os
import socket
import struct
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

_OPEN_FILES: Final = Path("/proc/self/fd")
_MOST_FILES: Final = 65536  # that are tried one after the other where the system does not list them
_SO_ATTACH_FILTER: Final = 26  # of Linux; the module `socket` has no name for it
_LET_NOTHING_PASS: Final = struct.pack("=HBBI", 0x06, 0, 0, 0)  # BPF: return 0
_NOWHERE: Final = struct.pack("=H14x", socket.AF_UNSPEC)
_MAPPED: Final = bytes(10) + b"\xff\xff"  # an IPv4 address among those of IPv6 (RFC 4291, 2.5.5.2)
_NONE_LEFT: Final = frozenset({errno.EMFILE, errno.ENFILE})
_ANY: Final = frozenset({bytes(16), _MAPPED + bytes(4)})

PeerAddress = tuple[bytes, int]


def find(client: str, server: str) -> list[socket.socket]:
    """Return duplicates of the sockets between two `host:port` addresses; none if the client has gone.

    Where the server listens on all addresses, two connections from the same port of a client to two of them cannot be
    told apart: both are returned. The caller closes them. Raises `OSError` when there is no descriptor left for one.
    """
    peer, own = address(client), address(server)
    found: list[socket.socket] = []
    for number in [number for number in open_files() if _is_between(number, peer, own)]:
        try:
            duplicate = socket.socket(fileno=os.dup(number))
        except OSError as error:
            if error.errno not in _NONE_LEFT:  # closed since
                continue
            close(found)
            raise
        if _is_between(duplicate.fileno(), peer, own):  # it may have been closed, and its number given to another
            found.append(duplicate)
        else:
            duplicate.close()
    return found


def close(sockets: Iterable[socket.socket]) -> None:
    """Close duplicates."""
    for one in sockets:
        one.close()


def address(text: str) -> PeerAddress:
    """Return the bytes of an IPv6 address and the port of a `host:port`; IPv4 is mapped, a zone is left out."""
    host, _, port = text.rpartition(":")
    return _packed(host.strip("[]")), int(port)


def _packed(host: str) -> bytes:
    if ":" not in host:
        return _MAPPED + socket.inet_aton(host)
    return socket.inet_pton(socket.AF_INET6, host.partition("%")[0])


def _is_between(number: int, peer: PeerAddress, own: PeerAddress) -> bool:
    """Whether an open file is a connection between two addresses."""
    with suppress(OSError), _Lent(number) as probe:  # no socket, not connected, or closed since
        if not _is_at(probe.getpeername(), peer):
            return False
        name = probe.getsockname()
        return bool(name[1] == own[1] and (own[0] in _ANY or _packed(name[0]) == own[0]))
    return False


class _Lent:
    """An open file as a socket, which is not closed at the end. Raises `OSError` where it is none."""

    __slots__ = ("_probe",)

    def __init__(self, number: int) -> None:
        self._probe = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, 0, fileno=number)

    def __enter__(self) -> socket.socket:
        return self._probe

    def __exit__(self, *_: object) -> None:
        self._probe.detach()


def _is_at(name: Any, place: PeerAddress) -> bool:
    """Whether the name of a socket, of whatever family, is an address."""
    return _is_internet(name) and bool(name[1] == place[1]) and _packed(name[0]) == place[0]


def _is_internet(name: Any) -> bool:
    return isinstance(name, tuple) and isinstance(name[0], str)


def open_files() -> Iterable[int]:
    """Return the numbers of this process's open files, and maybe of some that are not open.

    They are tried one after the other where /proc is missing or another's, or no descriptor is left for reading it.
    """
    try:
        return [int(name) for name in os.listdir(_OPEN_FILES)]  # noqa: PTH208 - thousands of them
    except OSError:
        return range(min(os.sysconf("SC_OPEN_MAX"), _MOST_FILES)) if sys.platform == "linux" else ()


def open_count() -> int:
    """Return how many files this process has open; 0 where the system does not say."""
    try:
        return len(os.listdir(_OPEN_FILES)) - 1  # noqa: PTH208 - thousands of them; without the folder itself
    except OSError as error:
        return os.sysconf("SC_OPEN_MAX") if error.errno in _NONE_LEFT else 0


def client_count(port: int) -> int:
    """Return how many clients have a connection to a port of this process."""
    return sum(_is_client_at(number, port) for number in open_files())


def _is_client_at(number: int, port: int) -> bool:
    with suppress(OSError), _Lent(number) as probe:  # no socket, the one that listens, or closed since
        name = probe.getsockname()
        return _is_internet(name) and bool(name[1] == port) and _is_internet(probe.getpeername())
    return False


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
            with suppress(OSError):  # the client was faster
                reset(found)


def has_clients(port: int) -> bool:
    """Whether any client has a connection to a port of this process."""
    for found in _at(port):
        with suppress(OSError):  # the one that listens, or one of ours that does not even do that
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
            with suppress(OSError):  # a sandbox that knows no filters
                found.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, pointer)
                is_done = True
    return is_done


def _at(port: int) -> Iterator[socket.socket]:
    """Yield duplicates of this process's sockets that stand at a port; each is closed afterwards."""
    for number in [number for number in open_files() if _stands_at(number, port)]:
        with suppress(OSError), socket.socket(fileno=os.dup(number)) as found:  # closed since
            yield found


def _stands_at(number: int, port: int) -> bool:
    with suppress(OSError), _Lent(number) as probe:  # no socket, or closed since
        name = probe.getsockname()
        return _is_internet(name) and bool(name[1] == port)
    return False


def cut(client: socket.socket) -> None:
    """End the connection in the middle of an answer that has a length or pieces: the client can tell."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.shutdown(socket.SHUT_RDWR)


def reset(client: socket.socket) -> None:
    """Reset the connection: what was under way is lost, and every client can tell. Raises `OSError`.

    To cut it would end it first, and an end is all that tells an HTTP/1.0 client that an answer is complete. To connect
    it to nowhere resets it at once.
    """
    if ctypes.CDLL(None).connect(client.fileno(), _NOWHERE, len(_NOWHERE)) != 0:
        cut(client)
