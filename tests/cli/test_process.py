"""The command as a process of its own: what the tests see that call its `main` is what a shell sees."""

import subprocess
from pathlib import Path

import pytest

from tests.process import config, run, run_apart, services

READING = [
    "--version",
    "--help",
    "instances list",
    "instances list chat --json",
    "instances add --help",
    "services list",
    "limits list",
    "config path",
    "config show",
    "config validate",
    "config get server.port",
    "config history",
    "usage",
]
FAILING = [
    "instances list nonsense",
    "instances remove chat m@http://127.0.0.1:9",
    "config get nonsense",
    "health --url http://127.0.0.1:1",
    "nonsense",
]


@pytest.mark.parametrize("command", READING + FAILING)
def test_a_process_says_the_same(command: str, tmp_path: Path) -> None:
    """Exit code, stdout and stderr are the same; the name that usage lines begin with is the one that was called."""
    config(tmp_path, services(chat=["http://127.0.0.1:1"]).replace("locale: en", "port: 8080"))
    apart, inside = (way(*command.split(), cwd=tmp_path) for way in (run_apart, run))
    assert _said(apart) == _said(inside)
    assert (inside.returncode == 0) is (command in READING)


def _said(done: subprocess.CompletedProcess[str]) -> tuple[int, list[str], list[str]]:
    """Return what was said, word by word: lines that begin with the command's name are folded elsewhere."""
    out, err = (text.replace("python -m jairouter_cli", "jairouter").split() for text in (done.stdout, done.stderr))
    return done.returncode, out, err
