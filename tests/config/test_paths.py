"""Which file is used: the named one, or the first that exists."""

import subprocess
import sys
from pathlib import Path

import pytest

from jairouter_cli.config import paths
from jairouter_cli.errors import ConfigNotFound


@pytest.fixture(autouse=True)
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the user's and the system's folders be below `tmp_path`."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "site"))


def made(file: Path) -> Path:
    """Make an empty file, and its folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    return file


def test_the_order(tmp_path: Path) -> None:
    """--config, JAIROUTER_CONFIG, the working folder (two names), the user's folder, the system's."""
    cwd = tmp_path / "work"
    files = [
        made(tmp_path / "explicit.yaml"),
        made(tmp_path / "environment.yaml"),
        made(cwd / "jairouter.yaml"),
        made(cwd / "jairouter.yml"),
        made(tmp_path / "user/jairouter/jairouter.yaml"),
        made(tmp_path / "site/jairouter/jairouter.yaml"),
    ]
    environ = {paths.VARIABLE: str(files[1])}
    assert paths.find(files[0], environ, cwd) == files[0]
    assert paths.find(None, environ, cwd) == files[1]
    found = []
    for _ in files[2:]:
        found.append(paths.find(None, {paths.VARIABLE: ""}, cwd))
        found[-1].unlink()
    assert found == files[2:]


def test_nothing_found(tmp_path: Path) -> None:
    """The error names every place in the order of looking, one a line."""
    with pytest.raises(ConfigNotFound) as caught:
        paths.find(None, {}, tmp_path)
    assert str(caught.value).splitlines() == [
        "no configuration file found; searched:",
        f"  {tmp_path}/jairouter.yaml",
        f"  {tmp_path}/jairouter.yml",
        f"  {tmp_path}/user/jairouter/jairouter.yaml",
        f"  {tmp_path}/site/jairouter/jairouter.yaml",
    ]


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    """No other is taken in its place; a relative name is one in the working folder."""
    made(tmp_path / "jairouter.yaml")
    for explicit, environ in ((Path("none.yaml"), {}), (None, {paths.VARIABLE: "none.yaml"})):
        with pytest.raises(ConfigNotFound) as caught:
            paths.find(explicit, environ, tmp_path)
        assert str(caught.value) == f"no configuration file found; searched:\n  {tmp_path}/none.yaml"
    assert paths.find(Path("jairouter.yaml"), {}, tmp_path) == tmp_path / "jairouter.yaml"


def test_a_named_file_that_cannot_be_looked_at(tmp_path: Path) -> None:
    """It is for the reading to say what is wrong with it."""
    impossible = Path("x" * 5000)
    assert paths.find(impossible, {}, tmp_path) == tmp_path / impossible


def test_where_a_new_file_goes(tmp_path: Path) -> None:
    """Where it is said, else into the working folder."""
    environ = {paths.VARIABLE: "/etc/e.yaml"}
    assert paths.default_target(Path("x.yaml"), environ, tmp_path) == tmp_path / "x.yaml"
    assert paths.default_target(None, environ, tmp_path) == Path("/etc/e.yaml")
    assert paths.default_target(None, {}, tmp_path) == tmp_path / "jairouter.yaml"


@pytest.mark.parametrize("home", [{}, {"HOME": ""}, {"HOME": "/nowhere"}])
def test_without_a_home(home: dict[str, str], tmp_path: Path) -> None:
    """A service's account may have none, nor an entry among the users; only whole paths are looked at."""
    script = (
        "import os, platformdirs\nfrom pathlib import Path\nfrom jairouter_cli.config import paths\n"
        "if os.geteuid() == 0: os.setuid(54321)\n"
        "print(all(place.is_absolute() for place in paths.places_to_look(Path('/w'))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=home, capture_output=True, text=True, check=False, cwd=Path.cwd()
    )
    assert (done.stdout, done.stderr) == ("True\n", "")
    assert not list(tmp_path.iterdir())
