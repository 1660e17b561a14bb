"""Lines on their way out: none is lost that could be written, none waits for whoever does not read."""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from jairouter_cli.observe.writer import MOST_WAITING, Destination, LineWriter, RotatedFile
from tests.process import eventually


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
    bug = "bug: a line of the log could not be made: ValueError(None)"
    assert file.read_text().splitlines() == ["one", bug, "two"]


def test_a_full_disk_is_counted() -> None:
    """`/dev/full` is one; nothing is raised."""
    lines = writer(Given(os.open("/dev/full", os.O_WRONLY)))
    for _ in range(10):
        lines.put("x")
    assert lines.close(10)
    assert lines.dropped == 10
