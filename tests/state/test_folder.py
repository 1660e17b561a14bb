"""The folder that workers have in common: neither a full file system nor a removed folder takes anything from them."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jairouter_cli.errors import StateFolderUnusable
from jairouter_cli.state.board_files import BoardFiles
from jairouter_cli.state.folder import ROLL_FILE, Folder, Sheet, folder, mapped, names
from jairouter_cli.state.shared import SharedMemory

root = pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="mounts need root, on Linux")

FULL = """
import mmap, os, time
from pathlib import Path
from jairouter_cli.state.board_files import BoardFiles
from jairouter_cli.state.folder import folder
from jairouter_cli.state.shared import SharedMemory
from jairouter_cli.state.shared_levels import SharedLevels
with folder(2) as made:
    assert str(made.path).startswith("/dev/shm")
    with open("/dev/shm/fill", "wb", buffering=0) as fill:
        try:
            while fill.write(bytes(4096)): pass
        except OSError: pass
    one = SharedMemory(made.path, 2)
    for number in range(8192):
        one.record(str(number)).numbers[0] = 1.0
    levels = SharedLevels(made.path, time.monotonic)
    levels._map[:] = bytes(len(levels._map))  # every page of it
    board = BoardFiles(made.path, 0, 1 << 23).own
    board[:] = bytes(len(board))
    one.set_level("jairouter", "DEBUG")
    one.report("digest", 5)
    assert SharedMemory(made.path, 2).levels() == {"jairouter": "DEBUG"}
    print("whole", flush=True)
    os._exit(0)
"""


def shell(commands: str, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script of Python behind mounts of its own."""
    line = f'{commands} && exec "$@"'
    command = ["unshare", "-m", "sh", "-c", line, "sh", sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@root
@pytest.mark.parametrize("size", ["256k", "64m"])
def test_a_full_shm_ends_no_worker(size: str) -> None:
    """All that workers have in common can be written to, every page of it, where /dev/shm has no page left."""
    done = shell(f"mount -t tmpfs -o size={size} tmpfs /dev/shm", FULL)
    assert (done.stdout, done.stderr, done.returncode) == ("whole\n", "", 0)


@root
def test_where_no_folder_can_be_made() -> None:
    """Neither in memory nor where temporary files go: it is said where, and why."""
    commands = "mount -t tmpfs -o nr_inodes=1 tmpfs /dev/shm; mount -t tmpfs -o nr_inodes=1 tmpfs /tmp"
    script = "import tempfile; tempfile.tempdir = '/tmp'\nfrom jairouter_cli.state.folder import Folder\nFolder()"
    done = shell(commands, script)
    said = "cannot create the shared memory of the workers in /tmp/jairouter-"
    assert said in done.stderr.splitlines()[-1]
    assert done.stderr.endswith(": No space left on device\n")
    assert StateFolderUnusable.default_hint


def test_files_in_a_file_system_take_their_room_when_they_are_made(tmp_path: Path) -> None:
    """Where the parent cannot hold the memory: what finds no room is an error then, and no signal later."""
    file, memory = mapped(tmp_path / "records", 1 << 20)
    assert os.fstat(file).st_blocks * 512 >= 1 << 20
    memory[-1:] = b"x"
    os.close(file)
    again, smaller = mapped(tmp_path / "records", 1 << 10)
    assert (os.fstat(again).st_size, len(smaller)) == (1 << 20, 1 << 10), "one of another size is left as it is"
    os.close(again)
    with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
        mapped(tmp_path / "large", 1 << 62)


def test_a_folder_that_was_removed_is_made_anew() -> None:
    """With the same memory: who held a place has it still, and who comes later finds all that was written."""
    with folder(2) as made:
        one = SharedMemory(made.path, 2)
        one.record("a").numbers[0] = 3.0
        board = BoardFiles(made.path, 0, 1 << 20)
        board.own[:5] = b"count"
        assert not made.mend(), "it is there"
        shutil.rmtree(made.path)
        assert one.leads()
        assert [worker.pid for worker in one.workers()] == [os.getpid()]
        one.clear_places_of_the_dead()
        one.set_level("jairouter", "DEBUG")
        one.call()
        assert made.mend()
        other = SharedMemory(made.path, 2)
        assert (other.worker, other.leads(), other.record("a").numbers[0]) == (1, False, 3.0)
        assert other.levels() == {"jairouter": "DEBUG"}
        assert bytes(BoardFiles(made.path, 1, 1 << 20).others()[0][:5]) == b"count"
        for memory in (one, other):
            memory.close()


def test_one_that_somebody_else_has_put_there_is_not_taken() -> None:
    """It may belong to another user by now."""
    with folder() as made:
        shutil.rmtree(made.path)
        made.path.touch()
        with pytest.raises(FileExistsError):
            made.mend()
        made.path.unlink()
        assert made.mend()
        assert {path.name for path in made.path.iterdir()} == {"owner.lock", *names(1)}


def test_a_sheet_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    """The last object that was written, however long the one before was; half of one is none."""
    one, other = Sheet(tmp_path / "sheet"), Sheet(tmp_path / "sheet")
    assert other.read() is None
    one.write({"long": "x" * 100})
    one.write({"short": 1})
    assert other.read() == {"short": 1}
    whole = (tmp_path / "sheet").read_bytes()
    (tmp_path / "sheet").write_bytes(whole[:30])
    assert other.read() is None
    for sheet in (one, other):
        sheet.close()


def test_the_memory_goes_with_the_server() -> None:
    """Nothing is left open."""
    before = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0
    held = Folder(3)
    assert (held.path / ROLL_FILE).exists()
    shutil.rmtree(held.path)
    held.close()
    after = len(list(Path("/proc/self/fd").iterdir())) if before else 0
    assert after == before
