"""`jairouter connect`: what it writes into other programs' files, and that it can be undone."""

import json
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, Final

import pytest
from ruamel.yaml import YAML

from jairouter_cli.cli.connect.clients import CLIENTS
from tests.process import JAIROUTER, Served, eventually, run, serving
from tests.terminal import Terminal

WITH_FILE: Final = [name for name, client in CLIENTS.items() if client.file]
CONTINUE: Final = (
    "name: Mine  # my own\nversion: 0.0.1\nschema: v1\nmodels:\n- {name: other, provider: ollama, model: m}\n"
)
FILES: Final = {
    "claude-code": (".claude/settings.json", '{\n    "model": "opus",\n    "env": {\n        "FOO": "bar"\n    }\n}'),
    "codex": (".codex/jairouter.config.toml", "# mine\n"),
    "continue": (".continue/config.yaml", CONTINUE),
    "opencode": (".config/opencode/opencode.json", '{"theme":"dark",\n  "provider": {"a": {"name": "A"}}}\r\n'),
    "aider": (".aider.conf.yml", "# mine\nmodel: gpt-4o   # the good one\r\ndark-mode: true\n"),
}


@pytest.fixture(scope="module")
def demo() -> Iterator[Served]:
    """Run the demo."""
    with serving("--demo") as served:
        yield served


class Home:
    """The folder of a user who has a gateway."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url

    def connect(self, *arguments: str, **environ: str) -> CompletedProcess[str]:
        """Run the command as this user."""
        unset = dict.fromkeys(("XDG_STATE_HOME", "XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME"), "")
        return run("connect", *arguments, "--url", self.url, env={**unset, "HOME": str(self.folder), **environ})

    def put(self, name: str, text: str) -> Path:
        """Write a file."""
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
        return file

    def files(self) -> dict[str, bytes]:
        """Return what is there, but for the records of what was changed."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file() and ".local" not in path.parts
        }


@pytest.fixture
def home(demo: Served, tmp_path: Path) -> Home:
    """Return an empty one."""
    return Home(tmp_path, demo.url)


@pytest.mark.parametrize("name", WITH_FILE)
def test_a_file_that_was_there_is_restored_byte_for_byte(home: Home, name: str) -> None:
    """Its mode too; and a second run with the same choice changes nothing."""
    place, text = FILES[name]
    file = home.put(place, text)
    file.chmod(0o640)
    done = home.connect(name, "--yes")
    assert done.returncode == 0, done.stderr
    assert (file.read_bytes() != text.encode(), stat.S_IMODE(file.stat().st_mode)) == (True, 0o640)
    assert f"nothing to change in {file}" in home.connect(name, "--yes").stdout
    assert home.connect(name, "--undo").stdout == f"{file} is as it was before\n"
    assert (home.files(), stat.S_IMODE(file.stat().st_mode)) == ({place: text.encode()}, 0o640)
    assert home.connect(name, "--undo").stderr.startswith(f"error: {name} is not connected\n")


@pytest.mark.parametrize("name", WITH_FILE)
def test_a_file_that_was_not_there_is_removed(home: Home, name: str) -> None:
    """With the folders that were made for it; what holds a key is for its user alone."""
    home.connect(name, "--yes")
    assert list(home.files()) == [FILES[name][0]]
    assert stat.S_IMODE((home.folder / FILES[name][0]).stat().st_mode) == 0o600
    home.connect(name, "--undo")
    assert [path.name for path in home.folder.iterdir()] == [".local"]


def test_what_is_written(home: Home) -> None:
    """Each program's own keys, with the address it wants; what was in the file stays."""
    for name in WITH_FILE:
        home.put(*FILES[name])
        home.connect(name, "--model", "demo-chat", "--yes")
    files = home.files()
    claude = json.loads(files[FILES["claude-code"][0]])
    wanted = {"FOO": "bar", "ANTHROPIC_BASE_URL": home.url, "ANTHROPIC_MODEL": "demo-chat"}
    assert (claude["model"], wanted.items() <= claude["env"].items()) == ("opus", True)
    assert claude["env"]["CLAUDE_CODE_ATTRIBUTION_HEADER"] == "0"
    codex = tomllib.loads(files[FILES["codex"][0]].decode())
    assert codex["model_providers"][codex["model_provider"]]["base_url"] == f"{home.url}/v1"
    opencode = json.loads(files[FILES["opencode"][0]])
    assert (opencode["theme"], list(opencode["provider"])) == ("dark", ["a", "jairouter"])
    assert opencode["provider"]["jairouter"]["options"]["baseURL"] == f"{home.url}/v1"
    yaml: dict[str, Any] = YAML(typ="safe").load(files[FILES["continue"][0]].decode())
    assert [(one["name"], one["model"]) for one in yaml["models"]] == [("other", "m"), ("JAiRouter", "demo-chat")]
    aider = files[FILES["aider"][0]].decode()
    assert "model: openai/demo-chat   # the good one\r\n" in aider


def test_another_model_takes_the_place_of_the_first(home: Home) -> None:
    """And undoing goes back to before the first."""
    file = home.put(".continue/config.yaml", CONTINUE)
    home.connect("continue", "--yes")
    home.connect("continue", "--yes", JAIROUTER_API_KEY="sk-of-mine")
    models = YAML(typ="safe").load(file.read_text())["models"]
    assert [(one["name"], one.get("apiKey")) for one in models] == [("other", None), ("JAiRouter", "sk-of-mine")]
    home.connect("continue", "--undo")
    assert file.read_text() == CONTINUE


@pytest.mark.parametrize("name", CLIENTS)
def test_the_key_is_not_shown(home: Home, name: str) -> None:
    """It is written where it must be, with a warning, and named by its variable where that is enough."""
    done = home.connect(name, "--yes", JAIROUTER_API_KEY="sk-of-mine")
    assert "sk-of-mine" not in done.stdout + done.stderr
    told = home.connect(name, "--print", "--json", JAIROUTER_API_KEY="sk-of-mine").stdout
    assert "sk-of-mine" not in told
    is_written = any(b"sk-of-mine" in data for data in home.files().values())
    assert is_written == (name in {"claude-code", "continue", "aider"}) == ("now holds the API key" in done.stderr)


@pytest.mark.parametrize(
    ("name", "place", "text", "said"),
    [
        ("claude-code", ".claude/settings.json", '{\n  // mine\n  "env": {}\n}', '"ANTHROPIC_BASE_URL"'),
        ("claude-code", ".claude/settings.json", '{"env": 3}', "cannot be edited"),
        ("claude-code", ".claude/settings.json", "[" * 5000, "cannot be edited"),
        ("opencode", ".config/opencode/opencode.jsonc", "{,}", "cannot be edited"),
        ("aider", ".aider.conf.yml", "- a\n- b\n", "cannot be edited"),
        ("aider", ".aider.conf.yml", "\udcff", "is not UTF-8"),
        ("continue", ".continue/config.json", "{}", "yaml-migration"),
    ],
)
def test_a_file_that_cannot_be_edited_stays(home: Home, name: str, place: str, text: str, said: str) -> None:
    """The error says what to add by hand, or to do first."""
    file = home.put(place, "")
    file.write_bytes(text.encode(errors="surrogateescape"))
    before = home.files()
    done = home.connect(name, "--yes")
    assert (done.returncode, said in done.stderr, home.files()) == (2, True, before)


def test_nothing_is_written_unless_told(home: Home) -> None:
    """In a script without --yes, with --print, and for a model that is not there."""
    done = home.connect("aider")
    assert (done.returncode, "+model: openai/demo-chat" in done.stdout) == (0, True)
    assert done.stderr == "nothing was written; use --yes to write it\n"
    home.connect("aider", "--print", "--yes")
    assert "did you mean demo-chat?" in home.connect("aider", "--model", "demo-cat", "--yes").stderr
    assert "did you mean claude-code?" in home.connect("cluade").stderr
    assert home.files() == {}


def test_a_file_that_was_changed_since_is_left(home: Home) -> None:
    """The original is named, and the next connection begins from what is there."""
    file = home.put(".aider.conf.yml", "dark-mode: true\n")
    home.connect("aider", "--yes")
    changed = file.read_text() + "light-mode: false\n"
    file.write_text(changed)
    done = home.connect("aider", "--undo")
    original = home.folder / ".local/state/jairouter/connect/aider/original"
    assert (done.returncode, str(original) in done.stderr, file.read_text()) == (2, True, changed)
    assert original.read_text() == "dark-mode: true\n"
    home.connect("aider", "--yes", JAIROUTER_API_KEY="sk-other")
    home.connect("aider", "--undo")
    assert file.read_text() == changed


def test_a_link_stays_a_link(home: Home) -> None:
    """What it leads to is edited, as those expect who keep such files elsewhere."""
    kept = home.put("dotfiles/aider.yml", "dark-mode: true\n")
    (home.folder / ".aider.conf.yml").symlink_to(kept)
    home.connect("aider", "--yes")
    assert ((home.folder / ".aider.conf.yml").is_symlink(), "openai-api-base" in kept.read_text()) == (True, True)
    home.connect("aider", "--undo")
    assert kept.read_text() == "dark-mode: true\n"


def test_a_folder_that_cannot_be_made(home: Home) -> None:
    """It is said, and nothing is written."""
    home.put(".codex", "a file")
    done = home.connect("codex", "--yes")
    assert (done.returncode, done.stderr.startswith("error: cannot ")) == (1, True)
    assert home.files() == {".codex": b"a file"}


def test_the_list(home: Home) -> None:
    """It says which are connected."""
    home.connect("codex", "--yes")
    told = json.loads(home.connect("--json").stdout)
    assert [one["client"] for one in told] == list(CLIENTS)
    assert [one["client"] for one in told if one["isConnected"]] == ["codex"]
    assert "codex        Codex CLI           connected" in home.connect().stdout


@pytest.mark.parametrize(("answer", "is_there"), [("y\n", True), ("n\n", False)])
def test_a_person_is_asked(home: Home, answer: str, *, is_there: bool) -> None:
    """With the change on the screen."""
    command = [*JAIROUTER, "connect", "aider", "--url", home.url]
    terminal = Terminal(command, 80, 24, HOME=str(home.folder), XDG_STATE_HOME=str(home.folder / ".local"))
    try:
        eventually(lambda: "[y/N]" in terminal.text or terminal.process.poll() is not None)
        assert "+openai-api-base" in terminal.text
        terminal.type(answer)
        assert terminal.end() == 0
    finally:
        terminal.close()
    assert (home.folder / ".aider.conf.yml").exists() == is_there


def test_variables_can_be_evaluated(home: Home) -> None:
    """For programs that have no file."""
    assert home.connect("copilot").stdout == (
        f"export COPILOT_PROVIDER_BASE_URL={home.url}/v1\nexport COPILOT_MODEL=demo-chat\n"
    )
