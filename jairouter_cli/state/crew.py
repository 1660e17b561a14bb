"""The workers of a server, and which configuration is in force in each."""

import os
from typing import Final, NamedTuple, Protocol

# What the bell of a worker is rung for.
SLOT: Final = b"s"
EDIT: Final = b"e"
CLEAR: Final = b"c"


class Worker(NamedTuple):
    """One worker; `digest` is that of the configuration that it uses, `written_at` when that was written (ns)."""

    pid: int
    digest: str
    written_at: int


class Crew(Protocol):
    """All workers of a server."""

    def report(self, digest: str, written_at: int) -> None:
        """Tell the others which configuration is in force here."""

    def workers(self) -> tuple[Worker, ...]:
        """Return the workers that live, and what is in force in each."""

    def call(self) -> None:
        """Tell the other workers that the file was edited, so that they need not find out."""

    def call_to_clear(self) -> None:
        """Tell the other workers to forget the answers that they keep."""


class Alone:
    """A worker without others."""

    __slots__ = ("_worker",)

    def __init__(self) -> None:
        self._worker = Worker(os.getpid(), "", 0)

    def report(self, digest: str, written_at: int) -> None:
        """Note which configuration is in force."""
        self._worker = Worker(os.getpid(), digest, written_at)

    def workers(self) -> tuple[Worker, ...]:
        """Return this one."""
        return (self._worker,)

    def call(self) -> None:
        """There is no other."""

    def call_to_clear(self) -> None:
        """There is no other."""
