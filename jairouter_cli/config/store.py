"""The file on disk: read, and changed under a lock, whole or not at all.

A change is read, edited, parsed as a whole, and only then written: to a new file beside the old one, flushed to the
disk, then renamed over it. Whoever reads sees the old file or the new one.
"""

import errno
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
)

LOCK_WAIT_S: Final = 10.0  # an edit takes milliseconds; whoever holds the lock for longer is stuck

_NEW_FILE_MODE: Final = 0o600  # it will hold keys
_ANY_WRITE: Final = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH

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
    """One configuration file."""

    def __init__(self, file: Path) -> None:
        self.file: Final = file

    def read(self) -> Loaded:
        """Read the file. Raises `ConfigNotFound`, `ConfigUnreadable`, `ConfigSyntaxError`, `ConfigInvalid`."""
        data = self._bytes()
        document = Document.load(self._text(data), str(self.file))
        parsed = parse(document)
        return Loaded(self.file, document, parsed.config, parsed.notices, _digest(data))

    def apply(self, operation: Operation) -> Applied:
        """Edit the file; a bad edit, or one that fails halfway, leaves it as it was.

        Raises what `read` raises, what the operation raises, `ConfigLocked`, `ConfigUnwritable`.
        """
        target = self._target()
        with self._locked(target):
            data = self._bytes()
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
        with self._locked(target):
            if target.exists() and not force:
                raise ConfigExists(file=str(self.file))
            self._replace(target, text.encode("utf-8"))

    def _target(self) -> Path:
        """Return the file itself, behind any links: a link stays a link."""
        try:
            return self.file.resolve()
        except (OSError, RuntimeError) as error:
            raise ConfigUnreadable(file=str(self.file), reason=str(error)) from error

    def _bytes(self) -> bytes:
        try:
            return self.file.read_bytes()
        except FileNotFoundError:
            raise ConfigNotFound(searched=f"  {self.file}") from None
        except OSError as error:
            raise ConfigUnreadable(file=str(self.file), reason=error.strerror or str(error)) from error

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

        lock = FileLock(target.with_name(f".{target.name}.lock"), timeout=LOCK_WAIT_S)
        try:
            with _translated(self.file):
                lock.acquire()
        except Timeout:
            raise ConfigLocked(file=str(self.file), waited_s=LOCK_WAIT_S) from None
        try:
            yield
        finally:
            lock.release()

    def _replace(self, target: Path, data: bytes) -> None:
        """Write beside the file, flush, rename over it, flush the folder."""
        with _translated(self.file):
            status = target.stat() if target.exists() else None
            if status is not None and not status.st_mode & _ANY_WRITE:
                raise PermissionError(errno.EACCES, "it is read-only")
            descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".new", dir=target.parent)
            try:
                with os.fdopen(descriptor, "wb") as stream:
                    stream.write(data)
                    stream.flush()
                    _like(stream.fileno(), status)
                    os.fsync(stream.fileno())
                Path(name).replace(target)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
            _flush_folder(target.parent)


def _judged(edited: Document, before: Document) -> Parsed:
    """Parse an edited document; if it is bad, say whether the edit or the file is at fault."""
    try:
        return parse(edited)
    except ConfigInvalid as error:
        parse(before)  # raises if the file was bad already, with lines that can be looked up
        raise EditRefused(listing="; ".join(str(problem) for problem in error.problems)) from None


def _like(descriptor: int, status: os.stat_result | None) -> None:
    """Give a new file the mode and, where that is allowed, the owner of the old one."""
    os.fchmod(descriptor, stat.S_IMODE(status.st_mode) if status else _NEW_FILE_MODE)
    if status is not None and (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
        try:
            os.fchown(descriptor, status.st_uid, status.st_gid)
        except PermissionError:
            return  # a user who may write the folder but not give files away


def _flush_folder(folder: Path) -> None:
    """Make a rename last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _translated(file: Path) -> Iterator[None]:
    """Tell the system's errors as ours."""
    try:
        yield
    except (TimeoutError, ConfigExists):
        raise
    except OSError as error:
        raise ConfigUnwritable(file=str(file), reason=error.strerror or str(error)) from error


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
