"""In which form the modules run that every request goes through: as Python, or compiled (see `hatch_build.py`)."""

from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Final

COMPILED: Final = "compiled"
PURE: Final = "pure Python"

_ONE: Final = Path(__file__).with_name("routing") / "table"  # one of those that are compiled together


def form() -> str:
    """Return `COMPILED` or `PURE`; nothing is imported for it."""
    return COMPILED if any(_ONE.with_suffix(suffix).exists() for suffix in EXTENSION_SUFFIXES) else PURE
