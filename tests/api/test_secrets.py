"""A backend's key is told to nobody without the right to ask for it: by no route, error, log or command."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.test_management import ask
from tests.process import Served, config, run, serving

KEYS = (
    "k3y-of-m",
    "k3y-in-a-header",
    "k3y-that-is-new",
    "k3y-of-the-service",
    "k3y-in-the-java-store",
    "k3y-in-its-header",
    "k3y-refused",
)
TOKEN = "t0ken-of-the-operator"
CONFIG = f"""\
server: {{locale: en, admin-token: {TOKEN}, trusted-proxies: 127.0.0.0/8}}
model:
  load-balance: {{health-check: {{enabled: false}}}}
  circuit-breaker: {{enabled: true}}
  services:
    chat:
      rate-limit: {{enabled: true}}
      instances:
        - name: m
          base-url: http://127.0.0.1:1
          api-key: k3y-of-m
          headers: {{X-Key: k3y-in-a-header}}
"""
STORED = {
    "services": {
        "chat": {
            "instances": [
                {
                    "name": "s",
                    "baseUrl": "http://s",
                    "apiKey": "k3y-in-the-java-store",
                    "headers": {"X-Key": "k3y-in-its-header"},
                }
            ]
        }
    }
}
M = {"instanceId": "m@http://127.0.0.1:1"}
REFUSED = {"name": "w", "baseUrl": "http://w", "apiKey": "k3y-refused"}

# What writes keys, and what is refused with one in it: method, path, body, status.
EDITS: list[tuple[str, str, Any, int]] = [
    ("PUT", "/config/instance/update/chat", {**M, "instance": {"apiKey": "k3y-that-is-new"}}, 200),
    ("POST", "/services/tts", {"instances": [{**REFUSED, "apiKey": "k3y-of-the-service"}]}, 201),
    ("POST", "/config/instance/add/chat", {**REFUSED, "weight": 0}, 400),
    ("POST", "/config/instance/add/chat", {**REFUSED, "apiKey": ["k3y-refused"]}, 400),
    ("POST", "/config/instance/add/chat", {**REFUSED, "headers": "k3y-refused"}, 400),
    ("POST", "/config/instance/add/chat", {**REFUSED, "headers": {"X-Key": {"x": "k3y-refused"}}}, 400),
    ("PUT", "/config/type/services/chat", {"instances": [{**REFUSED, "path": 5}]}, 400),
    ("PUT", "/config/type/services/chat", {"instances": [{**REFUSED, "apiKey": 5, "name": ""}]}, 400),
    ("PUT", "/instances/m@http://127.0.0.1:1", {**REFUSED, "weight": "x"}, 400),
    ("POST", "/config/instance/add/chat", '{"apiKey": "k3y-refused', 400),
    ("POST", "/config/merge/backup", None, 200),
]
FILLED = {
    "{serviceType}": "chat",
    "{instanceId}": "m@http://127.0.0.1:1",
    "{older}": "1",
    "{newer}": "2",
    "{version}": "2",
    "{model}": "m",
}
QUERY = "modelName=m&baseUrl=http://127.0.0.1:1&service=chat&model=m&clientIp=10.0.0.1"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return where the gateway's log goes."""
    return tmp_path / "log"


@pytest.fixture
def served(tmp_path: Path, log: Path) -> Iterator[Served]:
    """Run a gateway with keys, beside a file of the Java version's store with one."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "model-router-config@1.json").write_text(json.dumps(STORED))
    with serving("--config", str(config(tmp_path, CONFIG)), stderr=log) as one:
        yield one


def told(text: str) -> list[str]:
    """Return the secrets that stand in a text."""
    return [key for key in (*KEYS, TOKEN) if key in text]


def test_no_answer_tells_a_key(served: Served, log: Path, tmp_path: Path) -> None:
    """Every route that reads, every kind of edit, every refusal, in JSON and in the log; and every command."""
    rights = {"x-admin-token": TOKEN}
    for method, path, body, status in EDITS:
        answer = ask(served, method, path, body, **rights)
        assert (answer.status_code, told(answer.text)) == (status, []), (path, body, answer.text)
    assert served.post("/v1/chat/completions", json={"model": "m", "messages": []}).status_code == 503
    paths = [path for path, item in served.get("/v3/api-docs").json()["paths"].items() if "get" in item]
    for template in paths:
        path = template
        for name, value in FILLED.items():
            path = path.replace(name, value)
        answer = served.get(f"{path}?{QUERY}", headers=rights)
        assert (answer.status_code in {200, 400, 404, 503}, told(answer.text)) == (True, []), path
    merged = ask(served, "POST", "/config/merge/execute", **rights)
    assert (merged.status_code, told(merged.text)) == (200, [])
    for older in (1, 2, 3):
        compared = ask(served, "GET", f"/config/version/compare/{older}/{older + 1}", **rights)
        assert (compared.status_code, told(compared.text)) == (200, [])
    assert told(log.read_text()) == []
    where = ("--config", str(tmp_path / "jairouter.yaml"))
    for command in (
        ("config", "show"),
        ("config", "diff"),
        ("config", "diff", "1", "3"),
        ("config", "history"),
        ("config", "get", "model"),
        ("config", "set", "model.services.chat.instances[0].api-key", "[k3y-refused]"),
        ("instances", "list"),
        ("instances", "add", "chat", "x", "nonsense", "--api-key", "k3y-refused"),
        ("services", "list"),
        ("explain", "chat", "s"),
    ):
        for how in ((), ("--json",)):
            done = run(*command, *where, *how)
            assert told(done.stdout + done.stderr) == [], command


def test_who_asks_with_rights_is_told(served: Served) -> None:
    """`reveal=true` with the token; without it not even that there is something."""
    paths = (
        "/config/type",
        "/config/type/services/chat",
        "/config/instance/type/chat",
        f"/config/instance/info/chat?{QUERY}",
        "/services",
        "/services/chat",
        "/instances",
        "/instances/service/chat",
        "/instances/m@http://127.0.0.1:1",
    )
    for path in paths:
        asked = f"{path}{'&' if '?' in path else '?'}reveal=true"
        refused = ask(served, "GET", asked)
        assert (refused.status_code, told(refused.text)) == (401, [])
        answer = ask(served, "GET", asked, **{"x-admin-token": TOKEN})
        assert told(answer.text) == ["k3y-of-m", "k3y-in-a-header"], path
    merged = ask(served, "GET", "/config/merge/preview?reveal=true", **{"x-admin-token": TOKEN})
    assert told(merged.text) == ["k3y-in-the-java-store", "k3y-in-its-header"]
