"""Locks on a file, or on one byte of it, that are released when their holder dies. For systems with `fcntl`."""

import errno
import fcntl
import os
from pathlib import Path


def try_lock(path: Path) -> int | None:
    """Return the open file whose lock was taken, or None if another holds it."""
    file = open_lock(path)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(file)
        if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
            return None
        raise
    return file


def open_lock(path: Path) -> int:
    """Open a file for its lock, which is made if there is none."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


class ByteLock:
    """A lock on one byte of a file. It excludes other processes; inside one, nothing runs in between."""

    __slots__ = ("_at", "_file")

    def __init__(self, file: int, at: int) -> None:
        self._file = file
        self._at = at

    def __enter__(self) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_EX, 1, self._at)

    def __exit__(self, *_: object) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, self._at)
