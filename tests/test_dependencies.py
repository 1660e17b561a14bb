"""What is asked for and what is pinned go together, and nothing below a known advisory is asked for."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
_ASKED_FOR = [*PROJECT["dependencies"], *(one for extra in PROJECT["optional-dependencies"].values() for one in extra)]
REQUIRED = [Requirement(text) for text in _ASKED_FOR if not text.startswith("jairouter")]
PINS = {
    canonicalize_name(name): Version(version)
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
    for name, _, version in [line.partition("==")]
}
# The last version with an advisory, by package.
ADVISORIES = {
    "filelock": "3.20.2",  # CVE-2025-68146, CVE-2026-22701
    "granian": "2.7.3",  # CVE-2026-42544
    "h11": "0.14.0",  # CVE-2025-43859
    "litestar": "2.19.0",  # CVE-2026-25480 and others of that day
    "multipart": "1.3.0",  # CVE-2026-28356
}


@pytest.mark.parametrize("required", REQUIRED, ids=str)
def test_pins_are_what_is_asked_for(required: Requirement) -> None:
    """A fresh install with the constraints can be made."""
    assert PINS[canonicalize_name(required.name)] in required.specifier


@pytest.mark.parametrize(("name", "version"), ADVISORIES.items())
def test_floors_are_above_known_advisories(name: str, version: str) -> None:
    """Whoever installs with old versions present gets newer ones."""
    (required,) = (one for one in REQUIRED if one.name == name)
    assert Version(version) not in required.specifier
