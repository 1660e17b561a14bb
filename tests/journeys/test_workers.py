"""Workers that die or hang, with real processes: the others serve on, and each comes back by itself."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.process import JAIROUTER, Served, config, eventually, serving, shared_folder, worker_pids

TEXT = "server: {{locale: en, worker-timeout: {timeout}}}\nmodel: {{services: {{chat: {{}}}}}}\n"


@contextmanager
def running(folder: Path, workers: int, timeout: str = "60s") -> Iterator[tuple[Served, Path, Path]]:
    """Run a gateway; yield it, its configuration file and its log."""
    file, log = config(folder, TEXT.format(timeout=timeout)), folder / "log"
    with serving("--config", str(file), "--workers", str(workers), stderr=log) as served:
        eventually(lambda: workers_of(served).get("states") == ["up"] * workers)
        yield served, file, log


def workers_of(served: Served) -> dict[str, Any]:
    """Return what health tells of the workers; nothing while nobody answers, or has been told."""
    with suppress(httpx.TransportError):
        components = served.get("/actuator/health").json()["components"]
        found: dict[str, Any] = components.get("workers", {}).get("details", {})
        return found
    return {}


def restarts(served: Served) -> float:
    """Return what the metric says."""
    text = served.get("/actuator/prometheus").text
    found = re.search(r"^jairouter_worker_restarts_total (\S+)", text, re.MULTILINE)
    assert found is not None
    return float(found[1])


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_again_and_again(tmp_path: Path, workers: int) -> None:
    """A burst of kills ends no gateway: each worker is replaced after a pause that grows, told, and counted."""
    with running(tmp_path, workers) as (served, _, log):
        assert restarts(served) == 0
        stays = set(worker_pids(served)[: workers - 1])
        for number in range(3):
            [victim] = set(worker_pids(served)) - stays
            os.kill(victim, signal.SIGKILL)
            eventually(lambda: workers_of(served).get("restarts") == number + 1 if stays else True)  # noqa: B023 - at once
            eventually(lambda: len(set(worker_pids(served)) - stays - {victim}) == 1)  # noqa: B023 - at once
            eventually(lambda: workers_of(served).get("states") == ["up"] * workers)
        assert stays <= set(worker_pids(served))
        told = workers_of(served)
        assert (told["restarts"], told["last"]["ended"]) == (3, "SIGKILL")
        assert restarts(served) == 3
    lines = re.findall(r"ERROR (worker \d ended: SIGKILL; restarting in \S+ s)", log.read_text())
    number = told["last"]["worker"]
    pauses = ("0.1", "0.2", "0.4")
    assert lines == [f"worker {number} ended: SIGKILL; restarting in {pause} s" for pause in pauses]


def test_one_whose_file_was_spoilt_does_not_end_the_others(tmp_path: Path) -> None:
    """However often it fails to start; it is there as soon as the file is good again."""
    with running(tmp_path, 2) as (served, file, log):
        stays, dies = worker_pids(served)
        file.chmod(0o600)
        text = file.read_text()
        file.unlink()
        file.mkdir()
        os.kill(dies, signal.SIGKILL)
        eventually(lambda: workers_of(served).get("restarts", 0) >= 1)
        assert [served.get("/v1/models").status_code for _ in range(8)] == [200] * 8
        file.rmdir()
        file.write_text(text)
        eventually(lambda: workers_of(served).get("states") == ["up", "up"], 30)
        assert stays in worker_pids(served)
    assert "worker 2 ended: SIGKILL; restarting in 0.1 s" in log.read_text()


SPOIL = """
import os, resource
os.register_at_fork(after_in_child=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)))
"""


def test_none_that_can_be_started_ends_the_gateway(tmp_path: Path) -> None:
    """With exit status 1 and the reason, once for each: there is nobody for whom it could go on."""
    file = config(tmp_path, TEXT.format(timeout="60s"))
    (tmp_path / "sitecustomize.py").write_text(SPOIL)
    command = [*JAIROUTER, "serve", "--config", str(file), "--workers", "2", "--port", "0"]
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=env)
    assert done.returncode == 1
    said = [line.partition("ERROR ")[2] for line in done.stderr.splitlines() if "ERROR " in line]
    assert said.count("this worker cannot start: [Errno 27] File too large") == 2
    assert said[-1] == "no worker could be started; see the errors above"


@pytest.mark.parametrize("workers", [1, 2])
def test_one_that_hangs_is_replaced(tmp_path: Path, workers: int) -> None:
    """Stopped, it is told, then killed; the others are left alone, and the metric counts it."""
    with running(tmp_path, workers, "2s") as (served, _, log):
        *stays, hangs = worker_pids(served)
        os.kill(hangs, signal.SIGSTOP)
        eventually(lambda: hangs not in worker_pids(served), 30)
        eventually(lambda: workers_of(served).get("states") == ["up"] * workers, 30)
        assert set(stays) < set(worker_pids(served))
        assert restarts(served) == 1
    said = [line.split(" ", 3)[3] for line in log.read_text().splitlines() if " worker " in line]
    assert said == [
        f"worker {workers} does not respond: silent for 1 s; killing it after 2 s",
        f"worker {workers} does not respond: killed after 2 s",
        f"worker {workers} ended: SIGKILL; restarting in 0.1 s",
    ]


def test_one_that_answers_again_is_left_alone(tmp_path: Path) -> None:
    """It was only slow."""
    with running(tmp_path, 1, "4s") as (served, _, log):
        [hangs] = worker_pids(served)
        os.kill(hangs, signal.SIGSTOP)
        eventually(lambda: "worker 1 does not respond: silent for 2 s" in log.read_text(), 30)
        os.kill(hangs, signal.SIGCONT)
        eventually(lambda: "worker 1 responds again after" in log.read_text())
        assert worker_pids(served) == [hangs]


def test_time_in_which_nobody_ran_does_not_count(tmp_path: Path) -> None:
    """As when a machine sleeps: parent and workers stop together for longer than the bound, and go on together."""
    with running(tmp_path, 2, "2s") as (served, _, log):
        pids = worker_pids(served)
        everybody = [served.process.pid, *pids]
        for pid in everybody:
            os.kill(pid, signal.SIGSTOP)
        with pytest.raises(httpx.TimeoutException):
            httpx.get(served.url + "/v1/models", trust_env=False, timeout=4)
        for pid in everybody:
            os.kill(pid, signal.SIGCONT)
        eventually(lambda: served.get("/v1/models").is_success)
        assert worker_pids(served) == pids
    assert "does not respond" not in log.read_text()


def test_the_folder_that_they_have_in_common_is_removed(tmp_path: Path) -> None:
    """It is made anew, and a worker that is replaced then has what the others have."""
    with running(tmp_path, 2) as (served, _, log):
        pids = worker_pids(served)
        shared = shared_folder(served)
        shutil.rmtree(shared)
        eventually((shared / "roll").is_symlink)
        os.kill(pids[0], signal.SIGKILL)
        eventually(lambda: workers_of(served).get("restarts") == 1)
        eventually(lambda: workers_of(served).get("states") == ["up", "up"])
        data = [served.get("/api/config/store/status").json()["data"]["workers"] for _ in range(6)]
        assert all({one["pid"] for one in each} == set(worker_pids(served)) for each in data)
        assert served.get("/actuator/health").json()["components"].get("tasks") is None
    assert f"{shared} was removed: creating it again" in log.read_text()
    assert "background task" not in log.read_text()
