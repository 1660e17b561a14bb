"""Pages of other sites, and other spellings of paths: what is guarded is guarded however it is asked for."""

import socket
from collections.abc import Iterator

import pytest

from tests.process import Served, config, serving

BASIC = """\
server: {locale: en%s}
model:
  load-balance: {health-check: {enabled: false}}
  services:
    chat:
      instances: [{name: m, base-url: 'http://127.0.0.1:9'}]
"""
EXPOSED = "management: {endpoints: {web: {exposure: {include: '*'}}}}\n"
TOKEN = "hunter2hunter2"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Run a gateway that only its own machine may manage."""
    folder = tmp_path_factory.mktemp("local")
    with serving("--config", str(config(folder, BASIC % "" + EXPOSED))) as served:
        yield served


@pytest.fixture(scope="module", params=["rsgi", "asgi"])
def locked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Run a gateway that whoever has the token may manage, through each of its doors."""
    file = config(tmp_path_factory.mktemp("locked"), BASIC % f", admin-token: {TOKEN}" + EXPOSED)
    with serving("--config", str(file), "--interface", request.param) as served:
        yield served


OURS: list[dict[str, str]] = [
    {},
    {"sec-fetch-site": "same-origin"},
    {"sec-fetch-site": "none"},
    {"host": "localhost:1"},
    {"host": "LOCALHOST"},
    {"host": "[::1]:8080"},
    {"host": "127.0.0.1:1", "origin": "http://127.0.0.1:1", "sec-fetch-site": "same-origin"},
]
FOREIGN = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "Cross-Site"},
    {"sec-fetch-site": "none, cross-site"},
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://["},
    {"origin": ""},
    {"host": "127.0.0.1:1", "origin": "http://127.0.0.1:2"},
    {"host": "evil.example"},
    {"host": "evil.example", "origin": "http://evil.example", "sec-fetch-site": "same-origin"},
    {"host": "localhost.evil.example"},
    {"host": "127.0.0.1.evil.example"},
    {"host": "localhost@evil.example"},
    {"host": "["},
    {"host": ""},
]
GUARDED = ["/api/config/type", "/api/services", "/api/limits", "/actuator/env", "/actuator/info", "/actuator/metrics"]
PROBES = [
    "/actuator",
    "/actuator/health",
    "/actuator/health/liveness",
    "/actuator/health/readiness",
    "/actuator/prometheus",
]


@pytest.mark.parametrize("path", GUARDED)
def test_pages_of_other_sites_are_refused(local: Served, path: str) -> None:
    """By what a browser says of them, and under names that may have been made to point here."""
    assert [local.get(path, headers=headers).status_code for headers in OURS] == [200] * len(OURS)
    refused = [local.get(path, headers=headers).status_code for headers in FOREIGN]
    assert set(refused) <= {400, 403}, dict(zip(map(str, FOREIGN), refused, strict=True))


def test_a_refused_page_is_told_why(local: Served) -> None:
    """In the form of the surface."""
    found = local.get("/api/limits", headers={"origin": "http://evil.example"}).json()["error"]
    assert found["message"].startswith("/api/limits is not available to pages of other sites; ")
    assert (found["type"], found["details"]["reason"]) == ("permission_denied", "cross_site")


@pytest.mark.parametrize("path", PROBES)
def test_probes_may_come_under_any_name(local: Served, path: str) -> None:
    """A load balancer asks by the name that it knows."""
    assert local.get(path, headers={"host": "gateway.example"}).status_code == 200


@pytest.mark.parametrize("path", GUARDED)
def test_the_token_works_from_anywhere(locked: Served, path: str) -> None:
    """Whatever a browser says: the page knows the token. No other bytes are taken for it."""
    for given in ({"authorization": f"Bearer {TOKEN}"}, {"x-admin-token": TOKEN}):
        assert {locked.get(path, headers={**foreign, **given}).status_code for foreign in FOREIGN} <= {200, 400}
    for wrong in ("", "x", TOKEN.upper(), TOKEN + "x"):
        assert locked.get("/api/services", headers={"x-admin-token": wrong}).status_code == 401


def spellings(path: str) -> Iterator[str]:
    """Yield other ways to write a path."""
    first, _, rest = path[1:].partition("/")
    yield from (
        f"/{path}",
        f"//x/..{path}",
        f"/.{path}",
        f"/x/..{path}",
        f"/%2e{path}",
        f"/%2E%2e{path}",
        f"/v1/..{path}",
    )
    yield from (f"/%{ord(first[0]):02x}{path[2:]}", f"/{first}%2f{rest}", f"/{first}//{rest}", f"/{first}/./{rest}")
    yield from (f"/{first}/x/../{rest}", f"/{first}\\{rest}", f"/{first}%5c{rest}", f"/{first};x/{rest}", f"{path};x=y")
    yield from (
        f"{path}/",
        f"{path}//",
        f"{path}.",
        f"{path}..",
        f"{path}/.",
        f"{path}%00",
        f"{path}%20",
        f"{path}?",
        f"{path}%3f",
    )
    yield from (path.upper(), f"/{first.capitalize()}/{rest}", f"/{first}%252f{rest}", f"/{first}.{rest}", f"{path}%23")
    yield from (f"http://x{path}", f"http://127.0.0.1{path}", f"HTTP://x/{path}", f"/actuator/health/..{path}")
    yield from (f"/v1/models/..{path}", f"/v1/models/%2e%2e{path}", f"/swagger-ui/..{path}", f"/v3/..{path}")


def targets(served: Served) -> Iterator[tuple[str, str, str]]:
    """Yield method, route and target for every route that wants the token, as it is and in other spellings."""
    for route, methods in served.get("/v3/api-docs").json()["paths"].items():
        path = route.replace("{", "").replace("}", "")
        if path.startswith(("/api", "/actuator")) and not path.startswith("/api/v1/"):
            for method in methods:
                yield from ((method.upper(), path, target) for target in (path, *spellings(path)))


def statuses(served: Served, asked: list[tuple[str, str, str]]) -> list[int]:
    """Ask for exact targets, one after the other over one connection; 0 where it was closed without an answer."""
    host, _, port = served.url.removeprefix("http://").rpartition(":")
    found: list[int] = []
    connection = socket.create_connection((host, int(port)), 10)
    for method, _, target in asked:
        request = f"{method} {target} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n"
        for _ in range(2):
            try:
                connection.sendall(request.encode())
                answer = connection.makefile("rb")
                line = answer.readline()
                length = 0
                while header := answer.readline().strip().lower():
                    if header.startswith(b"content-length:"):
                        length = int(header.partition(b":")[2])
                if method != "HEAD":
                    answer.read(length)
                break
            except OSError:
                line = b""
            connection = socket.create_connection((host, int(port)), 10)
        status = int(line.split()[1]) if line else 0
        if status in {0, 400}:
            connection.close()
            connection = socket.create_connection((host, int(port)), 10)
        found.append(status)
    connection.close()
    return found


# Without the token these tell what `management.endpoints` exposes, as in Spring Boot.
OPEN = (
    "/actuator/jairouter-metrics",
    "/actuator/health",
    "/actuator/info",
    "/actuator/metrics",
    "/actuator/prometheus",
    "/actuator/loggers",
)


def test_no_spelling_of_a_path_gets_past_its_guard(locked: Served) -> None:
    """Every route and every method, without the token: refused, or not there."""
    asked = list(targets(locked))
    assert len({route for _, route, _ in asked}) > 80
    bad = []
    for (method, route, target), status in zip(asked, statuses(locked, asked), strict=True):
        is_open = method in {"GET", "HEAD"} and (route == "/actuator" or route.startswith(OPEN))
        if status not in ({200, 204, 301, 302, 400, 401, 403, 404, 405} if is_open else {400, 401, 403, 404, 405}):
            bad.append((method, target, status))
    assert bad == []
