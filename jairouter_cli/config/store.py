"""The configuration file on disk: reads it, and changes it under a lock, completely or not at all.

A change reads, edits and parses the complete file before it writes it and records a revision (see `history`).
`_translated` is the only place that turns errors of the system into ours.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jairouter_cli.config import files, keeping
from jairouter_cli.config.change import Change
from jairouter_cli.config.document import Document
from jairouter_cli.config.history import Author, History, Revision
from jairouter_cli.config.imports import has_imports
from jairouter_cli.config.model import Config, StoreSettings
from jairouter_cli.config.parse import Notice, Parsed, parse
from jairouter_cli.errors import (
    ConfigExists,
    ConfigInvalid,
    ConfigLocked,
    ConfigNotFound,
    ConfigOutdated,
    ConfigUnreadable,
    ConfigUnwritable,
    EditError,
    EditRefused,
    RevisionCurrent,
    RevisionsUnwritable,
    StoreError,
)

_LOOK_S: Final = 0.01  # seldom enough to cost nothing, often enough that nobody among many waits for long
LOCK_WAIT_S: Final = 10.0  # an edit takes milliseconds; whoever holds the lock for longer is stuck
_QUEUE: Final = 6  # times as long for one's turn: who is next is chosen by chance, and bad luck is no stuck edit

_FROM_ELSEWHERE: Final = (
    "change it at its source (a ConfigMap, for example), or make it writable; a running gateway loads the change"
)
_MOUNTED: Final = "mount the folder instead of the file, so that the file can be replaced"

_EDITED: Final = "edited in the file"
_SHORTEST_DIGEST: Final = 8  # characters by which a state of the file may be named

Operation = Callable[[Document], Change]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration file that was read.

    `digest` is the SHA-256 of its bytes, in hex; `written_at` when it was written, in nanoseconds.
    """

    file: Path
    document: Document
    config: Config
    notices: tuple[Notice, ...]
    digest: str
    written_at: int


@dataclass(frozen=True, slots=True)
class Applied:
    """An edit that is on the disk; `before` and `after` are digests."""

    file: Path
    change: Change
    config: Config
    notices: tuple[Notice, ...]
    before: str
    after: str
    revision: int | None
    """The number under which it was noted; None if that could not be."""
    written_at: int

    @property
    def changed(self) -> bool:
        """Whether the file is another than before."""
        return self.before != self.after


class Store:
    """One configuration file; an edit waits `lock_wait_s` for another to end, and some times that for its turn."""

    def __init__(self, file: Path, lock_wait_s: float = LOCK_WAIT_S, environ: Mapping[str, str] = os.environ) -> None:
        self.file: Final = file
        self._lock_wait_s: Final = lock_wait_s
        self._environ: Final = environ

    def read(self) -> Loaded:
        """Read the file. Raises `ConfigNotFound`, `ConfigUnreadable`, `ConfigSyntaxError`, `ConfigInvalid`."""
        with _translated(self.file, ConfigUnreadable):
            written_at = self.file.stat().st_mtime_ns  # before it is read: what is read is this or newer
        return self.judged(self._bytes(self.file), written_at)

    def judged(self, data: bytes, written_at: int) -> Loaded:
        """Return what these bytes would be as the file. Raises as `read`."""
        document = Document.load(self._text(data), str(self.file))
        parsed = parse(document)
        return Loaded(self.file, document, parsed.config, parsed.notices, digest_of(data), written_at)

    def apply(self, operation: Operation, author: Author = Author.CLI, expect: str | None = None) -> Applied:
        """Edit the file, and note the revision; a bad edit, or one that fails halfway, leaves it as it was.

        With `expect`, only if the file is what the caller has seen: the number of its revision, or its digest or the
        beginning of it. Raises what `read` raises, what the operation raises, `ConfigOutdated`, `ConfigLocked`,
        `ConfigUnwritable`.
        """
        target = self._target()
        _check_editable(self.file, target)
        with self._locked(target):
            data = self._bytes(target)
            before = digest_of(data)
            document = Document.load(self._text(data), str(self.file))
            history = self._history(self._text(data))
            if expect is not None:
                _check_expected(expect, before, history.last)
            change = _operated(operation, document)
            text = change.document.dump()
            # judged as it will be read, not as it was built
            parsed = _judged(Document.load(text, str(self.file)), document)
            _check_effect(document, change, parsed)
            new, most = text.encode("utf-8"), parsed.config.store.max_revisions
            with _translated(history.folder, RevisionsUnwritable):
                revision: Revision | None = history.note(Author.FILE, _EDITED, self._text(data), before, most)
            with _translated(self.file):
                if new != data:
                    files.replace(target, new)
                written_at = target.stat().st_mtime_ns
            with suppress(OSError):  # the edit is made; whoever looks next notes it as one of the file
                revision = self._history(text).note(author, change.summary, text, digest_of(new), most)
        number = revision.number if revision is not None and revision.digest == digest_of(new) else None
        return Applied(self.file, change, parsed.config, parsed.notices, before, digest_of(new), number, written_at)

    def note(self) -> Revision:
        """Note the file as it is now as a revision, if nobody has; it may be read-only. Raises what `apply` raises."""
        target = self._target()
        data = self._bytes(target)  # before anything is made for it
        with self._locked(target):
            data = self._bytes(target)
            text = self._text(data)
            most = parse(Document.load(text, str(self.file))).config.store.max_revisions
            history = self._history(text)
            with _translated(history.folder, RevisionsUnwritable):
                return history.note(Author.FILE, _EDITED, text, digest_of(data), most)

    def text(self) -> str:
        """Return the file's text as it is. Raises `ConfigNotFound`, `ConfigUnreadable`."""
        return self._text(self._bytes(self.file))

    def wrote(self, digest: str) -> bool:
        """Whether a command or the API made the file what it is now. Raises `RevisionsUnreadable`."""
        last = self.history.last
        return last is not None and last.digest == digest and last.author is not Author.FILE

    @property
    def history(self) -> History:
        """The revisions, to be read."""
        try:
            return self._history(self.text())
        except (ConfigNotFound, ConfigUnreadable):
            return self._history("")

    def _history(self, text: str) -> History:
        place = keeping.anchor(self.file)
        return History(keeping.folder(self.file, keeping.named_in(text), self._environ), place.name)

    def forget(self, number: int) -> None:
        """Forget a revision that is not the newest. Raises `RevisionNotFound`, `RevisionCurrent`, `ConfigLocked`."""
        target = self._target()
        history = self.history
        with self._locked(target), _translated(history.folder, RevisionsUnwritable):
            if history.numbers[-1:] == [number]:
                raise RevisionCurrent(number=number)
            history.remove(number)

    def create(self, text: str, *, force: bool = False) -> None:
        """Write a new file. Raises `ConfigExists` unless `force`, `ConfigLocked`, `ConfigUnwritable`."""
        target = self._target()
        with _translated(self.file):
            target.parent.mkdir(parents=True, exist_ok=True)
            is_there = target.exists()
        if is_there and not force:
            raise ConfigExists(file=str(self.file))
        if is_there:
            _check_editable(self.file, target)
        with self._locked(target):
            if target.exists() and not force:  # made by another process in the meantime
                raise ConfigExists(file=str(self.file))
            history, most, data = self._history(text), StoreSettings().max_revisions, text.encode("utf-8")
            with _translated(self.file):
                if target.exists():  # what is replaced can be gone back to
                    before = files.read(target)
                    history.note(Author.FILE, _EDITED, before.decode("utf-8", "replace"), digest_of(before), most)
                files.replace(target, data)
                history.note(Author.CLI, "made by init", text, digest_of(data), most)

    def check_editable(self) -> None:
        """Raise `ConfigUnwritable` if the file, its folder or its file system is read-only; nothing is tried."""
        _check_editable(self.file, self._target())

    def _target(self) -> Path:
        """Return the file itself, behind any links: a link stays a link."""
        try:
            return self.file.resolve()
        except (OSError, RuntimeError):  # what Python 3.11 raises for links in a circle
            raise ConfigUnreadable(file=str(self.file), reason="it is a broken symbolic link") from None

    def _bytes(self, file: Path) -> bytes:
        with _translated(self.file, ConfigUnreadable):
            return files.read(file)

    def _text(self, data: bytes) -> str:
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            reason = f"it is not UTF-8 text (byte {error.start})"
            raise ConfigUnreadable(file=str(self.file), reason=reason) from None

    @contextmanager
    def _locked(self, target: Path) -> Iterator[None]:
        """Keep other processes from editing. The lock ends with its process, however that ends.

        Only who holds the second lock waits for the first: else whoever edits again and again would mostly get it back
        before anybody who looks now and then, and some would wait until they gave up.
        """
        from filelock import FileLock, Timeout  # noqa: PLC0415 - only edits need it

        place = target.parent
        if keeping.is_read_only(place):  # who may only look at the file notes what others make of it
            place = self.history.folder.parent
        lock = FileLock(place / f".{target.name}.lock", timeout=self._lock_wait_s)
        following = FileLock(place / f".{target.name}.next.lock", timeout=_QUEUE * self._lock_wait_s)
        try:
            place.mkdir(parents=True, exist_ok=True)
            with following.acquire(poll_interval=_LOOK_S):
                lock.acquire(poll_interval=_LOOK_S)
        except Timeout as error:  # an OSError, too
            waited_s = lock.timeout if error.lock_file == lock.lock_file else following.timeout
            raise ConfigLocked(file=str(self.file), waited_s=waited_s) from None
        except OSError as error:
            reason = f"cannot use the lock {lock.lock_file}: {error.strerror or error}"
            raise ConfigUnwritable(file=str(self.file), reason=reason) from error
        try:
            yield
        finally:
            lock.release()


def _check_editable(file: Path, target: Path) -> None:
    """Raise what stands against an edit; the mode is looked at, too, for it would not stop root."""
    with _translated(file, ConfigUnreadable):
        status, folder = target.stat(), target.parent.stat()
        is_mounted = keeping.is_mounted_read_only(target.parent)
    obstacles = (
        ("it is a folder", stat.S_ISDIR(status.st_mode)),
        ("it is not a regular file", not stat.S_ISREG(status.st_mode)),
        ("it is read-only", not status.st_mode & keeping.ANY_WRITE),
        ("its folder is read-only", not folder.st_mode & keeping.ANY_WRITE),
        ("its file system is read-only", is_mounted),
    )
    for reason, stands in obstacles:
        if stands:
            hint = _FROM_ELSEWHERE if reason.endswith("read-only") else None
            raise ConfigUnwritable(file=str(file), reason=reason, hint=hint)


def _check_expected(expect: str, digest: str, last: Revision | None) -> None:
    """Raise `ConfigOutdated` if the file is not what somebody has seen."""
    number = last.number if last is not None and last.digest == digest else None
    by_digest = len(expect) >= _SHORTEST_DIGEST and digest.startswith(expect.lower())
    if not by_digest and expect != str(number):
        found = f"revision {number}" if number is not None else f"{digest[:_SHORTEST_DIGEST]}, edited in the file"
        raise ConfigOutdated(expected=expect, found=found)


def _judged(edited: Document, before: Document) -> Parsed:
    """Parse an edited document; if it is bad, say whether the edit or the file is at fault."""
    try:
        return parse(edited)
    except ConfigInvalid as error:
        parse(before)  # raises if the file was bad already, with lines that can be looked up
        raise EditRefused([str(problem) for problem in error.problems]) from None


def _operated(operation: Operation, document: Document) -> Change:
    """Edit a document; where it imports others, an edit that does not find its place says so."""
    try:
        return operation(document)
    except EditError as error:
        if has_imports(document):
            named = ", ".join(map(str, parse(document).imports)) or "a revision that does not exist"
            error.hint = f"the value is in an imported file; edit it there ({named})"
        raise


def _check_effect(before: Document, change: Change, after: Parsed) -> None:
    """Raise `EditRefused` for an edit that an imported file overrides: it would be written and change nothing."""
    if after.imports and change.document.root != before.root and parse(before).config == after.config:
        named = ", ".join(map(str, after.imports))
        raise EditRefused([f"it would have no effect because an imported file overrides it; edit it there ({named})"])


@contextmanager
def _translated(file: Path, kind: type[StoreError] = ConfigUnwritable) -> Iterator[None]:
    """Tell the system's errors as ours: as `kind`, or as `ConfigNotFound` where nothing is there to be read."""
    try:
        yield
    except OSError as error:
        if kind is ConfigUnreadable and isinstance(error, FileNotFoundError):
            raise ConfigNotFound(searched=f"  {file}") from error
        hint = _MOUNTED if error.errno == errno.EBUSY else None
        raise kind(file=str(file), reason=error.strerror or str(error), hint=hint) from error


def digest_of(data: bytes) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    return hashlib.sha256(data).hexdigest()
