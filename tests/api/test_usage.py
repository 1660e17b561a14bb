"""The ledger of tokens over real servers: what it says is what backends and clients saw."""

import json
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from jairouter_cli.observe.fingerprint import fingerprint
from tests.backend import Backend, answer, backend, raw
from tests.process import Served, config, eventually, mock, run, services, serving

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
CHUNK = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"one "}}],"usage":null}\n\n'
USAGE = b'data: {"id":"1","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}\n\n'
DONE = b"data: [DONE]\n\n"
CHAT = b'{"model": "m", "stream" : true, "messages": [{"role": "user", "content": "hi"}]}'
ASKED = b'{"stream_options":{"include_usage":true},' + CHAT[1:]
JSON = {"content-type": "application/json"}


def ledger(file: Path) -> Path:
    """Return where the ledger of a configuration is."""
    return file.with_name(f".{file.name}.usage.db")


def statistics(served: Served) -> Any:
    """Return what the API says."""
    return served.get("/api/token-usage/statistics").json()["data"]


def shown(file: Path, *options: str) -> Any:
    """Return what the command says."""
    done = run("usage", "--config", str(file), "--json", *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_sums_are_those_of_the_backends(tmp_path: Path, workers: str) -> None:
    """Whole answers, streams with and without usage, embeddings; two keys: every token, on the books at a clean end."""
    with mock("one") as (_, one), mock("two") as (_, two):
        text = services(chat=[one, two], embedding=[one]) + "usage: {ask-in-streams: true, flush-interval: 1h}\n"
        file = config(tmp_path, text)
        with serving("--config", str(file), "--workers", workers) as served:
            told = [_use(served, key) for key in ("k1", "k2")]
    keys = {row["key"]: row for row in shown(file, "--by", "key")["rows"]}
    for key, (prompt, written) in zip(("k1", "k2"), told, strict=True):
        row = keys.pop(fingerprint(f"Bearer {key}"))
        assert row["requests"] == 20  # an SDK may close behind the last event, and before the end: it has left then
        assert (row["inputTokens"], row["outputTokens"]) == (prompt, written)
        assert row["bySource"] == {"measured": prompt + written, "estimated": 0, "partial": 0}
    assert keys == {}
    by_service = {row["service"]: row["requests"] for row in shown(file, "--by", "service")["rows"]}
    assert by_service == {"chat": 32, "embedding": 8}
    instances = {row["instance"]: row["requests"] for row in shown(file, "--by", "instance")["rows"]}
    assert sum(instances.values()) == 40
    assert set(instances) == {f"m@{one}", f"m@{two}"}


def _use(served: Served, key: str) -> tuple[int, int]:
    """Make calls of every kind; return the tokens that the backends have told, or would have."""
    prompt = written = 0
    for number in range(4):
        # a connection each, so that all workers get some
        with openai.OpenAI(base_url=f"{served.url}/v1", api_key=key, max_retries=0) as client:
            said: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": "a " * number}]
            whole = client.chat.completions.create(model="m", messages=said)
            assert whole.usage is not None
            prompt, written = prompt + whole.usage.prompt_tokens, written + whole.usage.completion_tokens
            chunks = list(
                client.chat.completions.create(
                    model="m", messages=said, stream=True, stream_options={"include_usage": True}
                )
            )
            assert chunks[-1].usage == whole.usage
            prompt, written = prompt + whole.usage.prompt_tokens, written + whole.usage.completion_tokens
            unasked = list(client.chat.completions.create(model="m", messages=said, stream=True))
            assert all(chunk.choices for chunk in unasked), "nobody sees the frame who has not asked"
            assert len(unasked) == len(chunks) - 1
            prompt, written = prompt + whole.usage.prompt_tokens, written + whole.usage.completion_tokens
            pieces = list(client.completions.create(model="m", prompt="b c", stream=True))
            assert all(piece.choices for piece in pieces)
            prompt, written = prompt + 2, written + len(pieces) - 1
            vectors = client.embeddings.create(model="m", input=["a b", "c"])
            prompt += vectors.usage.prompt_tokens
    return prompt, written


@dataclass
class Front:
    """A gateway that asks in streams, and the backend behind it."""

    served: Served
    backend: Backend
    file: Path

    def stream(self, path: str, body: bytes, **headers: str) -> bytes:
        """Send a request, return every byte of the answer."""
        return self.served.post(path, content=body, headers=JSON | headers).content


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """Run them for all tests below."""
    with backend(answer({})) as behind:
        text = services(chat=[behind.url]) + "usage: {ask-in-streams: true, flush-interval: 50ms}\n"
        file = config(tmp_path_factory.mktemp("usage"), text)
        with serving("--config", str(file)) as served:
            yield Front(served, behind, file)


@pytest.fixture
def front(running: Front) -> Front:
    """Begin anew."""
    running.backend.requests.clear()
    return running


def newest(front: Front) -> Any:
    """Return the last call that is on the books, once there is one: a stream is entered after its client has it."""
    return eventually(lambda: front.served.get("/api/token-usage/recent?limit=1").json()["data"])[0]


def test_what_we_asked_for_is_hidden(front: Front) -> None:
    """The request has one member more, the client's stream is the backend's without the frame, to the byte."""
    front.backend.behave = raw(HEAD + CHUNK[:30], CHUNK[30:] + CHUNK + USAGE[:-20], USAGE[-20:] + DONE)
    assert front.stream("/v1/chat/completions", CHAT, **{"accept-encoding": "gzip"}) == CHUNK + CHUNK + DONE
    (received,) = front.backend.requests
    assert (received.body, received.header("accept-encoding")) == (ASKED, None)
    one = newest(front)
    assert (one["promptTokens"], one["completionTokens"], one["source"]) == (7, 3, "measured")


def test_who_asks_gets_what_they_asked_for(front: Front) -> None:
    """Nothing is touched, either way; nor for who says that they do not want it."""
    front.backend.behave = raw(HEAD + CHUNK + USAGE + DONE)
    for said in (b"true", b"false"):
        body = b'{"stream_options": {"include_usage": %s}, ' % said + CHAT[1:]
        assert front.stream("/v1/chat/completions", body) == CHUNK + USAGE + DONE
        assert front.backend.requests[-1].body == body


def test_the_length_of_a_stream_is_not_promised(front: Front) -> None:
    """It would be that of the stream with the frame."""
    size = f"close\r\nContent-Length: {len(CHUNK + USAGE + DONE)}".encode()
    front.backend.behave = raw(HEAD.replace(b"close", size) + CHUNK + USAGE + DONE)
    assert front.stream("/v1/chat/completions", CHAT) == CHUNK + DONE


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/messages"])
def test_other_endpoints_are_left_alone(front: Front, path: str) -> None:
    """They tell it without being asked."""
    front.backend.behave = raw(HEAD + CHUNK + USAGE + DONE)
    assert front.stream(path, CHAT) == CHUNK + USAGE + DONE
    assert front.backend.requests[-1].body == CHAT


def test_what_is_no_stream_is_left_alone(front: Front) -> None:
    """The backend says what it cost anyhow."""
    body = CHAT.replace(b"true", b"false")
    front.backend.behave = answer({"choices": [], "usage": {"total_tokens": 4}})
    assert json.loads(front.stream("/v1/chat/completions", body)) == {"choices": [], "usage": {"total_tokens": 4}}
    assert front.backend.requests[-1].body == body


def test_a_last_event_without_an_end_counts(front: Front) -> None:
    """A backend that ends with the frame, and without the blank line behind it."""
    front.backend.behave = raw(HEAD + CHUNK + USAGE.rstrip())
    assert front.stream("/v1/chat/completions", CHAT) == CHUNK
    assert (newest(front)["promptTokens"], newest(front)["source"]) == (7, "measured")


def test_a_client_that_leaves(front: Front) -> None:
    """What it got is on the books as partial: three events, not what might have come."""
    front.backend.behave = raw(HEAD + CHUNK, CHUNK, CHUNK, then="wait")
    with httpx.stream(
        "POST", f"{front.served.url}/v1/chat/completions", content=CHAT, headers=JSON, trust_env=False
    ) as got:
        seen = b""
        for piece in got.iter_raw():
            seen += piece
            if seen.count(b"\n\n") == 3:
                break
    eventually(lambda: newest(front)["ended"] == "left")
    one = newest(front)
    assert (one["status"], one["completionTokens"], one["source"], one["isSuccess"]) == (499, 3, "partial", False)


def test_a_client_that_leaves_with_the_last_event(front: Front) -> None:
    """It has all: the call ended well, though the backend has not closed yet."""
    front.backend.behave = raw(HEAD + CHUNK, b"data: [DONE]\n\n", then="wait")
    with httpx.stream(
        "POST", f"{front.served.url}/v1/chat/completions", content=CHAT, headers=JSON, trust_env=False
    ) as got:
        seen = b""
        for piece in got.iter_raw():
            seen += piece
            if b"[DONE]" in seen:
                break
    eventually(lambda: newest(front)["source"] == "estimated")
    one = newest(front)
    assert (one["status"], one["ended"], one["isSuccess"], one["completionTokens"]) == (200, "ok", True, 1)


def test_a_backend_that_is_cut_off(front: Front) -> None:
    """What came is partial, too."""
    size = f"{2 * len(CHUNK):x}\r\n".encode()
    front.backend.behave = raw(HEAD.replace(b"Connection: close", b"Transfer-Encoding: chunked") + size + CHUNK + CHUNK)
    assert b"upstream_truncated" in front.stream("/v1/chat/completions", CHAT)
    one = newest(front)
    assert (one["ended"], one["completionTokens"], one["source"]) == ("truncated", 2, "partial")


def test_limits_in_tokens_profit(tmp_path: Path) -> None:
    """They are settled with what the backend says, which it says because it was asked."""
    dear = USAGE.replace(b"10", b"100000")
    with backend(raw(HEAD + CHUNK + dear + DONE)) as behind:
        limit = "    chat:\n      rate-limit: {enabled: true, tokens-per-minute: 1000}\n"
        text = services(chat=[behind.url]).replace("    chat:\n", limit) + "usage: {ask-in-streams: true}\n"
        with serving("--config", str(config(tmp_path, text))) as served:
            assert served.post("/v1/chat/completions", content=CHAT, headers=JSON).content == CHUNK + DONE
            assert served.post("/v1/chat/completions", content=CHAT, headers=JSON).status_code == 429


def test_settings_are_followed(front: Front) -> None:
    """Without `ask-in-streams` nothing is asked; switched off nothing is counted."""
    front.backend.behave = raw(HEAD + CHUNK + DONE)
    text = front.file.read_text()
    before = statistics(front.served)["totalRequests"]

    def settings(changed: str) -> None:
        front.file.write_text(text.replace("ask-in-streams: true", changed))
        digest = front.served.get("/api/config/store/status").json()["data"]["digest"]
        eventually(lambda: front.served.get("/api/config/store/status").json()["data"]["digest"] != digest)

    settings("ask-in-streams: false")
    assert front.stream("/v1/chat/completions", CHAT) == CHUNK + DONE
    assert front.backend.requests[-1].body == CHAT
    assert statistics(front.served)["totalRequests"] == before + 1
    settings("enabled: false")
    front.stream("/v1/chat/completions", CHAT)
    assert statistics(front.served)["totalRequests"] == before + 1
    warned = run("usage", "--config", str(front.file)).stderr
    assert warned == "warning: usage.enabled is false: new requests are not counted\n"
    settings("ask-in-streams: true")


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Path]]:
    """Run a gateway that has answered three calls, and failed one."""
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    with backend(answer({"choices": [], "usage": usage})) as good, backend(answer(b"no", "500 Oops")) as bad:
        text = services(chat=[good.url]) + f"    rerank: {{instances: [{{name: org/r, base-url: '{bad.url}'}}]}}\n"
        file = config(tmp_path_factory.mktemp("known"), text)
        with serving("--config", str(file)) as served:
            for key in ("a", "a", "b"):
                body = {"model": "m", "messages": []}
                assert served.post(
                    "/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}"}
                ).is_success
            assert served.post("/v1/rerank", json={"model": "org/r"}).status_code == 500
            assert served.post("/v1/rerank", json={"model": "unheard of"}).status_code == 404
            yield served, file


def test_the_statistics(known: tuple[Served, Path]) -> None:
    """The Java version's members, and where the numbers come from."""
    served, _ = known
    found = statistics(served)
    assert (found["totalRequests"], found["successfulRequests"], found["failedRequests"]) == (4, 3, 1)
    assert (found["totalTokens"], found["totalPromptTokens"], found["totalCompletionTokens"]) == (45, 30, 15)
    assert (found["successRate"], found["bySource"]) == (75.0, {"measured": 45, "estimated": 0, "partial": 0})
    sums = {"totalTokens": 45, "promptTokens": 30, "completionTokens": 15, "requestCount": 3}
    none = dict.fromkeys(sums, 0) | {"requestCount": 1}
    assert found["byModel"] == [
        {"modelName": "m", **sums, "avgTokensPerRequest": 15.0},
        {"modelName": "org/r", **none, "avgTokensPerRequest": 0.0},
    ]
    assert found["byServiceType"] == [{"serviceType": "chat", **sums}, {"serviceType": "rerank", **none}]
    assert found["byProvider"] == [{"provider": "normal", "totalTokens": 45, "requestCount": 4}]
    keys = [(one["apiKeyId"], one["requestCount"]) for one in found["byApiKey"]]
    assert keys == [(fingerprint("a"), 2), (fingerprint("b"), 1), ("", 1)]
    for times in ("byDay", "byWeek", "byMonth", "byHour"):
        assert sum(one["requestCount"] for one in found[times]) == 4
        assert sum(one["totalTokens"] for one in found[times]) == 45
    assert found["byDay"][0]["date"] <= found["endTime"]


def test_rankings_and_the_newest(known: tuple[Served, Path]) -> None:
    """In their order, as many as wanted, of the time that is wanted."""
    served, _ = known

    def data(path: str) -> Any:
        found = served.get(f"/api/token-usage/{path}")
        assert (found.status_code, found.json()["message"]) == (200, "操作成功")
        return found.json()["data"]

    assert [(one["rank"], one["modelName"]) for one in data("top/models")] == [(1, "m"), (2, "org/r")]
    assert [one["serviceType"] for one in data("top/services?limit=1")] == ["chat"]
    assert data("top/models?endTime=2020-01-01T00:00:00") == []
    assert [one["status"] for one in data("recent")] == [500, 200, 200, 200]
    (failed,) = data("recent/org/r")
    assert (failed["instanceName"], failed["isSuccess"], failed["totalTokens"]) == ("org/r", False, None)
    whole = data("dashboard")
    assert set(whole) == {"statistics", "topModels", "topServiceTypes", "recentUsage", "timeRange"}
    for wrong in ("top/models?limit=0", "statistics?startTime=yesterday", "statistics?startTime=0001-01-01T00:00:00Z"):
        refused = served.get(f"/api/token-usage/{wrong}")
        assert (refused.status_code, refused.json()["success"]) == (400, False), wrong


def test_the_command(known: tuple[Served, Path], tmp_path: Path) -> None:
    """A table that reads well; mistakes are told; nothing yet is no error."""
    served, file = known
    assert statistics(served)["totalRequests"] == 4
    table = run("usage", "--config", str(file)).stdout.splitlines()
    assert table[0].startswith("usage since ")
    assert [line.split() for line in table[1:]] == [
        ["MODEL", "REQUESTS", "FAILED", "INPUT", "OUTPUT", "TOKENS", "SHARE", "MEASURED", "ESTIMATED", "PARTIAL"],
        ["m", "3", "0", "30", "15", "45", "100.0", "%", "100.0", "%", "0.0", "%", "0.0", "%"],
        ["org/r", "1", "1", "0", "0", "0", "0.0", "%", "-", "-", "-"],
        ["total", "4", "1", "30", "15", "45", "100.0", "%", "100.0", "%", "0.0", "%", "0.0", "%"],
    ]
    assert [row["requests"] for row in shown(file, "--by", "day", "--since", "1h")["rows"]] == [4]
    assert [row["requests"] for row in shown(file, "--by", "hour", "--since", "2026-01-01")["rows"]][-1:] != []
    for wrong, reason in (
        ("yesterday", "expected a span or a time, found 'yesterday'"),
        ("2999-01-01", "is in the future"),
    ):
        done = run("usage", "--config", str(file), "--since", wrong)
        assert (done.returncode, reason in done.stderr) == (2, True)
    empty = config(tmp_path, services(chat=[]))
    assert run("usage", "--config", str(empty)).stdout.startswith("no usage since ")
    ledger(empty).write_bytes(b"no database " * 100)
    spoilt = run("usage", "--config", str(empty))
    assert (spoilt.returncode, spoilt.stderr.startswith("error: cannot read the usage file ")) == (1, True)


def test_old_records_can_be_forgotten(tmp_path: Path) -> None:
    """By who may manage; what is newer stays."""
    with backend(answer({"usage": {"total_tokens": 1}})) as behind:
        file = config(tmp_path, services(chat=[behind.url]))
        with serving("--config", str(file)) as served:
            assert served.post("/v1/chat/completions", content=CHAT, headers=JSON).is_success
            assert statistics(served)["totalRequests"] == 1
            for cutoff, count in (("2020-01-01T00:00:00", 0), ("2999-01-01T00:00:00", 1)):
                done = served.request("DELETE", f"/api/token-usage/cleanup?cutoffTime={cutoff}").json()
                assert done["message"] == f"成功删除 {count} 条 Token 使用记录"
            assert statistics(served)["totalRequests"] == 0


def test_a_worker_that_is_killed(tmp_path: Path) -> None:
    """What was written before is there; the next worker goes on in the same file."""
    with backend(answer({"usage": {"total_tokens": 1}})) as behind:
        file = config(tmp_path, services(chat=[behind.url]) + "usage: {flush-interval: 20ms}\n")
        with serving("--config", str(file)) as served:
            assert served.post("/v1/chat/completions", content=CHAT, headers=JSON).is_success
            eventually(lambda: _requests(file) == 1)
            children = Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children")
            (worker,) = children.read_text().split()
            os.kill(int(worker), signal.SIGKILL)
            eventually(lambda: children.read_text().split() not in ([worker], []))
            eventually(lambda: _succeeds(served))
            eventually(lambda: _requests(file) == 2)


def _succeeds(served: Served) -> bool:
    try:
        return served.post("/v1/chat/completions", content=CHAT, headers=JSON).is_success
    except httpx.TransportError:
        return False


def _requests(file: Path) -> int:
    if not ledger(file).exists():
        return 0
    with closing(sqlite3.connect(ledger(file))) as connection:
        try:
            found: int = connection.execute("SELECT coalesce(sum(requests), 0) FROM hours").fetchone()[0]
        except sqlite3.OperationalError:  # its tables are being made
            return 0
        return found
