"""What a client is told when something is wrong: status, shape, language; never HTML, never a traceback."""

import re

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
        ("fr", Locale.EN),
        ("de-DE,de;q=0.9", Locale.EN),
        ("de;q=0", Locale.ZH),
        ("*", Locale.ZH),
        ("zh-TW, de", Locale.ZH),
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
    """The best-liked language that we speak, English for who wants others, else the server's."""
    assert negotiate(accepted, Locale.ZH) is chosen


def error(reason: str, message: str, kind: str = "invalid_request", param: str | None = None) -> dict[str, object]:
    """Return the body of an error."""
    body: dict[str, object] = {"message": message, "type": kind, "code": kind}
    if param:
        body["param"] = param
    return {"error": {**body, "details": {"source": "gateway", "reason": reason}}}


NO_SUCH_MODEL = "No instances found for model 'other' in service type 'chat'; available models: m"


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
    ],
)
def test_a_body_that_will_not_do(front: Front, body: bytes, status: int, expected: dict[str, object]) -> None:
    """The error names the field and the fault, in the language that the client asked for."""
    headers = {**JSON, "accept-language": "en"}
    response = front.gateway.post("/v1/chat/completions", content=body, headers=headers)
    assert (response.status_code, response.json()) == (status, expected)
    assert front.backend.requests == []


def test_a_model_that_there_is_not(front: Front) -> None:
    """The code is OpenAI's, `details` lists the models that there are."""
    response = front.gateway.post("/v1/chat/completions", json={"model": "other"}, headers={"accept-language": "en"})
    said = {"message": NO_SUCH_MODEL, "type": "not_found", "code": "model_not_found", "param": "model"}
    details = {"source": "gateway", "reason": "model_not_found", "available": ["m"]}
    assert (response.status_code, response.json()) == (404, {"error": {**said, "details": details}})
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
        ("GET", "/v1/models/nothing", 404, "model_not_found"),
        ("GET", "/v1/../etc/passwd", 404, "route_not_found"),
    ],
)
def test_paths_and_methods_that_do_not_exist(front: Front, method: str, path: str, status: int, reason: str) -> None:
    """Same shape as every other error."""
    response = front.gateway.request(method, path)
    assert (response.status_code, response.json()["error"]["details"]["reason"]) == (status, reason)
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("/chat/completions", "/v1/chat/completions"),
        ("/v1/v1/chat/completions", "/v1/chat/completions"),
        ("/v1/chat/completions/chat/completions", "/v1/chat/completions"),
        ("/v1", "/v1/models"),
        ("/v1/chat/completion", "/v1/chat/completions"),
        ("/models", "/v1/models"),
        ("/healt", "/health"),
    ],
)
def test_a_missed_path_is_told_the_right_one(front: Front, path: str, nearest: str) -> None:
    """And what the base URL of a client must end in, if one of its calls has missed."""
    response = front.gateway.post(path, headers={"accept-language": "en"})
    about = " The base URL for OpenAI clients ends in /v1" if nearest.startswith("/v1") else ""
    said = f"No such path: POST {path}; did you mean {nearest}?{about}"
    assert (response.status_code, response.json()["error"]["message"]) == (404, said)


def test_the_root_says_where_everything_is(front: Front) -> None:
    """As JSON, and as a page whose links all lead somewhere for a browser."""
    places = front.gateway.get("/").json()
    page = front.gateway.get("/", headers={"accept": "text/html,*/*;q=0.8"})
    assert (page.headers["content-type"], places["openai"]) == ("text/html; charset=utf-8", "/v1")
    links = re.findall('href="([^"]+)"', page.text)
    assert links == [place for name, place in places.items() if name not in {"name", "version"}]
    assert [front.gateway.get(link).status_code for link in links if link != "/v1"] == [200] * (len(links) - 1)


@pytest.mark.parametrize(("path", "known_as"), [("/health", "/actuator/health"), ("/metrics", "/actuator/prometheus")])
def test_probes_ask_under_the_names_of_other_servers(front: Front, path: str, known_as: str) -> None:
    """As GET and as HEAD, with the answer of ours."""
    ours, theirs = front.gateway.get(known_as), front.gateway.get(path)
    assert (theirs.status_code, theirs.headers["content-type"]) == (ours.status_code, ours.headers["content-type"])
    assert front.gateway.request("HEAD", path).status_code == 200


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
