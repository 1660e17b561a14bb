"""What the pretend model server does that the demo does not show."""

import httpx
import pytest

from tests.process import eventually
from tests.test_walks import mock

CHAT = {"model": "any", "messages": [{"role": "user", "content": "hi"}]}


def test_it_fails_as_often_as_it_is_told() -> None:
    """A fail rate of one fails every POST with 503 and OpenAI's shape, and no GET."""
    with mock("bad", "--fail-rate", "1") as (_, url):
        answer = httpx.post(f"{url}/v1/chat/completions", json=CHAT)
        assert (answer.status_code, answer.json()["error"]["type"]) == (503, "overloaded_error")
        assert answer.headers["x-mock-backend"] == "bad"
        assert httpx.get(f"{url}/v1/models").status_code == 200


def test_it_waits_as_long_as_it_is_told() -> None:
    """Before the answer, and between the pieces of a stream."""
    with mock("slow", "--delay", "0.3", "--chunk-interval", "0.1") as (_, url):
        answer = httpx.post(f"{url}/v1/chat/completions", json={**CHAT, "stream": True})
        assert answer.elapsed.total_seconds() > 0.3 + 4 * 0.1
        assert answer.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/chat/completions", {"messages": []}, 400),
        ("/v1/chat/completions", {"model": "m", "messages": "x"}, 400),
        ("/v1/embeddings", {"model": "m", "input": "x", "dimensions": 0}, 400),
        ("/v1/nothing", {}, 404),
    ],
)
def test_mistakes(path: str, body: dict[str, object], status: int) -> None:
    """OpenAI's shape of an error."""
    with mock("strict") as (_, url):
        answer = httpx.post(url + path, json=body)
        assert (answer.status_code, answer.json()["error"]["type"]) == (status, "invalid_request_error")


def test_every_form_of_a_transcript() -> None:
    """Text, subtitles, details."""
    with mock("stt") as (_, url):
        eventually(lambda: httpx.get(f"{url}/health").is_success)
        said = {}
        for form in ("json", "text", "srt", "vtt", "verbose_json"):
            files = {"file": ("a.bin", b"12345")}
            data = {"model": "m", "response_format": form}
            said[form] = httpx.post(f"{url}/v1/audio/transcriptions", files=files, data=data).text
        assert said["json"] == '{"text":"a.bin has 5 bytes"}'
        assert said["text"] == "a.bin has 5 bytes\n"
        assert said["srt"].startswith("1\n00:00:00,000 --> 00:00:00,000\na.bin")
        assert said["vtt"].startswith("WEBVTT\n\n")
        assert '"duration":0.0' in said["verbose_json"]
