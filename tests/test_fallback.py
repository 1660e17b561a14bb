"""What takes the place of an answer when no instance can give one (contract 5.4)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.backend import Backend, answer, backend, chosen, raw
from tests.process import Served, config, run, serving

CONFIG = """\
server: {locale: en}
model:
  load-balance: {health-check: {enabled: false}}
  fallback: {enabled: true, message: closed for today}
  services:
    chat:
      fallback: {enabled: true, response: '{"sorry": true}', status: 202}
      instances: [{name: m, base-url: URL}]
    embedding:
      fallback: {enabled: true, strategy: cache, cache-size: 2, cache-ttl: 60s}
      instances: [{name: m, base-url: URL}, {name: n, base-url: URL}]
    rerank:
      fallback: {enabled: true, strategy: model, model: spare}
      instances: [{name: m, base-url: URL}, {name: spare, base-url: URL}]
    tts:
      instances: [{name: m, base-url: URL}]
    imgGen:
      fallback: {enabled: false}
      instances: [{name: m, base-url: URL}]
"""
BROKEN = answer({"error": "boom"}, "500 Internal Server Error")


@dataclass
class Front:
    """A gateway and the one backend behind all of its services."""

    served: Served
    behind: Backend

    def ask(self, path: str, headers: dict[str, str] | None = None, **fields: object) -> httpx.Response:
        """Ask for the model `m`, or the one that is named."""
        return self.served.post(f"/v1/{path}", json={"model": "m", **fields}, headers=headers)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """One gateway for all tests."""
    with backend(BROKEN) as behind:
        file = config(tmp_path_factory.mktemp("fallback"), CONFIG.replace("URL", f"'{behind.url}'"))
        with serving("--config", str(file)) as served:
            yield Front(served, behind)


@pytest.fixture
def front(running: Front) -> Front:
    """Give it with a backend that is broken."""
    running.behind.behave = BROKEN
    return running


@pytest.mark.parametrize("trouble", [BROKEN, raw(), answer({}, "503 Busy")])
@pytest.mark.parametrize("stream", [True, False])
def test_a_configured_answer(front: Front, trouble: object, stream: bool) -> None:
    """Its status and its body, as JSON if it is some, marked; for streams, too."""
    front.behind.behave = trouble  # type: ignore[assignment]
    response = front.ask("chat/completions", messages=[], stream=stream)
    assert (response.status_code, response.json()) == (202, {"sorry": True})
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-jairouter-fallback"] == "default"


def test_a_message_of_the_gateways_own(front: Front) -> None:
    """A service that says nothing falls back as the gateway does: 503 in OpenAI's form, with the reason."""
    front.behind.behave = raw()
    response = front.ask("audio/speech", input="x", voice="y")
    assert (response.status_code, response.json()["error"]) == (
        503,
        {
            "message": "closed for today",
            "type": "service_unavailable",
            "code": "service_unavailable",
            "details": {
                "source": "gateway",
                "reason": "degraded",
                "attempts": 1,
                "failures": {"broken": 1},
                "cause": "upstream_broken_answer",
            },
        },
    )


def test_a_service_may_refuse_the_gateways_fallback(front: Front) -> None:
    """The backend's own error passes."""
    response = front.ask("images/generations", prompt="x")
    assert (response.status_code, response.json()) == (500, {"error": "boom"})


def test_what_clients_did_wrong_is_no_reason(front: Front) -> None:
    """4xx of the backend, unknown models, bad bodies: no fallback (defect D-14 of the original)."""
    front.behind.behave = answer({"error": "no"}, "400 Bad Request")
    assert front.ask("chat/completions", messages=[]).status_code == 400
    assert front.ask("chat/completions", model="unknown").status_code == 404
    assert front.ask("chat/completions", model=1).status_code == 400


def test_another_model_answers(front: Front) -> None:
    """Asked by its own name, and said so; when it fails, too, the first failure is told."""
    front.behind.behave = chosen({"m": BROKEN, "spare": answer({"from": "spare"})})
    response = front.ask("rerank", query="q", documents=["a"])
    assert (response.status_code, response.json()) == (200, {"from": "spare"})
    assert response.headers["x-jairouter-fallback"] == "model=spare"
    assert front.behind.requests[-1].body == b'{"model":"spare","query":"q","documents":["a"]}'
    front.behind.behave = chosen({"m": BROKEN, "spare": raw()})
    response = front.ask("rerank", query="q", documents=["a"])
    assert (response.status_code, response.json()) == (500, {"error": "boom"})


def test_the_same_question_of_the_same_client_is_answered_from_memory(front: Front) -> None:
    """Whatever the order of its members; with age and mark. Anything else of it differs: no answer (D-32)."""
    alice, bob = ({"authorization": f"Bearer {name}"} for name in ("alice", "bob"))
    front.behind.behave = answer({"data": "for alice"})
    front.ask("embeddings", headers=alice, input="secret")
    front.behind.behave = raw()
    told = front.served.post(
        "/v1/embeddings",
        content=b'{"input": "secret",\n "model": "m"}',
        headers={**alice, "content-type": "application/json"},
    )
    assert (told.status_code, told.json()) == (200, {"data": "for alice"})
    assert (told.headers["x-jairouter-fallback"], told.headers["age"]) == ("cache", "0")
    assert told.headers["content-type"] == "application/json"
    assert front.ask("embeddings", headers=bob, input="secret").status_code == 502
    assert front.ask("embeddings", headers=alice, input="other").status_code == 502
    assert front.ask("embeddings", headers=alice, input="secret", model="n").status_code == 502


def test_the_memory_is_bounded_and_the_longest_unused_goes_first(front: Front) -> None:
    """Two fit: of three, the first is gone, unless it was used."""
    front.behind.behave = answer({"ok": True})
    for text in ("one", "two"):
        front.ask("embeddings", input=text)
    front.behind.behave = BROKEN
    assert front.ask("embeddings", input="one").status_code == 200
    front.behind.behave = answer({"ok": True})
    front.ask("embeddings", input="three")
    front.behind.behave = BROKEN
    assert [front.ask("embeddings", input=text).status_code for text in ("one", "two", "three")] == [200, 500, 200]


def test_events_are_not_remembered_as_nothing(front: Front) -> None:
    """A backend that answers in events, though it was not asked to: they pass, and later no empty answer is made up."""
    front.behind.behave = answer(b"data: {}\n\n", content_type="text/event-stream")
    assert front.ask("embeddings", input="events").content == b"data: {}\n\n"
    front.behind.behave = BROKEN
    assert front.ask("embeddings", input="events").status_code == 500


def test_failures_and_broken_answers_are_not_remembered(front: Front) -> None:
    """Only what was 200 and whole."""
    for trouble in (answer({}, "404 Not Found"), raw(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}")):
        front.behind.behave = trouble
        front.ask("embeddings", input="never")
    front.behind.behave = BROKEN
    assert front.ask("embeddings", input="never").status_code == 500


def test_a_fallback_to_no_model_is_refused(tmp_path: Path) -> None:
    """Said when the file is read."""
    file = config(tmp_path, "model: {fallback: {enabled: true, strategy: model}}\n")
    done = run("config", "validate", str(file))
    assert (done.returncode, done.stderr) == (
        2,
        f"error: {file}:1: model.fallback: expected a model to fall back to, in the key model\n",
    )
