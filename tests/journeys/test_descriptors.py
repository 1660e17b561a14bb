"""A gateway that may open few files only."""

import logging
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from jairouter_cli.serve.descriptors import Room, Watch
from tests import process
from tests.backend import answer, backend
from tests.process import config, eventually, services, serving

FULL = (
    "no room for more connections: {} clients (of at most 100), {} open files (of at most 264); new clients wait until "
    "others leave; raise the limit (ulimit -n, LimitNOFILE= of systemd)"
)
AGAIN = "there is room for more connections again: {} clients, {} open files"


@pytest.mark.parametrize(
    ("limits", "room"), [("100, 1024", "1024 480"), ("264, 264", "264 100"), ("40, 40", "40 1")], ids=str
)
def test_the_limit_is_raised_and_shared(limits: str, room: str) -> None:
    """As far as it goes; half of what a worker does not need itself is for backends."""
    code = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({})); "
    code += "from jairouter_cli.serve.descriptors import make_room; print(*make_room()); "
    code += "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    done = subprocess.run([sys.executable, "-c", code.format(limits)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [*room.split(), room.split(maxsplit=1)[0]]


def test_what_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """For each episode: too many clients, or too many files for a backend's connection; and its end."""
    watch = Watch(Room(264, 100), 0)
    caplog.set_level(logging.INFO, "jairouter")
    for used, clients in ((130, 99), (140, 100), (150, 100), (140, 91), (120, 89), (263, 60), (264, 60), (200, 60)):
        watch.note(used, clients)
    assert [record.getMessage() for record in caplog.records] == [
        FULL.format(100, 140),
        AGAIN.format(89, 120),
        FULL.format(60, 263),
        AGAIN.format(60, 200),
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="the files are counted on Linux")
def test_more_clients_than_there_is_room_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They wait, the log says so, and all is well when others have left."""
    monkeypatch.setattr(process, "JAIROUTER", ["sh", "-c", 'ulimit -n 264; exec "$@"', "sh", *process.JAIROUTER])
    log = tmp_path / "log"
    with backend(answer({})) as behind:
        file = config(tmp_path, services(chat=[behind.url]))
        with serving("--config", str(file), stderr=log, apart=True) as served:
            with ExitStack() as idle:
                for _number in range(150):
                    idle.enter_context(socket.create_connection(("127.0.0.1", int(served.url.rpartition(":")[2]))))
                eventually(lambda: "no room for more connections: 100 clients (of at most 100)" in log.read_text())
            assert served.post("/v1/chat/completions", json={"model": "m", "messages": []}).status_code == 200
            eventually(lambda: "there is room for more connections again" in log.read_text())
    said = log.read_text()
    assert "WARN this process may open only 264 files, so each worker accepts at most 100 clients; " in said
    assert said.count("no room for more connections") == 1
