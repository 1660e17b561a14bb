"""What lines look like, and what cannot get into them."""

import json
import logging
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from jairouter_cli.config.model import ServiceType
from jairouter_cli.config.monitoring import Level, LogFormat
from jairouter_cli.observe.events import Attempt, Completed, Handled
from jairouter_cli.observe.fingerprint import fingerprint
from jairouter_cli.observe.lines import Lines
from jairouter_cli.payloads.spent import Source, Spent
from jairouter_cli.routing.call import Call
from tests.routing.factory import target

AT = 1_700_000_000.25
CALLED = Completed(
    Call(ServiceType.CHAT, "m", "203.0.113.5", stream=True),
    "req_1",
    200,
    "ok",
    [Attempt(target("a"), None, "unreachable: no", 0.5), Attempt(target("b"), 200, "", 1.0)],
    4.0,
    0.25,
    path="/v1/chat/completions",
    head_s=2.0,
    first_token_s=2.5,
    request_bytes=100,
    response_bytes=900,
    spent=Spent(3, 4, Source.MEASURED),
    credential="Bearer sk-secret",
)


def as_json(event: Completed | Handled) -> dict[str, object]:
    """Return a request's line in JSON, which must be one."""
    line = Lines(LogFormat.JSON).of_request(event, AT, Level.INFO)
    assert line.count(b"\n") == 1
    read: dict[str, object] = json.loads(line)
    assert isinstance(read.pop("pid"), int)
    return read


def as_text(event: Completed | Handled) -> str:
    """Return a request's line for people, without its time."""
    line = Lines(LogFormat.HUMAN).of_request(event, AT, Level.INFO).decode()
    return line.removesuffix("\n")[24:]


def test_a_call_in_json() -> None:
    """The time is split: what is neither a backend's nor a queue's is the gateway's."""
    assert as_json(CALLED) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "INFO",
        "logger": "jairouter.access",
        "message": "POST /v1/chat/completions 200",
        "request_id": "req_1",
        "client": "203.0.113.5",
        "method": "POST",
        "path": "/v1/chat/completions",
        "service": "chat",
        "model": "m",
        "stream": True,
        "instance": CALLED.attempts[1].instance,
        "status": 200,
        "ended": "ok",
        "attempts": 2,
        "total_s": 4.0,
        "gateway_s": 0.25,
        "queued_s": 0.25,
        "upstream_s": 3.5,
        "first_token_s": 2.5,
        "request_bytes": 100,
        "response_bytes": 900,
        "input_tokens": 3,
        "output_tokens": 4,
        "tokens_source": "measured",
        "key": fingerprint("Bearer sk-secret"),
    }


def test_a_call_for_people() -> None:
    """The same, in a sentence."""
    assert as_text(CALLED) == (
        f"INFO 203.0.113.5 POST /v1/chat/completions chat m 200 ok by {CALLED.attempts[1].instance}, 4.000 s "
        "(gateway 0.2500, queue 0.250, upstream 3.500, first token 2.500), 100 bytes in, 900 out, "
        f"3 tokens in, 4 out (measured), 2 attempts, key {fingerprint('sk-secret')}, request req_1"
    )


def test_what_no_backend_answered_names_none() -> None:
    """A fallback's answer, and a refusal."""
    kept = as_json(replace(CALLED, attempts=CALLED.attempts[1:], fallback="cache"))
    assert ("instance" in kept, kept["fallback"]) == (False, "cache")
    refused = as_json(Completed(CALLED.call, "r", 429, "failed", [], 0.001, head_s=0.001))
    assert (refused["attempts"], refused["gateway_s"], refused["upstream_s"]) == (0, 0.001, 0.0)
    assert {"instance", "first_token_s", "input_tokens", "key"}.isdisjoint(refused)


def test_a_request_to_the_gateway_itself() -> None:
    """What is known of it."""
    event = Handled("::1", "GET", "/api/models", 200, "ok", 0.5, 12)
    assert as_text(event) == "INFO ::1 GET /api/models 200 ok, 0.500 s"
    assert as_json(event) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "INFO",
        "logger": "jairouter.access",
        "message": "GET /api/models 200",
        "client": "::1",
        "method": "GET",
        "path": "/api/models",
        "status": 200,
        "ended": "ok",
        "total_s": 0.5,
        "response_bytes": 12,
    }


@given(st.text(st.characters()))
@example("a\r\n2026-01-01 ERROR\x85\u2028\x1b[31m\u202e\ud800")
def test_nothing_a_client_sends_begins_a_line(text: str) -> None:
    """Models, paths and methods are whatever somebody sends; of half a surrogate pair, too."""
    called = replace(CALLED, call=replace(CALLED.call, model=text), path=text, method=text)
    for event in (called, Handled("c", text, text, 404, "failed", 0.0, 0)):
        line = Lines(LogFormat.HUMAN).of_request(event, AT, Level.INFO).decode()
        assert len(line.splitlines()) == 1, "not by Unicode's ends of lines, either"
        assert "\x1b" not in line
        assert as_json(event)["path"] == (text if len(text) <= 256 else text[:256] + "…")


def test_a_name_cannot_pass_for_more_than_a_name() -> None:
    """Blanks and quotes are put in quotes."""
    assert as_text(replace(CALLED, call=replace(CALLED.call, model='m 200 ok by "x"'))).startswith(
        r'INFO 203.0.113.5 POST /v1/chat/completions chat "m 200 ok by \"x\"" 200 ok by '
    )


def test_a_long_name_is_cut() -> None:
    """A body of megabytes may be a model's name."""
    line = as_json(replace(CALLED, call=replace(CALLED.call, model="x" * 1_000_000)))
    assert line["model"] == "x" * 256 + "…"


@pytest.mark.parametrize("credential", ["Bearer sk-secret", "bearer  sk-secret", "sk-secret"])
def test_a_key_is_told_by_its_fingerprint(credential: str) -> None:
    """What `printf %s sk-secret | sha256sum | cut -c1-12` says."""
    assert fingerprint(credential) == "746b4ad1ca91"
    assert "secret" not in as_text(replace(CALLED, credential=credential))


def record(message: str, *, trace: bool = False) -> logging.LogRecord:
    """Return what a logger says."""
    try:
        raise ValueError("no\nsuch")  # noqa: TRY301
    except ValueError:
        info = sys.exc_info() if trace else None
    made = logging.LogRecord("jairouter", logging.CRITICAL, "", 0, message, (), info)
    made.created = AT
    return made


def test_other_lines_in_json() -> None:
    """CRITICAL is Python's alone; a traceback is a member."""
    read = json.loads(Lines(LogFormat.JSON).of_record(record("a\nb", trace=True)))
    assert (read["time"], read["level"], read["logger"], read["message"]) == (
        "2023-11-14T22:13:20.250Z",
        "ERROR",
        "jairouter",
        "a\nb",
    )
    assert read["exception"].endswith("ValueError: no\nsuch")
    assert "exception" not in json.loads(Lines(LogFormat.JSON).of_record(record("a")))


def test_other_lines_for_people() -> None:
    """What has several lines is set in; nothing steers a terminal."""
    text = Lines(LogFormat.HUMAN).of_record(record("a\n2026 ERROR b \x1b[31m")).decode()
    assert text[24:] == "ERROR a\n  2026 ERROR b \\x1b[31m\n"
