"""Backends behind a proxy: which one is taken, and the contract of `test_upstream` through it."""

import asyncio
import base64
import socket
import ssl
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvloop

from jairouter_cli.config.kinds import Secret
from jairouter_cli.config.model import ConnectionPool, Tls, WebClient
from jairouter_cli.gateway.upstream.exchange import FailureKind, UpstreamFailure, UpstreamRequest
from jairouter_cli.gateway.upstream.http1 import Http1Upstream
from jairouter_cli.gateway.upstream.proxies import Proxies, Proxy
from jairouter_cli.gateway.upstream.resolver import Resolver
from jairouter_cli.gateway.upstream.way import Way
from jairouter_cli.routing.call import Timeouts

PATIENT = Timeouts(5, 5, 5, 5)
A = {"http_proxy": "http://a:3128"}


@pytest.mark.parametrize(
    ("environ", "address", "proxy"),
    [
        ({}, "http://llm.example", None),
        (A, "http://llm.example", "a:3128"),
        (A, "https://llm.example", None),
        ({"HTTP_PROXY": "http://a:3128"}, "http://llm.example", "a:3128"),
        ({"HTTP_PROXY": "http://a:3128", "REQUEST_METHOD": "GET"}, "http://llm.example", None),
        ({"HTTP_PROXY": "http://b:1", **A}, "http://llm.example", "a:3128"),
        ({"HTTP_PROXY": "http://b:1", "http_proxy": ""}, "http://llm.example", None),
        ({"HTTPS_PROXY": "a:3128"}, "https://llm.example", "a:3128"),
        ({"ALL_PROXY": "http://a"}, "https://llm.example", "a:80"),
        ({"all_proxy": "http://b", **A}, "http://llm.example", "a:3128"),
        (A, "http://localhost:8000", None),
        (A, "http://127.0.0.2", None),
        (A, "http://[::1]:1", None),
        (A, "http://ollama.localhost", None),
        ({**A, "NO_PROXY": "*"}, "http://llm.example", None),
        ({**A, "no_proxy": "other, llm.example"}, "http://llm.example", None),
        ({**A, "no_proxy": "example"}, "http://llm.example", None),
        ({**A, "no_proxy": ".example"}, "http://llm.example", None),
        ({**A, "no_proxy": "*.example"}, "http://llm.example", None),
        ({**A, "no_proxy": "LLM.Example."}, "http://llm.example.", None),
        ({**A, "no_proxy": "m.example"}, "http://llm.example", "a:3128"),
        ({**A, "no_proxy": "llm.example:80"}, "http://llm.example", None),
        ({**A, "no_proxy": "llm.example:81"}, "http://llm.example", "a:3128"),
        ({**A, "no_proxy": "10.0.0.0/8"}, "http://10.1.2.3:8000", None),
        ({**A, "no_proxy": "10.0.0.0/8"}, "http://11.1.2.3:8000", "a:3128"),
        ({**A, "no_proxy": "10.1.2.3"}, "http://10.1.2.3", None),
        ({**A, "no_proxy": "10.1.2.3:8000"}, "http://10.1.2.3:8000", None),
        ({**A, "no_proxy": "fd00::/8 [fd00::1]"}, "http://[fd00::1]", None),
        ({**A, "no_proxy": "[fe80::1]:8000"}, "http://[fe80::1]:8000", None),
        ({**A, "no_proxy": "2.3"}, "http://10.1.2.3", "a:3128"),
        ({**A, "no_proxy": ",, .,"}, "http://llm.example", "a:3128"),
    ],
)
def test_the_environments_proxy(environ: Mapping[str, str], address: str, proxy: str | None) -> None:
    """As curl reads it; one's own machine is never behind one."""
    found = way(address, Proxies(None, environ)).proxy
    assert (None if found is None else str(found)) == proxy


@pytest.mark.parametrize(
    ("own", "setting", "proxy"),
    [
        (None, None, "a:3128"),
        (None, "http://b:1", "b:1"),
        (None, "", None),
        ("http://c:2", "http://b:1", "c:2"),
        ("", "http://b:1", None),
        ("", None, None),
    ],
)
def test_the_nearest_setting_wins(own: str | None, setting: str | None, proxy: str | None) -> None:
    """The instance's, the gateway's, the environment's; nothing is none."""
    found = way("http://llm.example", Proxies(setting, A), own).proxy
    assert (None if found is None else str(found)) == proxy


def test_credentials_are_decoded_and_never_shown() -> None:
    """They go into one header."""
    found = way("http://llm.example", Proxies("http://us%40er:p%3As@a:1", {})).proxy
    assert found == Proxy("a", 1, "Basic " + base64.b64encode(b"us@er:p:s").decode())
    assert "p:s" not in f"{found}"


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "https"])
def test_a_proxy_that_cannot_be_used_is_not_gone_around(scheme: str) -> None:
    """The instance cannot be reached, and the reason says why."""
    with pytest.raises(UpstreamFailure, match=f"only http:// proxies .* is {scheme}$"):
        way("https://llm.example", Proxies(None, {"ALL_PROXY": f"{scheme}://u:secret@a:1"}))


def way(address: str, proxies: Proxies, own: str | None = None) -> Way:
    """Return the way to an address."""
    return Way(address, Resolver(0), proxies, own, ssl.create_default_context)


# --- through a proxy ---


@dataclass
class Middle:
    """A proxy and the backends behind it, all in one: what it was asked, and what it is to say."""

    port: int = 0
    heads: list[str] = field(default_factory=list)
    tunnelled: list[str] = field(default_factory=list)
    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    to_connect: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Make a certificate for a name that does not exist, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key, made = str(folder / "key.pem"), str(folder / "cert.pem")
    names = "subjectAltName=DNS:llm.example.invalid"
    command = (
        f"openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=llm -addext {names} -keyout {key} -out {made}"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    return made, key


class Serving:
    """Runs a `Middle` in the same loop."""

    def __init__(self, middle: Middle, certificate: tuple[str, str]) -> None:
        self.middle = middle
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*certificate)

    async def __aenter__(self) -> Middle:
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.middle.port = self.server.sockets[0].getsockname()[1]
        return self.middle

    async def __aexit__(self, *_: object) -> None:
        self.server.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer until the other side leaves."""
        middle, into = self.middle, self.middle.heads
        try:
            while True:
                first = await reader.read(1)
                if first == b"\x16":  # TLS, where none is spoken
                    writer.write(middle.answer)
                    break
                head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                if head.startswith("CONNECT "):
                    middle.heads.append(head)
                    writer.write(middle.to_connect)
                    if not middle.to_connect.startswith(b"HTTP/1.1 2"):
                        break
                    await writer.start_tls(self.context)
                    head, into = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1"), middle.tunnelled
                into.append(head)
                writer.write(middle.answer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()


LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_requests_go_through_it(certificate: tuple[str, str], scheme: str, loop: str) -> None:
    """Forwarded whole or through a tunnel, with credentials for the proxy alone; one connection serves them all."""
    user = "Basic " + base64.b64encode(b"u:p").decode()

    async def scenario() -> Middle:
        async with Serving(Middle(), certificate) as middle:
            async with asyncio.timeout(10):
                assert await fetch(middle, certificate, scheme) == [(200, b"ok")] * 3
        return middle

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        middle = runner.run(scenario())
    rest = "content-length: 0\r\n\r\n"
    if scheme == "http":
        host = f"host: llm.example.invalid:8000\r\nproxy-authorization: {user}\r\n"
        assert middle.heads == [f"POST http://llm.example.invalid:8000/v1/x HTTP/1.1\r\n{host}{rest}"] * 3
    else:
        to = "llm.example.invalid:8000"
        assert middle.heads == [f"CONNECT {to} HTTP/1.1\r\nhost: {to}\r\nproxy-authorization: {user}\r\n\r\n"]
        assert middle.tunnelled == [f"POST /v1/x HTTP/1.1\r\nhost: {to}\r\n{rest}"] * 3


async def fetch(
    middle: Middle, certificate: tuple[str, str], scheme: str, timeouts: Timeouts = PATIENT
) -> list[tuple[int, bytes]]:
    """Ask three times through the proxy."""
    proxy = Secret(f"http://u:p@127.0.0.1:{middle.port}")
    upstream = Http1Upstream(ConnectionPool(), WebClient(proxy=proxy, ssl=Tls(trust_store=certificate[0])))
    found = []
    try:
        for _ in range(3):
            request = UpstreamRequest(f"{scheme}://llm.example.invalid:8000", "/v1/x", [], b"", timeouts)
            exchange = await upstream.send(request)
            found.append((exchange.status, await exchange.read()))
            assert await exchange.read() == b""
            await exchange.aclose()
    finally:
        await upstream.aclose()
    return found


REFUSALS: dict[str, tuple[str, dict[str, Any], str]] = {
    "no credentials": (
        "http",
        {"answer": b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"},
        "the proxy requires a user and a password, or rejected those it got",
    ),
    "no credentials for a tunnel": (
        "https",
        {"to_connect": b"HTTP/1.1 407 No\r\n\r\n"},
        "the proxy requires a user and a password, or rejected those it got",
    ),
    "no tunnel": (
        "https",
        {"to_connect": b"HTTP/1.1 503 No\r\n\r\n"},
        "the proxy refused to connect to the backend: HTTP 503",
    ),
    "no HTTP": ("https", {"to_connect": b"nonsense\r\n\r\n"}, "the proxy refused to connect to the backend: HTTP 0"),
    "an endless head": ("https", {"to_connect": b"a" * 100_000}, "the proxy did not answer CONNECT in HTTP"),
    "nothing": ("https", {"to_connect": b""}, "the proxy did not answer CONNECT in HTTP"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_a_proxy_says_instead(certificate: tuple[str, str], name: str) -> None:
    """The backend cannot be reached, and the reason names the proxy."""
    scheme, says, reason = REFUSALS[name]

    async def scenario() -> None:
        async with Serving(Middle(**says), certificate) as middle, asyncio.timeout(10):
            await fetch(middle, certificate, scheme)

    with pytest.raises(UpstreamFailure) as caught:
        asyncio.run(scenario())
    assert (caught.value.kind, caught.value.detail) == (FailureKind.UNREACHABLE, reason)


def test_a_proxy_that_cannot_be_reached() -> None:
    """It is the proxy, and not the backend, that is said to refuse."""
    found = asyncio.run(refused("http://llm.example", WebClient(proxy=Secret("http://127.0.0.1:1"))))
    assert found == "unreachable: the proxy cannot be reached: Connection refused"


def test_a_proxy_that_says_nothing_is_bounded_by_the_connect_timeout(certificate: tuple[str, str]) -> None:
    """As everything is that comes before the request."""

    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            await fetch(Middle(port=silent.getsockname()[1]), certificate, "https", Timeouts(0.2, 5, 5, 5))

    with pytest.raises(UpstreamFailure) as caught:
        asyncio.run(scenario())
    assert caught.value.kind is FailureKind.CONNECT_TIMEOUT


# --- TLS in words ---


async def refused(origin: str, client: WebClient) -> str:
    """Return why an origin cannot be reached."""
    upstream = Http1Upstream(ConnectionPool(), client)
    try:
        await upstream.send(UpstreamRequest(origin, "/", [], b"", PATIENT))
    except UpstreamFailure as failure:
        return str(failure)
    finally:
        await upstream.aclose()
    return "it was reached"


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    ("name", "trusted", "reason"),
    [
        ("llm.example.invalid", False, "self-signed certificate"),
        ("other.invalid", True, "Hostname mismatch, certificate is not valid for 'other.invalid'"),
    ],
)
def test_a_certificate_that_does_not_do(
    certificate: tuple[str, str], name: str, *, trusted: bool, reason: str, loop: str
) -> None:
    """The reason is OpenSSL's, not that of an error with the same number; a proxy changes nothing in it."""

    async def scenario() -> str:
        async with Serving(Middle(), certificate) as middle:
            tls = Tls(trust_store=certificate[0] if trusted else None)
            proxy = Secret(f"http://127.0.0.1:{middle.port}")
            return await refused(f"https://{name}", WebClient(proxy=proxy, ssl=tls))

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        assert runner.run(scenario()) == f"unreachable: certificate verify failed: {reason}"


@pytest.mark.parametrize("loop", LOOPS)
def test_a_backend_that_does_not_speak_tls(certificate: tuple[str, str], loop: str) -> None:
    """The wrong scheme in a base-url is said as such."""

    async def scenario() -> str:
        async with Serving(Middle(), certificate) as plain:
            return await refused(f"https://127.0.0.1:{plain.port}", WebClient())

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        assert runner.run(scenario()) == (
            "unreachable: TLS handshake failed: the backend does not speak TLS; its base-url should begin with http://"
        )
