"""Real workers whose file was spoilt: all of them serve what was good, those that take the place of the dead, too."""

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from jairouter_cli.config.store import Store, digest_of
from tests.backend import answer, backend
from tests.process import Served, config, eventually, run, services, serving, worker_pids

TEXT = services(chat=["http://10.0.0.1:1"], embedding=["http://10.0.0.2:1"])


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Served, Path]]:
    """Run a gateway with two workers over a backend that answers."""
    with backend(answer({"choices": []})) as behind:
        file = config(tmp_path, services(chat=[behind.url], embedding=[behind.url]))
        with serving("--config", str(file), "--workers", "2") as one:
            eventually(lambda: len(workers(one)) == 2)
            eventually(lambda: Store(file).history.numbers == [1])
            yield one, file


def workers(served: Served) -> list[dict[str, object]]:
    """Return what is in force in each worker."""
    found: list[dict[str, object]] = served.get("/api/config/store/status").json()["data"]["workers"]
    return found


def errors(served: Served) -> set[str]:
    """Return what the health of whichever worker is asked says of the file."""
    found = [served.get("/actuator/health").json()["components"]["config"].get("details", {}) for _ in range(8)]
    return {str(one.get("error", "")) for one in found}


def replaced(served: Served) -> None:
    """Kill a worker, and wait for the one that takes its place."""
    killed = worker_pids(served)[0]
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: _are_there(served, killed), 30)


def _are_there(served: Served, killed: int) -> bool:
    try:
        pids = {one["pid"] for one in workers(served)}
    except httpx.TransportError:  # the connection was the dead one's
        return False
    return len(pids) == 2 and killed not in pids and "" not in in_force(served)


def spoil(file: Path, spoilt: str | None) -> None:
    """Put something else in place of the file's text, nothing at all, or its beginning."""
    if spoilt is None:
        file.unlink()
    else:
        file.write_text(file.read_text()[:-9] if spoilt == "cut" else spoilt)


def test_a_worker_dies_while_the_file_is_spoilt(served: tuple[Served, Path]) -> None:
    """The next one goes by what the others go by, and says, as they do, what is wrong; a good file is used by all."""
    gateway, file = served
    text = file.read_text()
    for number, spoilt in enumerate(("model: [", "", None, "cut")):
        spoil(file, spoilt)
        eventually(lambda: "" not in errors(gateway))
        used = in_force(gateway)
        assert len(used) == 1
        replaced(gateway)
        assert in_force(gateway) == used
        assert len(errors(gateway)) == 1
        assert {chat(gateway) for _ in range(8)} == {200}
        file.write_text(f"# good again, {number}\n{text}")
        digest = digest_of(file.read_bytes())
        eventually(partial(_goes_by, gateway, digest))


def in_force(served: Served) -> set[object]:
    """Return the digests of the configurations that workers use."""
    return {one["digest"] for one in workers(served)}


def _goes_by(served: Served, digest: str) -> bool:
    return errors(served) == {""} and in_force(served) == {digest}


def chat(served: Served) -> int:
    """Ask for an answer over a connection of its own."""
    return served.post("/v1/chat/completions", json={"model": "m", "messages": []}).status_code


def test_an_emptied_file_is_put_back_or_emptied_by_command(served: tuple[Served, Path]) -> None:
    """Edits over the API are not made on what is left of it; rollback puts it back; commands may remove everything."""
    gateway, file = served
    text = file.read_text()
    file.write_text("# oops\n")
    eventually(lambda: "" not in errors(gateway))
    added = gateway.post("/api/config/instance/add/chat", json={"name": "x", "baseUrl": "http://h"})
    assert added.status_code == 400
    assert "it has no instances" in added.json()["message"]
    assert file.read_text() == "# oops\n"
    assert gateway.post("/api/config/version/rollback/1").status_code == 200
    assert (file.read_text(), errors(gateway)) == (text, {""})
    for service in ("chat", "embedding"):
        assert run("services", "remove", service, "--config", str(file)).returncode == 0
    eventually(lambda: errors(gateway) == {""})
    eventually(lambda: {len(gateway.get("/v1/models").json()["data"]) for _ in range(8)} == {0})
