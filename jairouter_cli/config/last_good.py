"""The configuration in use, and a copy of its file for a worker that starts while the file cannot be used.

The copy is in the folder that the workers of one server share, which only their user can enter.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from jairouter_cli.config.store import Loaded, Store, digest_of

_NAME: Final = "last-good.yaml"
_MODE: Final = 0o600  # it holds keys


class LastGood:
    """The configuration that one worker uses; without a folder there is no copy."""

    def __init__(self, folder: Path | None = None) -> None:
        self._copy: Final = None if folder is None else folder / _NAME
        self.loaded: Loaded | None = None

    def keep(self, loaded: Loaded) -> None:
        """Use a configuration, and keep a copy of its file."""
        self.loaded = loaded
        if self._copy is not None:
            with suppress(OSError):  # the memory is full: an older copy is better than none
                _leave(self._copy, loaded)

    def digest(self) -> str | None:
        """Return the digest of the configuration that the workers used last, or None."""
        data = self._data()
        return None if data is None else digest_of(data)

    def recall(self, store: Store) -> Loaded | None:
        """Return the configuration that the workers used last, or None."""
        data = self._data()
        if self._copy is None or data is None:
            return None
        return store.judged(data, self._copy.stat().st_mtime_ns)

    def _data(self) -> bytes | None:
        try:
            return None if self._copy is None else self._copy.read_bytes()
        except OSError:
            return None


def _leave(copy: Path, loaded: Loaded) -> None:
    """Write the copy, with the time of the file."""
    new = copy.with_name(f"{copy.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE), "wb") as stream:
            stream.write(loaded.document.dump().encode("utf-8"))
        os.utime(new, ns=(loaded.written_at, loaded.written_at))
        new.replace(copy)
    finally:
        new.unlink(missing_ok=True)
