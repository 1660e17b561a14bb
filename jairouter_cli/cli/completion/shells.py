"""The shells that can complete the command line, and their scripts."""

from enum import StrEnum
from pathlib import Path
from typing import Final


class Shell(StrEnum):
    """The shells, as the command names them."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


_ENDINGS: Final = {Shell.POWERSHELL: "ps1"}


def file_name(shell: Shell) -> str:
    """Return the name of a shell's script."""
    return f"jairouter.{_ENDINGS.get(shell, shell)}"


def script(shell: Shell) -> str:
    """Return the script that a shell has to read."""
    return Path(__file__).with_name(file_name(shell)).read_text("utf-8")
