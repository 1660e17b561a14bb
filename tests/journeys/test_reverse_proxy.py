"""The snippets of `docs/reverse-proxy.md`, in the real programs, in front of a real gateway and a mock."""

import json
import os
import re
import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, Final, NamedTuple

import httpx
import pytest

from jairouter_cli.cli.listening import bindable
from tests.process import Served, config, eventually, mock, run, serving

PAGE: Final = (Path(__file__).parents[2] / "docs" / "reverse-proxy.md").read_text("utf-8")
CLIENT: Final = "127.0.0.5"  # another address of this machine than the proxy's
BODY: Final = {"model": "demo-chat", "messages": [{"role": "user", "content": "one two three four five six"}]}


def snippet(language: str) -> str:
    """Return the page's one block in a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return str(found)


def replaced(text: str, *changes: tuple[str, str]) -> str:
    """Return a snippet with another port, name or path; each is in it."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


def program(name: str) -> str:
    """Return a program; without it the test is skipped, but in CI it must be there."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        assert not os.environ.get("CI"), f"CI must have {name}: see .ci/run"
        pytest.skip(f"{name} is not installed")
    return found


class Front(NamedTuple):
    """A proxy that runs: its address, how its certificate is checked, and the gateway behind it."""

    url: str
    verify: ssl.SSLContext | bool
    served: Served
    log: Path

    def client(self) -> httpx.Client:
        """Return a client with an address of its own."""
        transport = httpx.HTTPTransport(local_address=CLIENT, verify=self.verify)
        return httpx.Client(base_url=self.url, transport=transport, trust_env=False, timeout=30)

    def lines_of(self, path: str) -> list[dict[str, Any]]:
        """Return the lines of the gateway's log about requests for a path."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [one for one in map(json.loads, lines) if one["path"] == path]


@contextmanager
def running(command: list[str], folder: Path, ready: Callable[[], bool]) -> Iterator[None]:
    """Run a proxy until the block ends."""
    environ = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=output, stderr=subprocess.STDOUT)
        try:
            eventually(lambda: process.poll() is not None or ready())
            assert process.poll() is None, (folder / "output").read_text()
            yield
        finally:
            process.terminate()
            process.wait(20)


@contextmanager
def nginx(folder: Path, gateway_port: int, *changes: tuple[str, str]) -> Iterator[tuple[str, ssl.SSLContext | bool]]:
    """Run nginx with the page's snippet, included as Debian's nginx.conf does; yield its address."""
    path, port = program("nginx"), bindable("127.0.0.1", 0)
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    names = "-subj /CN=localhost -addext subjectAltName=DNS:localhost"
    command = f"{program('openssl')} req -x509 -newkey rsa:2048 -nodes -days 1 {names} -keyout {key} -out {certificate}"
    subprocess.run(command.split(), check=True, capture_output=True, timeout=60)
    site = replaced(
        snippet("nginx"),
        ("127.0.0.1:8080", f"127.0.0.1:{gateway_port}"),
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("server_name gateway.example.com", "server_name localhost"),
        ("/etc/ssl/gateway.example.com.pem", str(certificate)),
        ("/etc/ssl/gateway.example.com.key", str(key)),
        *changes,
    )
    (folder / "site.conf").write_text(site)
    temporary = "".join(
        f"{name}_temp_path {folder / name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""  # else its workers could not enter the folder
    (folder / "nginx.conf").write_text(
        f"{user}daemon off;\nworker_processes 1;\npid {folder / 'pid'};\nerror_log stderr;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{temporary}include {folder / 'site.conf'};\n}}\n"
    )
    verify, url = ssl.create_default_context(cafile=str(certificate)), f"https://localhost:{port}"
    with running([path, "-c", str(folder / "nginx.conf"), "-p", str(folder)], folder, lambda: is_up(url, verify)):
        yield url, verify


@contextmanager
def caddy(folder: Path, gateway_port: int) -> Iterator[tuple[str, ssl.SSLContext | bool]]:
    """Run Caddy with the page's snippet, without the certificate that it would obtain; yield its address."""
    path, port = program("caddy"), bindable("127.0.0.1", 0)
    site = replaced(
        snippet("caddyfile"),
        ("127.0.0.1:8080", f"127.0.0.1:{gateway_port}"),
        ("gateway.example.com", f"http://127.0.0.1:{port}"),
    )
    (folder / "Caddyfile").write_text(f"{{\n\tadmin off\n\tauto_https off\n\tdefault_bind 127.0.0.1\n}}\n{site}")
    url = f"http://127.0.0.1:{port}"
    command = [path, "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    with running(command, folder, lambda: is_up(url, verify=True)):
        yield url, True


def is_up(url: str, verify: ssl.SSLContext | bool) -> bool:
    """Whether a proxy and the gateway behind it respond."""
    try:
        return httpx.get(f"{url}/v1/models", verify=verify, trust_env=False, timeout=5).is_success
    except httpx.TransportError:
        return False


PROXIES: Final = {"nginx": nginx, "caddy": caddy}


@pytest.fixture(scope="module", params=PROXIES)
def front(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """Run a mock, a gateway with the page's configuration, and a proxy."""
    folder = tmp_path_factory.mktemp(request.param)
    with ExitStack() as stack:
        _, backend = stack.enter_context(mock("m", "--chunk-interval", "0.1"))
        services = "".join(
            f"    {service}: {{instances: [{{name: {name}, base-url: '{backend}'}}]}}\n"
            for service, name in (("chat", "demo-chat"), ("stt", "demo-stt"))
        )
        log = folder / "access.log"
        more = f"logging: {{format: json, access: {{file: {log}}}}}\nmodel:\n  services:\n{services}"
        file = config(folder, snippet("yaml") + more)
        served = stack.enter_context(serving("--config", str(file)))
        url, verify = stack.enter_context(PROXIES[request.param](folder, int(served.url.rpartition(":")[2])))
        yield Front(url, verify, served, log)


def test_a_stream_arrives_event_by_event(front: Front) -> None:
    """Its first event comes long before its last: most of the time passes between the two."""
    began, arrivals = monotonic(), []
    with front.client() as client, client.stream("POST", "/v1/chat/completions", json={**BODY, "stream": True}) as got:
        assert got.status_code == 200
        for piece in got.iter_raw():
            arrivals += [monotonic() - began] * piece.count(b"data:")
    assert len(arrivals) > 6
    assert len(set(arrivals)) > 5
    assert arrivals[-1] - arrivals[0] > arrivals[-1] / 2


def test_a_large_body_passes(front: Front) -> None:
    """Larger than proxies allow by default, and whole; one that is larger than the gateway's limit does not."""
    sound = bytes(20 << 20)
    with front.client() as client:
        heard = client.post(
            "/v1/audio/transcriptions", data={"model": "demo-stt"}, files={"file": ("hi.wav", sound, "audio/wav")}
        )
        assert (heard.status_code, f"{len(sound)} bytes" in heard.text) == (200, True)
        refused = client.post("/v1/chat/completions", content=bytes(65 << 20))
    assert refused.status_code == 413


def test_the_client_is_the_proxys_and_not_the_proxy(front: Front) -> None:
    """Whatever it says of itself."""
    paths = {
        "/v1/models/plain": {},
        "/v1/models/claims": {"x-forwarded-for": "192.0.2.1", "forwarded": "for=192.0.2.2"},
        "/v1/models/twice": {"x-forwarded-for": "127.0.0.1, 127.0.0.1"},
    }
    with front.client() as client:
        for path, headers in paths.items():
            assert client.get(path, headers=headers).status_code == 404
    logged = {}
    for path in paths:
        [line] = eventually(partial(front.lines_of, path))
        logged[path] = line["client"]
    assert logged == dict.fromkeys(paths, CLIENT)


@pytest.mark.parametrize("front", ["caddy"], indirect=True)  # nginx has a certificate here that nobody vouches for
def test_doctor_sees_streams_through_the_proxy(front: Front) -> None:
    """And says that they are not held back."""
    file = front.log.parent / "jairouter.yaml"
    done = run("--config", str(file), "doctor", "--url", front.url, "--streams", "--json")
    found = [one for one in json.loads(done.stdout)["findings"] if one["check"] == "stream"]
    assert [one["status"] for one in found] == ["OK", "OK"]
    assert found[0]["found"].startswith(front.url)


@pytest.mark.parametrize("front", ["caddy"], indirect=True)
def test_doctor_finds_a_proxy_that_holds_streams_back(front: Front, tmp_path: Path) -> None:
    """An nginx that buffers, whatever the gateway asks of it; here it stands before a backend, and does TLS."""
    buffering = ("proxy_buffering off;", "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;")
    for changes, status in (((), "OK"), ((buffering,), "WARNING")):
        with nginx(tmp_path, int(front.served.url.rpartition(":")[2]), *changes) as (url, _):
            trust = f"webclient: {{ssl: {{trust-store: {tmp_path / 'certificate.pem'}}}}}"
            chat = f"model: {{services: {{chat: {{instances: [{{name: demo-chat, base-url: '{url}'}}]}}}}}}"
            file = config(tmp_path, f"server: {{locale: en, port: 1}}\n{trust}\n{chat}\n")
            done = run("--config", str(file), "doctor", "--streams", "--json")
        [found] = [one for one in json.loads(done.stdout)["findings"] if one["check"] == "stream"]
        assert (found["status"], url in found["found"]) == (status, True), found
