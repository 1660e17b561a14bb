"""What a client is told when something is wrong: status, shape, language; never HTML, never a traceback."""

import pytest

from jairouter_cli.config.model import Locale
from jairouter_cli.web.language import negotiate
from tests.web.conftest import Front

JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        (None, Locale.ZH),
        ("", Locale.ZH),
        ("en", Locale.EN),
        ("en-GB,en;q=0.9", Locale.EN),
        ("zh-CN,zh;q=0.9,en;q=0.8", Locale.ZH),
        ("en;q=0.5, zh;q=0.8", Locale.ZH),
        ("fr, en;q=0.3", Locale.EN),
        ("fr", Locale.ZH),
        ("en;q=0", Locale.ZH),
        ("*;;;q=x,\x00", Locale.ZH),
        ("en;q=9e999", Locale.ZH),
        ("en;q=nan", Locale.ZH),
        ("en;q=1.5", Locale.ZH),
        ("en;q=0.0001, zh;q=0", Locale.ZH),
        ("en; Q = 0.1", Locale.EN),
        ("fr-FR , en-US-x ;q=1.000", Locale.EN),
        ("x" * 2000 + ",en", Locale.ZH),
    ],
)
def test_the_language_is_negotiated(accepted: str | None, chosen: Locale) -> None:
    """The best-liked language that we speak, else the server's."""
    assert negotiate(accepted, Locale.ZH) is chosen


def error(reason: str, message: str, kind: str = "invalid_request", param: str | None = None) -> dict[str, object]:
    """Return the body of an error."""
    body: dict[str, object] = {"message": message, "type": kind, "code": kind}
    if param:
        body["param"] = param
    return {"error": {**body, "details": {"source": "gateway", "reason": reason}}}


NO_SUCH_MODEL = "No instances found for model 'other' in service type 'chat'"


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        (
            b"",
            400,
            error("malformed_body", "The request body is malformed: the body is empty, expected a JSON object"),
        ),
        (b"{", 400, error("malformed_body", "The request body is malformed: Input data was truncated")),
        (b"[]", 400, error("malformed_body", "The request body is malformed: Expected `object`, got `array`")),
        (b"{}", 400, error("missing_parameter", "The parameter 'model' is required", param="model")),
        (b'{"model": " "}', 400, error("missing_parameter", "The parameter 'model' is required", param="model")),
        (b'{"model": "other"}', 404, error("model_not_found", NO_SUCH_MODEL, "not_found", "model")),
    ],
)
def test_a_body_that_will_not_do(front: Front, body: bytes, status: int, expected: dict[str, object]) -> None:
    """The error names the field and the fault, in the language that the client asked for."""
    headers = {**JSON, "accept-language": "en"}
    response = front.gateway.post("/v1/chat/completions", content=body, headers=headers)
    assert (response.status_code, response.json()) == (status, expected)
    assert front.backend.requests == []


@pytest.mark.parametrize("field", ["model", "stream"])
def test_a_field_of_the_wrong_type(front: Front, field: str) -> None:
    """`param` names it."""
    response = front.gateway.post("/v1/chat/completions", json={"model": "m", field: {"a": 1}})
    found = response.json()["error"]
    assert (response.status_code, found["param"], found["details"]["reason"]) == (400, field, "invalid_parameter")


def test_chinese_is_the_default(front: Front) -> None:
    """Without a wish of the client, `server.locale` holds."""
    response = front.gateway.post("/v1/chat/completions", json={})
    assert response.json() == error("missing_parameter", "缺少必需参数：model", param="model")


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [
        ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
        ("POST", "/v1/nothing", 404, "route_not_found"),
        ("GET", "/", 404, "route_not_found"),
        ("GET", "/v1/models/nothing", 404, "model_not_found"),
        ("GET", "/v1/../etc/passwd", 404, "route_not_found"),
    ],
)
def test_paths_and_methods_that_do_not_exist(front: Front, method: str, path: str, status: int, reason: str) -> None:
    """Same shape as every other error."""
    response = front.gateway.request(method, path)
    assert (response.status_code, response.json()["error"]["details"]["reason"]) == (status, reason)
    assert response.headers["content-type"] == "application/json"


def test_a_wrong_method_is_told_the_right_one(front: Front) -> None:
    """405 carries Allow."""
    assert front.gateway.get("/v1/chat/completions").headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("path", "content_type", "status", "reason"),
    [
        ("/v1/chat/completions", "text/plain", 415, "unsupported_media_type"),
        ("/v1/chat/completions", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        ("/v1/audio/transcriptions", "application/json", 415, "unsupported_media_type"),
        ("/v1/audio/transcriptions", "multipart/form-data", 415, "unsupported_media_type"),
        ("/v1/audio/transcriptions", "multipart/form-data; boundary=b", 400, "malformed_body"),
    ],
)
def test_content_types(front: Front, path: str, content_type: str, status: int, reason: str) -> None:
    """JSON endpoints take JSON, upload endpoints forms; a form must be whole."""
    response = front.gateway.post(path, content=b'{"model": "m"}', headers={"content-type": content_type})
    assert (response.status_code, response.json()["error"]["details"]["reason"]) == (status, reason)


def test_the_connection_stays_usable_after_an_error(front: Front) -> None:
    """One connection, a mistake, then a good request."""
    with front.gateway.client() as client:
        assert client.post("/v1/chat/completions", content=b"{", headers=JSON).status_code == 400
        assert client.post("/v1/chat/completions", json={"model": "m"}).status_code == 200


def test_the_actuator_answers_as_spring_boot_does(front: Front) -> None:
    """Unknown: 404 with an empty body."""
    response = front.gateway.get("/actuator/nothing")
    assert (response.status_code, response.content) == (404, b"")
