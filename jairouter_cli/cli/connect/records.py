"""What `connect` changed: the file as it was before, so that it can be put back byte for byte."""

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import platformdirs

from jairouter_cli.cli.language import _
from jairouter_cli.config import files
from jairouter_cli.errors import ClientConfigChanged, ConfigUnwritable, UsageError

_RECORD: Final = "record.json"
_ORIGINAL: Final = "original"


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file that was changed: the digest of what was written, and the folders that were made for it, outermost first.

    `was_there` tells whether it existed before; then a copy of it lies beside the record.
    """

    file: str
    digest: str
    was_there: bool
    folders: tuple[str, ...] = ()


def folder_of(name: str) -> Path:
    """Return where the record of a program is kept."""
    return platformdirs.user_state_path("jairouter", appauthor=False) / "connect" / name


def record_of(name: str) -> WrittenFile | None:
    """Return what is on record of a program, None if it is not connected."""
    try:
        found = json.loads(files.read(folder_of(name) / _RECORD))
        return WrittenFile(found["file"], found["digest"], found["was_there"], tuple(found["folders"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def content(file: Path) -> bytes | None:
    """Return what is in a file, None if there is none. Raises `OSError`."""
    try:
        return files.read(file)
    except FileNotFoundError:
        return None


def write(name: str, file: Path, data: bytes) -> None:
    """Put `data` in a program's file, and keep what was there before it was connected.

    A link is followed. Raises `ConfigUnwritable`; then the file is as it was.
    """
    target = file.resolve()
    try:
        before, earlier = content(target), record_of(name)
        if earlier is None or not _is_ours(before, earlier):
            made = tuple(str(one) for one in reversed(target.parents) if not one.exists())
            earlier = WrittenFile(str(target), "", before is not None, made)
            _keep(folder_of(name), before)
        _note(folder_of(name), WrittenFile(str(target), _digest(data), earlier.was_there, earlier.folders))
        target.parent.mkdir(parents=True, exist_ok=True)
        files.replace(target, data)
    except OSError as error:
        raise ConfigUnwritable(file=str(error.filename or target), reason=error.strerror) from None


def undo(name: str) -> Path:
    """Put a program's file back as it was; return its path.

    Raises `UsageError` if it is not connected, `ClientConfigChanged` if somebody else has changed it since,
    `ConfigUnwritable`.
    """
    record = record_of(name)
    if record is None:
        raise UsageError(message=_("{name} is not connected").format(name=name))
    file, kept = Path(record.file), folder_of(name)
    try:
        if not _is_ours(content(file), record):
            before = _("the file as it was before is {file}") if record.was_there else _("there was none before")
            raise ClientConfigChanged(file=str(file), hint=before.format(file=kept / _ORIGINAL))
        if record.was_there:
            files.replace(file, files.read(kept / _ORIGINAL))
        else:
            file.unlink()
            _remove_empty(record.folders)
        shutil.rmtree(kept)
    except OSError as error:
        raise ConfigUnwritable(file=str(error.filename or file), reason=error.strerror) from None
    return file


def _is_ours(data: bytes | None, record: WrittenFile) -> bool:
    """Whether a file holds what was written last."""
    return data is not None and _digest(data) == record.digest


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _keep(folder: Path, data: bytes | None) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if data is None:
        (folder / _ORIGINAL).unlink(missing_ok=True)
    else:
        files.replace(folder / _ORIGINAL, data)


def _note(folder: Path, record: WrittenFile) -> None:
    files.replace(folder / _RECORD, json.dumps(asdict(record)).encode())


def _remove_empty(folders: tuple[str, ...]) -> None:
    """Remove folders that were made for a file, as long as nothing else is in them."""
    for folder in reversed(folders):
        try:
            Path(folder).rmdir()
        except OSError:
            return
