"""A process may open only so many files, and every connection is one: how many clients a worker takes at once.

Without a descriptor for it a connection cannot be accepted, and Granian would try again and again, using a whole core.
It is told to stop before: clients wait in the port's queue then, until others leave.
"""

import asyncio
import logging
import sys
from contextlib import suppress
from typing import Final, NamedTuple

from jairouter_cli.web.doors import client_socket

logger: Final = logging.getLogger("jairouter")

_MOST_FILES: Final = 1_048_576  # what Linux allows by default, where no limit is set
_UNKNOWN: Final = 65_536  # where the system has no such limit
_MOST_CLIENTS: Final = 65_535  # Granian's default of 1024 shared by the workers is one busy chat front end
_OWN_FILES: Final = 64  # a worker's own: the log, shared memory, the port, what libraries have open
FEW_CLIENTS: Final = 1000
"""A worker that takes fewer is worth a warning."""
_LOOK_S: Final = 1.0
_ROOM: Final = 0.9  # of the most; an episode is over below


class Room(NamedTuple):
    """How many files a worker may have open, and how many of them may be clients' connections."""

    files: int
    clients: int


def make_room() -> Room:
    """Raise this process's limit as far as it goes, as servers do, and share it: a request may need a backend, too."""
    files = _raised()
    return Room(files, max(1, min(_MOST_CLIENTS, (files - _OWN_FILES) // 2)))


def warn_if_small(room: Room) -> None:
    """Say so in the log if a worker cannot take as many clients as one would expect."""
    if room.clients < FEW_CLIENTS:
        logger.warning(
            "this process may open only %d files, so each worker accepts at most %d clients; "
            "raise the limit (ulimit -n, LimitNOFILE= of systemd)",
            *room,
        )


def _raised() -> int:
    if sys.platform == "win32":
        return _UNKNOWN
    import resource  # noqa: PLC0415 - not on every system

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_FILES if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(OSError, ValueError):  # macOS has a lower one of its own
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
    return _MOST_FILES if soft == resource.RLIM_INFINITY else soft


class Watch:
    """Says once in the log when a worker's room is used up, and once when there is some again."""

    def __init__(self, room: Room, port: int) -> None:
        self._room = room
        self._port = port
        self._is_full = False

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look from now on, every second. Connections are counted only where there can be too many of them."""
        used = client_socket.open_count()
        if self._is_full or used >= min(self._room) * _ROOM:
            self.note(used, client_socket.client_count(self._port))
        loop.call_later(_LOOK_S, self.begin, loop)

    def note(self, used: int, clients: int) -> None:
        """Take note of how many files are open, and how many of them are clients' connections."""
        files, most = self._room
        if not self._is_full and (clients >= most or used >= files - 1):
            self._is_full = True
            logger.warning(
                "no room for more connections: %d clients (of at most %d), %d open files (of at most %d); new clients "
                "wait until others leave; raise the limit (ulimit -n, LimitNOFILE= of systemd)",
                *(clients, most, used, files),
            )
        elif self._is_full and clients < most * _ROOM and used < files * _ROOM:
            self._is_full = False
            logger.info("there is room for more connections again: %d clients, %d open files", clients, used)
