"""How this program is run once more, as a process of its own: it may be installed, or one file."""

import sys
import zipfile
from pathlib import Path


def command(*arguments: str) -> list[str]:
    """Return the command that runs `jairouter` with these arguments, in the form that runs now."""
    if getattr(sys, "frozen", False):  # a binary of PyInstaller: it is no interpreter
        return [sys.executable, *arguments]
    if zipfile.is_zipfile(sys.argv[0]):  # its modules are found by nobody else
        return [sys.executable, str(Path(sys.argv[0]).resolve()), *arguments]
    return [sys.executable, "-m", "jairouter_cli", *arguments]
