"""Token usage of one worker: takes every call, adds it up outside of the event loop, and writes totals once a second.

Clients never wait for it. If it cannot write, it keeps counting in memory, up to a limit, and writes when it can
again. The file is in `usage_file`.
"""

import asyncio
import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

from jairouter_cli.config.monitoring import Usage
from jairouter_cli.observe.events import Completed
from jairouter_cli.observe.fingerprint import fingerprint
from jairouter_cli.observe.steadiness import Steadiness
from jairouter_cli.observe.usage_file import HOUR_S, Amounts, OneCall, UsageEntry, UsageFile, place

logger: Final = logging.getLogger("jairouter")

OTHER_KEYS: Final = "(others)"
"""In place of the fingerprints of too many keys in one hour."""

_MOST_WAITING: Final = 100_000  # calls that nobody has summed up yet: a disk that hangs for ten seconds or more
_MOST_SUMS: Final = 20_000  # rows that could not be written yet: some megabytes
_MOST_KEYS: Final = 1000  # an hour; a client may invent as many as it likes
_AT_ONCE: Final = 200  # calls that are summed up before the event loop gets its turn: a fraction of a millisecond
_HOURS: Final = 24  # of a day
_CLIENT_ERROR: Final = 400


class UsageLedger:
    """What the calls of a worker cost; a sink for them. `dropped` counts those for which there was no room."""

    def __init__(
        self,
        config: Path,
        settings: Usage,
        clock: Callable[[], float] = time.time,
        state_dir: str | None = None,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config: Final = config
        self._clock: Final = clock
        self._steadiness: Final = Steadiness(clock, ticks)
        self._calls: Final[deque[tuple[float, Completed]]] = deque()
        self._lock: Final = threading.Lock()  # on all below
        self._sums: dict[UsageEntry, list[float]] = {}
        self._recent: Final[deque[OneCall]] = deque()
        self._keys: dict[int, set[str]] = {}
        self._file: UsageFile | None = None
        self._trouble = ""
        self.dropped = 0
        self.follow(settings, state_dir)

    def __call__(self, event: Completed) -> None:
        """Take a call that has ended; those to models that are not configured cost nothing."""
        if not self._is_on or not event.is_known:
            return
        if len(self._calls) < _MOST_WAITING:
            self._calls.append((self._clock(), event))
        else:
            self.dropped += 1

    def follow(self, settings: Usage, state_dir: str | None = None) -> None:
        """Use other settings from now on."""
        self._state_dir = state_dir
        self._settings = settings
        self._is_on = settings.enabled

    @property
    def path(self) -> Path:
        """Where the file is."""
        return place(self._config, self._settings.file, self._state_dir)

    async def run(self) -> AsyncIterator[None]:
        """Write what there is, again and again, and yield after every time."""
        while True:
            await asyncio.sleep(self._settings.flush_interval_s)
            await asyncio.to_thread(self.flush)
            yield

    def flush(self) -> None:
        """Write what there is. It blocks: call it beside the event loop."""
        with self._lock:
            self._steadiness.look(self._settings.flush_interval_s)
            self._sum_up()
            self._write()

    def close(self) -> None:
        """Write what there is, for the last time."""
        self.flush()
        if self._file is not None:
            self._file.close()

    def forget(self, before: float) -> int:
        """Forget what was before that time, in whole hours; return how many sums. Raises `sqlite3.Error`, `OSError`."""
        with self._lock:
            return self._open().forget(before)

    def _sum_up(self) -> None:
        """Sum up the calls that wait; others get their turn in between, as Python runs one thread at a time."""
        fingerprints: dict[str, str] = {}
        recent = self._settings.recent
        for left in range(len(self._calls), 0, -1):
            at, event = self._calls.popleft()
            if event.credential not in fingerprints:
                fingerprints[event.credential] = fingerprint(event.credential)
            key = self._bounded(fingerprints[event.credential], int(at // HOUR_S))
            self._count(event, at, key)
            if left <= recent:
                self._recent.append(_one(event, at, key))
            if left % _AT_ONCE == 0:
                time.sleep(0)
        while len(self._recent) > recent:
            self._recent.popleft()

    def _bounded(self, key: str, hour: int) -> str:
        """Return the key, or what stands for the others when there have been too many in this hour."""
        keys = self._keys.get(hour)
        if keys is None:
            self._keys = {hour: set()}
            keys = self._keys[hour]
        if key not in keys:
            if len(keys) >= _MOST_KEYS:
                return OTHER_KEYS
            keys.add(key)
        return key

    def _count(self, event: Completed, at: float, key: str) -> None:
        call, spent = event.call, event.spent
        instance = event.attempts[-1].target.id if event.attempts else ""
        source = "" if spent is None else spent.source.value
        entry = UsageEntry(int(at // HOUR_S), call.service.value, call.model, instance, key, source)
        sums = self._sums.get(entry)
        if sums is None:
            if len(self._sums) >= _MOST_SUMS:
                self.dropped += 1
                return
            sums = self._sums[entry] = [0, 0, 0, 0, 0.0]
        sums[0] += 1
        sums[1] += event.ended != "ok" or event.status >= _CLIENT_ERROR
        if spent is not None:
            sums[2] += spent.input_tokens
            sums[3] += spent.output_tokens
        sums[4] += event.duration_s

    def _write(self) -> None:
        if not self._sums:
            return
        settings = self._settings
        sums = {entry: Amounts(int(a), int(b), int(c), int(d), e) for entry, (a, b, c, d, e) in self._sums.items()}
        try:
            self._open().add(sums, list(self._recent), self._oldest(), settings.recent)
        except (sqlite3.Error, OSError) as error:
            if not self._trouble:
                logger.warning("cannot write usage to %s: %s; counting in memory until it succeeds", self.path, error)
            self._trouble = str(error)
            return
        self._sums.clear()
        self._recent.clear()
        if self._trouble:
            self._trouble = ""
            logger.warning("usage is written again; %d calls were not counted", self.dropped)

    def _oldest(self) -> int | None:
        """Return the first hour that is kept; None while the clock cannot be believed."""
        if not self._steadiness.is_steady:
            return None
        return int(self._clock() // HOUR_S) - self._settings.keep_days * _HOURS

    def _open(self) -> UsageFile:
        """Return the file that the settings name. Raises `OSError`."""
        path = self.path
        if self._settings.file is None:
            path.parent.mkdir(parents=True, exist_ok=True)
        if self._file is None or self._file.path != path:
            if self._file is not None:
                self._file.close()
            self._file = UsageFile(path)
        return self._file


def _one(event: Completed, at: float, key: str) -> OneCall:
    call, spent = event.call, event.spent
    return OneCall(
        at,
        event.request_id,
        call.service.value,
        call.model,
        event.attempts[-1].target.id if event.attempts else "",
        key,
        event.status,
        event.ended,
        "" if spent is None else spent.source.value,
        None if spent is None else spent.input_tokens,
        None if spent is None else spent.output_tokens,
        event.duration_s,
    )
