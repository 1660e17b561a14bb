"""`jairouter health` tells the truth: whose configuration answers, and which instances fail."""

import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from tests.backend import answer, backend
from tests.process import JAIROUTER, config, eventually, run, services, serving
from tests.terminal import Terminal

RARELY = "{type: round-robin, health-check: {interval: 1h}}"
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def test_an_instance_that_fails_is_not_up(tmp_path: Path) -> None:
    """One bad result does not take it out of use, and is not hidden either; a good one ends that."""
    with backend(answer({"ok": True})) as one:
        file = config(tmp_path, services(chat=[one.url]).replace("round-robin", RARELY))
        with serving("--config", str(file)) as served:
            seen = []
            for behave in (answer({"ok": True}), answer({}, status="503 No"), answer({"ok": True})):
                one.behave = behave
                served.post("/v1/chat/completions", json=CHAT)
                seen.append(run("health", "--url", served.url).stdout.splitlines())
    states = [(lines[2].split()[3], lines[3:]) for lines in seen]
    assert states == [("UP", []), ("FAILING", ["FAILING: 1 of 1 instance"]), ("UP", [])]


def test_another_configuration_is_named(tmp_path: Path) -> None:
    """A gateway that has the port, but not the file of whoever asks."""
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    for folder in (theirs, ours):
        folder.mkdir()
    file = config(theirs, services(chat=["http://127.0.0.1:1"]))
    with serving("--config", str(file)) as served:
        port = served.url.rpartition(":")[2]
        with_port = services(chat=["http://127.0.0.1:1"]).replace("server:", f"server:\n  port: {port}")
        own = config(ours, with_port)
        wrong = run("health", "--config", str(own))
        asked = [
            run(*words.split(), "--config", str(own))
            for words in ("explain chat m", "explain chat nobodys", "limits show --live", "top --once --interval 0.1")
        ]
        watched = Terminal([*JAIROUTER, "top", "--config", str(own)], 160, 24)
        try:
            eventually(lambda: watched.shows("uses another configuration, "))
            watched.type("q")
            assert watched.end() == 0
        finally:
            watched.process.kill()
            watched.close()
        file.write_text(with_port)
        right = run("health", "--config", str(file))
    assert [done.stderr.splitlines(keepends=True)[0] for done in asked] == [wrong.stderr] * 4
    assert wrong.stderr == f"warning: the gateway at {served.url} uses another configuration, {file}, not {own}\n"
    assert right.stderr == ""
    assert wrong.stdout.splitlines()[0].split(", ")[1] == f"configuration {file}"


@pytest.mark.parametrize("columns", [200, 40])
def test_it_fits_the_terminal(tmp_path: Path, columns: int) -> None:
    """As a table where there is room, else a line for each value; in a pipe always as a table."""
    file = config(tmp_path, services(chat=["http://127.0.0.1:1"]))
    with serving("--config", str(file)) as served:
        main, end = pty.openpty()
        environ = {**os.environ, "COLUMNS": str(columns), "NO_COLOR": "1", "TERM": "xterm"}
        command = [*JAIROUTER, "health", "--url", served.url]
        subprocess.run(command, stdout=end, env=environ, check=False, timeout=60)
        os.close(end)
        shown = re.sub(r"\x1b\[\d*m|\r", "", os.read(main, 65536).decode())
        os.close(main)
    lines = shown.splitlines()
    rows = {line.split("  ")[0]: line for line in lines}
    if columns == 40:
        assert {"SERVICE", "MODEL", "BASE URL", "STATUS"} <= set(rows)
        assert re.fullmatch(r"BASE URL +http://127.0.0.1:1", rows["BASE URL"].rstrip())
        assert all(len(line) <= columns for line in lines)
    else:
        assert any(re.match("SERVICE +MODEL +BASE URL +STATUS +BREAKER", line) for line in lines)
