"""`config get|set|unset|edit|history|diff|rollback`, as a person types them."""

import json
import stat
from pathlib import Path

import pytest

from tests.process import config, run

CONFIG = """\
# ours
server: {port: 8123}
model:
  services:
    chat: # the talkers
      instances:
        - name: m # the small one
          base-url: http://h
          api-key: s3cret
"""
AT_START = "warning: server.port takes effect when the gateway is restarted\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a configuration file."""
    return config(tmp_path, CONFIG)


def said(file: Path, *arguments: str) -> str:
    """Run a command of `config` that succeeds; return what it prints."""
    done = run("config", *arguments, "--config", str(file), env={"NO_COLOR": "1"})
    assert (done.returncode, done.stderr.replace(AT_START, "")) == (0, ""), (arguments, done.stderr)
    return done.stdout


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("server.port", "8123\n"),
        ("server.workers", "1\n"),
        ("server.route-header", "false\n"),
        ("model.services.chat.instances[0].name", "m\n"),
        ("model.services.chat.instances[0].apiKey", "******\n"),
        ("webclient.connectionPool.max_connections", "500\n"),
        ("model.queue", '{\n  "size": 100,\n  "timeout": "30s"\n}\n'),
    ],
)
def test_getting(file: Path, key: str, value: str) -> None:
    """What is in force, in any spelling of the key."""
    assert said(file, "get", key) == value


@pytest.mark.parametrize(
    ("key", "value", "after"),
    [
        ("server.port", "9000", CONFIG.replace("8123", "9000")),
        ("server.locale", "en", CONFIG.replace("8123", "8123, locale: en")),
        (
            "model.services.chat.instances[0].max-concurrency",
            "4",
            CONFIG.replace("s3cret\n", "s3cret\n          max-concurrency: 4\n"),
        ),
        ("server.trusted-proxies", "[10.0.0.0/8]", CONFIG.replace("8123", "8123, trusted-proxies: [10.0.0.0/8]")),
        ("model.services.Embeddings.adapter", "ollama", CONFIG + "    embedding:\n      adapter: ollama\n"),
    ],
)
def test_setting_and_unsetting(file: Path, key: str, value: str, after: str) -> None:
    """Nothing else in the file is touched; unset, it is as it was."""
    assert said(file, "set", key, value) == f"set {key} to {value if value[0] != '[' else ['10.0.0.0/8']}\n"
    assert file.read_text() == after
    said(file, "rollback", "1")
    assert file.read_text() == CONFIG


def test_a_file_in_camel_case_stays_so(tmp_path: Path) -> None:
    """A key that is new to it is spelled as those around it."""
    file = config(tmp_path, "webClient: {connectTimeout: 5s}\nmodel: {services: {imgGen: {loadBalance: random}}}\n")
    said(file, "set", "web-client.heartbeat-interval", "3s")
    said(file, "set", "model.services.img-gen.max-retries", "1")
    assert file.read_text() == (
        "webClient: {connectTimeout: 5s, heartbeatInterval: 3s}\n"
        "model: {services: {imgGen: {loadBalance: random, maxRetries: 1}}}\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("get", "server.prot"), "unknown key 'server.prot'; did you mean server.port"),
        (("set", "server.prot", "1"), "unknown key 'server.prot'; did you mean server.port"),
        (
            ("set", "model.services.chatt.adapter", "x"),
            "unknown key 'model.services.chatt.adapter'; did you mean model.services.chat",
        ),
        (("set", "model.services.chat.instances[7].weight", "1"), "the list has 1 items"),
        (("set", "server..port", "1"), "keys are joined by dots"),
        (("set", "server.port", "many"), "server.port: expected a whole number, found 'many'"),
        (("set", "server.port", "[1"), "the value is not valid YAML"),
        (("unset", "server.locale"), "it is not in the file, so its default already applies"),
        (("rollback", "7"), "no revision 7; there are none yet"),
        (("diff", "7"), "no revision 7; there are none yet"),
        (("diff",), "no revision before this one; nothing has changed yet"),
        (("set", "server.port", "1", "--expect", "3"), "the configuration has changed: expected 3, found"),
    ],
)
def test_mistakes(file: Path, arguments: tuple[str, ...], message: str) -> None:
    """Each says what to do; the file stays as it was."""
    done = run("config", *arguments, "--config", str(file))
    assert done.returncode in {1, 2}
    assert message in done.stderr
    assert file.read_text() == CONFIG


def test_a_history(file: Path) -> None:
    """Who did what, and what it changed; keys are masked, unless they are asked for; only the owner may read it."""
    said(file, "set", "server.port", "9000")
    said(file, "set", "model.services.chat.instances[0].api-key", "0ther")
    listed = [line.split(maxsplit=4) for line in said(file, "history").splitlines()[1:]]
    assert [(number, author, summary.strip()) for number, _, _, author, summary in listed] == [
        ("3", "cli", "set model.services.chat.instances[0].api-key to ******"),
        ("2", "cli", "set server.port to 9000"),
        ("1", "file", "initial state"),
    ]
    changed = said(file, "diff", "1", "3")
    assert "-server: {port: 8123}\n+server: {port: 9000}" in changed
    assert "+          api-key: ******" in changed
    assert "s3cret" not in changed
    assert "0ther" not in changed
    assert "+          api-key: 0ther" in said(file, "diff", "--secrets")
    assert json.loads(said(file, "diff", "2", "--json"))["from"] == 2
    folder = file.with_name(".jairouter.yaml.revisions")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert said(file, "set", "server.port", "9001", "--expect", "3") == "set server.port to 9001\n"
    assert run("config", "set", "server.port", "9002", "--expect", "3", "--config", str(file)).returncode == 1


def test_only_so_many_are_kept(file: Path) -> None:
    """`store.max-revisions`, the newest, and the first."""
    said(file, "set", "store.max-revisions", "3")
    for port in range(5):
        said(file, "set", "server.port", str(9000 + port))
    assert [one["revision"] for one in json.loads(said(file, "history", "--json"))] == [7, 6, 5, 1]
    assert run("config", "rollback", "2", "--config", str(file)).stderr.startswith(
        "error: no revision 2; there are 1, 5 to 7"
    )


def editor(folder: Path, script: str) -> str:
    """Return an editor that runs a script on its file."""
    program = folder / "editor.sh"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(program)


def test_in_an_editor(tmp_path: Path, file: Path) -> None:
    """What is saved becomes a revision; a bad draft is kept, and the file as it was."""

    def edit(script: str) -> tuple[int, str]:
        done = run("config", "edit", "--config", str(file), env={"VISUAL": editor(tmp_path, script)})
        return done.returncode, done.stdout + done.stderr

    assert edit("sed -i s/8123/9000/ $1") == (0, f"edited by hand\n{AT_START}")
    assert file.read_text() == CONFIG.replace("8123", "9000")
    assert edit("true") == (0, "no changes\n")
    code, message = edit("sed -i s/9000/many/ $1")
    assert code == 2
    assert "server.port: expected a whole number" in message
    draft = Path(message.strip().rpartition(" ")[2])
    assert "many" in draft.read_text()
    draft.unlink()
    assert edit("exit 3") == (2, "error: the editor exited with code 3; nothing was changed\n")
    code, message = edit(f"sed -i s/9000/9001/ $1; sed -i s/9000/9002/ {file}")
    assert (code, "the configuration has changed" in message) == (1, True)
    assert "9002" in file.read_text()
    missing = run("config", "edit", "--config", str(file), env={"VISUAL": "/no/such/editor"})
    assert "cannot start the editor /no/such/editor" in missing.stderr
