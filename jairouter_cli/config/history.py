"""The revisions of a configuration file: each is a whole text, with its number, time, author and summary.

Each is a JSON file in a folder of their own (see `keeping`), readable only by its owner, because it contains the API
keys of the configuration. An unreadable revision does not affect the others. Write under the lock of the store. A
change that was not recorded (by an editor, or by a process that was killed) is recorded when it is seen.
"""

import difflib
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from jairouter_cli.config import files
from jairouter_cli.errors import RevisionNotFound, RevisionsUnreadable

FOUND: Final = "initial state"
_FOLDER_MODE: Final = 0o700
_NO_FOLDER: Final = "it must be a folder that everyone who edits the configuration can read and write"
_NAME: Final = re.compile(r"([1-9][0-9]{0,14})\.json")


class Author(StrEnum):
    """Who made a change: a command, the management API, an editor of the file, or a backend's list of models."""

    CLI = "cli"
    API = "api"
    FILE = "file"
    DISCOVERY = "discovery"


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """One state of the file; `at` is UTC in ISO 8601, `digest` the SHA-256 of the file's bytes in hex."""

    number: int
    at: str
    author: Author
    summary: str
    digest: str
    text: str


class Damaged(NamedTuple):
    """A revision that cannot be read, and why."""

    number: int
    file: str
    reason: str


class History:
    """The revisions of one file, of that name, in a folder within `kept`."""

    def __init__(self, kept: Path, name: str) -> None:
        self.folder: Final = kept / f".{name}.revisions"

    @property
    def numbers(self) -> list[int]:
        """The numbers that there are, ascending. Raises `RevisionsUnreadable`."""
        try:
            found = [_NAME.fullmatch(path.name) for path in self.folder.iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            reason = error.strerror or str(error)
            raise RevisionsUnreadable(file=str(self.folder), reason=reason, hint=_NO_FOLDER) from None
        return sorted(int(match[1]) for match in found if match)

    def read(self, number: int) -> Revision:
        """Return a revision. Raises `RevisionNotFound`, `RevisionsUnreadable`."""
        path = self._path(number)
        try:
            found = msgspec.json.decode(files.read(path), type=Revision)
        except FileNotFoundError:
            raise RevisionNotFound(number=number, present=_listed(self.numbers)) from None
        except OSError as error:
            raise RevisionsUnreadable(file=str(path), reason=error.strerror or str(error)) from None
        except (msgspec.MsgspecError, RecursionError) as error:
            raise RevisionsUnreadable(file=str(path), reason=f"it is damaged: {error}") from None
        return msgspec.structs.replace(found, number=number)  # it is known by its name, whatever it says

    def newest(self, most: int | None = None) -> Iterator[Revision | Damaged]:
        """Yield the newest ones, the newest first; one that another process has just forgotten is passed over."""
        for number in reversed(self.numbers[-most:] if most else self.numbers):
            with suppress(RevisionNotFound):
                yield self._found(number)

    def readable(self) -> Iterator[Revision]:
        """Yield those that can be read, the newest first."""
        return (one for one in self.newest() if isinstance(one, Revision))

    @property
    def last(self) -> Revision | None:
        """The newest one; None if there is none, or it cannot be read."""
        found = next(self.newest(1), None)
        return found if isinstance(found, Revision) else None

    def note(self, author: Author, summary: str, text: str, digest: str, most: int) -> Revision:
        """Add a revision unless the newest one is the same text; return the newest. Raises `OSError`.

        The newest `most` are kept, and beside them the first: one can always go back to where it began.
        """
        last, numbers = self.last, self.numbers
        if last is not None and last.digest == digest:
            return last
        summary = FOUND if not numbers and author is Author.FILE else summary
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        number = numbers[-1] + 1 if numbers else 1
        made = Revision(number=number, at=at, author=author, summary=summary, digest=digest, text=text)
        self.folder.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)
        files.replace(self._path(number), msgspec.json.format(msgspec.json.encode(made), indent=1))
        for old in self.numbers[1:-most]:
            with suppress(OSError):  # somebody has put something else in its place
                self._path(old).unlink(missing_ok=True)
        return made

    def remove(self, number: int) -> None:
        """Forget a revision, readable or not. Raises `RevisionNotFound`, `OSError`."""
        try:
            self._path(number).unlink()
        except FileNotFoundError:
            raise RevisionNotFound(number=number, present=_listed(self.numbers)) from None

    def _found(self, number: int) -> Revision | Damaged:
        try:
            return self.read(number)
        except RevisionsUnreadable as error:
            return Damaged(number, str(error.params["file"]), str(error.params["reason"]))

    def _path(self, number: int) -> Path:
        return self.folder / f"{number}.json"


def diff(before: str, after: str, names: tuple[str, str]) -> str:
    """Return what changed between two texts, as `diff -u` shows it."""
    return "\n".join(difflib.unified_diff(before.splitlines(), after.splitlines(), *names, lineterm=""))


def _listed(numbers: list[int]) -> str:
    if not numbers:
        return "there are none yet"
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    said = ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)
    return f"there is {said}" if len(numbers) == 1 else f"there are {said}"
