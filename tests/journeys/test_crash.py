"""Real commands, killed at every point of an edit, on a disk that is full at every point, where they may not write.

The file is the old one or the new one, whole; its revisions are whole, none is missing, and what a killed edit could
not note any more is noted when somebody next looks.
"""

import itertools
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jairouter_cli.config.store import Store
from tests.process import JAIROUTER, config, run

TEXT = "# ours\nserver:\n  port: 8080 # the usual one\nmodel:\n  services: {}\n"
ROOT = Path(__file__).parents[2]


# What is imported on the way is imported before, for the interpreter may lie where nobody else may read.
AS_NOBODY = """
import contextlib, io, os, sys
from jairouter_cli.cli.app import main
def edit(file):
    sys.argv = ["jairouter", "config", "set", "server.port", "1", "--config", file]
    main()
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    for other in ({other!r}, "/nowhere"):
        with contextlib.suppress(SystemExit):
            edit(other)
os.setgroups([]); os.setgid({nobody}); os.setuid({nobody})
edit({file!r})
"""


class Crasher:
    """Runs commands that are stopped on their way, in a folder with a configuration file."""

    def __init__(self, folder: Path) -> None:
        self.said = ""
        self.file = config(folder, TEXT)
        self.store = Store(self.file)
        command = [sys.executable, "-m", "tests.crashing", str(folder)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ}
        )

    def set_port(self, kind: str, number: int, port: int) -> int:
        """Set the port, being killed at a point or with so much room on the disk; return how the command ended."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        arguments = ["config", "set", "server.port", str(port), "--config", str(self.file)]
        self.process.stdin.write(f"{kind} {number} {json.dumps(arguments)}\n")
        self.process.stdin.flush()
        code, self.said = json.loads(self.process.stdout.readline())
        return int(code)

    def check(self, before: str, port: int) -> None:
        """Check that file and history are whole, and that the file's state is a revision once somebody has looked."""
        text = self.file.read_text()
        assert text in {before, ported(port)}
        assert self.store.read().document.dump() == text
        numbers = self.store.history.numbers
        assert numbers == list(range(1, len(numbers) + 1)), "none is missing"
        kept = [self.store.history.read(number).text for number in numbers]
        assert all(one == TEXT or one.startswith("# ours\nserver:\n  port: ") for one in kept)
        assert all(earlier != later for earlier, later in itertools.pairwise(kept)), "none is there twice"
        assert self.store.note().text == text


def ported(port: int) -> str:
    """Return the file with another port."""
    return TEXT.replace("8080", str(port))


@pytest.fixture
def crasher(tmp_path: Path) -> Iterator[Crasher]:
    """Start one; at the end nothing lies about in its folder."""
    one = Crasher(tmp_path)
    yield one
    assert one.process.stdin is not None
    one.process.stdin.close()
    assert one.process.wait(20) == 0
    if one.process.stdout is not None:
        one.process.stdout.close()
    run("config", "set", "server.port", "1", "--config", str(one.file))
    left = {path.name.removeprefix(".jairouter.yaml") for path in tmp_path.iterdir()}
    assert left == {"jairouter.yaml", ".lock", ".next.lock", ".revisions"}
    names = [path.name for path in (tmp_path / ".jairouter.yaml.revisions").iterdir()]
    assert all(name.removesuffix(".json").isdigit() for name in names), names


def test_killed_at_every_point(crasher: Crasher) -> None:
    """Before each thing that an edit does to the file system: the lock, the old revision, the file, the new one."""
    outcomes = []
    for point in range(1, 100):
        before, port = crasher.file.read_text(), 9000 + point
        code = crasher.set_port("kill", point, port)
        outcomes.append(crasher.file.read_text() == ported(port))
        crasher.check(before, port)
        if code == 0:
            break
        assert code == -9
    assert code == 0, "the last one came to its end"
    assert outcomes.count(False) > 3
    assert outcomes.count(True) > 3, "killed behind the file, before its revision was noted, too"
    assert outcomes == sorted(outcomes), "there is one point at which the file becomes another"


def test_killed_at_any_moment(crasher: Crasher) -> None:
    """By the clock, without regard to what the command is at."""
    rng = random.Random(3)
    whole = _time_of(["config", "get", "server.port", "--config", str(crasher.file)])
    for number in range(8):
        before, port = crasher.file.read_text(), 9100 + number
        command = [*JAIROUTER, "config", "set", "server.port", str(port), "--config", str(crasher.file)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(whole * rng.uniform(0.7, 1.3))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        crasher.check(before, port)


def _time_of(arguments: list[str]) -> float:
    """Return about how long a command takes, in seconds of this machine as it is now."""
    import time  # noqa: PLC0415 - only to aim by

    begin = time.monotonic()
    subprocess.run([*JAIROUTER, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begin


def test_a_disk_that_is_full_at_every_point(crasher: Crasher) -> None:
    """The edit is made or it is not, and then that is said; the file is never half of one."""
    codes = []
    for size in (*range(0, 700, 23), 10_000):
        before, port = crasher.file.read_text(), 9200 + size % 700
        code = crasher.set_port("bytes", size, port)
        codes.append(code)
        if code:
            assert crasher.file.read_text() == before
            assert crasher.said.startswith(("error: cannot write", "error: cannot save revisions in"))
            assert "File too large" in crasher.said
        else:
            assert crasher.file.read_text() == ported(port)
        crasher.check(before, port)
    assert codes[0] == 1
    assert codes[-1] == 0


def test_a_folder_of_revisions_that_is_none(tmp_path: Path) -> None:
    """Nothing is changed, and the error says what has to be there."""
    file = config(tmp_path, TEXT)
    (tmp_path / ".jairouter.yaml.revisions").write_text("")
    done = run("config", "set", "server.port", "1", "--config", str(file))
    assert (done.returncode, done.stdout) == (1, "")
    assert "Not a directory" in done.stderr
    assert "hint: it must be a folder that everyone who edits the configuration can read and write" in done.stderr
    assert file.read_text() == TEXT


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
@pytest.mark.parametrize(
    ("owner", "mode", "said"),
    [
        ("mine", 0o500, "error: cannot save revisions in {}: Permission denied; nothing was changed"),
        ("others", 0o700, "error: cannot read revision {}: Permission denied"),
    ],
)
def test_a_folder_of_revisions_that_one_may_not_use(tmp_path: Path, owner: str, mode: int, said: str) -> None:
    """Read-only, or another's: nothing is changed, nothing is left over, and whoever edits is told why."""
    nobody = 65534
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == 0 and folder != Path("/") and folder.is_relative_to("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o011)
    home = tmp_path / "home"
    home.mkdir()
    file = config(home, TEXT)
    os.chown(home, nobody, nobody)
    os.chown(file, nobody, nobody)
    revisions = home / ".jairouter.yaml.revisions"
    revisions.mkdir(mode)
    if owner == "mine":
        os.chown(revisions, nobody, nobody)
    script = AS_NOBODY.format(file=str(file), other=str(config(tmp_path, TEXT)), nobody=nobody)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 1, done.stderr
    assert done.stderr.splitlines()[0] == said.format(revisions)
    assert file.read_text() == TEXT
    assert list(revisions.iterdir()) == []
    assert {path.name for path in home.iterdir()} <= {
        file.name,
        revisions.name,
        ".jairouter.yaml.lock",
        ".jairouter.yaml.next.lock",
    }
