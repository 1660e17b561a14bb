"""One operation, two doors: what a command writes and what the API writes is the same, byte for byte."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.process import Served, config, run, serving

CONFIG = """\
# ours
model:
  services:
    chat: # the talkers
      adapter: vllm # all of them
      instances:
        - name: m # the small one
          base-url: http://10.0.0.1:8000
          api-key: s3cret
        - {name: n, base-url: "http://10.0.0.2:8000"}
    embedding:
      instances: []
"""
INSTANCE = "/api/config/instance"
SERVICES = "/api/config/type/services"
MONITORING = "/api/monitoring"

# What is typed, and what is sent.
OPERATIONS: dict[str, tuple[list[str], tuple[str, str, Any]]] = {
    "add an instance": (
        ["instances", "add", "chat", "q", "http://h:1/v1", "--weight", "2", "--adapter", "ollama", "--api-key", "${K}"],
        (
            "POST",
            f"{INSTANCE}/add/chat",
            {"name": "q", "baseUrl": "http://h:1/v1", "weight": 2, "adapter": "ollama", "apiKey": "${K}"},
        ),
    ),
    "add the first instance of a service": (
        ["instances", "add", "tts", "q", "http://h", "--header", "X-A=b", "--priority", "3"],
        ("POST", f"{INSTANCE}/add/tts", {"name": "q", "baseUrl": "http://h", "headers": {"X-A": "b"}, "priority": 3}),
    ),
    "change an instance": (
        ["instances", "update", "chat", "m", "--weight", "4", "--max-concurrency", "8", "--disable"],
        (
            "PUT",
            f"{INSTANCE}/update/chat",
            {
                "instanceId": "m@http://10.0.0.1:8000",
                "instance": {"weight": 4, "maxConcurrency": 8, "enabled": False},
            },
        ),
    ),
    "rename an instance": (
        ["instances", "update", "chat", "n", "--name", "k", "--base-url", "http://elsewhere"],
        (
            "PUT",
            f"{INSTANCE}/update/chat",
            {"instanceId": "n@http://10.0.0.2:8000", "instance": {"name": "k", "baseUrl": "http://elsewhere"}},
        ),
    ),
    "remove an instance": (
        ["instances", "remove", "chat", "m@http://10.0.0.1:8000"],
        ("DELETE", f"{INSTANCE}/del/chat?modelName=m&baseUrl=http://10.0.0.1:8000", None),
    ),
    "add a service": (
        ["services", "add", "stt", "--adapter", "localai"],
        ("POST", f"{SERVICES}/stt", {"adapter": "localai"}),
    ),
    "remove a service": (["services", "remove", "chat"], ("DELETE", f"{SERVICES}/chat", None)),
    "change a service": (
        ["config", "set", "model.services.chat.load-balance", "{type: ip-hash}"],
        ("PUT", f"{SERVICES}/chat", {"loadBalance": {"type": "ip-hash"}}),
    ),
    "change what a service has": (
        ["config", "set", "model.services.chat.adapter", "gpustack"],
        ("PUT", f"{SERVICES}/chat", {"adapter": "gpustack"}),
    ),
    "choose how a service spreads its requests": (
        ["services", "update", "chat", "--load-balance", "ip-hash", "--hash-algorithm", "sha256"],
        ("PUT", "/api/loadbalancer/config/chat", {"type": "ip-hash", "hashAlgorithm": "sha256"}),
    ),
    "change a service by the later Java versions' path": (
        ["services", "update", "chat", "--adapter", "gpustack", "--max-retries", "1"],
        ("POST", "/api/services/chat", {"adapter": "gpustack", "maxRetries": 1}),
    ),
    "add an instance by the later Java versions' path": (
        ["instances", "add", "stt", "q", "http://h:1/v1", "--weight", "2"],
        ("POST", "/api/instances/service/stt", {"name": "q", "baseUrl": "http://h:1/v1", "weight": 2}),
    ),
    "change an instance by its id alone": (
        ["instances", "update", "chat", "n", "--weight", "4"],
        ("PUT", "/api/instances/n@http://10.0.0.2:8000", {"weight": 4}),
    ),
    "remove an instance by its id alone": (
        ["instances", "remove", "chat", "m@http://10.0.0.1:8000"],
        ("DELETE", "/api/instances/m%40http%3A%2F%2F10.0.0.1%3A8000", None),
    ),
    "limit a service": (
        ["limits", "set", "chat", "--algorithm", "token-bucket", "--capacity", "5", "--rate", "2"],
        ("PUT", "/api/services/chat/ratelimit", {"algorithm": "token-bucket", "capacity": 5, "rate": 2}),
    ),
    "stop counting": (
        ["config", "set", "monitoring.metrics.enabled", "false"],
        ("PUT", f"{MONITORING}/config/enabled", {"enabled": False}),
    ),
    "change the prefix of metrics": (
        ["config", "set", "monitoring.metrics.prefix", "ours"],
        ("PUT", f"{MONITORING}/config/prefix", {"prefix": "ours"}),
    ),
    "change how often pools are noted": (
        ["config", "set", "monitoring.metrics.collection-interval", "PT60S"],
        ("PUT", f"{MONITORING}/config/collection-interval", {"interval": "PT60S"}),
    ),
    "choose categories of metrics": (
        ["config", "set", "monitoring.metrics.enabled-categories", "[system, business]"],
        ("PUT", f"{MONITORING}/config/categories", {"categories": ["system", "business"]}),
    ),
    "change the labels of all series": (
        ["config", "set", "monitoring.metrics.custom-tags", "{environment: test, version: '1.0'}"],
        ("PUT", f"{MONITORING}/config/custom-tags", {"customTags": {"environment": "test", "version": "1.0"}}),
    ),
    "show a metric no more": (
        ["config", "set", "monitoring.metrics.disabled", "[inter_token_gap_seconds]"],
        ("PUT", f"{MONITORING}/metrics/inter_token_gap_seconds/configuration?enabled=false", None),
    ),
    "limit the clients of a service": (
        ["limits", "set", "chat", "--per-client-ip", "--capacity", "5"],
        ("PUT", "/api/services/chat/ratelimit", {"clientIp": {"capacity": 5}}),
    ),
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Path]]:
    """Run a gateway; between the operations its file is put back."""
    file = config(tmp_path_factory.mktemp("served"), CONFIG)
    with serving("--config", str(file), env={"K": "k"}) as one:
        yield one, file


def send(served: Served, method: str, path: str, body: Any) -> httpx.Response:
    """Send a request."""
    content = None if body is None else json.dumps(body)
    return httpx.request(method, served.url + path, content=content, trust_env=False, timeout=20)


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_same_file(tmp_path: Path, served: tuple[Served, Path], name: str) -> None:
    """Comments, order, spelling: to the byte; and the same sentence in the history."""
    one, file = served
    command, request = OPERATIONS[name]
    file.write_text(CONFIG)
    answer = send(one, *request)
    assert answer.is_success, answer.text
    other = config(tmp_path, CONFIG)
    done = run(*command, "--config", str(other), env={"K": "k"})
    assert (done.returncode, done.stderr) == (0, "")
    assert other.read_text() == file.read_text() != CONFIG
    typed, sent = (
        json.loads(run("config", "history", "--json", "--last", "1", "--config", str(which)).stdout)[0]
        for which in (other, file)
    )
    assert (typed["author"], sent["author"]) == ("cli", "api")
    if command[:2] != ["config", "set"]:
        assert typed["summary"] == sent["summary"]


def test_rolling_back_and_forgetting(tmp_path: Path, served: tuple[Served, Path]) -> None:
    """A revision is put into force again as a new one, through either door; one that is not the newest can go."""
    one, file = served
    file.write_text(CONFIG)
    other = config(tmp_path, CONFIG)
    where = ("--config", str(other))
    assert send(one, "POST", f"{INSTANCE}/add/chat", {"name": "z", "baseUrl": "http://z"}).is_success
    before = send(one, "GET", "/api/config/version", None).json()["data"][-2]
    assert send(one, "POST", f"/api/config/version/rollback/{before}", None).is_success
    run("instances", "add", "chat", "z", "http://z", *where)
    done = run("config", "rollback", "1", *where)
    assert (done.returncode, done.stdout) == (0, "rolled back to revision 1\n")
    assert other.read_text() == file.read_text() == CONFIG
    numbers = json.loads(run("config", "history", "--json", *where).stdout)
    assert [(row["revision"], row["summary"]) for row in numbers] == [
        (3, "rolled back to revision 1"),
        (2, "added instance z@http://z to service chat"),
        (1, "initial state"),
    ]
    assert run("config", "forget", "2", *where).returncode == 0
    assert send(one, "DELETE", f"/api/config/version/{before}", None).is_success
    for number, said in (
        ("2", "no revision 2; there are 1, 3"),
        ("3", "revision 3 is the current one and cannot be removed"),
    ):
        refused = run("config", "forget", number, *where)
        assert (refused.returncode, refused.stderr.splitlines()[0]) == (2, f"error: {said}")
