"""How the program is run once more: from a zipapp, as a binary, and as it is installed."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from jairouter_cli.cli import again

ROOT = Path(__file__).parents[2]
# Tells the command that runs it again, and runs that; the second time it says which arguments it got.
MAIN = f"""
import subprocess, sys
sys.path.insert(0, {str(ROOT)!r})
from jairouter_cli.cli import again
if sys.argv[1:]:
    print(sys.argv)
else:
    subprocess.run(again.command("mock", "--port", "1"), check=True, cwd="/")
"""


def test_an_installed_program_is_run_as_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """By this Python."""
    monkeypatch.setattr(sys, "argv", ["/usr/bin/jairouter"])
    command = again.command("--version")
    assert command == [sys.executable, "-m", "jairouter_cli", "--version"]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.startswith("jairouter ")


def test_a_zipapp_runs_itself(tmp_path: Path) -> None:
    """Also if it was started by a relative name, from a folder that is another by then."""
    with zipfile.ZipFile(tmp_path / "it.pyz", "w") as archive:
        archive.writestr("__main__.py", MAIN)
    done = subprocess.run([sys.executable, "it.pyz"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout == f"{[str(tmp_path / 'it.pyz'), 'mock', '--port', '1']}\n"


def test_a_binary_runs_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no interpreter: `-m` would mean nothing to it."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert again.command("mock") == [sys.executable, "mock"]
