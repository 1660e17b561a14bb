"""The log of one worker: the records of its loggers and a line for every request, written by threads."""

import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from jairouter_cli.config.monitoring import Level, Logging
from jairouter_cli.observe.events import Completed, Handled
from jairouter_cli.observe.lines import ACCESS, FORMATTERS, Lines
from jairouter_cli.observe.log_levels import NUMBERS, ROOT, at_start
from jairouter_cli.observe.writer import LineWriter, RotatedFile, StandardError

logger: Final = logging.getLogger("jairouter")
access: Final = logging.getLogger(ACCESS)

_HANDLER: Final = "stderr"
_PROBES: Final = ("/actuator", "/api/monitoring/live")  # asked again and again by machines, which do not read logs

_INFO: Final = NUMBERS[Level.INFO]


def dict_config(settings: Logging) -> dict[str, Any]:
    """Return how a process logs that has but begun: straight to standard error, in the form that is configured."""
    levels = at_start(settings.level)
    return {
        "formatters": {"line": {"()": FORMATTERS[settings.format]}},
        "handlers": {_HANDLER: {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}},
        "loggers": {name: {"level": level} for name, level in levels.items() if name != ROOT},
        "root": {"level": levels[ROOT], "handlers": [_HANDLER]},
    }


class Hand(logging.Handler):
    """Hands what loggers say over to a writer; rendered there, so that nobody waits for that either."""

    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        """Hand it over."""
        self._writer.put(record)


class Logs:
    """The log. From `start` to `close` nobody who logs waits for anything; before and after, lines are written at once.

    `tell` is called with the name of a log and what keeps it from being written, or None when nothing does.
    """

    def __init__(self, settings: Logging, tell: Callable[[str, Exception | None], None] = lambda *_: None) -> None:
        self._settings = settings
        self._tell = tell
        self._lines = Lines(settings.format)
        self._writer: LineWriter | None = None
        self._access: LineWriter | None = None
        self._replaced: list[tuple[logging.Handler, logging.Handler]] = []
        self._retired: list[LineWriter] = []

    @property
    def dropped(self) -> int:
        """How many lines this worker could not write, of requests and others."""
        writers = {id(one): one for one in (self._writer, self._access, *self._retired) if one is not None}
        return sum(one.dropped for one in writers.values())

    def take(self, event: Completed) -> None:
        """Note that a call has ended."""
        if self._access is not None and access.isEnabledFor(_INFO):
            self._access.put((time.time(), event))

    def take_other(self, event: Handled) -> None:
        """Note that a request to the gateway itself has been answered."""
        if self._access is not None and access.isEnabledFor(NUMBERS[_level(event)]):
            self._access.put((time.time(), event))

    def start(self) -> None:
        """Begin to write from a thread."""
        self._writer = self._written_to(StandardError(), "log")
        self._access = self._open_access(self._settings)
        root = logging.getLogger()
        for direct in [one for one in root.handlers if one.name == _HANDLER]:
            hand = Hand(self._writer)
            root.removeHandler(direct)
            root.addHandler(hand)
            self._replaced.append((direct, hand))

    def use(self, settings: Logging) -> None:
        """Use other settings; if a file cannot be opened, log that and keep the previous one."""
        before, self._settings = self._settings, settings
        if settings.format is not before.format:
            self._lines = Lines(settings.format)
            for direct, _ in self._replaced:
                direct.setFormatter(FORMATTERS[settings.format]())
        if settings.access == before.access or self._writer is None:
            return
        try:
            if settings.access.enabled and settings.access.file:
                RotatedFile(Path(settings.access.file)).try_it()
            opened = self._open_access(settings)
        except OSError as error:
            logger.error("the access log keeps its file: %s", error)
            return
        self._retire(self._access)
        self._access = opened

    def close(self, within_s: float) -> None:
        """Write what waits, from now on straight to standard error."""
        root = logging.getLogger()
        for direct, hand in self._replaced:
            root.removeHandler(hand)
            root.addHandler(direct)
        self._replaced = []
        ends_at = time.monotonic() + within_s
        for writer in (self._access, self._writer):
            if writer is not None:
                writer.close(max(0.0, ends_at - time.monotonic()))

    def _open_access(self, settings: Logging) -> LineWriter | None:
        if not settings.access.enabled:
            return None
        if settings.access.file is None:
            return self._writer
        return self._written_to(RotatedFile(Path(settings.access.file)), "access-log")

    def _written_to(self, destination: StandardError | RotatedFile, name: str) -> LineWriter:
        return LineWriter(destination, self._render, self._complain, partial(self._tell, name))

    def _retire(self, writer: LineWriter | None) -> None:
        """Let a writer end by itself when all it has is written."""
        if writer is not None and writer is not self._writer:
            writer.close(0)
            self._retired.append(writer)

    # --- called by the threads ---

    def _render(self, item: Any) -> bytes:
        if isinstance(item, logging.LogRecord):
            return self._lines.of_record(item)
        at, event = item
        return self._lines.of_request(event, at, _level(event))

    def _complain(self, number: int) -> bytes:
        message = "%d log lines are lost: they could not be written in time"
        record = logging.LogRecord(ACCESS, logging.WARNING, "", 0, message, (number,), None)
        return self._lines.of_record(record)


def _level(event: Completed | Handled) -> Level:
    """Return how loud the line of a request is."""
    if isinstance(event, Handled) and event.path.startswith(_PROBES):
        return Level.DEBUG
    return Level.INFO
