"""`jairouter doctor`: every fault of a set-up is named, with the command that mends it, and a healthy one has none."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from jairouter_cli.cli.listening import bindable
from tests.backend import Backend, Behaviour, Received, Wire, answer, raw
from tests.process import config, run

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
    return raw(head.encode() + body, then="wait")


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
        "asks for a key, and 1 instance have none (HTTP 403)",
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
