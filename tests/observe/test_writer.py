"""Lines on their way out: none is lost that could be written, none waits for whoever does not read."""

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from jairouter_cli.observe.writer import MOST_WAITING, Destination, LineWriter, RotatedFile
from tests.process import eventually

ROOT = Path(__file__).parent.parent.parent


@dataclass
class Given:
    """A descriptor that the test made."""

    number: int

    def descriptor(self) -> int:
        """Return it."""
        return self.number

    def close(self) -> None:
        """Close it."""
        os.close(self.number)


def render(item: object) -> bytes:
    """Make a line of anything but None."""
    if item is None:
        raise ValueError(item)
    return f"{item}\n".encode()


def writer(destination: Destination) -> LineWriter:
    """Return a writer that begins at once."""
    return LineWriter(destination, render, lambda number: f"lost {number}\n".encode())


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Give a pipe whose writing end the writer closes."""
    out, into = os.pipe()
    yield out, into
    os.close(out)


def test_every_line_comes_out_in_order(tmp_path: Path) -> None:
    """What waits when the end comes is written, too."""
    file = tmp_path / "log"
    lines = writer(RotatedFile(file))
    for number in range(5000):
        lines.put(number)
    assert lines.close(10)
    assert file.read_text().splitlines() == [str(number) for number in range(5000)]
    assert lines.dropped == 0


def test_nobody_waits_for_a_reader(pipe: tuple[int, int]) -> None:
    """What finds the queue full is counted, and said when there is room; the rest comes out whole, in order."""
    out, into = pipe
    lines = writer(Given(into))
    text, number = "x" * 100, 5 * MOST_WAITING
    for _ in range(number):
        lines.put(text)
    assert lines.dropped > 0
    assert not lines.close(0), "it hangs in a write, and whoever ends it does not"
    with os.fdopen(os.dup(out)) as reader:
        came = reader.read().splitlines()
    assert came == [text] * (number - lines.dropped) + [f"lost {lines.dropped}"]


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    """As logrotate does it: without a signal, without a line lost."""
    file, moved = tmp_path / "log", tmp_path / "log.1"
    lines = writer(RotatedFile(file))
    lines.put("before")
    eventually(lambda: file.read_text() == "before\n")
    file.rename(moved)
    lines.put("after")
    eventually(lambda: file.exists() and file.read_text() == "after\n")
    assert lines.close(10)
    assert moved.read_text() == "before\n"


def test_several_processes_append_whole_lines(tmp_path: Path) -> None:
    """Two writers with a file each of their own, as two workers have."""
    file = tmp_path / "log"
    both = [writer(RotatedFile(file)) for _ in range(2)]
    threads = [threading.Thread(target=lambda w=w: [w.put("y" * 300) for _ in range(3000)]) for w in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(one.close(10) for one in both)
    assert file.read_text().splitlines() == ["y" * 300] * 6000


def test_a_line_that_cannot_be_made_ends_no_other(tmp_path: Path) -> None:
    """It is a bug, and said in its place."""
    file = tmp_path / "log"
    lines = writer(RotatedFile(file))
    for item in ("one", None, "two"):
        lines.put(item)
    assert lines.close(10)
    bug = "bug: cannot format a log line: ValueError(None)"
    assert file.read_text().splitlines() == ["one", bug, "two"]


def test_a_full_disk_is_counted() -> None:
    """`/dev/full` is one; nothing is raised."""
    lines = writer(Given(os.open("/dev/full", os.O_WRONLY)))
    for _ in range(10):
        lines.put("x")
    assert lines.close(10)
    assert lines.dropped == 10


@dataclass
class Changing:
    """A destination that is another one from time to time; None is one that cannot be opened."""

    numbers: list[int | None]
    asked: int = 0

    def descriptor(self) -> int:
        """Return the one whose turn it is; the last one for ever."""
        self.asked += 1
        number = self.numbers.pop(0) if len(self.numbers) > 1 else self.numbers[0]
        if number is None:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return number

    def close(self) -> None:
        """Close nothing."""


def test_lines_wait_until_there_is_room(tmp_path: Path) -> None:
    """A disk that is full for a while costs no line that the queue has room for, and who wants to know hears of it."""
    full, file = os.open("/dev/full", os.O_WRONLY), os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    told: list[Exception | None] = []
    destination = Changing([full, None, full, file])
    lines = LineWriter(destination, render, lambda number: f"lost {number}\n".encode(), told.append)
    for number in range(1000):
        lines.put(number)
    eventually(lambda: None in told)
    assert lines.close(10)
    assert (tmp_path / "log").read_text().splitlines() == [str(number) for number in range(1000)]
    assert [getattr(error, "errno", None) for error in told[:4]] == [errno.ENOSPC, errno.EMFILE, errno.ENOSPC, None]
    assert lines.dropped == 0
    for one in (full, file):
        os.close(one)


def test_how_many_were_lost_is_said_when_there_is_room(tmp_path: Path) -> None:
    """Those that came when the queue was full; the ones before them come out whole, in order."""
    full, file = os.open("/dev/full", os.O_WRONLY), os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    destination = Changing([full])
    lines = writer(destination)
    for number in range(MOST_WAITING + 500):
        lines.put(number)
    assert lines.dropped > 0
    destination.numbers = [file]
    eventually(lambda: (tmp_path / "log").read_text().endswith(f"lost {lines.dropped}\n"))
    came = (tmp_path / "log").read_text().splitlines()
    assert came == [*map(str, range(MOST_WAITING + 500 - lines.dropped)), f"lost {lines.dropped}"]
    assert lines.close(10)
    for one in (full, file):
        os.close(one)


SMALL = """
import os, sys
from pathlib import Path
from jairouter_cli.observe.writer import LineWriter, RotatedFile
from tests.process import eventually
folder = Path("/tmp/small")
folder.mkdir()
assert os.system("mount -t tmpfs -o size=64k tmpfs /tmp/small") == 0
fill, log, told = folder / "fill", folder / "log", []
fill.write_bytes(bytes(40_000))
make = lambda item: f"{item:>999}\\n".encode()
one = LineWriter(RotatedFile(log), make, make, told.append)
for number in range(100):
    one.put(number)
eventually(lambda: any(told))
torn = log.read_bytes()
assert len(torn) % 1000, "it is torn"
if sys.argv[1] == "others":
    with log.open("ab") as file:
        fill.write_bytes(b"")
        file.write(b"theirs\\n")
if sys.argv[1] == "moved":
    log.rename(folder / "moved")
fill.unlink()
os.system("mount -o remount,size=1m /tmp/small")
eventually(lambda: told[-1] is None)
assert one.close(10) and one.dropped == 0
found = log.read_text().splitlines()
cut = torn.decode().splitlines()[-1]
parts = [line for line in found if len(line) != 999]
print(len(found), parts == {"alone": [], "others": [cut + "theirs"], "moved": []}[sys.argv[1]])
whole = [int(line) for line in found if len(line) == 999]
print(whole == list(range(len(torn) // 1000 if sys.argv[1] == "moved" else 0, 100)))
os._exit(0)
"""


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="mounts need root, on Linux")
@pytest.mark.parametrize(("meanwhile", "lines"), [("alone", 100), ("others", 101), ("moved", None)])
def test_a_line_that_was_torn(meanwhile: str, lines: int | None) -> None:
    """Half of it fits on the disk: it is gone on with, or begun anew where another has written behind it."""
    command = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs tmpfs /tmp && exec "$@"', "sh", sys.executable, "-c", SMALL]
    done = subprocess.run([*command, meanwhile], capture_output=True, text=True, check=False, timeout=60, cwd=ROOT)
    assert done.stderr == ""
    number, is_whole, in_order = done.stdout.split()
    assert (is_whole, in_order) == ("True", "True")
    assert lines is None or int(number) == lines


def test_a_file_for_which_no_other_can_be_begun(tmp_path: Path) -> None:
    """Moved away while its folder may not be written to: lines go on into it. Removed: they wait for its folder."""
    folder, moved = tmp_path / "logs", tmp_path / "moved"
    folder.mkdir()
    file = folder / "log"
    lines = writer(RotatedFile(file))
    lines.put("one")
    eventually(lambda: file.read_text() == "one\n")
    file.rename(moved)
    folder.rmdir()
    lines.put("two")
    eventually(lambda: moved.read_text() == "one\ntwo\n")
    moved.unlink()
    lines.put("three")
    folder.mkdir()
    eventually(lambda: file.exists() and file.read_text() == "three\n")
    assert lines.close(10)
    assert lines.dropped == 0


def test_a_file_that_cannot_be_opened_yet(tmp_path: Path) -> None:
    """Lines wait for its folder."""
    lines = writer(RotatedFile(tmp_path / "logs" / "log"))
    lines.put("one")
    (tmp_path / "logs").mkdir()
    eventually(lambda: (tmp_path / "logs" / "log").exists() and (tmp_path / "logs" / "log").read_text() == "one\n")
    assert lines.close(10)


def test_a_pipe_whose_reader_comes_back(tmp_path: Path) -> None:
    """Nobody is there to read, and then somebody is: what was put in meanwhile is there."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    first = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    into = os.open(fifo, os.O_WRONLY)
    told: list[Exception | None] = []
    lines = LineWriter(Given(into), render, lambda number: f"lost {number}\n".encode(), told.append)
    os.close(first)
    lines.put("one")
    eventually(lambda: any(isinstance(error, BrokenPipeError) for error in told))
    lines.put("two")
    second = os.open(fifo, os.O_RDONLY)
    assert lines.close(10)
    with os.fdopen(second) as reader:
        assert reader.read() == "one\ntwo\n"
    assert lines.dropped == 0


def test_a_writer_that_meets_anything(tmp_path: Path) -> None:
    """Whatever is raised, the thread goes on."""
    file = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    class Sick(Given):
        errors = [MemoryError(), ValueError("x"), UnicodeError(), RecursionError()]  # noqa: RUF012 - of one test

        def descriptor(self) -> int:
            if self.errors:
                raise self.errors.pop()
            return self.number

    lines = writer(Sick(file))
    lines.put("one")
    eventually(lambda: (tmp_path / "log").read_text() == "one\n")
    assert lines.close(10)
