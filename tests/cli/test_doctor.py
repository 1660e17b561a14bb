"""`jairouter doctor`: every fault of a set-up is named, with the command that mends it, and a healthy one has none."""

import asyncio
import errno
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from email.utils import formatdate
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, NamedTuple
from unittest.mock import patch

import pytest
import redis

from jairouter_cli.cli.doctor.machine import machine, processors
from jairouter_cli.cli.doctor.setup import Setup
from jairouter_cli.cli.listening import bindable
from jairouter_cli.config.store import Store
from jairouter_cli.discovery.kinds import PATHS
from tests.backend import Backend, Behaviour, Received, Wire, answer, backend, raw
from tests.process import JAIROUTER, Served, config, eventually, mock, run, services, serving
from tests.redis import running
from tests.terminal import Terminal

KEY: Final = "sk-very-secret-key-1"
TOKEN: Final = "an-admin-token-that-is-long-enough"


def models(*names: str, owner: str = "vllm") -> Behaviour:
    """Respond with a list of models."""
    return answer({"object": "list", "data": [{"id": name, "owned_by": owner} for name in names]})


async def silent(_: Received, wire: Wire) -> None:
    """Never respond."""
    await wire.closed()


def page(status: str = "200 OK") -> Behaviour:
    """Respond with a web page."""
    return answer(b"<!DOCTYPE html><title>Open WebUI</title>", status, "text/html")


async def only_at_v1(received: Received, wire: Wire) -> None:
    """List models at the usual path, and nothing elsewhere."""
    is_there = received.line.startswith("GET /v1/models ")
    await (models("m") if is_there else answer({}, "404 Not Found"))(received, wire)


def with_header(name: str, value: str, status: str = "200 OK") -> Behaviour:
    """Respond with a header."""
    body = b'{"data": [{"id": "m"}]}'
    head = f"HTTP/1.1 {status}\r\n{name}: {value}\r\nContent-Length: {len(body)}\r\n\r\n"

    async def behave(_: Received, wire: Wire) -> None:
        await wire.send(head.encode() + body)

    return behave


@pytest.fixture(scope="module")
def server() -> Iterator[Backend]:
    """Run a backend, which behaves as each test says."""
    running = Backend(answer({}))
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the proxies of whoever runs the tests away."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


class Case(NamedTuple):
    """A set-up with a fault, and what is to be found: `{url}` in the file is the backend's address."""

    name: str
    verdict: str
    check: str
    found: str
    fix: str
    services: str = "chat: {instances: [{name: m, base-url: '{url}'}]}"
    more: str = ""
    behave: Behaviour = models("m")
    environ: Mapping[str, str] = {}
    before: Callable[[Path], Any] = lambda _file: None
    options: tuple[str, ...] = ()


def instance(**members: str) -> str:
    """Return a chat service with one instance."""
    shown = {"name": "m", "base-url": "'{url}'", **{name.replace("_", "-"): value for name, value in members.items()}}
    return f"chat: {{instances: [{{{', '.join(f'{name}: {value}' for name, value in shown.items())}}}]}}"


def at(url: str) -> str:
    """Return a chat service with one instance at an address."""
    return instance().replace("{url}", url)


def text_of(case: Case, url: str, port: int) -> str:
    """Return the configuration of a case."""
    server = "" if "server:" in case.more else f"server: {{locale: en, port: {port}}}\n"
    text = f"{server}{case.more}\nmodel:\n  services:\n    {case.services}\n"
    return text.replace("{url}", url).replace("{port}", str(port))


CASES: Final = (
    Case("syntax", "FAILED", "config", "not valid YAML", "then run `jairouter config validate`", services="chat: ["),
    Case("value", "FAILED", "config", "weight: expected", "jairouter.yaml:", services=instance(weight="0")),
    Case(
        "endpoint in base-url",
        "FAILED",
        "config",
        "expected a URL without the endpoint: base-url http://h:1",
        "run `jairouter config validate`",
        services=instance(base_url="'http://h:1/v1/chat/completions'"),
    ),
    Case(
        "unset variable",
        "FAILED",
        "environment",
        "the environment variable NOT_SET is not set",
        "export NOT_SET=...",
        services=instance(api_key="'${NOT_SET}'"),
    ),
    Case("unknown key", "WARNING", "config", "did you mean weight?", "config edit", services=instance(wieght="1")),
    Case("nothing", "WARNING", "config", "no instances", "instances add chat", services="chat: {}"),
    Case(
        "readable by others",
        "WARNING",
        "permissions",
        "its mode 644 lets every user of this machine read it",
        "chmod 600 ",
        services=instance(api_key=KEY),
        before=lambda file: file.chmod(0o644),
    ),
    Case("read-only", "WARNING", "permissions", "it is read-only", "chmod u+w ", before=lambda file: file.chmod(0o444)),
    Case(
        "folder read-only",
        "WARNING",
        "permissions",
        "its folder is read-only",
        "chmod u+w ",
        before=lambda file: file.parent.chmod(0o555),
    ),
    Case(
        "no revisions",
        "WARNING",
        "permissions",
        "revisions cannot be saved",
        "export JAIROUTER_STATE_DIR=",
        environ={"JAIROUTER_STATE_DIR": "state"},
        before=lambda file: (file.parent / "state").mkdir(mode=0o555),
    ),
    Case(
        "host of another machine",
        "FAILED",
        "port",
        "this machine does not have that address",
        "config set server.host 127.0.0.1",
        more="server: {host: 192.0.2.1}",
    ),
    Case(
        "open port",
        "WARNING",
        "exposure",
        "listens on 0.0.0.0 and does not ask clients for a key",
        "config set server.host 127.0.0.1",
        more="server: {host: 0.0.0.0, port: {port}}",
    ),
    Case(
        "open port without a token",
        "WARNING",
        "exposure",
        "no admin token is set",
        "config set server.admin-token",
        more="server: {host: 0.0.0.0, port: {port}}",
    ),
    Case(
        "open management",
        "FAILED",
        "exposure",
        "the management API is open to everyone",
        "config set server.admin-token",
        more="server: {host: 0.0.0.0, port: {port}, open-management: true}",
    ),
    Case(
        "health for everyone",
        "WARNING",
        "exposure",
        "/actuator/health shows addresses",
        "config set management.endpoint.health.show-details when-authorized",
        more="server: {host: 0.0.0.0, port: {port}}",
    ),
    Case(
        "short token",
        "WARNING",
        "exposure",
        "the admin token has fewer than 16 characters",
        "openssl rand",
        more="server: {port: {port}, admin-token: short}",
    ),
    Case(
        "values of the environment",
        "WARNING",
        "exposure",
        "/actuator/env shows values to everyone",
        "config set management.endpoint.env.show-values when-authorized",
        more="management: {endpoint: {env: {show-values: always}}}",
    ),
    Case(
        "everyone is a proxy",
        "WARNING",
        "exposure",
        "server.trusted-proxies contains every address",
        "config set server.trusted-proxies",
        more="server: {port: {port}, trusted-proxies: [0.0.0.0/0]}",
    ),
    Case(
        "every page",
        "WARNING",
        "exposure",
        "server.cors.allowed-origins is *",
        "config unset server.cors.allowed-origins",
        more="server: {port: {port}, cors: {allowed-origins: ['*']}}",
    ),
    Case(
        "slow failover",
        "WARNING",
        "settings",
        "webclient.connection-timeout is 120 s",
        "config set webclient.connection-timeout 5s",
        more="webclient: {connection-timeout: 120s}",
    ),
    Case(
        "impatient",
        "WARNING",
        "settings",
        "webclient.read-timeout is 1 s",
        "config set webclient.read-timeout 300s",
        more="webclient: {read-timeout: 1s}",
    ),
    Case(
        "touchy breaker",
        "WARNING",
        "settings",
        "model.circuit-breaker.failure-threshold is 1",
        "config set model.circuit-breaker.failure-threshold 5",
        services=instance() + "\n  circuit-breaker: {enabled: true, failure-threshold: 1}",
    ),
    Case(
        "busy health checks",
        "WARNING",
        "settings",
        "health-check.interval is 0.1 s",
        "config set model.load-balance.health-check.interval 30s",
        services=instance() + "\n  load-balance: {health-check: {interval: 100ms}}",
    ),
    Case(
        "too many workers",
        "WARNING",
        "processors",
        "server.workers is 1000",
        "config set server.workers ",
        more="server: {port: {port}, workers: 1000}",
    ),
    Case(
        "no trust store",
        "FAILED",
        "start",
        "webclient.ssl.trust-store: cannot read /nowhere.pem",
        "config unset webclient.ssl.trust-store",
        more="webclient: {ssl: {trust-store: /nowhere.pem}}",
    ),
    Case(
        "trusts everybody",
        "WARNING",
        "tls",
        "certificates of backends are not checked",
        "config set webclient.ssl.trust-store",
        more="webclient: {ssl: {trust-all: true}}",
    ),
    Case(
        "no folder for the access log",
        "FAILED",
        "start",
        "logging.access.file: /nowhere/logs does not exist",
        "mkdir -p /nowhere/logs",
        more="logging: {access: {file: /nowhere/logs/access.log}}",
    ),
    Case(
        "refused",
        "FAILED",
        "backend",
        "http://127.0.0.1:1: connection refused",
        "instances update chat m@http://127.0.0.1:1 --base-url URL",
        services=instance(base_url="http://127.0.0.1:1"),
    ),
    Case(
        "no such name",
        "FAILED",
        "backend",
        "the name nosuch.invalid cannot be resolved",
        "instances update chat m@http://nosuch.invalid --base-url URL",
        services=instance(base_url="http://nosuch.invalid"),
    ),
    Case(
        "timeout",
        "FAILED",
        "backend",
        "no response in time",
        "check the address, a firewall",
        behave=silent,
        options=("--timeout", "0.3"),
    ),
    Case(
        "TLS there",
        "FAILED",
        "backend",
        "the backend speaks TLS, not plain HTTP",
        "--base-url https://127.0.0.1:",
        behave=raw(b"\x15\x03\x01\x00\x02\x02\x46", then="wait"),
    ),
    Case(
        "closes at once",
        "FAILED",
        "backend",
        "the backend closed the connection",
        "instances update chat",
        behave=raw(b""),
    ),
    Case(
        "key rejected",
        "FAILED",
        "key",
        "rejects the key of 1 instance (HTTP 401)",
        "--api-key '${NAME}'",
        services=instance(api_key=KEY),
        behave=answer({}, "401 Unauthorized"),
    ),
    Case(
        "key missing",
        "WARNING",
        "key",
        "asks for a key, and none is set for 1 instance (HTTP 403)",
        "--api-key '${NAME}'",
        behave=answer({}, "403 Forbidden"),
    ),
    Case(
        "key missing, and clients' keys are not forwarded",
        "FAILED",
        "key",
        "asks for a key",
        "--api-key '${NAME}'",
        services=instance(forward_authorization="false"),
        behave=answer({}, "401 Unauthorized"),
    ),
    Case(
        "no such model",
        "FAILED",
        "model",
        "does not list qwen2.5:7 (nearest: qwen2.5:7b)",
        "--name qwen2.5:7b",
        services=instance(name="'qwen2.5:7'"),
        behave=models("llama3.2", "qwen2.5:7b", owner="library"),
    ),
    Case(
        "a model that is not listed",
        "WARNING",
        "model",
        "does not list m",
        "instances update chat",
        behave=models("x", owner="me"),
    ),
    Case(
        "upstream-model that is not listed",
        "FAILED",
        "model",
        "does not list Qwen/Qwen2.5-72B (nearest: Qwen/Qwen2.5-72B-Instruct)",
        "set upstream-model to Qwen/Qwen2.5-72B-Instruct",
        services=instance(upstream_model="Qwen/Qwen2.5-72B"),
        behave=models("Qwen/Qwen2.5-72B-Instruct"),
    ),
    Case("web page", "FAILED", "address", "returns a web page, not a list of models", "--base-url URL", behave=page()),
    Case(
        "wrong path",
        "FAILED",
        "address",
        "/llm/v1/models returns HTTP 404: there is no list of models; there is one at http://127.0.0.1:",
        "--base-url http://127.0.0.1:",
        services=instance(base_url="'{url}/llm'"),
        behave=only_at_v1,
    ),
    Case(
        "no list of models",
        "WARNING",
        "address",
        "/v1/models returns HTTP 404",
        "--base-url URL",
        behave=answer({}, "404 Not Found"),
    ),
    Case("no models in it", "WARNING", "address", "does not return a list of models", "curl -i", behave=answer({})),
    Case(
        "redirect",
        "FAILED",
        "backend",
        "redirects to https://models.example (HTTP 301)",
        "--base-url https://models.example",
        behave=with_header("Location", "https://me:pass@models.example/v1/models", "301 Moved Permanently"),
    ),
    Case("error", "FAILED", "backend", "responds with HTTP 503", "curl -i", behave=answer({}, "503 Busy")),
    Case("busy", "WARNING", "backend", "responds with HTTP 429", "curl -i", behave=answer({}, "429 Busy")),
    Case(
        "twice",
        "WARNING",
        "duplicates",
        "are the same server",
        "instances remove chat m@http://127.0.0.1:",
        services="chat: {instances: [{name: m, base-url: '{url}'}, {name: m, base-url: '{url}/v1'}]}",
    ),
    Case(
        "clock",
        "WARNING",
        "clock",
        "differs from this machine's by ",
        "timedatectl set-ntp true",
        behave=with_header("Date", formatdate(1_700_000_000, usegmt=True)),
    ),
    Case(
        "proxy for a private address",
        "WARNING",
        "proxy",
        "http://10.255.255.1:8000 is reached through the proxy 127.0.0.1:1",
        "export NO_PROXY=10.255.255.1",
        services=instance(base_url="http://10.255.255.1:8000"),
        environ={"HTTP_PROXY": "http://me:pass-word@127.0.0.1:1"},
    ),
    Case(
        "proxy that is not there",
        "FAILED",
        "backend",
        "the proxy cannot be reached",
        "config set webclient.proxy none",
        services=instance(base_url="http://models.example"),
        environ={"HTTP_PROXY": "http://127.0.0.1:1"},
    ),
    Case(
        "proxy of another kind",
        "FAILED",
        "backend",
        "only http:// proxies are supported",
        "config set webclient.proxy none",
        services=instance(base_url="http://models.example"),
        environ={"ALL_PROXY": "socks5://127.0.0.1:1"},
    ),
    Case(
        "no Redis",
        "FAILED",
        "redis",
        "127.0.0.1:1 cannot be used",
        "config set state.url",
        more="state: {url: 'redis://:redis-password@127.0.0.1:1'}",
    ),
)


class Report(NamedTuple):
    """What was printed."""

    code: int
    status: str
    findings: list[dict[str, Any]]

    def of(self, verdict: str) -> list[dict[str, Any]]:
        """Return the findings with this verdict."""
        return [one for one in self.findings if one["status"] == verdict]


def examine(file: Path, *options: str, environ: Mapping[str, str] | None = None) -> Report:
    """Run the command as programs do."""
    environ = {"JAIROUTER_ADMIN_TOKEN": "", "JAIROUTER_STATE_DIR": "", **(environ or {})}
    done = run("--config", str(file), "doctor", *options, "--json", env=environ)
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert set(found) == {"status", "findings"}
    assert all(list(one) == ["check", "status", "found", "why", "fix"] for one in found["findings"])
    return Report(done.returncode, found["status"], found["findings"])


@contextmanager
def set_up(case: Case, server: Backend, folder: Path) -> Iterator[Path]:
    """Make the set-up of a case; everything can be removed afterwards."""
    server.behave_when_asked = case.behave
    file = config(folder, text_of(case, server.url, bindable("127.0.0.1", 0)))
    file.chmod(0o600)
    case.before(file)
    try:
        yield file
    finally:
        folder.chmod(0o700)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_fault_is_named_with_the_command_that_mends_it(case: Case, server: Backend, tmp_path: Path) -> None:
    """And why it matters; the exit code says whether something failed."""
    environ = {name: value.replace("state", str(tmp_path / "state")) for name, value in case.environ.items()}
    with set_up(case, server, tmp_path) as file:
        report = examine(file, *case.options, environ=environ)
    named = [
        one
        for one in report.of(case.verdict)
        if one["check"] == case.check and case.found in one["found"] and case.fix in (one["fix"] or "")
    ]
    assert named, report.findings
    assert all(one["why"] for one in named)
    assert report.code == (1 if report.of("FAILED") else 0)
    assert report.status == ("FAILED" if report.of("FAILED") else "WARNING")


HEALTHY: Final = Case("healthy", "", "", "", "", services=instance(api_key=KEY))


def test_a_healthy_set_up_has_no_fault(server: Backend, tmp_path: Path) -> None:
    """Nothing is said but what is well, for programs and for people."""
    with set_up(HEALTHY, server, tmp_path) as file:
        report = examine(file)
        shown = run("--config", str(file), "doctor", env={"JAIROUTER_ADMIN_TOKEN": ""})
    assert (report.code, report.status, report.of("WARNING"), report.of("FAILED")) == (0, "OK", [], [])
    assert {one["check"] for one in report.findings} >= {"config", "permissions", "port", "exposure", "backend", "disk"}
    assert all(one["why"] is None and one["fix"] is None for one in report.findings)
    assert (shown.returncode, shown.stdout.splitlines()[-1]) == (0, "0 failures, 0 warnings")


def test_a_folder_without_a_file(tmp_path: Path) -> None:
    """The first thing to do is named; the machine is looked at all the same."""
    report = examine(tmp_path / "jairouter.yaml")
    [missing] = report.of("FAILED")
    assert (missing["check"], missing["fix"], report.code) == ("config", "jairouter init", 1)
    assert "open-files" in {one["check"] for one in report.findings}


def test_wrong_usage() -> None:
    """That is 2, as everywhere."""
    assert run("doctor", "--nonsense").returncode == 2


# --- the port, and the gateway on it ---


def test_a_port_that_another_program_has(server: Backend, tmp_path: Path) -> None:
    """It is named, by its process as well, and a port that is free is proposed."""
    server.behave_when_asked = with_header("Server", "nginx/1.22.1")
    file = config(tmp_path, f"server: {{port: {server.port}}}\nmodel: {{services: {{}}}}\n")
    [taken] = [one for one in examine(file).findings if one["check"] == "port"]
    assert taken["found"].startswith(f"port {server.port} on 127.0.0.1 is in use by another program: ")
    assert f"(process {os.getpid()}), responds over HTTP as nginx/1.22.1" in taken["found"]
    proposed = int(taken["fix"].rpartition(" ")[2])
    assert (taken["status"], bindable("127.0.0.1", proposed)) == ("FAILED", proposed)
    assert f"--config {file} config set server.port " in taken["fix"]


def test_a_port_on_which_nobody_speaks_http(tmp_path: Path) -> None:
    """A question to it is bounded."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        file = config(tmp_path, f"server: {{port: {listener.getsockname()[1]}}}\n")
        [taken] = [one for one in examine(file, "--timeout", "0.3").findings if one["check"] == "port"]
    assert (taken["status"], "does not speak HTTP" in taken["found"]) == ("FAILED", True)


def test_a_port_that_only_root_may_listen_on(tmp_path: Path) -> None:
    """Root runs these tests in some places, and may: the system is made to refuse."""
    file = config(tmp_path, "server: {port: 80}\n")
    bind = socket.socket.bind

    def refuse(self: socket.socket, address: Any) -> None:
        if address[1] == 80:
            raise PermissionError(errno.EACCES, "Permission denied")
        bind(self, address)

    with patch.object(socket.socket, "bind", refuse):
        [refused] = [one for one in examine(file).findings if one["check"] == "port"]
    assert (refused["status"], refused["found"]) == ("FAILED", "this user may not listen on port 80")
    assert "config set server.port 80" in refused["fix"]
    assert "CAP_NET_BIND_SERVICE" in refused["why"]


@pytest.fixture
def gateway(server: Backend, tmp_path: Path) -> Iterator[tuple[Served, Path]]:
    """Run a gateway with a file; its port in the file is another one."""
    server.behave_when_asked = models("m")
    file = config(
        tmp_path,
        f"server: {{locale: en, port: 1}}\nmodel:\n  services:\n    {instance()}\n".replace("{url}", server.url),
    )
    file.chmod(0o600)
    with serving("--config", str(file)) as served:
        eventually(lambda: Store(file).history.numbers)
        yield served, file


def of_gateway(file: Path, url: str) -> list[dict[str, Any]]:
    """Return what is found about a running gateway."""
    return [one for one in examine(file, "--url", url).findings if one["check"] in {"gateway", "port"}]


def test_a_gateway_that_runs_well(gateway: tuple[Served, Path]) -> None:
    """It says so; `--url` may end in /v1, as clients have it."""
    served, file = gateway
    assert [one["found"] for one in of_gateway(file, f"{served.url}/v1/")] == [
        f"a gateway runs at {served.url}, its health is UP",
        f"the gateway uses {file} as it is now",
    ]


def test_a_gateway_with_another_file(gateway: tuple[Served, Path]) -> None:
    """The file that it uses is named, ready to be examined."""
    served, file = gateway
    other = config(file.parent, file.read_text(), "other.yaml")
    [_, found] = of_gateway(other, served.url)
    assert (found["status"], found["fix"]) == ("WARNING", f"jairouter --config {file} doctor")
    assert f"uses another configuration, {file}, not {other}" in found["found"]


def test_a_gateway_that_has_to_be_restarted(gateway: tuple[Served, Path]) -> None:
    """Keys that are read at start are named once they have changed since; others are not."""
    served, file = gateway
    assert run("--config", str(file), "config", "set", "server.workers", "2").returncode == 0
    assert run("--config", str(file), "config", "set", "webclient.read-timeout", "200s").returncode == 0
    [_, found] = of_gateway(file, served.url)
    assert found["found"] == "these keys have changed since the gateway started: server.workers"
    assert (found["status"], found["fix"].startswith("restart the gateway")) == ("WARNING", True)


def test_a_gateway_that_rejected_the_file(gateway: tuple[Served, Path]) -> None:
    """A file that could be used, and looks cut off."""
    served, file = gateway
    file.write_text("server: {locale: en, port: 1}\n")
    eventually(lambda: "error" in served.get("/actuator/health/config").json().get("details", {}))
    [_, found] = of_gateway(file, served.url)
    assert found["found"].startswith("the gateway rejected the file: ")
    assert (found["status"], "restart the gateway" in found["fix"]) == ("FAILED", True)


def test_a_gateway_that_does_not_follow_its_file(server: Backend, tmp_path: Path) -> None:
    """It uses an older state of it."""
    file = config(tmp_path, "server: {port: 1}\n")
    details = {"file": str(file), "digest": "0" * 64}
    node: dict[str, object] = {"status": "UP", "components": {"modelRouter": {}, "config": {"details": details}}}
    server.behave_when_asked = answer(node)
    [_, found] = of_gateway(file, server.url)
    assert (found["status"], found["found"]) == ("WARNING", "the gateway does not use the file as it is now")
    assert "restart it" in found["fix"]


def test_no_gateway_at_an_address(server: Backend, tmp_path: Path) -> None:
    """Nobody there, and somebody else there; another program of Spring's has the same path for its health."""
    file = config(tmp_path, "server: {port: 1}\n")
    server.behave_when_asked = answer({"status": "UP"})
    [other], [nobody] = of_gateway(file, server.url), of_gateway(file, "http://127.0.0.1:1")
    assert (other["status"], "is not a JAiRouter gateway" in other["found"]) == ("FAILED", True)
    assert (nobody["status"], "cannot reach a gateway" in nobody["found"]) == ("FAILED", True)


def test_an_instance_that_is_the_gateway_itself(tmp_path: Path) -> None:
    """Its port is found by name."""
    port = bindable("127.0.0.1", 0)
    services = at(f"http://localhost:{port}")
    file = config(tmp_path, f"server: {{locale: en, port: {port}}}\nmodel:\n  services:\n    {services}\n")
    with serving("--config", str(file), "--port", str(port)):
        found = [one for one in examine(file).of("FAILED") if one["check"] == "address"]
    assert [one["found"] for one in found] == [f"http://localhost:{port} is the address of this gateway itself"]


# --- the machine ---


def kernel(folder: Path, **files: str) -> Path:
    """Write a /proc and a /sys."""
    for name, text in files.items():
        file = folder / name.replace("__", "/").replace("cpu_max", "cpu.max")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def test_processors_are_those_of_the_cgroup(tmp_path: Path) -> None:
    """In a container, a machine has fewer than it seems."""
    own = processors(tmp_path)
    assert own == len(os.sched_getaffinity(0))
    assert processors(kernel(tmp_path, sys__fs__cgroup__cpu_max="50000 100000\n")) == 0.5
    assert processors(kernel(tmp_path, sys__fs__cgroup__cpu_max="max 100000\n")) == own
    old = kernel(tmp_path / "old", **{"sys__fs__cgroup__cpu__cpu.cfs_quota_us": "25000"})
    assert processors(kernel(old, **{"sys__fs__cgroup__cpu__cpu.cfs_period_us": "100000"})) == 0.25


def test_a_short_queue_of_connections(tmp_path: Path) -> None:
    """As it was before Linux 5.4."""
    setup = Setup(None, None, {})
    [found] = [
        one
        for one in machine(setup, kernel(tmp_path, proc__sys__net__core__somaxconn="128\n"))
        if one.check == "kernel"
    ]
    assert (found.verdict, found.fix) == ("WARNING", "sudo sysctl -w net.core.somaxconn=4096")


@pytest.mark.parametrize(("free", "status"), [(1 << 20, "FAILED"), (100 << 20, "WARNING")])
def test_a_disk_that_is_nearly_full(free: int, status: str, tmp_path: Path) -> None:
    """It is found before an edit cannot be written."""
    file = config(tmp_path, "server: {port: 1}\n")
    with patch("shutil.disk_usage", lambda _path: SimpleNamespace(total=1 << 30, used=0, free=free)):
        found = [one for one in examine(file).findings if one["check"] == "disk"]
    assert {one["status"] for one in found} == {status}
    assert all(one["fix"].startswith("df -h ") for one in found)


def test_few_open_files(tmp_path: Path) -> None:
    """As a service manager may have set them."""
    config(tmp_path, "server: {port: 1}\n")
    command = ["bash", "-c", f"ulimit -n 256; exec {sys.executable} -m jairouter_cli doctor --json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=60)
    [found] = [one for one in json.loads(done.stdout)["findings"] if one["check"] == "open-files"]
    assert (found["status"], "may open 256 files" in found["found"]) == ("WARNING", True)
    assert "LimitNOFILE" in found["fix"]


# --- TLS, Redis, streams ---


@contextmanager
def answering(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """Run a server whose connections are talked to one after the other; yield its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):  # the listener is closed at the end
                while True:
                    connection, _ = listener.accept()
                    with connection, suppress(OSError):
                        talk(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def backend_at(url: str, folder: Path) -> list[dict[str, Any]]:
    """Return what is found about a backend that has trouble."""
    file = config(folder, f"server: {{port: 1}}\nmodel:\n  services:\n    {at(url)}\n")
    return [one for one in examine(file).of("FAILED") if one["check"] == "backend"]


def test_https_to_a_backend_without_tls(tmp_path: Path) -> None:
    """The address that works is proposed."""

    def refuse(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with answering(refuse) as port:
        [found] = backend_at(f"https://127.0.0.1:{port}", tmp_path)
    assert "the backend does not speak TLS" in found["found"]
    assert found["fix"].endswith(f"--base-url http://127.0.0.1:{port}")


def test_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    """The setting for it is named."""
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -keyout k.pem -out c.pem"
    subprocess.run(command.split(), check=True, capture_output=True, cwd=tmp_path, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "c.pem", tmp_path / "k.pem")

    def shake(connection: socket.socket) -> None:
        context.wrap_socket(connection, server_side=True).recv(1)

    with answering(shake) as port:
        [found] = backend_at(f"https://127.0.0.1:{port}", tmp_path)
    assert "TLS failed: certificate verify failed" in found["found"]
    assert "config set webclient.ssl.trust-store" in found["fix"]


def test_redis(tmp_path: Path) -> None:
    """Its version; and that it wants a password, or another one."""
    with running() as server:
        file = config(tmp_path, f"server: {{port: 1}}\nstate: {{url: '{server.url}'}}\n")
        [well] = [one for one in examine(file).findings if one["check"] == "redis"]
        assert (well["status"], f"127.0.0.1:{server.port} responds, version " in well["found"]) == ("OK", True)
        with redis.Redis.from_url(server.url) as client:
            client.config_set("requirepass", "the-right-password")
        [asked] = [one for one in examine(file).findings if one["check"] == "redis"]
        file.write_text(f"server: {{port: 1}}\nstate: {{url: 'redis://:wrong-password@127.0.0.1:{server.port}'}}\n")
        [wrong] = [one for one in examine(file).findings if one["check"] == "redis"]
    for found in (asked, wrong):
        assert (found["status"], "does not accept user and password" in found["found"]) == ("FAILED", True)
        assert "${REDIS_PASSWORD}" in found["fix"]


EVENTS: Final = [f'data: {{"choices": [{{"delta": {{"content": "{number}"}}}}]}}\n\n'.encode() for number in range(8)]
HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


async def dripping(_: Received, wire: Wire) -> None:
    """Send event by event."""
    await wire.send(HEAD)
    for event in EVENTS:
        await asyncio.sleep(0.05)
        await wire.send(event)
    wire.writer.close()


async def held_back(_: Received, wire: Wire) -> None:
    """Send all events at the end, as a proxy that buffers does."""
    await wire.send(HEAD)
    await asyncio.sleep(0.4)
    await wire.send(b"".join(EVENTS))
    wire.writer.close()


@pytest.mark.parametrize(
    ("behave", "status", "found", "fix"),
    [
        (dripping, "OK", "8 events of a stream arrived over ", None),
        (held_back, "WARNING", "all 8 events of a stream arrived together after ", "docs/reverse-proxy.md"),
        (answer({}, "404 Not Found"), "FAILED", "did not send a stream: HTTP 404", "curl -N "),
    ],
)
def test_streams(behave: Behaviour, status: str, found: str, fix: str | None, server: Backend, tmp_path: Path) -> None:
    """Only if they are wanted: no model is asked for anything otherwise."""
    server.behave, server.behave_when_asked = behave, models("m")
    case = Case("", "", "", "", "", services=instance(api_key=KEY))
    with set_up(case, server, tmp_path) as file:
        server.requests.clear()
        assert "stream" not in {one["check"] for one in examine(file).findings}
        assert server.requests == []
        [stream] = [one for one in examine(file, "--streams").findings if one["check"] == "stream"]
    assert (stream["status"], found in stream["found"]) == (status, True)
    assert (fix in stream["fix"]) if fix else stream["fix"] is None
    [request] = server.requests
    assert (request.header("authorization"), json.loads(request.body)["max_tokens"]) == (f"Bearer {KEY}", 48)


def test_a_stream_through_the_gateway(gateway: tuple[Served, Path], server: Backend) -> None:
    """It is asked at the address that clients use, besides the backends."""
    served, file = gateway
    server.behave = dripping
    found = [one for one in examine(file, "--url", served.url, "--streams").findings if one["check"] == "stream"]
    assert [one["status"] for one in found] == ["OK", "OK"]
    assert [one["found"].partition(": ")[0] for one in found] == [served.url, server.url]


# --- secrets, and many instances ---


def test_no_secret_is_printed(server: Backend, tmp_path: Path) -> None:
    """Keys in the file, in the environment and in URLs, whatever is wrong, in both forms; a backend echoes its own."""
    echo = answer({"error": f"wrong key {KEY}"}, "401 Unauthorized")
    everything = """\
server: {locale: en, host: 0.0.0.0, port: {port}, admin-token: '${TOKEN}'}
webclient: {proxy: 'http://me:proxy-password@127.0.0.1:1'}
state: {url: 'redis://me:redis-password@127.0.0.1:1'}
tracing: {enabled: true, headers: {x-key: tracing-secret}}
"""
    services = f"""\
chat:
      instances:
        - {{name: m, base-url: '{{url}}', api-key: '{KEY}', proxy: none}}
        - {{name: m, base-url: '{{url}}/v1', headers: {{x-api-key: header-secret-1}}, proxy: 'http://me:own-proxy-password@127.0.0.1:1'}}
        - {{name: m, base-url: 'http://models.example/sk-in-the-path-1', api-key: '${{KEY_OF_ENVIRONMENT}}'}}
"""
    environ = {
        "TOKEN": TOKEN,
        "KEY_OF_ENVIRONMENT": "key-of-the-environment",
        "HTTPS_PROXY": "http://me:https-proxy-password@127.0.0.1:1",
        "JAIROUTER_API_KEY": "key-of-a-client",
    }
    secrets = (KEY, "proxy-password", "redis-password", "tracing-secret", "header-secret-1", "sk-in-the-path-1", TOKEN)
    shown = ""
    for behave in (echo, models(KEY), with_header("Location", f"http://h/{KEY}?key={KEY}", "302 Found")):
        for services_text in (services, services + "        - {name: m, base-url: 'http://me:url-password@h'}\n"):
            case = Case("", "", "", "", "", services=services_text, more=everything, behave=behave)
            with set_up(case, server, tmp_path) as file:
                for options in (("--json",), (), ("--streams",)):
                    done = run("--config", str(file), "doctor", *options, env=environ)
                    assert done.returncode == 1
                    shown += done.stdout + done.stderr
    assert "rejects the key" in shown
    assert "expected a URL without user and password" in shown
    for secret in (*secrets, *environ.values(), "url-password"):
        assert secret not in shown


def test_control_characters_of_a_backend_do_not_reach_the_terminal(server: Backend, tmp_path: Path) -> None:
    """A name of a model could move the cursor."""
    case = Case("", "", "", "", "", services=instance(name="m-1"), behave=models("m-1\x1b[2J\r\n"))
    with set_up(case, server, tmp_path) as file:
        shown = run("--config", str(file), "doctor").stdout
    assert "does not list m-1 (nearest: m-1?[2J??)" in shown
    assert all(letter.isprintable() for letter in shown.replace("\n", ""))


def test_a_thousand_instances(tmp_path: Path) -> None:
    """On three machines, of which one is gone: a question for each, whatever the number of instances."""
    with ExitStack() as stack:
        servers = [stack.enter_context(backend(answer({}))) for _ in range(2)]
        for one in servers:
            one.behave_when_asked = models(*(f"m{number}" for number in range(500)))
        urls = [*(one.url for one in servers), "http://127.0.0.1:1"]
        lines = [
            f"        - {{name: m{number}, base-url: '{urls[number % 3]}', api-key: '{KEY}'}}" for number in range(1000)
        ]
        file = config(
            tmp_path, "\n".join(["server: {port: 1}", "model:", "  services:", "    chat:", "      instances:", *lines])
        )
        report = examine(file)
        asked = [len(one.questions) for one in servers]
        text = run("--config", str(file), "doctor").stdout
    assert asked == [len(PATHS)] * 2
    [refused] = [one for one in report.findings if one["check"] == "backend" and one["status"] == "FAILED"]
    assert "requests for 333 instances go to other instances" in refused["why"]
    missing = [one["found"] for one in report.findings if one["check"] == "model"]
    assert len(missing) == 2
    assert all("and 162 more" in one or "and 161 more" in one for one in missing)
    assert len(text.splitlines()) < 50


def test_a_thousand_keys(tmp_path: Path) -> None:
    """Not all of them are tried, and that is said."""
    with backend(answer({})) as server:
        server.behave_when_asked = models("m")
        lines = "\n".join(
            f"        - {{name: m, base-url: '{server.url}', api-key: 'key-{number}'}}" for number in range(1000)
        )
        file = config(tmp_path, f"server: {{port: 1}}\nmodel:\n  services:\n    chat:\n      instances:\n{lines}\n")
        report = examine(file)
        assert len(server.questions) == 16 + len(PATHS) - 1  # of the first key alone is asked what it is
    [left_out] = [one for one in report.of("WARNING") if one["check"] == "backend"]
    assert left_out["found"] == f"{server.url}: 984 instances were not checked"
    assert "key-" not in json.dumps(report.findings)


def test_commands_are_one_line_however_narrow_the_terminal(tmp_path: Path) -> None:
    """They are copied from it, and a line break in the middle would be part of them."""
    file = config(tmp_path, f"server: {{port: 1}}\nmodel:\n  services:\n    {at('http://127.0.0.1:1')}\n")
    terminal = Terminal([*JAIROUTER, "--config", str(file), "doctor"], 40, 24)
    assert terminal.end() == 1
    eventually(lambda: "1 failure" in terminal.text)
    terminal.close()
    assert "instances update chat m@http://127.0.0.1:1 --base-url URL" in terminal.text


@pytest.mark.parametrize(
    ("kind", "model", "said"),
    [
        ("ollama", "qwen2.5:7b", "(Ollama 0.14.2, 2 models)"),
        ("vllm", "Qwen/Qwen2.5-7B-Instruct", "(vLLM 0.12.0, 1 model, context of 32768 tokens)"),
        ("llama.cpp", "any", "(llama.cpp b7000-abcdef, 1 model)"),
        ("tgi", "meta-llama/Llama-3.1-8B-Instruct", "(TGI 3.3.4, 1 model)"),
    ],
)
def test_what_a_backend_is(tmp_path: Path, kind: str, model: str, said: str) -> None:
    """Its kind, version, models, and the context of those that are configured."""
    with mock(kind, "--kind", kind) as (_, url):
        file = config(tmp_path, services(chat=[url]).replace("name: m\n", f"name: {model}\n"))
        found = [one["found"] for one in examine(file).findings if one["check"] == "backend"]
    assert found == [f"{url} responds {said}"]
