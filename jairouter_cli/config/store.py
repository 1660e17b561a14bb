"""The file on disk: read, and changed under a lock, whole or not at all.

A change is read, edited, parsed as a whole, and only then written: to a new file beside the old one, flushed to the
disk, then renamed over it. Whoever reads sees the old file or the new one. The system's errors become ours in
`_translated`, and nowhere else.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jairouter_cli.config.document import Document
from jairouter_cli.config.model import Config
from jairouter_cli.config.ops.change import Change
from jairouter_cli.config.parse import Notice, Parsed, parse
from jairouter_cli.errors import (
    ConfigExists,
    ConfigInvalid,
    ConfigLocked,
    ConfigNotFound,
    ConfigUnreadable,
    ConfigUnwritable,
    EditRefused,
    StoreError,
)

LOCK_WAIT_S: Final = 10.0  # an edit takes milliseconds; whoever holds the lock for longer is stuck

_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_NEW_FILE_MODE: Final = 0o600  # it will hold keys
_ANY_WRITE: Final = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
_MOUNTED: Final = "mount the file's folder instead of the file, so that it can be replaced"
# What a file system that cannot flush folders says; the rename has happened by then.
_CANNOT_FLUSH: Final = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EBADF})

Operation = Callable[[Document], Change]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration file that was read; `digest` is the SHA-256 of its bytes, in hex."""

    file: Path
    document: Document
    config: Config
    notices: tuple[Notice, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class Applied:
    """An edit that is on the disk; `before` and `after` are digests."""

    file: Path
    change: Change
    config: Config
    notices: tuple[Notice, ...]
    before: str
    after: str

    @property
    def changed(self) -> bool:
        """Whether the file is another than before."""
        return self.before != self.after


class Store:
    """One configuration file; an edit waits `lock_wait_s` for another to end."""

    def __init__(self, file: Path, lock_wait_s: float = LOCK_WAIT_S) -> None:
        self.file: Final = file
        self._lock_wait_s: Final = lock_wait_s

    def read(self) -> Loaded:
        """Read the file. Raises `ConfigNotFound`, `ConfigUnreadable`, `ConfigSyntaxError`, `ConfigInvalid`."""
        data = self._bytes(self.file)
        document = Document.load(self._text(data), str(self.file))
        parsed = parse(document)
        return Loaded(self.file, document, parsed.config, parsed.notices, _digest(data))

    def apply(self, operation: Operation) -> Applied:
        """Edit the file; a bad edit, or one that fails halfway, leaves it as it was.

        Raises what `read` raises, what the operation raises, `ConfigLocked`, `ConfigUnwritable`.
        """
        target = self._target()
        _check_editable(self.file, target)
        with self._locked(target):
            data = self._bytes(target)
            document = Document.load(self._text(data), str(self.file))
            change = operation(document)
            text = change.document.dump()
            # judged as it will be read, not as it was built
            parsed = _judged(Document.load(text, str(self.file)), document)
            new = text.encode("utf-8")
            if new != data:
                self._replace(target, new)
        return Applied(self.file, change, parsed.config, parsed.notices, _digest(data), _digest(new))

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
            self._replace(target, text.encode("utf-8"))

    def _target(self) -> Path:
        """Return the file itself, behind any links: a link stays a link."""
        try:
            return self.file.resolve()
        except (OSError, RuntimeError):  # what Python 3.11 raises for links in a circle
            raise ConfigUnreadable(file=str(self.file), reason="its symbolic links lead nowhere") from None

    def _bytes(self, file: Path) -> bytes:
        with _translated(self.file, ConfigUnreadable):
            return file.read_bytes()

    def _text(self, data: bytes) -> str:
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            reason = f"it is not UTF-8 text (byte {error.start})"
            raise ConfigUnreadable(file=str(self.file), reason=reason) from None

    @contextmanager
    def _locked(self, target: Path) -> Iterator[None]:
        """Keep other processes from editing. The lock ends with its process, however that ends."""
        from filelock import FileLock, Timeout  # noqa: PLC0415 - only edits need it

        lock = FileLock(target.with_name(f".{target.name}.lock"), timeout=self._lock_wait_s)
        with _translated(self.file):
            try:
                lock.acquire()
            except Timeout:  # an OSError, too
                raise ConfigLocked(file=str(self.file), waited_s=self._lock_wait_s) from None
        try:
            yield
        finally:
            lock.release()

    def _replace(self, target: Path, data: bytes) -> None:
        """Write beside the file, flush, rename over it, flush the folder.

        The name of the new file is always the same, so that one left by a killed process is overwritten by the next.
        """
        new = target.with_name(f".{target.name}.new")
        with _translated(self.file):
            status = target.stat() if target.exists() else None
            try:
                new.unlink(missing_ok=True)
                with os.fdopen(os.open(new, _CREATE, _NEW_FILE_MODE), "wb") as stream:
                    _like(stream.fileno(), status)
                    stream.write(data)
                    stream.flush()
                    os.fsync(stream.fileno())
                new.replace(target)
            except BaseException:
                new.unlink(missing_ok=True)
                raise
            _flush_folder(target.parent)


def _check_editable(file: Path, target: Path) -> None:
    """Raise what stands against an edit; the mode is looked at, too, for it would not stop root."""
    with _translated(file, ConfigUnreadable):
        status, folder = target.stat(), target.parent.stat()
    obstacles = (
        ("it is a folder", stat.S_ISDIR(status.st_mode)),
        ("it is not a regular file", not stat.S_ISREG(status.st_mode)),
        ("it is read-only", not status.st_mode & _ANY_WRITE),
        ("its folder is read-only", not folder.st_mode & _ANY_WRITE),
    )
    for reason, stands in obstacles:
        if stands:
            raise ConfigUnwritable(file=str(file), reason=reason)


def _judged(edited: Document, before: Document) -> Parsed:
    """Parse an edited document; if it is bad, say whether the edit or the file is at fault."""
    try:
        return parse(edited)
    except ConfigInvalid as error:
        parse(before)  # raises if the file was bad already, with lines that can be looked up
        raise EditRefused(listing="; ".join(str(problem) for problem in error.problems)) from None


def _like(descriptor: int, status: os.stat_result | None) -> None:
    """Give a new file the owner, where that is allowed, and the mode of the old one."""
    if status is None:
        return
    own = os.fstat(descriptor)
    if (status.st_uid, status.st_gid) != (own.st_uid, own.st_gid):
        with suppress(PermissionError):  # a user who may write the folder but not give files away
            os.fchown(descriptor, status.st_uid, status.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(status.st_mode))


def _flush_folder(folder: Path) -> None:
    """Make a rename last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_FLUSH:
            raise
    finally:
        os.close(descriptor)


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


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
