"""Writes log lines in a thread, from a bounded queue, so that requests never wait for a disk or a pipe.

Lines that do not fit into the queue are dropped, counted, and reported in a line when there is room.
"""

import os
import select
import stat
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol

MOST_WAITING: Final = 8192
_GATHER_S: Final = 0.05  # how long lines are gathered before they are written together
_FIRST_PAUSE_S: Final = 0.1  # until it is tried again, after something stood in the way
_LONGEST_PAUSE_S: Final = 2.0
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
    """A file that several processes append to; when it was moved away, a new one is begun."""

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._file: int | None = None
        with suppress(OSError):  # then it is tried again with the first line
            self._file = self._open()

    def try_it(self) -> None:
        """Open it and close it again. Raises `OSError`."""
        os.close(self._open())

    def descriptor(self) -> int:
        """Return the file that has the name now; where none can be begun in its place, the one that was moved away."""
        ours = self._file
        if ours is not None and self._has_name(ours):
            return ours
        try:
            opened = self._open()
        except OSError:
            if ours is None or not os.fstat(ours).st_nlink:
                raise
            return ours
        if ours is not None:
            os.close(ours)
        self._file = opened
        return opened

    def close(self) -> None:
        """Close it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _has_name(self, file: int) -> bool:
        try:
            there, ours = self.path.stat(), os.fstat(file)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)


class LineWriter:
    """A queue and the thread that empties it. `render` makes a line of what was put in, `complain` one of a number.

    While nothing can be written (a full disk, nobody who reads) lines wait as long as there is room in the queue.
    `tell` is called with what stands in the way whenever that was found, and with None when lines were written;
    `dropped` is how many lines never came out.
    """

    def __init__(
        self,
        destination: Destination,
        render: Callable[[Any], bytes],
        complain: Callable[[int], bytes],
        tell: Callable[[Exception | None], None] = lambda _: None,
    ) -> None:
        self._destination = destination
        self._render = render
        self._complain = complain
        self._tell = tell
        self._queue: deque[Any] = deque()
        self._pending: deque[bytes] = deque()  # lines that are the next to be written
        self._begun_bytes = 0  # of the first of them, that were written
        self._torn_at: tuple[int, int] | None = None  # the file, and its size then
        self._bell = threading.Event()
        self._closing = threading.Event()
        self._is_idle = False
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
        pause_s = 0.0
        while not self._closing.is_set():
            if not pause_s:
                self._wait_for_lines()
            self._closing.wait(max(_GATHER_S, pause_s))
            is_well = self._drain()
            pause_s = 0.0 if is_well else min(max(2 * pause_s, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
        if not self._drain():
            self._drop(len(self._pending) + len(self._queue))
        with suppress(OSError):
            self._destination.close()

    def _wait_for_lines(self) -> None:
        self._is_idle = True
        if not self._queue:  # looked at after that: what is put in now rings
            self._bell.wait()
        self._bell.clear()
        self._is_idle = False

    def _drain(self) -> bool:
        """Write what waits; return whether nothing stood in the way. What was not written waits on."""
        try:
            while self._pending or self._queue:
                self._pending.extend(self._next_lines())
                self._write()
            if (dropped := self.dropped) > self._complained:
                self._pending.append(self._complain(dropped - self._complained))
                self._complained = dropped
                self._write()
        except Exception as error:  # noqa: BLE001 - whatever it is, lines are to be written when it is over
            self._tell(error)
            return False
        self._tell(None)
        return True

    def _next_lines(self) -> list[bytes]:
        queue = self._queue
        return [self._rendered(queue.popleft()) for _ in range(min(_BATCH - len(self._pending), len(queue)))]

    def _rendered(self, item: Any) -> bytes:
        try:
            return self._render(item)
        except Exception as error:  # noqa: BLE001 - one line that cannot be made must not end all others
            return f"bug: cannot format a log line: {error!r:.200}\n".encode("utf-8", "backslashreplace")

    def _write(self) -> None:
        """Write the lines that are next. Raises `OSError`; what was not written by then is kept."""
        descriptor = self._destination.descriptor()
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._mend(descriptor)
        try:
            while self._pending:
                self._advance(_write(descriptor, self._piece(is_file=is_file)))
        except OSError:
            if self._begun_bytes and is_file:
                self._torn_at = _end_of(descriptor)
            raise

    def _mend(self, descriptor: int) -> None:
        """Start a half-written line again if it can no longer be continued in its place."""
        torn_at, self._torn_at = self._torn_at, None
        if torn_at is not None and torn_at != _end_of(descriptor):
            self._begun_bytes = 0

    def _piece(self, *, is_file: bool) -> bytes:
        """Return what is written at once: into a pipe only as much as it takes whole."""
        rest = self._pending[0][self._begun_bytes :]
        if is_file:
            return rest + b"".join(islice(self._pending, 1, None))
        for line in islice(self._pending, 1, None):
            if len(rest) + len(line) > _PIPE_BYTES:
                break
            rest += line
        return rest

    def _advance(self, written_bytes: int) -> None:
        """Note how much was written."""
        begun_bytes = self._begun_bytes + written_bytes
        while self._pending and begun_bytes >= len(self._pending[0]):
            begun_bytes -= len(self._pending.popleft())
        self._begun_bytes = begun_bytes

    def _drop(self, count: int) -> None:
        with self._dropping:
            self.dropped += count


def _write(descriptor: int, piece: bytes) -> int:
    """Write at once what goes; wait where somebody has made that an error. Raises `OSError`."""
    while True:
        try:
            return os.write(descriptor, piece)
        except BlockingIOError:
            waiting = select.poll()
            waiting.register(descriptor, select.POLLOUT)
            waiting.poll()


def _end_of(file: int) -> tuple[int, int]:
    found = os.fstat(file)
    return found.st_ino, found.st_size
