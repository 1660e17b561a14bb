"""The folder that the workers of one server share, and the memory behind its names.

On Linux, the names lead to memory of the parent (`memfd_create`). A full file system does not affect it, so a
write into a mapping never ends a worker with SIGBUS; and if the folder is removed, it can be created again with the
same memory. Elsewhere the names are ordinary files, whose space is reserved at creation.
"""

import json
import mmap
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from jairouter_cli.errors import StateFolderUnusable
from jairouter_cli.state.file_lock import try_lock

RECORDS_FILE: Final = "records"
LEVELS_FILE: Final = "levels"
LOG_LEVELS_FILE: Final = "log-levels"
ROLL_FILE: Final = "roll"
LEADER_FILE: Final = "leader.lock"
BOARD_PREFIX: Final = "board-"

_PREFIX: Final = "jairouter-"
_OWNER_FILE: Final = "owner.lock"
_SPARE_PLACES: Final = 4  # a worker that drains keeps its place while its successor serves
_READ_BYTES: Final = 1 << 20
_TRIES: Final = 20
_STEP_BYTES: Final = 1 << 20


def places(workers: int) -> int:
    """Return how many workers there can be at once."""
    return workers + _SPARE_PLACES


def place_file(place: int) -> str:
    """Return the name of the file of which a worker holds the lock as long as it lives."""
    return f"worker-{place}.lock"


def names(workers: int) -> tuple[str, ...]:
    """Return the names of everything that workers have in common."""
    numbers = range(places(workers))
    return (
        *(RECORDS_FILE, LEVELS_FILE, LOG_LEVELS_FILE, ROLL_FILE, LEADER_FILE),
        *(place_file(number) for number in numbers),
        *(f"{BOARD_PREFIX}{number}" for number in numbers),
    )


class Folder:
    """The folder of a server, held by the parent of its workers. Raises `StateFolderUnusable`."""

    def __init__(self, workers: int = 1) -> None:
        self._memory: Final = _memory(names(workers))
        self._owner: int | None = None
        self.path: Final = self._make()

    def _make(self) -> Path:
        """Make it in memory if there is such a place, and where temporary files go if that has no room."""
        for parent in (Path("/dev/shm"), None):  # noqa: S108 - not by a fixed name
            try:
                made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
            except OSError as error:
                failed = error
                continue
            try:
                self._fill(made)
            except OSError as error:
                shutil.rmtree(made, ignore_errors=True)
                failed = error
            else:
                return made
        self.close()
        raise StateFolderUnusable(folder=failed.filename, reason=failed.strerror or str(failed)) from None

    def mend(self) -> bool:
        """Create the folder again if it was removed; return whether it was. Raises `OSError`."""
        if self.path.is_dir():
            return False
        self.path.mkdir(0o700)
        if self._owner is not None:
            os.close(self._owner)
        self._fill(self.path)
        return True

    def close(self) -> None:
        """Let go of the memory."""
        for file in (*self._memory.values(), self._owner):
            if file is not None:
                os.close(file)
        self._memory.clear()
        self._owner = None

    def _fill(self, path: Path) -> None:
        self._owner = try_lock(path / _OWNER_FILE)
        for name, file in self._memory.items():
            (path / name).symlink_to(f"/proc/{os.getpid()}/fd/{file}")


def _memory(wanted: tuple[str, ...]) -> dict[str, int]:
    """Return memory for each name; none where there is no such thing, or it cannot be reached by a name."""
    if not hasattr(os, "memfd_create") or not os.path.isdir("/proc/self/fd"):  # noqa: PTH112 - a constant
        return {}
    return {name: os.memfd_create(f"{_PREFIX}{name}") for name in wanted}


@contextmanager
def folder(workers: int = 1) -> Iterator[Folder]:
    """Hold a folder for as long as a server runs; those whose server was killed are removed."""
    made = Folder(workers)
    try:
        _clear_up(made.path)
        yield made
    finally:
        shutil.rmtree(made.path, ignore_errors=True)
        made.close()


def _clear_up(own: Path) -> None:
    """Remove the folders of servers that have been killed."""
    for other in own.parent.glob(f"{_PREFIX}*/{_OWNER_FILE}"):
        with suppress(OSError):  # it is another user's
            lock = try_lock(other)
            if lock is not None:
                shutil.rmtree(other.parent, ignore_errors=True)
                os.close(lock)


def mapped(path: Path, size_bytes: int) -> tuple[int, mmap.mmap]:
    """Open a file of zeros, of that size at least, into which writing never fails; map it. Raises `OSError`."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(file).st_size < size_bytes:
            _reserve(file, size_bytes, is_memory=path.is_symlink())
        return file, mmap.mmap(file, size_bytes)
    except BaseException:
        os.close(file)
        raise


def _reserve(file: int, size_bytes: int, *, is_memory: bool) -> None:
    """Make a file as large as that.

    In a file system the room has to be taken now: a write into a mapping that finds none later ends the process.
    """
    if is_memory:
        os.ftruncate(file, size_bytes)
    elif hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size_bytes)
    else:
        for at in range(0, size_bytes, _STEP_BYTES):
            os.pwrite(file, bytes(min(_STEP_BYTES, size_bytes - at)), at)


class Sheet:
    """A small object in a file, which one process at a time writes and any reads. Raises `OSError`."""

    __slots__ = ("_file",)

    def __init__(self, path: Path) -> None:
        self._file: Final = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def write(self, content: object) -> None:
        """Put an object in the place of the one before. Raises `OSError`."""
        text = json.dumps(content).encode()
        os.pwrite(self._file, b"%08x %012d\n" % (zlib.crc32(text), len(text)) + text, 0)

    def read(self) -> Any:
        """Return the object; None if there is none yet."""
        for _ in range(_TRIES):  # it may be caught in the midst of a write
            head, _, rest = os.pread(self._file, _READ_BYTES, 0).partition(b"\n")
            if not head:
                return None
            checksum, _, length = head.partition(b" ")
            text = rest[: int(length)]
            if zlib.crc32(text) == int(checksum, 16):
                return json.loads(text)
        return None

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)
