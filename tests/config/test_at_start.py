"""Keys that are read at start."""

from pathlib import Path

import pytest

from jairouter_cli.config.at_start import AT_START, waiting_for_start
from jairouter_cli.config.document import Document
from jairouter_cli.config.model import Config
from jairouter_cli.config.parse import parse
from tests.process import config, eventually, run, services, serving


def parsed(text: str) -> Config:
    """Return a configuration."""
    return parse(Document.load(text, "jairouter.yaml")).config


@pytest.mark.parametrize(
    ("text", "waiting"),
    [
        ("server: {port: 1, locale: en, workers: 2}", ("server.port", "server.workers")),
        ("server: {host: 0.0.0.0, shutdown: {timeout: 5s}}", ("server.host", "server.shutdown")),
        (
            "webclient: {connection-pool: {max-connections: 9}, ssl: {trust-all: true}, read-timeout: 1s}",
            ("webclient.ssl", "webclient.connection-pool"),
        ),
        ("state: redis://h\nmodel: {max-retries: 1}", ("state",)),
        ("model: {services: {chat: {instances: [{name: m, base-url: 'http://h'}]}}}", ()),
    ],
)
def test_what_waits_for_the_next_start(text: str, waiting: tuple[str, ...]) -> None:
    """Only what changed, by the names that the file has."""
    assert waiting_for_start(Config(), parsed(text)) == waiting
    assert waiting_for_start(parsed(text), parsed(text)) == ()


def test_every_path_is_a_field() -> None:
    """None was renamed."""
    assert waiting_for_start(Config(), Config()) == ()
    assert len(set(AT_START)) == len(AT_START)


def test_the_command_and_the_log_say_so(tmp_path: Path) -> None:
    """With `--wait`, the gateway is asked where it is, not where it is going to be."""
    file = config(tmp_path, services(chat=["http://127.0.0.1:1"]))
    with serving("--config", str(file), stderr=tmp_path / "log") as served:
        port = served.url.rpartition(":")[2]
        run("config", "set", "server.port", port, "--config", str(file))
        done = run("config", "set", "server.port", "1", "--wait", "--config", str(file))
        assert (done.returncode, done.stdout, done.stderr) == (
            0,
            "set server.port to 1\n",
            "warning: server.port takes effect when the gateway is restarted\n",
        )
        said = "WARN server.port has changed: it takes effect when the gateway is restarted"
        eventually(lambda: said in (tmp_path / "log").read_text())
    opened = run("config", "set", "server.host", "0.0.0.0", "--config", str(file))
    assert opened.stderr.splitlines()[1].startswith("warning: listening on 0.0.0.0 without authentication")
