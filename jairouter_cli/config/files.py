"""Reads and replaces whole files: readers see the old or the new one, and reading neither hangs nor is unbounded."""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 16 << 20
"""Of a file that is read as a whole: a configuration with ten thousand instances has less than two megabytes."""

# A pipe without a writer would be waited for without it.
_READ: Final = os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0)
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_NEW_FILE_MODE: Final = 0o600  # it will hold keys
# What a file system that cannot flush folders says; the rename has happened by then.
_CANNOT_FLUSH: Final = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EBADF})


def read(path: Path) -> bytes:
    """Return what is in a regular file of at most `MOST_BYTES`. Raises `OSError`, whose `strerror` says what it is."""
    check_regular(path)  # before it is opened: to open a device may do something
    with os.fdopen(os.open(path, _READ), "rb") as stream:
        _check_regular(os.fstat(stream.fileno()), path)
        data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise OSError(errno.EFBIG, f"it is larger than {MOST_BYTES >> 20} MiB", str(path))
    return data


def check_regular(path: Path) -> None:
    """Raise `OSError` for what is there and is no regular file, and for what is not there."""
    _check_regular(path.stat(), path)


def _check_regular(status: os.stat_result, path: Path) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))


def replace(target: Path, data: bytes) -> None:
    """Write beside the file, flush, rename over it, flush the folder. Raises `OSError`; nothing is left half done then.

    The name of the new file is always the same, so that one left by a killed process is overwritten by the next. It
    gets the owner and the mode of the old one.
    """
    new = target.with_name(f".{target.name.removeprefix('.')}.new")
    status = target.stat() if target.exists() else None
    try:
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, _CREATE, _NEW_FILE_MODE), "wb") as stream:
            _like(stream.fileno(), status)
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(target)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    _flush_folder(target.parent)


def _like(descriptor: int, status: os.stat_result | None) -> None:
    """Give a new file the owner, where that is allowed, and the mode of the old one."""
    if status is None:
        return
    own = os.fstat(descriptor)
    if (status.st_uid, status.st_gid) != (own.st_uid, own.st_gid):
        with suppress(PermissionError):  # a user who may write the folder but not give files away
            os.fchown(descriptor, status.st_uid, status.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(status.st_mode))


def _flush_folder(folder: Path) -> None:
    """Make a rename last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_FLUSH:
            raise
    finally:
        os.close(descriptor)
