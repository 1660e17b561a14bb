"""Records in a file that all workers of a host map into memory.

Why a file and not a process that is asked: limits, slots and breakers must hold for a server as a whole, whichever of
its workers a request reaches, and they are looked at on the path of every request. A question to another process costs
more than all the rest of that; a number in mapped memory costs nothing. What memory lacks is somebody who notices that
a worker has died with a slot in its hand. So each worker takes a place, with a lock that the system releases when it
dies, and counts only in its own cell of every column; sums are over all cells. The leader finds places whose worker is
gone and clears their cells. What must change as one is guarded by a lock that is released when its holder dies, too.

The parent creates the folder. For Linux and systems with `fcntl`.
"""

import hashlib
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Final

from jairouter_cli.errors import StateFull
from jairouter_cli.routing.record import Number, Numbers, Record
from jairouter_cli.state.file_lock import ByteLock, open_lock, try_lock
from jairouter_cli.state.folder import (
    LEADER_FILE,
    LOG_LEVELS_FILE,
    RECORDS_FILE,
    Sheet,
    mapped,
    place_file,
    places,
)
from jairouter_cli.state.mutex import HEAD_BYTES, common_lock
from jairouter_cli.state.workers import CLEAR, EDIT, LEVELS, SLOT, WorkerReport, changed

RECORDS: Final = 8192  # targets and machines that can be known at once
_NAME_BYTES: Final = 16
_TEXT_BYTES: Final = 112  # two of them for the length
_COLUMNS: Final = 4  # in flight, waiting, permits, held
_NUMBER_BYTES: Final = 8
_PID_BYTES: Final = 32  # in the file of a place, with what is in force there behind it
_CONFIG_BYTES: Final = 96


class SharedRecord(Record):
    """A record whose numbers stand in the common file."""

    __slots__ = ("_text", "held")

    def __init__(self, lock: AbstractContextManager[object], body: memoryview, places: int, worker: int) -> None:
        self.lock = lock
        self.worker = worker
        numbers_end = len(Number) * _NUMBER_BYTES
        columns_end = numbers_end + _COLUMNS * places * _NUMBER_BYTES
        self.numbers = body[:numbers_end].cast("d")
        columns = body[numbers_end:columns_end].cast("d")
        self.in_flight, self.waiting, self.permits, self.held = (
            columns[start * places : (start + 1) * places] for start in range(_COLUMNS)
        )
        self._text = body[columns_end:]

    @property
    def text(self) -> str:
        """The word on the numbers."""
        length = int.from_bytes(self._text[:2], "little")
        return bytes(self._text[2 : 2 + length]).decode("utf-8", "replace")

    @text.setter
    def text(self, value: str) -> None:
        data = value.encode("utf-8")[: _TEXT_BYTES - 2]
        self._text[2 : 2 + len(data)] = data
        self._text[:2] = len(data).to_bytes(2, "little")

    @property
    def columns(self) -> tuple[Numbers, ...]:
        """All cells, a column per meaning."""
        return self.in_flight, self.waiting, self.permits, self.held

    def clear_place(self, worker: int) -> None:
        """Clear the counts of a worker that is gone."""
        for column in self.columns:
            column[worker] = 0.0

    def clear(self) -> None:
        """Reset all cells."""
        for number in range(len(self.numbers)):
            self.numbers[number] = 0.0
        for column in self.columns:
            for worker in range(len(column)):
                column[worker] = 0.0
        self.text = ""


class SharedMemory:
    """The records of one server, as one of its workers sees them. Raises `StateFull` when there are too many."""

    def __init__(self, folder: Path, workers: int) -> None:
        self._folder = folder
        self._levels = Sheet(folder / LOG_LEVELS_FILE)
        self._places = places(workers)
        self._has_proc = os.path.isdir("/proc/self/fd")  # noqa: PTH112 - a constant
        # open from the beginning: locks are asked for as long as this worker lives, the folder may go before
        self._locks = {name: open_lock(folder / name) for name in (LEADER_FILE, *map(place_file, range(self._places)))}
        self._body_bytes = len(Number) * _NUMBER_BYTES + _COLUMNS * self._places * _NUMBER_BYTES + _TEXT_BYTES
        self._record_bytes = _NAME_BYTES + self._body_bytes
        size = HEAD_BYTES + RECORDS * self._record_bytes
        self._file, self._map = mapped(folder / RECORDS_FILE, size)
        self._bytes = memoryview(self._map)[HEAD_BYTES:]
        self._lock = common_lock(self._file, self._map)
        self._all = ByteLock(self._file, size)  # a byte behind the last record: guards who has which
        self._records: dict[str, tuple[int, SharedRecord]] = {}
        self.worker, self._place = self._take_place()
        self._leading: int | None = None
        self._cleared: dict[int, bytes] = {}  # the last worker of a place whose cells were cleared
        self.bell = self._hang_bell()
        for _, record in self._everything():
            record.clear_place(self.worker)

    # --- places ---

    def _take_place(self) -> tuple[int, int]:
        for place in range(self._places):
            lock = self._try_lock(place_file(place))
            if lock is not None:
                os.pwrite(lock, f"{os.getpid()}".ljust(_PID_BYTES + _CONFIG_BYTES).encode(), 0)
                return place, lock
        raise StateFull(what="workers", most=self._places)

    def report(self, digest: str, written_at: int) -> None:
        """Tell the others which configuration is in force here."""
        os.pwrite(self._place, f"{digest} {written_at}".ljust(_CONFIG_BYTES).encode(), _PID_BYTES)

    def living(self) -> Iterator[int]:
        """Yield the places whose worker lives."""
        for place in range(self._places):
            lock = None if place == self.worker else self._try_lock(place_file(place))
            if lock is None:
                yield place
            else:
                os.close(lock)

    def workers(self) -> tuple[WorkerReport, ...]:
        """Return the workers that live, and what is in force in each."""
        found = []
        for place in self.living():
            written = os.pread(self._locks[place_file(place)], _PID_BYTES + _CONFIG_BYTES, 0)
            match written.decode().split():
                case [pid, digest, written_at]:
                    found.append(WorkerReport(int(pid), digest, int(written_at)))
                case [pid]:  # it has but begun
                    found.append(WorkerReport(int(pid), "", 0))
        return tuple(found)

    def _try_lock(self, name: str) -> int | None:
        again = Path(f"/proc/self/fd/{self._locks[name]}")
        return try_lock(again if self._has_proc else self._folder / name)

    # --- levels of the log ---

    def levels(self) -> Mapping[str, str]:
        """Return how much loggers were told to say while the server ran, by logger."""
        return self._levels.read() or {}

    def set_level(self, name: str, level: str | None) -> None:
        """Tell a logger how much to say, in all workers, or take it back. Workers that start later use it too."""
        with self._all:
            self._levels.write(changed(self.levels(), name, level))
        self._ring_all(LEVELS)

    def leads(self) -> bool:
        """Whether this worker is the one that does what one must do for all. It stays so until it ends."""
        if self._leading is None:
            self._leading = self._try_lock(LEADER_FILE)
        return self._leading is not None

    def clear_places_of_the_dead(self) -> None:
        """Clear the counts of workers that are gone. For the leader only."""
        for place in range(self._places):
            lock = None if place == self.worker else self._try_lock(place_file(place))
            if lock is None:
                continue
            last = os.pread(lock, _PID_BYTES, 0)
            if last != self._cleared.get(place, b""):
                for _, record in self._everything():
                    with record.lock:
                        record.clear_place(place)
                self._cleared[place] = last
            os.close(lock)

    # --- records ---

    def record(self, name: str) -> Record:
        """Return the record of a name, which is new if no worker holds it."""
        known = self._records.get(name)
        if known is None:
            with self._all:
                known = self._find(hashlib.blake2b(name.encode(), digest_size=_NAME_BYTES).digest())
            self._records[name] = known
        return known[1]

    def _find(self, digest: bytes) -> tuple[int, SharedRecord]:
        free = None
        start = int.from_bytes(digest[:4], "little") % RECORDS
        for step in range(RECORDS):
            index = (start + step) % RECORDS
            written = self._name(index)
            record = self._at(index)
            if written == digest and any(record.held):
                record.held[self.worker] = 1.0
                return index, record
            if free is None and not any(record.held):
                free = index, record
            if not any(written):
                break  # never used: nothing was put behind it
        if free is None:
            raise StateFull(what="instances", most=RECORDS)
        index, record = free
        record.clear()
        self._bytes[index * self._record_bytes :][:_NAME_BYTES] = digest
        record.held[self.worker] = 1.0
        return free

    def release(self, name: str) -> None:
        """Let go of a record; when no worker holds it, another name may have it."""
        known = self._records.pop(name, None)
        if known is not None:
            with self._all:
                known[1].held[self.worker] = 0.0

    def _name(self, index: int) -> bytes:
        return bytes(self._bytes[index * self._record_bytes :][:_NAME_BYTES])

    def _at(self, index: int) -> SharedRecord:
        start = index * self._record_bytes + _NAME_BYTES
        return SharedRecord(self._lock, self._bytes[start : start + self._body_bytes], self._places, self.worker)

    def _everything(self) -> Iterator[tuple[int, SharedRecord]]:
        """Yield every record that has ever been used."""
        for index in range(RECORDS):
            if any(self._name(index)):
                yield index, self._at(index)

    # --- bells ---

    def _hang_bell(self) -> socket.socket:
        bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        bell.setblocking(False)  # noqa: FBT003 - its only parameter
        path = self._bell_path(self.worker)
        with suppress(FileNotFoundError):
            path.unlink()  # of a worker before
        bell.bind(str(path))
        return bell

    def _bell_path(self, worker: int) -> Path:
        return self._folder / f"bell-{worker}"

    def nudge(self, worker: int) -> None:
        """Ring a worker's bell: a slot is free. One that does not hear looks by itself, a little later."""
        self._ring(worker, SLOT)

    def call(self) -> None:
        """Ring the bells of the other workers: the configuration file was edited."""
        self._ring_all(EDIT)

    def call_to_clear(self) -> None:
        """Ring the bells of the other workers: kept answers are to be forgotten."""
        self._ring_all(CLEAR)

    def _ring_all(self, what: bytes) -> None:
        for place in range(self._places):
            if place != self.worker:
                self._ring(place, what)

    def _ring(self, worker: int, what: bytes) -> None:
        with suppress(OSError):
            self.bell.sendto(what, str(self._bell_path(worker)))

    def close(self) -> None:
        """Give the place up."""
        self.bell.close()
        self._levels.close()
        for file in (self._file, self._place, self._leading, *self._locks.values()):
            if file is not None:
                os.close(file)
