"""What all of the gateway's own answers have in common."""

import pytest

from tests.web.conftest import Front
from tests.web.test_raw_bytes import ask

PATHS = ["/v1/models", "/v1/models/m", "/api/v1/models", "/v1/models/unknown", "/actuator", "/actuator/health"]
PATHS += [
    "/actuator/health/readiness",
    "/actuator/health/liveness",
    "/actuator/prometheus",
    "/api/services",
    "/nothing",
]
PATHS += ["/swagger-ui/index.html", "/v3/api-docs"]


@pytest.mark.parametrize("path", PATHS)
def test_head_is_get_without_the_body(front: Front, path: str) -> None:
    """The same status and headers, the length of what is left out among them."""
    status, came = ask(front, f"HEAD {path} HTTP/1.1".encode())
    head, _, body = came.partition(b"\r\n\r\n")
    expected = front.gateway.get(path, headers={"accept-language": "en", "host": "localhost"})
    assert (status, body) == (expected.status_code, b"")
    said = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    assert said[b"content-type"].decode() == expected.headers["content-type"].lower()
    if path not in {"/actuator/prometheus", "/actuator/health", "/api/services"}:  # these change with time
        assert int(said[b"content-length"]) == len(expected.content)


def test_head_where_there_is_no_get(front: Front) -> None:
    """Is refused as GET is."""
    assert ask(front, b"HEAD /v1/chat/completions HTTP/1.1")[0] == 405
    assert front.gateway.request("HEAD", "/api/config/instance/add/chat").status_code in {404, 405}


@pytest.mark.parametrize("path", ["/swagger-ui/index.html", "/swagger-ui.html", "/docs", "/swagger-ui/nothing"])
def test_pages_are_bounded(front: Front, path: str) -> None:
    """They load from here, are framed by nobody, and tell nobody where a user comes from."""
    headers = front.gateway.get(path).headers
    policy = headers["content-security-policy"].split("; ")
    assert "frame-ancestors 'none'" in policy
    assert "script-src 'self'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("path", [*PATHS, "/api/explain", "/api/limits", "/actuator/nothing"])
def test_nothing_is_taken_for_something_else(front: Front, path: str) -> None:
    """By a browser that guesses."""
    assert front.gateway.get(path).headers["x-content-type-options"] == "nosniff"
