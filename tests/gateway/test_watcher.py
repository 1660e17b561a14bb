"""A gateway goes on with its last good configuration, whatever becomes of the file; what is meant comes into force."""

import asyncio
import logging
import os
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from jairouter_cli.config.change import Change
from jairouter_cli.config.history import Author
from jairouter_cli.config.last_good import LastGood
from jairouter_cli.config.model import ServiceType
from jairouter_cli.config.ops import instances, services
from jairouter_cli.config.store import Store
from jairouter_cli.errors import ConfigDoubtful, ConfigError
from jairouter_cli.gateway.aside import Aside, bounded
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.gateway.upstream.http1 import Http1Upstream
from jairouter_cli.gateway.watcher import Watcher, begin
from jairouter_cli.routing.table import compile_table
from tests.config.test_keeping import swap

TEXT = """\
# ours
server:
  locale: en
model:
  services:
    chat:
      instances:
        - name: first
          base-url: http://10.0.0.1:8000
        - name: second
          base-url: http://10.0.0.2:8000
    embedding:
      instances:
        - name: third
          base-url: http://10.0.0.3:8000
"""
ALL = {"first@http://10.0.0.1:8000", "second@http://10.0.0.2:8000", "third@http://10.0.0.3:8000"}
LOOKS = 7  # more than any file is waited for


class Follower:
    """A gateway in step with a file, without a process or a clock."""

    def __init__(self, file: Path, folder: Path | None = None) -> None:
        self.store = Store(file)
        good = LastGood(folder)
        loaded, self.trouble = begin(self.store, good)
        upstream = Http1Upstream(loaded.config.webclient.connection_pool, loaded.config.webclient)
        self.gateway = Gateway(table=compile_table(loaded.config), upstream=upstream, good=good)
        self.gateway.use(loaded.digest, loaded.written_at)
        good.keep(loaded)
        self.watcher = Watcher(self.gateway, self.store, lambda: True)

    async def looks(self, count: int = LOOKS) -> None:
        """Look as often."""
        for _ in range(count):
            await self.watcher.look()

    @property
    def used(self) -> set[str]:
        """The instances in force."""
        return {target.id for target in self.gateway.table.targets}

    @property
    def error(self) -> str:
        """Why the file is not in force."""
        return "" if self.gateway.rejection is None else str(self.gateway.rejection.error)


def following(file: Path, story: Callable[[Follower], Awaitable[None]]) -> None:
    """Let a gateway follow a file."""

    async def run() -> None:
        one = Follower(file)
        await one.looks(3)
        await story(one)
        await one.gateway.upstream.aclose()

    asyncio.run(run())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with three instances."""
    made = tmp_path / "jairouter.yaml"
    made.write_text(TEXT)
    return made


def put(file: Path, text: str | None) -> None:
    """Write the file, or put nothing in its place."""
    if text is not None:
        file.write_text(text)
    elif file.is_dir():
        file.rmdir()
    else:
        file.unlink()


def test_an_emptied_file_is_not_used(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is left in it, if no instance is; it is said once, and the file is used when it is good again."""
    emptied = ["", "\n", "# ours\n", "{}\n", "model:\n", "model: {services: {}}\n", "model:\n  services:\n    chat:\n"]
    emptied += ["model: {services: {chat: {instances: []}}}\n", "server:\n  locale: en\n", "---\n...\n", "\ufeff"]

    async def story(one: Follower) -> None:
        for text in emptied:
            caplog.clear()
            put(file, text)
            await one.looks()
            assert one.used == ALL, text
            assert one.error.startswith(f"{file}: it has no instances, but 3 are in use"), text
            assert isinstance(one.gateway.rejection and one.gateway.rejection.error, ConfigDoubtful)
            assert len([line for line in caplog.records if line.levelno >= logging.ERROR]) == 1, text
            put(file, TEXT)
            await one.looks()
            assert one.error == "", text

    following(file, story)


def test_a_cut_file_is_not_used(file: Path) -> None:
    """Cut at any byte: everything stays in use, or what stands in whole lines does, never half an address."""
    text = "model:\n services:\n  chat:\n   instances:\n   - {name: a, base-url: 'http://h:80'}\n"
    text += "   - name: b\n     base-url: http://h:8000\n     weight: 50\n"
    put(file, text)

    async def story(one: Follower) -> None:
        everything = one.gateway.table.config
        assert len(one.used) == 2
        for end in range(len(text)):
            put(file, text[:end])
            await one.looks(6)
            kept = one.gateway.table.config == everything
            assert kept or (text[:end].endswith("\n") and one.used), text[:end]
            assert bool(one.error) == (kept and end < len(text) - 1), text[:end]
            put(file, text)
            await one.looks(2)
            assert (one.gateway.table.config, one.error) == (everything, "")

    following(file, story)


def test_who_may_still_be_writing_is_waited_for(file: Path) -> None:
    """A file without an end of its last line, or that is a beginning of the old one, is used when it stands still."""

    async def story(one: Follower) -> None:
        for text in (TEXT[: TEXT.index("    embedding")], TEXT.replace("third", "other").rstrip()):
            put(file, text)
            await one.looks(4)
            assert one.used == ALL
            put(file, text + "# more")
            os.utime(file, ns=(1, 1))  # whatever the clock of the file system can tell apart
            await one.looks(4)
            assert one.used == ALL
            put(file, text)
            await one.looks()
            assert one.used != ALL
            put(file, TEXT)
            await one.looks()

    following(file, story)


def test_what_is_removed_by_command_is_removed(file: Path) -> None:
    """The last instance, the services, by rollback: at the next look but one, for the revision tells who did it."""

    async def story(one: Follower) -> None:
        store = one.store
        store.apply(lambda document: instances.remove(document, ServiceType.CHAT, "first"))
        store.apply(lambda document: instances.remove(document, ServiceType.CHAT, "second"))
        store.apply(lambda document: services.remove(document, ServiceType.EMBEDDING), Author.API)
        await one.looks(2)
        assert (one.used, one.error) == (set(), "")
        put(file, TEXT)
        await one.looks(2)
        store.apply(lambda _: Change(store.judged(b"", 0).document, "rolled back"))
        await one.looks(2)
        assert (one.used, one.error) == (set(), "")

    following(file, story)


def test_a_config_map_is_followed(tmp_path: Path) -> None:
    """Each state comes into force and is a revision, though the file is another one, in another folder, each time."""
    file = swap(tmp_path, 0, TEXT)

    async def story(one: Follower) -> None:
        for number in range(1, 4):
            swap(tmp_path, number, TEXT.replace("first", f"first-{number}"))
            await one.looks(2)
            assert f"first-{number}@http://10.0.0.1:8000" in one.used
            assert one.store.history.numbers == list(range(1, number + 2))
        swap(tmp_path, 4, "")
        await one.looks(2)
        assert "it has no instances" in one.error

    following(file, story)


def test_a_revision_that_is_noted_late(file: Path) -> None:
    """The file stands there a moment before its revision does: it is looked at again."""

    async def story(one: Follower) -> None:
        removing = Store(file)
        put(file, "# ours\n")
        await one.looks(2)
        assert one.used == ALL
        history, text = removing.history, removing.text()
        history.remove(history.numbers[-1])
        history.note(Author.CLI, "removed all", text, removing.read().digest, 100)
        await one.looks(1)
        assert (one.used, one.error) == (set(), "")

    following(file, story)


def huge(path: Path) -> None:
    """Put a gigabyte there, which takes no room."""
    path.touch()
    os.truncate(path, 1 << 30)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (os.mkfifo, "it is not a regular file"),
        (Path.mkdir, "it is a folder"),
        (lambda path: path.symlink_to("/dev/zero"), "it is not a regular file"),
        (lambda path: path.symlink_to(path.name), "Too many levels of symbolic links"),
        (huge, "it is larger than 16 MiB"),
        (lambda path: path.write_bytes(b"\0" * 300), "not valid YAML"),
    ],
)
def test_something_odd_in_place_of_the_file(file: Path, make: Callable[[Path], object], said: str) -> None:
    """It is neither waited for nor read without end; the configuration stays, and it is said why."""

    async def story(one: Follower) -> None:
        put(file, None)
        make(file)
        await one.looks()
        assert one.used == ALL
        assert said in one.error
        put(file, None)
        put(file, TEXT.replace("third", "other"))
        await one.looks()
        assert (one.error, "other@http://10.0.0.3:8000" in one.used) == ("", True)

    following(file, story)


@pytest.mark.parametrize("spoilt", [None, "model: [", "", TEXT[:-5], "server: {port: x}\n"])
def test_a_worker_that_begins_with_a_spoilt_file(file: Path, tmp_path: Path, spoilt: str | None) -> None:
    """It goes by what the others go by, the newest that was good; it says so, and follows the file from there."""
    folder = tmp_path / "shared"
    folder.mkdir(0o700)

    async def run() -> None:
        first = Follower(file, folder)
        await first.looks(3)
        newer = TEXT.replace("first", "new")
        put(file, newer)
        await first.looks(3)
        put(file, spoilt and spoilt.replace("first", "new"))
        await first.looks()
        second = Follower(file, folder)
        assert second.used == first.used == {one.replace("first", "new") for one in ALL}
        assert second.trouble is not None
        assert str(second.trouble) == first.error
        assert second.gateway.digest == first.gateway.digest
        put(file, TEXT)
        await second.looks(3)
        assert (second.used, second.error) == (ALL, "")
        assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]
        for one in (first, second):
            await one.gateway.upstream.aclose()

    asyncio.run(run())


def test_a_worker_that_was_too_slow_for_a_good_file(file: Path, tmp_path: Path) -> None:
    """Spoilt before it has looked, it goes by what another worker has taken over, so that all do the same."""
    folder = tmp_path / "shared"
    folder.mkdir(0o700)

    async def run() -> None:
        quick, slow = Follower(file, folder), Follower(file, folder)
        for one in (quick, slow):
            await one.looks(3)
        put(file, TEXT.replace("first", "new"))
        os.utime(file, ns=(1, 1))  # older than the one before, as a copy that keeps its time may be
        await quick.looks(2)
        put(file, "")
        for one in (slow, quick):
            await one.looks()
        assert slow.used == quick.used == {one.replace("first", "new") for one in ALL}
        assert slow.error == quick.error != ""
        for one in (quick, slow):
            await one.gateway.upstream.aclose()

    asyncio.run(run())


def test_a_gateway_that_begins_with_a_spoilt_file(file: Path, tmp_path: Path) -> None:
    """With nothing before it, that is an error; an empty file is a configuration like any other."""
    file.write_text("model: [")
    with pytest.raises(ConfigError):
        begin(Store(file), LastGood(tmp_path))
    file.write_text("")
    assert begin(Store(file), LastGood(tmp_path))[1] is None


def test_work_that_hangs_takes_one_thread() -> None:
    """Nobody waits for it for ever, nothing is begun behind it before it ends, and then all goes on."""
    gate, begun = threading.Event(), []

    def hang() -> None:
        begun.append(1)
        gate.wait()

    async def run() -> None:
        aside, before = Aside(), threading.active_count()
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await aside.run(hang, 0.01)
        assert (len(begun), threading.active_count() - before) == (1, 1)
        gate.set()
        assert await aside.run(lambda: 7, 10) == 7
        with pytest.raises(ZeroDivisionError):
            await aside.run(lambda: 1 // 0, 10)

    asyncio.run(run())
    gate.clear()
    with pytest.raises(TimeoutError):
        bounded(hang, 0.01)
    gate.set()
    assert bounded(lambda: 7, 10) == 7
