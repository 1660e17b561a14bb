"""Pages of other origins: which of them may use `/v1`, and what their browsers are told."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from jairouter_cli.config.kinds import Origin
from jairouter_cli.config.model import Cors
from jairouter_cli.payloads.headers import RequestHeaders
from jairouter_cli.web.auth.cors import allowing, is_allowed, preflight
from tests.backend import answer, raw
from tests.process import Served, config, run, services, serving
from tests.web.conftest import Front

PAGE = "http://localhost:5173"
STRANGER = "https://evil.example"
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-stainless-os",
}
OURS = ("access-control-", "vary")


def told(response: httpx.Response) -> dict[str, str]:
    """Return what a browser goes by."""
    return {name: value for name, value in response.headers.items() if name.startswith(OURS)}


def may_have(origin: str) -> dict[str, str]:
    """Return what lets a page have an answer."""
    return dict(allowing(origin, Cors().allowed_origins))


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("http://localhost", True),
        ("http://localhost:5173", True),
        ("https://localhost:1", True),
        ("http://127.0.0.1:8080", True),
        ("http://[::1]:3000", True),
        ("HTTP://LOCALHOST:1", True),
        ("http://localhost.evil.example", False),
        ("http://localhost:1.evil.example", False),
        ("http://localhost:", False),
        ("http://localhost:1@evil.example", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://evil.example", False),
        ("file://", False),
        ("null", False),
        ("", False),
        ("*", False),
        ("http://localhost:*", False),
        ("http://loca\u017fho\u017ft", False),
        ("\xff", False),
    ],
)
def test_pages_of_this_machine_may_without_any_setting(origin: str, expected: bool) -> None:
    """On any port; nothing that merely begins like them."""
    assert is_allowed(origin, Cors().allowed_origins) is expected


def test_what_a_setting_allows() -> None:
    """Exactly what it names, or everybody; credentials are never mentioned, as cookies are never wanted."""
    some = (Origin("https://chat.example"), Origin("app://obsidian.md"))
    assert is_allowed("https://chat.example", some)
    assert is_allowed("app://obsidian.md", some)
    assert not is_allowed("https://chat.example:444", some)
    assert not is_allowed("http://chat.example", some)
    assert not is_allowed(PAGE, ())
    everybody = (Origin("*"),)
    for origin in ("null", STRANGER, PAGE):
        assert dict(allowing(origin, everybody))["access-control-allow-origin"] == "*"
        assert preflight(RequestHeaders([("origin", origin)]), everybody, "POST")[0] == 204


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/v1/embeddings", "/rerank", "/v1/models", "/v1/unknown"])
def test_a_preflight(front: Front, path: str) -> None:
    """It names what may be sent, and nobody else is let in by what a cache has kept of it."""
    with front.gateway.client() as client:
        response = client.options(path, headers={"origin": PAGE, **PREFLIGHT})
        assert (response.status_code, response.content) == (204, b"")
        methods = response.headers.pop("access-control-allow-methods")
        assert "POST" in methods
        assert told(response) == {
            "access-control-allow-origin": PAGE,
            "access-control-allow-headers": PREFLIGHT["access-control-request-headers"],
            "access-control-max-age": "600",
            "vary": "Origin, Access-Control-Request-Headers, Access-Control-Request-Private-Network",
        }
        private = {"origin": PAGE, **PREFLIGHT, "access-control-request-private-network": "true"}
        assert client.options(path, headers=private).headers["access-control-allow-private-network"] == "true"
        sent = {"origin": PAGE, **PREFLIGHT, "access-control-request-headers": "x-\xff"}
        odd = [(name, value.encode("latin-1")) for name, value in sent.items()]
        assert (
            client.options(path, headers=[(name.encode(), value) for name, value in odd]).headers.get(
                "access-control-allow-headers"
            )
            is None
        )
        response = client.options(path, headers={"origin": STRANGER, **PREFLIGHT})
        assert (response.status_code, told(response)) == (403, {"vary": "Origin"})
    assert front.backend.requests == []


@pytest.mark.parametrize("path", ["/api/services", "/api/config/type", "/actuator/health", "/actuator/loggers/x"])
def test_nothing_else_may_be_asked_from_pages(front: Front, path: str) -> None:
    """Neither by a preflight nor by the request."""
    with front.gateway.client() as client:
        for method in ("OPTIONS", "GET", "POST"):
            assert told(client.request(method, path, headers={"origin": PAGE, **PREFLIGHT})) == {}


EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9\r\n\r\ndata: 1\n\n"


def test_answers_may_be_read(front: Front) -> None:
    """Good ones, streams, errors of backends and our own; what a backend says to pages does not count."""
    theirs = b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Allow-Credentials: true\r\n"
    cases = [
        (answer({}), 200),
        (raw(EVENTS), 200),
        (answer({}, "400 Bad Request"), 400),
        (raw(theirs + b"Content-Length: 2\r\n\r\n{}"), 200),
        (raw(b""), 502),
    ]
    for behaviour, status in cases:
        front.behaves(behaviour)
        for origin, expected in ((PAGE, may_have(PAGE)), (STRANGER, {"vary": "Origin"}), (None, {})):
            headers = {"origin": origin} if origin else {}
            response = front.gateway.post("/v1/chat/completions", json={"model": "m"}, headers=headers)
            assert (response.status_code, told(response)) == (status, expected)
    for path in ("/v1/models", "/v1/models/unknown", "/v1/unknown"):
        assert told(front.gateway.get(path, headers={"origin": PAGE})) == may_have(PAGE)
    wrong = front.gateway.post("/v1/chat/completions", content=b"{", headers={"origin": PAGE})
    assert (wrong.status_code, told(wrong)) == (400, may_have(PAGE))
    assert "X-Request-Id" in may_have(PAGE)["access-control-expose-headers"]


def test_an_options_that_is_no_preflight_is_none(front: Front) -> None:
    """It is refused as any other method."""
    with front.gateway.client() as client:
        assert client.options("/v1/chat/completions", headers={"origin": PAGE}).status_code == 405


@pytest.fixture(scope="module")
def open_to_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Run a gateway that lets pages of every origin in."""
    text = services(chat=["http://127.0.0.1:9"]).replace("locale: en", "locale: en\n  cors: {allowed-origins: '*'}")
    with serving("--config", str(config(tmp_path_factory.mktemp("cors"), text))) as served:
        yield served


def test_everybody_may_if_the_configuration_says_so(open_to_all: Served) -> None:
    """On `/v1`, and still nowhere else."""
    headers = {"origin": STRANGER}
    assert open_to_all.get("/v1/models", headers=headers).headers["access-control-allow-origin"] == "*"
    assert told(open_to_all.get("/api/services", headers=headers)) == {}


@pytest.mark.parametrize("value", ["localhost", "https://a/b", "https://", "https://a:x", "'**'", "https://*.a"])
def test_what_is_no_origin_is_refused(tmp_path: Path, value: str) -> None:
    """When the file is read, with an example of one."""
    file = config(tmp_path, f"server: {{cors: {{allowed-origins: [{value}]}}}}\n")
    done = run("config", "validate", str(file))
    assert done.returncode == 2
    assert "expected an origin, like https://chat.example or http://localhost:*, or *" in done.stderr
