"""A worker that does not take an edit over: the API and `--wait` say which, and neither waits for ever."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from jairouter_cli.cli.listening import bindable
from tests.process import JAIROUTER, Served, config, eventually, run, serving
from tests.terminal import Terminal


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Served, Path]]:
    """Run a gateway with two workers, at the port that its file names."""
    port = bindable("127.0.0.1", 0)
    text = f"server: {{locale: en, port: {port}}}\nmodel: {{services: {{chat: {{}}}}}}\n"
    file = config(tmp_path, text)
    with serving("--config", str(file), "--port", str(port), "--workers", "2") as one:
        yield one, file


def workers(client: httpx.Client) -> list[Any]:
    """Return what is in force in each worker."""
    found: list[Any] = client.get("/api/config/store/status").json()["data"]["workers"]
    return found


@contextmanager
def stopped(served: Served) -> Iterator[tuple[int, httpx.Client]]:
    """Hold a worker up; yield its number, and a client whose connection another one serves."""
    with httpx.Client(base_url=served.url, trust_env=False, timeout=10) as client:
        eventually(lambda: len(workers(client)) == 2 and all(one["digest"] for one in workers(client)))
        for worker in workers(client) * 8:  # whose connection it is, the kernel chooses
            os.kill(worker["pid"], signal.SIGSTOP)
            try:
                client.get("/api/models", timeout=1)
            except httpx.TimeoutException:  # it was the one that serves us
                os.kill(worker["pid"], signal.SIGCONT)
                continue
            try:
                yield worker["pid"], client
            finally:
                os.kill(worker["pid"], signal.SIGCONT)
            return
    raise AssertionError("no worker serves the client")


def test_a_worker_that_hangs_is_named(served: tuple[Served, Path]) -> None:
    """Through both doors; the edit stands, and the worker goes by it as soon as it can again."""
    gateway, file = served
    with stopped(gateway) as (pid, client):
        answer = client.post("/api/config/instance/add/chat", json={"name": "a", "baseUrl": "http://h"})
        data = answer.json()["data"]
        assert (answer.status_code, data["inForce"], data["workersBehind"]) == (201, False, [pid])
        edit = ("instances", "add", "chat", "b", "http://h", "--wait", "--config", str(file))
        done = run(*edit, env={"JAIROUTER_WAIT_TIMEOUT": "3"})
        assert (done.returncode, done.stdout) == (1, "added instance b@http://h to service chat\n")
        said = "error: the file was edited, but after 3 s these workers do not use the edit: "
        # the second only if each of its questions happened to go to the worker that hangs
        assert done.stderr.splitlines()[0] in {f"{said}{pid}", f"{said}no worker has responded"}
        misused = run(*edit[:3], "c", *edit[4:], env={"JAIROUTER_WAIT_TIMEOUT": "soon"})
        assert (misused.returncode, ": expected a number of seconds, found 'soon'" in misused.stderr) == (2, True)
    eventually(
        lambda: all("b" in {model["id"] for model in gateway.get("/v1/models").json()["data"]} for _ in range(6))
    )
    assert run("config", "set", "server.locale", "zh", "--wait", "--config", str(file)).returncode == 0


def test_a_terminal_shows_what_is_waited_for(served: tuple[Served, Path]) -> None:
    """And the line goes again; a program that reads the output does not see it."""
    _, file = served
    edit = ["config", "set", "server.worker-timeout", "70s", "--wait", "--config", str(file)]
    terminal = Terminal([*JAIROUTER, *edit], 80, 24)
    try:
        assert terminal.process.wait(20) == 0
        eventually(lambda: "waiting for the gateway to reload...\r\x1b[K" in terminal.text)
    finally:
        terminal.close()
    assert run(*edit).stderr == ""
