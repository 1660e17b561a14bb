"""Lines on their way out, beside the path of requests: they wait in a bounded queue, and a thread writes them.

Whoever puts a line in never waits: not for the disk, not for a pipe that nobody reads. What finds the queue full is
dropped, counted, and said in a line of its own once there is room.
"""

import os
import select
import stat
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol

MOST_WAITING: Final = 8192
_GATHER_S: Final = 0.05  # how long lines are gathered before they are written together
_BATCH: Final = 128  # lines between two system calls: for so long the thread may hold the interpreter
_PIPE_BYTES: Final = 4096  # what a pipe takes whole (PIPE_BUF): lines of several workers do not mix


class Destination(Protocol):
    """Where lines go."""

    def descriptor(self) -> int:
        """Return what to write to now. Raises `OSError`."""

    def close(self) -> None:
        """Let go of it."""


class StandardError:
    """Where whoever started us wants to read them."""

    def descriptor(self) -> int:
        """Return it."""
        return 2

    def close(self) -> None:
        """Leave it open: it is not ours."""


class RotatedFile:
    """A file that several processes append to; when it was moved away, a new one is begun. Raises `OSError`."""

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._file = self._open()

    def descriptor(self) -> int:
        """Return the file that has the name now."""
        with suppress(FileNotFoundError):
            there, ours = self.path.stat(), os.fstat(self._file)
            if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino):
                return self._file
        opened = self._open()
        os.close(self._file)
        self._file = opened
        return opened

    def close(self) -> None:
        """Close it."""
        os.close(self._file)

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)


class LineWriter:
    """A queue and the thread that empties it. `render` makes a line of what was put in, `complain` one of a number.

    `dropped` is how many lines never came out.
    """

    def __init__(
        self, destination: Destination, render: Callable[[Any], bytes], complain: Callable[[int], bytes]
    ) -> None:
        self._destination = destination
        self._render = render
        self._complain = complain
        self._queue: deque[Any] = deque()
        self._bell = threading.Event()
        self._closing = threading.Event()
        self._is_idle = False
        self._is_torn = False
        self._dropping = threading.Lock()
        self.dropped = 0
        self._complained = 0
        # a daemon: one that hangs in a write must not keep the process from ending
        self._thread = threading.Thread(target=self._run, name="jairouter-log", daemon=True)
        self._thread.start()

    def put(self, item: Any) -> None:
        """Take something to be written; from any thread."""
        queue = self._queue
        if len(queue) >= MOST_WAITING:
            self._drop(1)
            return
        queue.append(item)
        if self._is_idle:
            self._is_idle = False
            self._bell.set()

    def close(self, within_s: float) -> bool:
        """Write what waits, and end; return whether all was written in time."""
        self._closing.set()
        self._bell.set()
        self._thread.join(within_s)
        return not self._thread.is_alive()

    # --- the thread's ---

    def _run(self) -> None:
        while not self._closing.is_set():
            self._is_idle = True
            if not self._queue:  # looked at after that: what is put in now rings
                self._bell.wait()
            self._bell.clear()
            self._is_idle = False
            self._closing.wait(_GATHER_S)
            self._drain()
        self._drain()
        self._destination.close()

    def _drain(self) -> None:
        while lines := self._next_lines():
            self._write(lines)
        if (dropped := self.dropped) > self._complained:
            with suppress(OSError):  # then it is said later
                self._write_all(self._complain(dropped - self._complained))
                self._complained = dropped

    def _next_lines(self) -> list[bytes]:
        queue = self._queue
        return [self._rendered(queue.popleft()) for _ in range(min(_BATCH, len(queue)))]

    def _rendered(self, item: Any) -> bytes:
        try:
            return self._render(item)
        except Exception as error:  # noqa: BLE001 - one line that cannot be made must not end all others
            return f"bug: a line of the log could not be made: {error!r:.200}\n".encode("utf-8", "backslashreplace")

    def _write(self, lines: list[bytes]) -> None:
        for batch, count in self._batches(lines):
            try:
                self._write_all(batch)
            except OSError:  # the disk is full, or nobody is there to read
                self._drop(count)

    def _batches(self, lines: list[bytes]) -> Iterable[tuple[bytes, int]]:
        try:
            is_file = stat.S_ISREG(os.fstat(self._destination.descriptor()).st_mode)
        except OSError:
            self._drop(len(lines))
            return ()
        return [(b"".join(lines), len(lines))] if is_file else _pieces(lines)

    def _write_all(self, batch: bytes) -> None:
        descriptor = self._destination.descriptor()
        if self._is_torn:
            batch, self._is_torn = b"\n" + batch, False
        left = memoryview(batch)
        while left:
            try:
                left = left[os.write(descriptor, left) :]
            except BlockingIOError:  # somebody made it so
                select.select([], [descriptor], [])
            except OSError:
                self._is_torn = len(left) < len(batch)
                raise

    def _drop(self, count: int) -> None:
        with self._dropping:
            self.dropped += count


def _pieces(lines: list[bytes]) -> Iterator[tuple[bytes, int]]:
    """Yield as many lines at a time as a pipe takes whole, with their number."""
    piece, count = b"", 0
    for line in lines:
        if piece and len(piece) + len(line) > _PIPE_BYTES:
            yield piece, count
            piece, count = b"", 0
        piece, count = piece + line, count + 1
    yield piece, count
