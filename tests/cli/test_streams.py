"""What commands do with outputs that are narrow, closed or full, with arguments that are no text, and on Ctrl-C."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.process import JAIROUTER, config, run_apart

NAME = "千问"
FILE = f"model:\n  services:\n    chat:\n      instances:\n        - name: {NAME}\n          base-url: http://h\n"
INTERRUPTED = """
import sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "jairouter_cli.cli.commands":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Finder())
from jairouter_cli.cli.app import main
main()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a configuration file with a name that few encodings have."""
    return config(tmp_path, FILE)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_an_output_without_the_letters(file: Path, encoding: str) -> None:
    """They are escaped; JSON stays JSON, and YAML stays YAML."""
    where = ("--config", str(file))
    env = {"PYTHONIOENCODING": encoding}
    done = [run_apart(*command, *where, env=env) for command in (("config", "show"), ("instances", "list", "--json"))]
    assert [(one.returncode, one.stderr) for one in done] == [(0, ""), (0, "")]
    shown, listed = YAML(typ="safe").load(done[0].stdout), json.loads(done[1].stdout)
    assert (shown["model"]["services"]["chat"]["instances"][0]["name"], listed[0]["name"]) == (NAME, NAME)
    table = run_apart("instances", "list", *where, env=env)
    assert (table.returncode, table.stderr, r"\u5343\u95ee" in table.stdout) == (0, "", True)


@pytest.mark.parametrize("argument", [b"\xff", b"a\xc3"])
def test_an_argument_that_is_no_text(file: Path, argument: bytes) -> None:
    """It is refused before anything is written."""
    command: list[str | bytes] = [*JAIROUTER, "--config", str(file), "instances", "add", "chat", argument, "http://h:2"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    said = f"error: the argument {argument!r} is not text in utf-8\n".encode()
    assert (done.returncode, done.stderr, file.read_text()) == (2, said, FILE)


def test_an_argument_that_the_locale_cannot_read(file: Path) -> None:
    """The hint says how it can."""
    env = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    command: list[str | bytes] = [
        *JAIROUTER,
        "--config",
        str(file),
        "instances",
        "add",
        "chat",
        NAME.encode(),
        "http://h:2",
    ]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60, env=env)
    assert (done.returncode, b"Traceback" in done.stderr, file.read_text()) in {
        (2, False, FILE),
        (0, False, file.read_text()),
    }


def test_a_full_output_and_one_that_nobody_reads(file: Path) -> None:
    """A full one is one line; a reader that has gone is none at all."""
    command = [*JAIROUTER, "config", "show", "--config", str(file)]
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (1, b"error: cannot write the output: No space left on device\n")
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False, timeout=60)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


def test_interrupted_while_it_begins() -> None:
    """Ctrl-C ends it with its own code, and without a word."""
    done = subprocess.run([sys.executable, "-c", INTERRUPTED, "--help"], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")
