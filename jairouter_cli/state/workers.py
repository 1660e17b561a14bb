"""The workers of a server, and the configuration that each uses."""

import os
from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol

# What the bell of a worker is rung for.
SLOT: Final = b"s"
EDIT: Final = b"e"
CLEAR: Final = b"c"
LEVELS: Final = b"l"


class WorkerReport(NamedTuple):
    """One worker; `digest` is that of the configuration that it uses, `written_at` when that was written (ns)."""

    pid: int
    digest: str
    written_at: int


class Crew(Protocol):
    """All workers of a server."""

    def report(self, digest: str, written_at: int) -> None:
        """Tell the others which configuration is in force here."""

    def workers(self) -> tuple[WorkerReport, ...]:
        """Return the workers that live, and what is in force in each."""

    def call(self) -> None:
        """Tell the other workers that the file was edited, so that they need not find out."""

    def call_to_clear(self) -> None:
        """Tell the other workers to forget the answers that they keep."""

    def levels(self) -> Mapping[str, str]:
        """Return how much loggers were told to say while the server ran, by logger."""

    def set_level(self, name: str, level: str | None) -> None:
        """Tell a logger how much to say, in all workers, or take it back."""


class Alone:
    """A worker without others."""

    __slots__ = ("_levels", "_worker")

    def __init__(self) -> None:
        self._levels: dict[str, str] = {}
        self._worker = WorkerReport(os.getpid(), "", 0)

    def report(self, digest: str, written_at: int) -> None:
        """Note which configuration is in force."""
        self._worker = WorkerReport(os.getpid(), digest, written_at)

    def workers(self) -> tuple[WorkerReport, ...]:
        """Return this one."""
        return (self._worker,)

    def call(self) -> None:
        """There is no other."""

    def call_to_clear(self) -> None:
        """There is no other."""

    def levels(self) -> Mapping[str, str]:
        """Return what loggers were told."""
        return self._levels

    def set_level(self, name: str, level: str | None) -> None:
        """Tell one."""
        self._levels = changed(self._levels, name, level)


def changed(levels: Mapping[str, str], name: str, level: str | None) -> dict[str, str]:
    """Return levels with one set, or taken back."""
    others = {known: value for known, value in levels.items() if known != name}
    return others if level is None else {**others, name: level}
