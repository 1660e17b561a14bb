"""`jairouter top` in a real terminal, in front of a real gateway; and what it goes by is what happened."""

import json
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jairouter_cli.cli.listening import bindable
from tests.backend import answer, backend, raw
from tests.process import JAIROUTER, Served, config, eventually, run, serving
from tests.terminal import Terminal

CHAT: dict[str, Any] = {"model": "demo-chat", "messages": [{"role": "user", "content": "Hello"}]}
STREAM = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}


@pytest.fixture(scope="module")
def demo() -> Iterator[Served]:
    """Run the demo."""
    with serving("--demo", "--workers", "2") as served:
        yield served


@contextmanager
def load(served: Served) -> Iterator[None]:
    """Send streams, one after the other, until the block ends."""
    is_over = threading.Event()

    def send() -> None:
        with served.client() as client:
            while not is_over.is_set():
                client.post("/v1/chat/completions", json=STREAM)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


@contextmanager
def watching(url: str, *options: str, width: int = 80, height: int = 24, **environ: str) -> Iterator[Terminal]:
    """Run `jairouter top` in a terminal."""
    command = [*JAIROUTER, "top", "--url", url, "--interval", "0.2", *options]
    terminal = Terminal(command, width, height, **environ)
    try:
        eventually(lambda: terminal.shows("jairouter top") or terminal.process.poll() is not None)
        assert terminal.process.poll() is None, terminal.text
        yield terminal
    finally:
        if terminal.process.poll() is None:
            terminal.process.kill()
        terminal.process.wait()
        terminal.close()


def rates(terminal: Terminal) -> dict[str, str]:
    """Return the column of requests, by instance."""
    return {line.split("@")[0].split()[0]: line.split()[3] for line in terminal.screen() if line.startswith("demo-")}


def test_a_terminal_of_80_by_24_under_load(demo: Served) -> None:
    """Rows with rates that move, keys that sort and reverse and pause, and `q`; the terminal is as before."""
    with load(demo), watching(demo.url) as terminal:
        eventually(lambda: rates(terminal).get("demo-chat", "-") not in {"-", "0"})
        eventually(lambda: next(iter(rates(terminal))) == "demo-chat")
        assert len(rates(terminal)) == 7
        assert terminal.screen()[0].startswith(f"jairouter top  {demo.url}  2 workers, revision ")
        assert max(map(len, terminal.screen())) <= 80
        terminal.type("ni")
        eventually(lambda: terminal.shows("i REVERSE  sort: req err flight token out NAME"))
        assert list(rates(terminal)) == sorted(rates(terminal), reverse=True)
        terminal.type("p")
        eventually(lambda: terminal.shows("PAUSED"))
        still = rates(terminal)
        terminal.type("n")
        eventually(lambda: terminal.shows("i reverse"))
        assert rates(terminal) == still
        terminal.type("q")
        assert terminal.end() == 0
        assert terminal.text.count("\x1b[?1049h") == terminal.text.count("\x1b[?1049l") == 1
        assert terminal.text.rindex("\x1b[?25h") > terminal.text.rindex("\x1b[?25l"), "the cursor stays hidden"


@pytest.mark.parametrize(("order", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_signals_give_the_terminal_back(demo: Served, order: int, code: int) -> None:
    """Ctrl-C is a way out like `q`; whoever ends it sees it ended."""
    with watching(demo.url) as terminal:
        terminal.process.send_signal(order)
        assert terminal.end() == code
        assert "\x1b[?1049l" in terminal.text
        assert "Traceback" not in terminal.text


def test_few_lines_and_no_colours(demo: Served) -> None:
    """Arrows scroll; a new size is filled; with NO_COLOR there is none."""
    with watching(demo.url, "--sort", "name", height=10, NO_COLOR="1") as terminal:
        eventually(lambda: terminal.shows("1-3 of 7"))
        assert list(rates(terminal)) == ["demo-chat", "demo-embedding", "demo-image"]
        terminal.type("\x1b[B\x1b[B")
        eventually(lambda: terminal.shows("3-5 of 7"))
        terminal.type("\x1b[F")
        eventually(lambda: terminal.shows("5-7 of 7"))
        assert list(rates(terminal)) == ["demo-rerank", "demo-stt", "demo-tts"]
        assert not re.findall(r"\x1b\[[0-9;]*3[0-9]m", terminal.text)


def test_a_gateway_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    """What was seen last stays, with what is wrong; then it goes on."""
    port = str(bindable("127.0.0.1", 0))
    file = str(
        config(tmp_path, "model: {services: {chat: {instances: [{name: m, base-url: 'http://127.0.0.1:9'}]}}}\n")
    )
    with serving("--config", file, "--port", port) as served, watching(served.url) as terminal:
        served.process.send_signal(signal.SIGTERM)
        eventually(lambda: terminal.shows("retrying"), 30)
        assert terminal.shows("m@127.0.0.1:9")
        with serving("--config", file, "--port", port):
            eventually(lambda: not terminal.shows("retrying"))
            terminal.type("q")
            assert terminal.end() == 0


def test_once_as_json(demo: Served) -> None:
    """For scripts: what happened within one interval, and exit code 0."""
    with load(demo):
        done = run("top", "--once", "--json", "--interval", "1", "--url", demo.url)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["workers"] == 2
    assert (found["errorShare"], found["rejectedPerS"]) == (0, 0)
    assert found["requestsPerS"] > 0
    chat, *others = found["instances"]
    assert (chat["id"].partition("@")[0], chat["state"]) == ("demo-chat", "UP")
    assert chat["requestsPerS"] > 0
    assert chat["outputTokensPerS"] > 0
    assert 0 < chat["firstTokenP50S"] <= chat["firstTokenP95S"]
    assert {one["requestsPerS"] for one in others} == {0}


def test_once_as_text(demo: Served) -> None:
    """Whole names, every column, no escapes."""
    done = run("top", "--once", "--interval", "0.1", "--sort", "name", "--url", demo.url)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[3].split() == [
        *("INSTANCE", "HEALTH", "BREAKER", "REQ/S", "ERR/S", "FLIGHT", "FT50", "FT95", "TOKIN", "TOKOUT"),
        *("SERVICE", "LATENCY", "ERR%", "SLOTS", "WAIT"),
    ]
    assert [line.split("@")[0] for line in lines[4:]] == sorted(line.split("@")[0] for line in lines[4:])
    assert len(lines) == 4 + 7
    assert "\x1b" not in done.stdout


NO_TERMINAL = """\
error: standard output is not a terminal with cursor control

hint: use --once in scripts
"""
NOT_ONCE = (
    '{"error": {"kind": "UsageError", "message": "--json needs --once", '
    '"hint": "run `jairouter top --once --json`", "exitCode": 2}}\n'
)


def test_misuse(demo: Served) -> None:
    """Said clearly, with the exit codes of the other commands."""
    for options, said in (((), NO_TERMINAL), (("--json",), NOT_ONCE)):
        done = run("top", "--url", demo.url, *options)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", said)
    nobody = run("top", "--once", "--url", f"http://127.0.0.1:{bindable('127.0.0.1', 0)}")
    assert (nobody.returncode, nobody.stdout) == (3, "")
    assert nobody.stderr.startswith("error: cannot reach a gateway at http://127.0.0.1:")


def test_something_else_at_that_place() -> None:
    """An answer that is none of a gateway's."""
    with backend(answer({})) as other:
        done = run("top", "--once", "--url", other.url)
    assert done.returncode == 3
    assert "does not understand" in done.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_was_counted_is_what_happened(tmp_path: Path, workers: str) -> None:
    """For all workers together: by instance what backends saw, in total what clients got."""
    usage = b'data: {"usage": {"prompt_tokens": 3, "completion_tokens": 5}, "choices": []}\n\n'
    event = b'data: {"choices": [{"index": 0, "delta": {"content": "a"}}]}\n\n'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    with backend(raw(head, event, usage, b"data: [DONE]\n\n")) as good, backend(answer(b"no", "500 Oops")) as bad:
        text = (
            "server: {locale: en, admin-token: t0ken}\nmodel:\n"
            "  load-balance: {type: round-robin, health-check: {enabled: false}}\n  services:\n    chat:\n"
            "      rate-limit: {enabled: true, capacity: 12, rate: 0.0001}\n      instances:\n"
            f"        - {{name: m, base-url: '{good.url}', max-concurrency: 4}}\n"
            f"        - {{name: n, base-url: '{bad.url}', circuit-breaker: {{enabled: true, failure-threshold: 50}}}}\n"
        )
        with serving("--config", str(config(tmp_path, text)), "--workers", workers) as served:
            statuses = [
                served.post("/v1/chat/completions", json={**STREAM, "model": model}).status_code
                for model in "mmmmmmmmnnnnnn"
            ]
            assert [statuses.count(status) for status in (200, 500, 429)] == [8, 4, 2]
            assert served.get("/api/monitoring/live").status_code == 401

            def found() -> Any:
                return served.get("/api/monitoring/live", headers={"x-admin-token": "t0ken"}).json()

            eventually(lambda: found()["totals"]["requests"] == 14)
            totals = found()["totals"]
            assert [totals[key] for key in ("errors", "rejected", "inFlight", "waiting")] == [4, 2, 0, 0]
            assert sum(totals["durations"]) == 14
            first, second = found()["instances"]
            keys = ("id", "requests", "failures", "inputTokens", "outputTokens", "breaker", "slots")
            slots = {"limit": 4, "taken": 0, "waiting": 0}
            assert [first[key] for key in keys] == [f"m@{good.url}", len(good.requests), 0, 24, 40, None, slots]
            assert [second[key] for key in keys[:3]] == [f"n@{bad.url}", len(bad.requests), len(bad.requests)]
            assert (second["breaker"], second["slots"]) == ("CLOSED", None)
            assert (sum(first["firstTokens"]), sum(second["firstTokens"])) == (8, 0)
            assert found()["era"] == found()["era"]
            env = {"JAIROUTER_ADMIN_TOKEN": "wrong"}
            refused = run("top", "--once", "--url", served.url, env=env)
            assert (refused.returncode, "admin token" in refused.stderr) == (1, True)
            done = run(
                "top",
                "--once",
                "--interval",
                "0.1",
                "--config",
                str(tmp_path / "jairouter.yaml"),
                "--url",
                served.url,
                env={"JAIROUTER_ADMIN_TOKEN": "t0ken"},
            )
            assert done.returncode == 0
