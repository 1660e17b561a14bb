"""What takes the place of an answer when no instance can give one."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from jairouter_cli.gateway.fallback import key_of, may_keep, may_look
from jairouter_cli.payloads.headers import Headers
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
    """4xx of the backend, unknown models, bad bodies: no fallback."""
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
    """With age and mark, whatever calls itself how. Anything else of it differs: no answer."""
    alice, bob = ({"authorization": f"Bearer {name}"} for name in ("alice", "bob"))
    front.behind.behave = answer({"data": "for alice"})
    front.ask("embeddings", headers=alice, input="secret")
    front.behind.behave = raw()
    again = {**alice, "user-agent": "other", "x-request-id": "r2", "traceparent": "t2", "x-stainless-retry-count": "1"}
    told = front.ask("embeddings", headers=again, input="secret")
    assert (told.status_code, told.json()) == (200, {"data": "for alice"})
    assert (told.headers["x-jairouter-fallback"], told.headers["age"]) == ("cache", "0")
    assert told.headers["content-type"] == "application/json"
    assert front.ask("embeddings", headers=bob, input="secret").status_code == 502
    assert front.ask("embeddings", headers=alice, input="other").status_code == 502
    assert front.ask("embeddings", headers=alice, input="secret", model="n").status_code == 502


BODY = b'{"model":"m","x":1,"x":2}'
SAID = [
    ("content-type", "application/json"),
    ("accept", "a"),
    ("authorization", "Bearer alice"),
    ("authorization", "x"),
]
OTHERS = {
    "another header": [*SAID, ("cookie", "session=bob")],
    "no credential": SAID[:2],
    "the first of two lines": [*SAID[:2], ("authorization", "Bearer bob"), ("authorization", "x")],
    "the order of two lines": [*SAID[:2], SAID[3], SAID[2]],
    "one line less": SAID[:3],
    "two lines in one": [*SAID[:2], ("authorization", "Bearer alice, x")],
    **{
        name: [*SAID, (name, "bob")]
        for name in ("api-key", "x-goog-api-key", "openai-organization", "openai-project", "x-forwarded-for", "host")
    },
    **{name: [*SAID, (name, "en")] for name in ("accept-language", "accept-encoding", "x-session-id", "x-anything")},
}


@pytest.mark.parametrize("headers", OTHERS.values(), ids=OTHERS)
def test_whoever_asks_otherwise_asks_something_else(headers: Headers) -> None:
    """By any header, but for those that say nothing; their lines of different names may come in any order."""
    assert key_of((), headers, BODY) != key_of((), SAID, BODY)
    assert key_of((), [SAID[2], ("user-agent", "x"), SAID[1], SAID[3], SAID[0]], BODY) == key_of((), SAID, BODY)


@pytest.mark.parametrize("body", [b'{"model":"m","x":2}', b'{"x":1,"x":2,"model":"m"}', BODY + b" ", b"", b"\xff"])
def test_another_body_is_another_request(body: bytes) -> None:
    """Whatever the members of one name, whatever a parser would make of it."""
    assert key_of(("q",), SAID, body) != key_of(("q",), SAID, BODY)
    assert key_of(("q",), SAID, bytearray(body)) == key_of(("q",), SAID, body)
    assert key_of(("", "q"), SAID, body) != key_of(("q", ""), SAID, body)


@pytest.mark.parametrize(
    "said",
    [
        ("cache-control", "private"),
        ("cache-control", "max-age=5, No-Store"),
        ("cache-control", 'no-cache="set-cookie"'),
        ("cache-control", "max-age = 0"),
        ("pragma", "no-cache"),
    ],
)
def test_what_is_not_to_be_kept_is_not(said: tuple[str, str]) -> None:
    """By the answer's word, or by the question's."""
    kept = [("cache-control", "public, max-age=5"), ("vary", "accept-encoding, origin"), ("content-type", "a")]
    assert may_keep(kept)
    assert may_look(kept)
    assert not may_keep([*kept, said])
    assert not may_look([*kept, said])


@pytest.mark.parametrize("said", [("set-cookie", "a=b"), ("vary", "*"), ("vary", "a, *"), ("vary", "User-Agent")])
def test_an_answer_for_one_is_not_kept(said: tuple[str, str]) -> None:
    """It is another each time, or depends on what is not looked at."""
    assert not may_keep([("cache-control", "public"), said])


@pytest.mark.parametrize("asked", [{}, {"cache-control": "no-store"}])
def test_cache_control_is_obeyed(front: Front, asked: dict[str, str]) -> None:
    """A backend's, and a client's."""
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n" + (b"" if asked else b"cache-control: private\r\n") + b"\r\n{}"
    front.behind.behave = raw(head)
    assert front.ask("embeddings", headers=asked, input="private").status_code == 200
    front.behind.behave = BROKEN
    assert front.ask("embeddings", headers=asked, input="private").status_code == 500


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
        f"error: {file}:1: model.fallback: expected the key model, with the model to fall back to\n",
    )
