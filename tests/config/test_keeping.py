"""Revisions and usage stay where they are when what stands behind the configuration's links is replaced."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from jairouter_cli.config import keeping
from jairouter_cli.config.history import Author
from jairouter_cli.config.kinds import Url
from jairouter_cli.config.model import Instance, ServiceType
from jairouter_cli.config.ops import instances as ops
from jairouter_cli.config.store import Store
from jairouter_cli.errors import ConfigUnwritable
from jairouter_cli.observe.usage_file import place

TEXT = "model:\n  services:\n    chat:\n      instances:\n        - {name: m, base-url: http://h}\n"


def swap(folder: Path, number: int, text: str, name: str = "jairouter.yaml") -> Path:
    """Put a ConfigMap's next state into place, as Kubernetes does: all of it with one rename."""
    new = folder / f"..2026_11_25_{number}"
    (new / name).parent.mkdir(parents=True)
    (new / name).write_text(text)
    (folder / "..data_tmp").symlink_to(new.name)
    (folder / "..data_tmp").rename(folder / "..data")
    top = folder / Path(name).parts[0]
    if not top.is_symlink():
        top.symlink_to(f"..data/{top.name}")
    for old in folder.glob("..2026*"):
        if old != new:
            shutil.rmtree(old)
    return folder / name


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the user's folder for what is kept be below `tmp_path`."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv(keeping.VARIABLE, raising=False)
    return tmp_path / "state" / "jairouter"


def add(store: Store) -> None:
    """Add an instance."""
    store.apply(lambda document: ops.add(document, ServiceType.CHAT, Instance(name="n", base_url=Url("http://h"))))


@pytest.mark.parametrize("name", ["jairouter.yaml", "conf/jairouter.yaml", "conf/deep/jairouter.yaml"])
def test_a_config_map_that_is_replaced(tmp_path: Path, name: str) -> None:
    """Its history and its usage go on, each state is a revision, and nothing lies in the folder that goes."""
    mount = tmp_path / "mount"
    mount.mkdir()
    places = set()
    for number in range(1, 5):
        store = Store(swap(mount, number, f"# {number}\n{TEXT}", name))
        assert (store.note().number, store.history.numbers) == (number, list(range(1, number + 1)))
        beside = [path.name for path in store.file.resolve().parent.iterdir()]
        assert [path for path in beside if not path.endswith("lock")] == ["jairouter.yaml"]
        places.add(place(store.file, None, None))
        assert place(store.file, "u.db", None) == mount / "u.db"
    assert places == {mount / ".jairouter.yaml.usage.db"}
    assert store.history.folder == mount / ".jairouter.yaml.revisions"


def test_other_links_are_followed(tmp_path: Path) -> None:
    """By whichever name a file is called, it has one history; so it was before there was another place."""
    (tmp_path / "real").mkdir()
    file = tmp_path / "real" / "x.yaml"
    file.write_text(TEXT)
    (tmp_path / "folder").symlink_to("real")
    (tmp_path / "link.yaml").symlink_to("real/x.yaml")
    (tmp_path / "far.yaml").symlink_to(tmp_path / "folder" / "x.yaml")
    (tmp_path / "chain.yaml").symlink_to("link.yaml")
    names = (file, tmp_path / "folder" / "x.yaml", *(tmp_path / f"{one}.yaml" for one in ("link", "far", "chain")))
    assert {keeping.anchor(one) for one in names} == {file}
    (tmp_path / "circle.yaml").symlink_to("circle.yaml")
    assert keeping.anchor(tmp_path / "circle.yaml") == tmp_path / "circle.yaml"


def test_where_it_is_named(tmp_path: Path) -> None:
    """The environment goes before the file, and the file before its folder; also while the file cannot be used."""
    file = tmp_path / "jairouter.yaml"
    lines = {
        TEXT: ".",
        TEXT + "store: {state-dir: kept}\n": "kept",
        TEXT + "store:\n  stateDir: /var/kept # there\n": "/var/kept",
        TEXT + "store:\n  state-dir: '/var/kept'\nserver: [\n": "/var/kept",
        TEXT + "# state-dir: /not\n": ".",
        TEXT + "# state-dir: /not\nserver: [\n": ".",
    }
    for text, expected in lines.items():
        file.write_text(text)
        assert Store(file, environ={}).history.folder == tmp_path / expected / ".jairouter.yaml.revisions", text
        named = Store(file, environ={keeping.VARIABLE: "/env"})
        assert named.history.folder == Path("/env/.jairouter.yaml.revisions")
    assert place(file, None, "kept", {}) == tmp_path / "kept" / ".jairouter.yaml.usage.db"
    assert place(file, None, "kept", {keeping.VARIABLE: "/env"}) == Path("/env/.jairouter.yaml.usage.db")


def test_edits_with_a_place_of_its_own(tmp_path: Path) -> None:
    """The folder is made; the first and the second state are kept there; the place can be changed by an edit."""
    file = tmp_path / "jairouter.yaml"
    file.write_text(TEXT + "store: {state-dir: deep/kept}\n")
    add(Store(file))
    kept = tmp_path / "deep" / "kept" / ".jairouter.yaml.revisions"
    assert sorted(path.name for path in kept.iterdir()) == ["1.json", "2.json"]
    assert not (tmp_path / ".jairouter.yaml.revisions").exists()


def read_only_file(file: Path) -> None:
    """Let nobody write the file."""
    file.chmod(0o444)


def read_only_folder(file: Path) -> None:
    """Let nobody write the file's folder."""
    file.parent.chmod(0o555)


@pytest.mark.parametrize("close", [read_only_file, read_only_folder])
def test_a_read_only_file_has_a_history(tmp_path: Path, home: Path, close: Callable[[Path], None]) -> None:
    """Of what others make of it; edits are refused, and it is said what to do instead."""
    (tmp_path / "etc").mkdir()
    file = tmp_path / "etc" / "jairouter.yaml"
    file.write_text(TEXT)
    close(file)
    try:
        store = Store(file)
        with pytest.raises(ConfigUnwritable, match="is read-only; the file was not changed") as caught:
            add(store)
        assert caught.value.hint is not None
        assert caught.value.hint.startswith("change it at its source")
        assert store.note().author is Author.FILE
        assert store.history.numbers == [1]
        is_beside = close is read_only_file
        assert store.history.folder.is_relative_to(file.parent if is_beside else home)
        assert place(file, None, None).is_relative_to(file.parent if is_beside else home)
    finally:
        file.parent.chmod(0o755)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_folder_that_is_mounted_read_only(tmp_path: Path, home: Path) -> None:
    """As a ConfigMap is: root may not write there either, though the mode says so."""
    source, mount = tmp_path / "source", tmp_path / "mount"
    source.mkdir()
    mount.mkdir()
    swap(source, 1, TEXT)
    command = ["mount", "--bind", "-o", "ro", str(source), str(mount)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        store = Store(mount / "jairouter.yaml")
        with pytest.raises(ConfigUnwritable, match="its file system is read-only; the file was not changed"):
            add(store)
        for number in (1, 2, 3):
            swap(source, number + 1, f"# {number}\n{TEXT}")
            assert store.note().number == number
        assert store.history.folder.is_relative_to(home)
    finally:
        subprocess.run(["umount", mount], check=True)
