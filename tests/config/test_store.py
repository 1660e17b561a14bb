"""The file is the old one or the new one, whole; concurrent edits lose nothing."""

import errno
import os
import resource
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock

from jairouter_cli.config import java_store
from jairouter_cli.config.change import Change
from jairouter_cli.config.document import Document
from jairouter_cli.config.history import Damaged
from jairouter_cli.config.kinds import Url
from jairouter_cli.config.model import Instance, ServiceType
from jairouter_cli.config.ops import instances as ops
from jairouter_cli.config.store import Store
from jairouter_cli.errors import (
    ConfigExists,
    ConfigInvalid,
    ConfigLocked,
    ConfigNotFound,
    ConfigSyntaxError,
    ConfigUnreadable,
    ConfigUnwritable,
    EditRefused,
    ForeignUnreadable,
    RevisionsUnreadable,
)

TEXT = "# mine\nmodel:\n  services: {}\n"

ADDER = """
import sys
from pathlib import Path
from jairouter_cli.config.kinds import Url
from jairouter_cli.config.model import (Instance, ServiceType)
from jairouter_cli.config.ops import instances as ops
from jairouter_cli.config.store import Store
file, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for number in range(count):
    added = Instance(name=f"{name}-{number}", base_url=Url("http://h"))
    Store(file).apply(lambda document: ops.add(document, ServiceType.CHAT, added))
    print(number, flush=True)
"""


def add(store: Store, name: str = "n", url: str = "http://h") -> None:
    """Add an instance."""
    added = Instance(name=name, base_url=Url(url))
    store.apply(lambda document: ops.add(document, ServiceType.CHAT, added))


def add_ten(store: Store, name: str) -> None:
    """Add ten instances, one after the other."""
    for edit in range(10):
        add(store, f"{name}-{edit}")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a store over a small file."""
    file = tmp_path / "jairouter.yaml"
    file.write_text(TEXT)
    return Store(file)


def names(store: Store) -> set[str]:
    """Return the models in the file."""
    return {one.name for one in store.read().config.model.services[ServiceType.CHAT].instances}


def leftovers(store: Store) -> list[str]:
    """Return what lies beside the file, but for its lock and its revisions."""
    names = (path.name for path in store.file.parent.iterdir())
    return sorted(name for name in names if not name.endswith((".lock", ".revisions")))


def test_an_edit_is_applied(store: Store) -> None:
    """The result tells what was done, and the new configuration."""
    added = Instance(name="n", base_url=Url("http://h"))
    applied = store.apply(lambda document: ops.add(document, ServiceType.CHAT, added))
    assert (applied.changed, applied.change.instance) == (True, "n@http://h")
    assert applied.after == store.read().digest
    assert applied.config == store.read().config


def test_an_edit_that_makes_a_bad_file_never_reaches_the_disk(store: Store) -> None:
    """Operations place values; the parser judges the whole."""
    with pytest.raises(EditRefused, match=r"instances\[0\]\.base-url: expected an http:// or https:// URL"):
        add(store, url="nonsense")
    assert store.file.read_text() == TEXT
    assert leftovers(store) == ["jairouter.yaml"]


def test_nothing_is_written_where_nothing_changes(store: Store) -> None:
    """The file keeps its inode."""
    before = store.file.stat().st_ino
    applied = store.apply(lambda document: Change(document, "nothing"))
    assert (applied.changed, store.file.stat().st_ino) == (False, before)


def test_mode_and_link_are_kept(store: Store, tmp_path: Path) -> None:
    """A link stays a link; its target is replaced and keeps its mode."""
    store.file.chmod(0o640)
    (tmp_path / "folder").mkdir()
    link = tmp_path / "folder" / "link.yaml"
    link.symlink_to("../jairouter.yaml")
    add(Store(link))
    assert link.is_symlink()
    assert stat.S_IMODE(store.file.stat().st_mode) == 0o640
    assert names(store) == {"n"}


def test_a_read_only_file_is_left_alone(store: Store) -> None:
    """Even for root, whom the mode would not stop."""
    store.file.chmod(0o444)
    with pytest.raises(ConfigUnwritable, match="it is read-only; the file was not changed"):
        add(store)
    assert store.file.read_text() == TEXT


def test_a_folder_that_is_read_only(store: Store) -> None:
    """Nothing can be renamed in it; nothing is left in it, not even a lock."""
    store.file.parent.chmod(0o555)
    try:
        with pytest.raises(ConfigUnwritable, match="its folder is read-only; the file was not changed"):
            add(store)
        assert [path.name for path in store.file.parent.iterdir()] == ["jairouter.yaml"]
    finally:
        store.file.parent.chmod(0o755)


def test_what_is_no_regular_file_is_not_replaced(tmp_path: Path) -> None:
    """Else `JAIROUTER_CONFIG=/dev/null`, as root, would be the end of /dev/null."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for edit in (add, lambda store: store.create(TEXT, force=True)):
        with pytest.raises(ConfigUnwritable, match="it is not a regular file"):
            edit(Store(pipe))
    assert list(tmp_path.iterdir()) == [pipe]
    with pytest.raises(ConfigUnwritable, match="it is a folder"):
        add(Store(tmp_path))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_the_owner_is_kept(store: Store) -> None:
    """When root edits the file of a service's account, the service can still read it."""
    os.chown(store.file, 12345, 23456)
    store.file.chmod(0o600)
    add(store)
    status = store.file.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12345, 23456, 0o600)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_file_that_is_mounted_alone(store: Store, tmp_path: Path) -> None:
    """As containers do it; it cannot be renamed over, and the hint says what to do."""
    source = tmp_path / "source"
    source.write_text(TEXT)
    if subprocess.run(["mount", "--bind", source, store.file], capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with pytest.raises(ConfigUnwritable) as caught:
            add(store)
    finally:
        subprocess.run(["umount", store.file], check=True)
    assert caught.value.hint == "mount the folder instead of the file, so that the file can be replaced"
    assert leftovers(store) == ["jairouter.yaml", "source"]


def test_links_in_a_circle(tmp_path: Path) -> None:
    """They are told as an error of the file's."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(ConfigUnreadable):
        Store(tmp_path / "a").read()
    with pytest.raises(ConfigUnreadable):
        add(Store(tmp_path / "a"))


def test_a_lock_that_is_held_too_long(store: Store) -> None:
    """The edit gives up and says how long it waited."""
    impatient = Store(store.file, lock_wait_s=0.1)
    with (
        FileLock(store.file.with_name(".jairouter.yaml.lock")),
        ThreadPoolExecutor(1) as pool,
        pytest.raises(ConfigLocked, match=r".* is being edited by another process \(waited 0.1 s\)"),
    ):
        pool.submit(add, impatient).result()
    assert store.file.read_text() == TEXT


def test_a_long_queue_is_no_stuck_edit(store: Store) -> None:
    """Who waits for many, one after the other, waits for longer than for one that is stuck."""
    takes = threading.Event()

    def slow(document: Document) -> Change:
        takes.wait(0.3)
        return Change(document, "nothing")

    def edit(_: int) -> None:
        Store(store.file, lock_wait_s=0.9).apply(slow)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(edit, range(8))) == [None] * 8


@pytest.mark.parametrize("name", ["lock", "next.lock"])
def test_a_lock_that_is_none(store: Store, name: str) -> None:
    """It is said which file is in the way."""
    lock = store.file.with_name(f".jairouter.yaml.{name}")
    lock.mkdir()
    with pytest.raises(ConfigUnwritable, match=r"cannot use the lock .*\.jairouter\.yaml.*lock"):
        add(store)
    assert store.file.read_text() == TEXT


def test_a_full_disk_leaves_the_old_file(store: Store) -> None:
    """No space for the new one: nothing half done, nothing left over."""
    limited = "import resource, signal; resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))"
    script = f"{limited}\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n{ADDER}"
    done = subprocess.run(
        [sys.executable, "-c", script, store.file, "x", "1"], capture_output=True, text=True, check=False
    )
    assert "RevisionsUnwritable: cannot save revisions in" in done.stderr
    assert store.file.read_text() == TEXT
    assert leftovers(store) == ["jairouter.yaml"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"\xff\xfe", ConfigUnreadable),
        (b"a: [", ConfigSyntaxError),
        (b"server: {port: x}", ConfigInvalid),
    ],
)
def test_files_that_cannot_be_used(store: Store, data: bytes, error: type[Exception]) -> None:
    """Not text, not YAML, not a configuration: each says so, for reading and for editing."""
    store.file.write_bytes(data)
    with pytest.raises(error):
        store.read()
    with pytest.raises(error):
        add(store)
    assert store.file.read_bytes() == data


def test_a_file_that_is_none(tmp_path: Path) -> None:
    """Missing, even its folder, or a folder itself; no lock is made for it."""
    for name in ("none.yaml", "none/none.yaml"):
        with pytest.raises(ConfigNotFound):
            Store(tmp_path / name).read()
        with pytest.raises(ConfigNotFound):
            add(Store(tmp_path / name))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigUnreadable):
        Store(tmp_path).read()


def test_creating(tmp_path: Path) -> None:
    """Folders are made, the file is the owner's alone; what is there is kept unless forced."""
    store = Store(tmp_path / "a" / "b" / "c.yaml")
    store.create(TEXT)
    assert stat.S_IMODE(store.file.stat().st_mode) == 0o600
    with pytest.raises(ConfigExists):
        store.create("model: {}\n")
    assert store.file.read_text() == TEXT
    store.create("model: {}\n", force=True)
    assert store.file.read_text() == "model: {}\n"


def test_a_folder_where_nobody_may_write() -> None:
    """The system's own word is passed on."""
    with pytest.raises(ConfigUnwritable):
        Store(Path("/proc/jairouter/x.yaml")).create(TEXT)


def test_what_is_replaced_by_force_can_be_gone_back_to(store: Store) -> None:
    """`init --force` notes what stood there."""
    store.create("model: {}\n", force=True)
    kept = [store.history.read(number) for number in store.history.numbers]
    assert [(one.author, one.text) for one in kept] == [("file", TEXT), ("cli", "model: {}\n")]


def test_concurrent_edits_lose_nothing(store: Store) -> None:
    """Four processes and four threads, ten edits each."""
    commands = [[sys.executable, "-c", ADDER, str(store.file), f"p{number}", "10"] for number in range(4)]
    processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for command in commands]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: add_ten(store, f"t{number}"), range(4)))
    assert [process.wait(60) for process in processes] == [0] * 4
    assert names(store) == {f"{kind}{number}-{edit}" for kind in "pt" for number in range(4) for edit in range(10)}


def test_a_writer_that_is_killed_leaves_a_whole_file(store: Store) -> None:
    """Kill -9 in a loop of edits, at a different moment each time; the lock does not outlive its holder."""
    for round_ in range(5):
        command = [sys.executable, "-c", ADDER, str(store.file), f"k{round_}", "1000"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        for _ in range(2 + round_):
            process.stdout.readline()
        process.kill()
        process.wait()
        process.stdout.close()
        assert names(store) >= {f"k{round_}-{edit}" for edit in range(2 + round_)}
    add(store, "after")
    assert "after" in names(store)
    assert leftovers(store) == ["jairouter.yaml"]
    numbers = store.history.numbers
    assert numbers == list(range(numbers[0], numbers[-1] + 1)), "revisions are whole, and none is missing"
    assert store.history.read(numbers[-1]).text == store.file.read_text()


def test_what_a_killed_writer_left_is_overwritten(store: Store) -> None:
    """The half-written file, with its keys, does not lie about for ever."""
    store.file.with_name(".jairouter.yaml.new").write_text("api-key: half")
    add(store)
    assert leftovers(store) == ["jairouter.yaml"]


def fifo(path: Path) -> None:
    """Put a pipe there that nobody writes to."""
    os.mkfifo(path)


def link_to_zero(path: Path) -> None:
    """Put a link to a device there that never ends."""
    path.symlink_to("/dev/zero")


def listening(path: Path) -> None:
    """Put a socket there."""
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


def huge(path: Path) -> None:
    """Put a gigabyte there, which takes no room."""
    path.touch()
    os.truncate(path, 1 << 30)


ODD: dict[str, tuple[Callable[[Path], None], str]] = {
    "pipe": (fifo, "it is not a regular file"),
    "device": (link_to_zero, "it is not a regular file"),
    "socket": (listening, "it is not a regular file"),
    "folder": (Path.mkdir, "it is a folder"),
    "huge": (huge, "it is larger than 16 MiB"),
}


@pytest.mark.parametrize("kind", ODD)
def test_what_is_no_file_is_not_read(tmp_path: Path, kind: str) -> None:
    """Neither the configuration nor what is imported is waited for, or read without end; it is said what it is."""
    make, said = ODD[kind]
    odd = tmp_path / "odd.json"
    make(odd)
    for reading in (Store(odd).read, Store(odd).text):
        with pytest.raises(ConfigUnreadable, match=f"cannot read .*odd.json: {said}"):
            reading()
    with pytest.raises(ForeignUnreadable, match=f"cannot read .*odd.json: {said}"):
        java_store.read(odd)
    with pytest.raises((ConfigUnreadable, ConfigUnwritable), match=said):
        add(Store(odd))


def test_a_file_that_may_not_be_opened(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the system says of it (a stale handle of a network's file system, say) is passed on."""

    def stale(*_: object) -> int:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    monkeypatch.setattr(os, "open", stale)
    with pytest.raises(ConfigUnreadable, match="Stale file handle"):
        store.read()


REVISIONS: dict[str, Callable[[Path], object]] = {
    **{kind: make for kind, (make, _) in ODD.items()},
    "empty": Path.touch,
    "cut": lambda path: path.write_text('{"number": 3, "at": "2026-'),
    "newer": lambda path: path.write_text('{"version": 9, "changes": []}'),
    "binary": lambda path: path.write_bytes(bytes(range(256))),
    "deep": lambda path: path.write_text('{"a":' * 100_000),
    "lying": lambda path: path.write_text('{"number": 1, "at": 7}'),
}


@pytest.mark.parametrize("place", ["first", "middle", "newest"])
@pytest.mark.parametrize("kind", REVISIONS)
def test_a_damaged_revision_stands_in_nobodys_way(store: Store, kind: str, place: str) -> None:
    """Edits go on, numbers go on, the others can be read; it is said which one is damaged, and it can be forgotten."""
    for name in "ab":
        add(store, name)
    number = {"first": 1, "middle": 2, "newest": 3}[place]
    path = store.history.folder / f"{number}.json"
    path.unlink()
    REVISIONS[kind](path)
    add(store, "c")
    assert names(store) == {"a", "b", "c"}
    numbers = store.history.numbers
    assert numbers == list(range(1, len(numbers) + 1))
    newest = list(store.history.newest())
    assert [one.number for one in newest if isinstance(one, Damaged)] == [number]
    assert [one.number for one in newest] == numbers[::-1]
    assert newest[0].number > 3
    with pytest.raises(RevisionsUnreadable, match=str(path)):
        store.history.read(number)
    if kind != "folder":
        store.forget(number)
        assert number not in store.history.numbers


def test_what_else_lies_among_the_revisions(store: Store) -> None:
    """Files that are no revisions are left alone, and the oldest ones are forgotten whatever lies there."""
    add(store, "a")
    folder = store.history.folder
    for name in ("0003.json", "\u0664.json", "0.json", "notes.txt", "99999999999999999999.json"):
        (folder / name).touch()
    assert store.history.numbers == [1, 2]
    (folder / "3.json").mkdir()
    text = store.file.read_text() + "store: {max-revisions: 1}\n"
    store.file.write_text(text)
    add(store, "b")
    add(store, "c")
    assert store.history.numbers == [1, 3, 6]
