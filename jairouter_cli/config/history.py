"""The revisions of a configuration file: each is a whole text, with its number, time, author and summary.

They lie in a folder beside the file, a JSON file each, readable by its owner only: they hold what the configuration
holds, keys too. To be written under the lock of the store. A change that was made by nobody who tells (an editor, a
process that was killed before it could tell) is noted when it is seen: the file is what counts.
"""

import difflib
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from jairouter_cli.config import files
from jairouter_cli.config.document import Document
from jairouter_cli.config.parse import masked, secrets_of
from jairouter_cli.errors import RevisionNotFound, RevisionsUnreadable

FOUND: Final = "as it was found"
_FOLDER_MODE: Final = 0o700
_NO_FOLDER: Final = "it has to be a folder that whoever edits the configuration may read and write"
_NAME: Final = re.compile(r"(\d+)\.json")


class Author(StrEnum):
    """Who made a change: a command, the management API, or an editor of the file."""

    CLI = "cli"
    API = "api"
    FILE = "file"


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """One state of the file; `at` is UTC in ISO 8601, `digest` the SHA-256 of the file's bytes in hex."""

    number: int
    at: str
    author: Author
    summary: str
    digest: str
    text: str


class History:
    """The revisions of one file."""

    def __init__(self, file: Path) -> None:
        self.folder: Final = file.with_name(f".{file.name}.revisions")

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
        try:
            return msgspec.json.decode(self._path(number).read_bytes(), type=Revision)
        except FileNotFoundError:
            raise RevisionNotFound(number=number, present=_listed(self.numbers)) from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise RevisionsUnreadable(file=str(self._path(number)), reason=reason, hint=_NO_FOLDER) from None
        except msgspec.MsgspecError as error:
            raise RevisionsUnreadable(file=str(self._path(number)), reason=str(error)) from None

    def newest(self, most: int | None = None) -> Iterator[Revision]:
        """Yield the newest ones, the newest first; one that another process has just forgotten is passed over."""
        for number in reversed(self.numbers[-most:] if most else self.numbers):
            with suppress(RevisionNotFound):
                yield self.read(number)

    @property
    def last(self) -> Revision | None:
        """The newest one."""
        numbers = self.numbers
        return self.read(numbers[-1]) if numbers else None

    def note(self, author: Author, summary: str, text: str, digest: str, most: int) -> Revision:
        """Add a revision unless the newest one is the same text; return the newest. Raises `OSError`.

        The newest `most` are kept, and beside them the first: one can always go back to where it began.
        """
        last = self.last
        if last is not None and last.digest == digest:
            return last
        number = 1 if last is None else last.number + 1
        summary = FOUND if last is None and author is Author.FILE else summary
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        made = Revision(number=number, at=at, author=author, summary=summary, digest=digest, text=text)
        self.folder.mkdir(_FOLDER_MODE, exist_ok=True)
        files.replace(self._path(number), msgspec.json.format(msgspec.json.encode(made), indent=1))
        for old in self.numbers[1:-most]:
            self._path(old).unlink(missing_ok=True)
        return made

    def remove(self, number: int) -> None:
        """Forget a revision. Raises `RevisionNotFound`, `OSError`."""
        self.read(number)
        self._path(number).unlink()

    def _path(self, number: int) -> Path:
        return self.folder / f"{number}.json"


def diff(before: str, after: str, names: tuple[str, str]) -> str:
    """Return what changed between two texts, as `diff -u` shows it."""
    return "\n".join(difflib.unified_diff(before.splitlines(), after.splitlines(), *names, lineterm=""))


def masked_diff(before: str, after: str, names: tuple[str, str]) -> str:
    """Return the same without the keys that stand in either text."""
    secrets = secrets_of(Document.load(before, names[0])) | secrets_of(Document.load(after, names[1]))
    return masked(diff(before, after, names), secrets)


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
