"""Finds the state folder of a configuration file: its revisions, the usage, and its lock if its folder has no room.

The folder is `JAIROUTER_STATE_DIR`, `store.state-dir`, or the folder of the file; if that is read-only, it is the state
folder of the user.
"""

import hashlib
import os
import re
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from jairouter_cli.config.document import Document
from jairouter_cli.config.parse import parse
from jairouter_cli.errors import ConfigError

VARIABLE: Final = "JAIROUTER_STATE_DIR"

ANY_WRITE: Final = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
_MOST_LINKS: Final = 40  # as many as Linux follows
_DIGITS: Final = 12
_MENTIONED: Final = re.compile(r"state[-_]?dir", re.IGNORECASE)
_NAMED: Final = re.compile(r"^[^#\n]*state[-_]?dir[\"']?\s*:\s*[\"']?([^\s\"'#,}]+)", re.IGNORECASE | re.MULTILINE)


def anchor(file: Path) -> Path:
    """Return where a file has its place: itself, behind its links, but not behind those that are replaced as one.

    So it is with a ConfigMap: `jairouter.yaml` is a link to `..data/jairouter.yaml`, and `..data` one to a folder that
    is another after each change.
    """
    place = file.absolute()
    for _ in range(_MOST_LINKS):
        for part in (place, *place.parents):
            if part.is_symlink() and _leads_through_a_link_beside_it(part):
                return part.parent.resolve() / place.name
        if not place.is_symlink():
            return place.parent.resolve() / place.name
        place = place.parent / os.readlink(place)  # noqa: PTH115 - relative to where the link is
    return file.absolute()


def _leads_through_a_link_beside_it(link: Path) -> bool:
    target = Path(os.readlink(link))  # noqa: PTH115 - as above
    first, *rest = target.parts
    return bool(rest) and not target.is_absolute() and (link.parent / first).is_symlink()


def folder(file: Path, named: str | None, environ: Mapping[str, str]) -> Path:
    """Return the folder of what is kept with a file; a relative name is one beside the file."""
    beside = anchor(file).parent
    if environ.get(VARIABLE):
        return beside / Path(environ[VARIABLE]).expanduser()
    if named is not None:
        return beside / Path(named).expanduser()
    return _of_the_user(anchor(file)) if is_read_only(beside) else beside


def _of_the_user(file: Path) -> Path:
    import platformdirs  # noqa: PLC0415 - seldom needed

    with suppress(RuntimeError, KeyError):  # there is no home folder
        found = platformdirs.user_state_path("jairouter", appauthor=False)
        if found.is_absolute():
            return found / hashlib.sha256(str(file).encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]
    return file.parent


def is_read_only(path: Path) -> bool:
    """Whether nobody may write there, root included: by its mode, or by how it is mounted."""
    try:
        return not path.stat().st_mode & ANY_WRITE or is_mounted_read_only(path)
    except OSError:
        return False


def is_mounted_read_only(path: Path) -> bool:
    """Whether its file system may only be read. Raises `OSError`."""
    return hasattr(os, "statvfs") and bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def named_in(text: str) -> str | None:
    """Return what a file's text says under `store.state-dir`, as far as that can be told if the text is bad."""
    if not _MENTIONED.search(text):
        return None
    try:
        return parse(Document.load(text, "")).config.store.state_dir
    except ConfigError:
        found = _NAMED.search(text)
        return found[1] if found else None
