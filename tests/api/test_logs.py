"""The log of a gateway that runs: a line for every request, levels that change, nothing that it should not know."""

import hashlib
import json
import os
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from jairouter_cli.state.shared import SharedMemory
from tests.backend import answer, backend, raw
from tests.process import Served, config, eventually, run, services, serving, shared_folder

CHAT: dict[str, object] = {"model": "m", "messages": [{"role": "user", "content": "PROMPT-MARKER"}]}
USAGE: dict[str, object] = {
    "choices": [{"message": {"content": "ANSWER-MARKER"}}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 4},
}
KEY = {"authorization": "Bearer KEY-MARKER"}


def lines(log: Path, logger: str = "jairouter.access") -> list[dict[str, Any]]:
    """Return what a logger said; every line of the log must be an object of JSON."""
    read = [json.loads(line) for line in log.read_text().splitlines()]
    assert all({"time", "level", "logger", "message"} <= set(line) for line in read)
    return [line for line in read if line["logger"] == logger]


def workers(served: Served) -> list[int]:
    """Return the processes that serve."""
    pid = served.process.pid
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("interface", ["rsgi", "asgi"])
def test_every_request_has_a_line_that_says_no_secret(tmp_path: Path, interface: str) -> None:
    """Good ones, those with two attempts, refused ones, and those to the gateway itself; none is lost at the end."""
    log = tmp_path / "log"
    with backend(answer({}, status="503 Busy")) as bad, backend(answer(USAGE)) as good:
        text = services(chat=[bad.url, good.url]) + "          api-key: OWN-MARKER\n" + "logging: {format: json}\n"
        arguments = ("--config", str(config(tmp_path, text)), "--interface", interface)
        with serving(*arguments, stderr=log) as served:
            for _ in range(20):
                served.post("/v1/chat/completions", json=CHAT, headers=KEY)
            served.post("/v1/chat/completions", json={"model": "x\ny"}, headers={"x-request-id": "mine"})
            served.post("/v1/embeddings", content=b"{", headers={"content-type": "application/json"})
            served.get("/v1/chat/completions")
            served.get("/api/nowhere?secret=QUERY-MARKER")
            served.get("/actuator/health")
    assert "MARKER" not in log.read_text()
    told = [line for line in lines(log) if line["path"] != "/v1/models"]
    counted = Counter((line["path"], line["method"], line["status"], line["ended"]) for line in told)
    assert counted == {
        ("/v1/chat/completions", "POST", 200, "ok"): 20,
        ("/v1/chat/completions", "POST", 404, "failed"): 1,
        ("/v1/chat/completions", "GET", 405, "failed"): 1,
        ("/v1/embeddings", "POST", 400, "failed"): 1,
        ("/api/nowhere", "GET", 404, "failed"): 1,
    }
    first = next(line for line in told if line["attempts"] == 1)
    assert (first["input_tokens"], first["output_tokens"], first["tokens_source"]) == (3, 4, "measured")
    assert first["key"] == hashlib.sha256(b"KEY-MARKER").hexdigest()[:12]
    assert first["instance"] == f"m@{good.url}"
    assert (first["request_bytes"], first["response_bytes"]) == (len(good.requests[0].body), len(json.dumps(USAGE)))
    assert next(line for line in told if line["status"] == 404)["request_id"] == "mine"
    # why it took two attempts is said by the other logger, once for each, and nothing is said twice
    trouble = [line for line in lines(log, "jairouter") if line["level"] == "WARN" and "request" in line["message"]]
    assert len(trouble) == sum(line.get("attempts", 0) > 1 for line in told) > 0


def test_a_log_that_nobody_reads_holds_up_nobody(tmp_path: Path) -> None:
    """The pipe is full after some hundred lines; requests are answered, and the end comes, with 0."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with backend(answer(USAGE)) as behind:
        file = config(tmp_path, services(chat=[behind.url]))
        with serving("--config", str(file), stderr=pipe) as served, served.client() as client:
            for _ in range(600):
                assert client.post("/v1/chat/completions", json=CHAT).status_code == 200
    held = os.read(reader, 1_000_000)
    os.close(reader)
    assert 0 < held.count(b"\n") < 600


def test_the_access_log_in_a_file(tmp_path: Path) -> None:
    """Told by a reload, rotated, written by two workers; turned off by another reload."""
    access = tmp_path / "access.log"
    with backend(answer(USAGE)) as behind:
        plain = services(chat=[behind.url])
        file = config(tmp_path, plain)
        with serving("--config", str(file), "--workers", "2", stderr=tmp_path / "log") as served:

            def asked(log: Path) -> int:
                served.post("/v1/chat/completions", json=CHAT)
                return len({line["pid"] for line in lines(log)}) if log.exists() else 0

            file.write_text(plain + f"logging: {{format: json, access: {{file: {access}}}}}\n")
            eventually(lambda: asked(access) == 2)
            access.rename(tmp_path / "access.1")
            eventually(lambda: asked(access) == 2)
            file.write_text(plain + "logging: {access: {enabled: false}}\n")
            eventually(lambda: (tmp_path / "log").read_text().count("configuration loaded") == 4)
            told = len(behind.requests)
            served.post("/v1/chat/completions", json=CHAT)
    # a line that waited while the format changed has the new one
    log = (tmp_path / "log").read_text()
    before = log.count(" 200 ok by ") + log.count('"path":"/v1/chat/completions"')
    assert before + len(lines(access)) + len(lines(tmp_path / "access.1")) == told == len(behind.requests) - 1


def test_levels_change_in_all_workers(tmp_path: Path) -> None:
    """By the file, and by what is said to one of them; requests of probes are told at DEBUG."""
    log = tmp_path / "log"
    plain = services(chat=["http://127.0.0.1:1"]) + "logging:\n  format: json\n"
    file = config(tmp_path, plain)
    with serving("--config", str(file), "--workers", "2", stderr=log) as served:

        def telling() -> set[int]:
            """Return the workers that tell of a probe now."""
            seen = len(lines(log))
            for _ in range(8):
                served.get("/actuator/health")
            served.get("/v1/models")
            eventually(lambda: any(line["path"] == "/v1/models" for line in lines(log)[seen:]))
            return {line["pid"] for line in lines(log)[seen:] if line["path"].startswith("/actuator")}

        assert telling() == set()
        file.write_text(plain + "  level: {org.unreal.modelrouter.access: DEBUG}\n")
        eventually(lambda: telling() == set(workers(served)))
        file.write_text(plain)
        eventually(lambda: telling() == set())
        with closing(SharedMemory(shared_folder(served), 2)) as crew:
            crew.set_level("jairouter", "DEBUG")
            eventually(lambda: telling() == set(workers(served)))
            crew.set_level("jairouter", None)
            eventually(lambda: telling() == set())


def test_at_debug_every_call_says_how_it_went(tmp_path: Path) -> None:
    """Which instances were tried and which were not, also where all is well."""
    log = tmp_path / "log"
    with backend(answer(USAGE)) as behind:
        text = services(chat=[behind.url]) + "logging: {level: {jairouter: DEBUG}}\n"
        with serving("--config", str(config(tmp_path, text)), stderr=log) as served:
            served.post("/v1/chat/completions", json=CHAT, headers={"x-request-id": "mine"})
    assert f"request mine (m@{behind.url}: 200)" in log.read_text()


def test_a_cut_stream_has_a_line_that_says_so(tmp_path: Path) -> None:
    """`truncated`, with what was heard of it."""
    log = tmp_path / "log"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    event = b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n'
    with backend(raw(head + b"%x\r\n" % len(event) + event + b"\r\n")) as behind:
        text = services(chat=[behind.url]) + "logging: {format: json}\n"
        with serving("--config", str(config(tmp_path, text)), stderr=log) as served:
            served.post("/v1/chat/completions", json={**CHAT, "stream": True})
    (line,) = (one for one in lines(log) if one["path"] == "/v1/chat/completions")
    assert (line["status"], line["ended"], line["tokens_source"], line["output_tokens"]) == (
        200,
        "truncated",
        "partial",
        1,
    )
    assert 0 < line["first_token_s"] <= line["total_s"]


def test_a_file_that_cannot_be_written_is_said_at_start(tmp_path: Path) -> None:
    """With what to do about it."""
    access = tmp_path / "none" / "access.log"
    file = config(tmp_path, f"logging: {{access: {{file: {access}}}}}\n")
    done = run("serve", "--config", str(file), "--port", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"error: logging.access.file: cannot write {access}: No such file or directory\n" in done.stderr
    assert "hint: create its folder" in done.stderr
