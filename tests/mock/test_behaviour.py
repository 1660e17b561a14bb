"""The server misbehaves exactly as it is told."""

import json
import signal
import subprocess
from time import monotonic

import httpx
import pytest
from litestar.testing import TestClient

from jairouter_cli.errors import UsageError
from jairouter_cli.mock.app import create
from jairouter_cli.mock.behaviour import Behaviour
from tests.mock.running import MODULE, Mock, running

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def statuses(behaviour: Behaviour) -> list[int]:
    """Return how twenty requests end."""
    with TestClient(create(behaviour)) as client:
        return [client.post("/v1/chat/completions", json=CHAT).status_code for _ in range(20)]


def test_it_fails() -> None:
    """Every POST, in OpenAI's form, before anything else is looked at; and no GET."""
    with running("--fail-rate", "1", "--name", "主机") as mock:
        answer = mock.post("/v1/chat/completions", {})
        about = {"message": "the mock model is overloaded", "type": "overloaded_error", "param": None, "code": None}
        assert (answer.status_code, answer.json()) == (503, {"error": about})
        assert dict(answer.headers.raw)[b"x-mock-backend"] == "主机".encode()
        assert mock.http.get("/v1/models").is_success


def test_it_fails_now_and_then() -> None:
    """Some requests, and with a seed the same ones each time."""
    seeded = Behaviour(fail_rate=0.5, seed=1)
    assert statuses(seeded) == statuses(seeded)
    assert set(statuses(seeded)) == {200, 503}
    assert set(statuses(Behaviour())) == {200}


def test_it_takes_its_time() -> None:
    """Before the answer, and between the pieces of a stream: the role, three words, the reason, the end."""
    with running("--delay", "0.2", "--chunk-interval", "0.05") as mock:
        asked = monotonic()
        answer = mock.post("/v1/chat/completions", CHAT | {"stream": True})
        assert monotonic() - asked >= 0.2 + 5 * 0.05
        assert answer.text.endswith("data: [DONE]\n\n")


def test_a_piece_is_sent_when_it_is_said() -> None:
    """The first arrives though the second is a minute away; Ctrl-C waits for neither that nor the one who listens."""
    with (
        running("--chunk-interval", "60") as mock,
        mock.http.stream("POST", "/v1/chat/completions", json=CHAT | {"stream": True}) as answer,
    ):
        (line,) = next(answer.iter_raw()).strip().splitlines()
        (choice,) = json.loads(line.removeprefix(b"data: "))["choices"]
        assert choice["delta"] == {"role": "assistant", "content": "", "refusal": None}
        mock.process.send_signal(signal.SIGINT)
        assert mock.process.wait(timeout=20) == 0


def test_only_models_are_slow() -> None:
    """A GET is answered though a POST would take a minute; whoever tires of waiting is not missed."""
    with running("--delay", "60") as mock:
        with pytest.raises(httpx.ReadTimeout):
            mock.http.post("/v1/embeddings", json={}, timeout=0.1)
        assert mock.is_up()


def test_speech_is_streamed(mock: Mock) -> None:
    """Without a length, in several pieces."""
    body = {"model": "m", "input": "x" * 200}
    with mock.http.stream("POST", "/v1/audio/speech", json=body) as answer:
        assert "content-length" not in answer.headers
        assert len(list(answer.iter_raw())) > 1


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--delay", "-1", "the delay must be a number of seconds, 0 or more"),
        ("--chunk-interval", "nan", "the chunk interval must be a number of seconds, 0 or more"),
        ("--fail-rate", "1.5", "the fail rate must be a share from 0 to 1"),
        ("--name", "a\nb", "the name is sent in a header and must have only printable characters"),
    ],
)
def test_what_nobody_can_behave_by(option: str, value: str, message: str) -> None:
    """Is refused before anything is started, with the status of misuse."""
    done = subprocess.run([*MODULE, "--port", "1", option, value], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, f"python -m jairouter_cli.mock: error: {message}")


def test_behaviour_is_checked_where_it_is_made() -> None:
    """For whoever makes one."""
    with pytest.raises(UsageError, match="share"):
        Behaviour(fail_rate=-0.1)
