"""Finds the program that listens on a port, as far as the system shows it to this user."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_TABLES: Final = ("net/tcp", "net/tcp6")
_LISTENS: Final = "0A"
_MOST_LINES: Final = 100_000


def program_on(port: int) -> str:
    """Return name and process id of the program that listens on a port: `nginx (process 812)`; nothing if unknown."""
    sockets = {f"socket:[{inode}]" for inode in _inodes(port)}
    if not sockets:
        return ""
    for folder in _PROC.glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or belongs to another user
            if any(_target(link) in sockets for link in (folder / "fd").iterdir()):
                return f"{(folder / 'comm').read_text().strip()} (process {folder.name})"
    return ""


def _target(link: Path) -> str:
    """Return what a file descriptor is of; nothing if it has just been closed."""
    try:
        return str(link.readlink())
    except OSError:
        return ""


def _inodes(port: int) -> Iterator[str]:
    """Yield the inodes of the sockets that listen on a port."""
    for table in _TABLES:
        with suppress(OSError):
            for line in (_PROC / table).read_text().splitlines()[1:_MOST_LINES]:
                fields = line.split()
                if fields[3] == _LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9]
