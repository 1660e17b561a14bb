"""Log levels, and how they change while the gateway runs.

`logging.level` in the file overrides the defaults below, and levels set in the running gateway override the file,
until they are reset or the gateway stops. These are stored where all workers find them.
"""

import logging
import re
from collections.abc import Mapping
from typing import Final, Protocol

from jairouter_cli.config.monitoring import Level

logger: Final = logging.getLogger("jairouter")

ROOT: Final = "ROOT"

# CRITICAL is Python's alone, and shown as ERROR.
NUMBERS: Final[Mapping[Level, int]] = {
    Level.OFF: logging.CRITICAL + 10,
    Level.ERROR: logging.ERROR,
    Level.WARN: logging.WARNING,
    Level.INFO: logging.INFO,
    Level.DEBUG: logging.DEBUG,
    Level.TRACE: 5,
}

# Loggers without a level have that of the next one above them. httpx tells every request; what the exporter of traces
# has to say, again and again, `observe.spans` says once.
DEFAULTS: Final[Mapping[str, Level]] = {
    ROOT: Level.INFO,
    "_granian": Level.WARN,
    "httpx": Level.WARN,
    "httpcore": Level.WARN,
    "opentelemetry": Level.ERROR,
    "opentelemetry.exporter": Level.OFF,
}
# Those that are always shown; others are as soon as they exist.
KNOWN: Final = (ROOT, "_granian", "jairouter", "jairouter.access")
# In the Java version's documentation, our logger has the name of its package.
ALIASES: Final[Mapping[str, str]] = {"org.unreal.modelrouter": "jairouter", "granian": "_granian", "root": ROOT}

_NAME: Final = re.compile(r"[\w$-]+(\.[\w$-]+)*")
_NAME_LENGTH: Final = 200


class LevelBoard(Protocol):
    """Where all workers of a server find what was said to one of them."""

    def levels(self) -> Mapping[str, str]:
        """Return the levels that were set, by logger."""

    def set_level(self, name: str, level: str | None) -> None:
        """Set one, or take it back, and tell the other workers."""


class LoggerLevels:
    """The levels of one worker."""

    def __init__(self, board: LevelBoard, in_file: Mapping[str, Level]) -> None:
        self._board = board
        self._base = _base(in_file)
        self._set: Mapping[str, Level] = {}
        self._applied: frozenset[str] = frozenset()
        self.follow()

    def use(self, in_file: Mapping[str, Level]) -> None:
        """Use the levels of the file."""
        self._base = _base(in_file)
        self._apply()

    def follow(self) -> None:
        """Use the levels that were set in any worker."""
        self._set = {name: Level(level) for name, level in self._board.levels().items()}
        self._apply()

    def set(self, name: str, level: Level | None) -> None:
        """Set the level of a logger, for all workers; None goes back to what the file says.

        Raises `ValueError` if it cannot be the name of a logger.
        """
        known = canonical(name)
        if not _NAME.fullmatch(known) or len(known) > _NAME_LENGTH:
            raise ValueError(f"not a logger name: {name!r}")
        self._board.set_level(known, level)
        self.follow()
        logger.info("the level of logger %s is now %s, until the gateway stops", known, self.effective(known))

    def names(self) -> tuple[str, ...]:
        """Return the loggers that there are, the root first."""
        existing = {name for name, one in logging.root.manager.loggerDict.items() if isinstance(one, logging.Logger)}
        return (ROOT, *sorted((existing | set(KNOWN) | set(self._base) | set(self._set)) - {ROOT}))

    def configured(self, name: str) -> Level | None:
        """Return the level that was given to a logger itself, if one was."""
        known = canonical(name)
        return self._set.get(known) or self._base.get(known)

    def effective(self, name: str) -> Level:
        """Return the effective level of a logger."""
        known = canonical(name)
        while known != ROOT:
            if (level := self.configured(known)) is not None:
                return level
            known = known.rpartition(".")[0] or ROOT
        return self.configured(ROOT) or Level.INFO

    def _apply(self) -> None:
        levels = {**self._base, **self._set}
        for name in self._applied.difference(levels):
            logging.getLogger(name).setLevel(logging.NOTSET)
        for name, level in levels.items():
            logging.getLogger(None if name == ROOT else name).setLevel(NUMBERS[level])
        self._applied = frozenset(levels)


def _base(in_file: Mapping[str, Level]) -> Mapping[str, Level]:
    return {**DEFAULTS, **{canonical(name): level for name, level in in_file.items()}}


def canonical(name: str) -> str:
    """Return the name by which we know a logger."""
    if name.upper() == ROOT:
        return ROOT
    for alias, known in ALIASES.items():
        if name == alias or name.startswith(f"{alias}."):
            return known + name[len(alias) :]
    return name


def word(number: int) -> Level:
    """Return what one of Python's levels is called here."""
    return next((level for level, least in NUMBERS.items() if level is not Level.OFF and number >= least), Level.TRACE)


def at_start(in_file: Mapping[str, Level]) -> Mapping[str, int]:
    """Return Python's levels by logger, for a process that has but begun."""
    return {name: NUMBERS[level] for name, level in _base(in_file).items()}
