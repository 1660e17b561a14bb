"""The buckets of limits in a file that all workers of a host map into memory.

It has two tables: the buckets of configured limits, and those of clients. The digest of a name gives its row in the
table; when the row is full, its least recently used entry is replaced. One lock guards all buckets, so that several
change together; it is released when its holder dies, which at worst leaves some buckets uncharged.
"""

import hashlib
import math
import mmap
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from struct import Struct
from typing import Final

from jairouter_cli.routing.admission import Demand, Refusal, Shelves, charge, correct, peek
from jairouter_cli.routing.buckets import BUCKET, MOST_NUMBERS, QUEUE, WARMING, WINDOW, BucketNumbers, Decision
from jairouter_cli.state.folder import LEVELS_FILE, mapped
from jairouter_cli.state.mutex import HEAD_BYTES, common_lock

FIXED_ROWS: Final = 4096
CLIENT_ROWS: Final = 16_384  # memory is taken by what is used; the configuration says how many of them are used
PLACES: Final = 8  # in a row

_DIGEST_BYTES: Final = 16
_PLACE_BYTES: Final = _DIGEST_BYTES + 8 + MOST_NUMBERS * 8  # digest, time of the last use, numbers
_ROW_BYTES: Final = PLACES * _PLACE_BYTES
_HEAD: Final = Struct("16sd")
_SHORT: Final = Struct("16sd4d")
_LONG: Final = Struct(f"16sd{MOST_NUMBERS}d")
_LENGTHS: Final = {BUCKET: 3, QUEUE: 2, WARMING: 4, WINDOW: MOST_NUMBERS}  # by kind, the first of the numbers
_ENTRIES: Final = {kind: Struct(f"16sd{length}d") for kind, length in _LENGTHS.items()}
_BUCKET: Final = _ENTRIES[BUCKET]
_REMEMBERED: Final = 16_384  # names whose place is known without a look


class SharedShelf:
    """One of the tables. To be used under the lock, at the time `now`."""

    __slots__ = ("_at", "_known", "_map", "memory_s", "now", "rows")

    def __init__(self, memory: mmap.mmap, at: int, rows: int) -> None:
        self._map: Final = memory
        self._at: Final = at
        self._known: dict[str, tuple[int, bytes]] = {}
        self.rows = rows
        self.memory_s = math.inf
        self.now = 0.0

    def get(self, name: str, default: BucketNumbers, /) -> BucketNumbers:
        """Return a bucket's numbers."""
        place, digest = self.place(name)
        entry = _SHORT.unpack_from(self._map, place)
        if entry[0] != digest:  # another one was put there, or none was yet
            place, _ = self._find(name)
            entry = _SHORT.unpack_from(self._map, place)
            if entry[0] != digest:
                return default
        if entry[1] + self.memory_s < self.now:
            return default
        length = _LENGTHS[int(entry[2])]
        if length > len(entry) - 2:
            entry = _LONG.unpack_from(self._map, place)
        return entry[2 : 2 + length]

    def __setitem__(self, name: str, numbers: BucketNumbers, /) -> None:
        place, digest = self.place(name)
        _ENTRIES[int(numbers[0])].pack_into(self._map, place, digest, self.now, *numbers)

    def place(self, name: str) -> tuple[int, bytes]:
        """Return where a name was last seen, or may be put, and its digest."""
        return self._known.get(name) or self._find(name)

    def _find(self, name: str) -> tuple[int, bytes]:
        digest = hashlib.blake2b(name.encode(), digest_size=_DIGEST_BYTES).digest()
        row = self._at + int.from_bytes(digest[:4], "little") % self.rows * _ROW_BYTES
        found, oldest_at = row, math.inf
        for place in range(row, row + _ROW_BYTES, _PLACE_BYTES):
            written, used_at = _HEAD.unpack_from(self._map, place)
            if written == digest:
                found = place
                break
            if used_at < oldest_at:
                found, oldest_at = place, used_at
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[name] = found, digest
        return found, digest

    def forget_places(self) -> None:
        """Look names up again: the number of rows has changed."""
        self._known.clear()


class SharedLevels:
    """The levels of all workers of a server, as one of them sees them."""

    __slots__ = ("_clients", "_clock", "_file", "_fixed", "_lock", "_map", "_shelves")

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self._clock: Final = clock
        size = HEAD_BYTES + (FIXED_ROWS + CLIENT_ROWS) * _ROW_BYTES
        self._file, memory = mapped(folder / LEVELS_FILE, size)
        self._map = memory
        self._lock: Final = common_lock(self._file, memory)
        self._fixed: Final = SharedShelf(memory, HEAD_BYTES, FIXED_ROWS)
        self._clients: Final = SharedShelf(memory, HEAD_BYTES + FIXED_ROWS * _ROW_BYTES, CLIENT_ROWS)
        self._shelves: Final = Shelves(self._fixed, self._clients)

    def charge(self, demands: Sequence[Demand]) -> float | Refusal:
        """Take what is demanded from every bucket, or nothing and say why not."""
        if self._charge_at_once(demands):
            return 0.0
        with self._lock:
            return charge(self._shelves, demands, self._now())

    def _charge_at_once(self, demands: Sequence[Demand]) -> bool:
        """Charge calls that simple, existing buckets grant, the usual case; return whether it did.

        They are read and charged without the lock; under it they are only compared, and written if they are as they
        were. A lock that is held for long is held by workers that are not running.
        """
        memory, now = self._map, self._clock()
        changes = []
        for limit, name, cost in demands:
            shelf = self._clients if limit.per_client else self._fixed
            place, digest = shelf.place(name)
            end = place + _BUCKET.size
            before = memory[place:end]
            entry = _BUCKET.unpack(before)
            if entry[0] != digest or entry[2] != BUCKET or entry[1] + shelf.memory_s < now:
                return False
            after, answer = limit.step(entry[2:], now, cost)
            if not answer[0]:
                return False
            changes.append((place, end, before, _BUCKET.pack(digest, now, *after)))
        with self._lock:
            for place, end, before, _ in changes:
                if memory[place:end] != before:
                    return False
            for place, end, _, changed in changes:
                memory[place:end] = changed
        return True

    def peek(self, demands: Sequence[Demand]) -> list[Decision]:
        """Return what would be decided."""
        with self._lock:
            return peek(self._shelves, demands, self._now())

    def correct(self, corrections: Sequence[Demand]) -> None:
        """Take what costs turned out to be more than was demanded, or give back what they were less."""
        with self._lock:
            self._now()
            correct(self._shelves, corrections)

    def _now(self) -> float:
        now = self._fixed.now = self._clients.now = self._clock()
        return now

    def retune(self, most_clients: int, client_memory_s: float) -> None:
        """Take over how many clients are remembered, and for how long.

        With places for three times as many, hardly a row is full before they are that many.
        """
        self._clients.rows = max(1, min(CLIENT_ROWS, 3 * most_clients // PLACES))
        self._clients.memory_s = client_memory_s
        self._clients.forget_places()

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)
