"""Traces: passed on as they came, or, with OpenTelemetry, with the gateway's own spans in them."""

import subprocess
import sys
import time
from pathlib import Path

from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.backend import Backend, Received, Wire, answer, backend, raw
from tests.collector import attributes, collector
from tests.process import config, eventually, run_apart, services, serving

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1"}
UNSAMPLED = {"traceparent": f"00-{TRACE}-{PARENT}-00"}
HI = [{"role": "user", "content": "PROMPT-MARKER"}]
CHAT = {"model": "m", "messages": HI}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENTS = (
    b'data: {"model":"m-2025","choices":[{"delta":{"content":"ANSWER-MARKER"}}]}\n\n'
    b'data: {"model":"m-2025","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":5}}\n\n'
    b"data: [DONE]\n\n"
)


async def stream(_: Received, wire: Wire) -> None:
    """Answer a stream with its usage."""
    await wire.send(HEAD, b"%x\r\n" % len(EVENTS) + EVENTS + b"\r\n", b"0\r\n\r\n")


def test_without_tracing_a_trace_passes_as_it_came(tmp_path: Path) -> None:
    """The headers are the client's, to the letter."""
    with backend(answer({})) as behind:
        with serving("--config", str(config(tmp_path, services(chat=[behind.url])))) as served:
            served.post("/v1/chat/completions", json=CHAT, headers=SAMPLED)
        assert {name: behind.requests[0].header(name) for name in SAMPLED} == SAMPLED


def parents(backend: Backend) -> list[str]:
    """Return the spans that a backend saw, after their trace."""
    seen = [request.header("traceparent") or "" for request in backend.requests]
    assert all(one.startswith(f"00-{TRACE}-") and one.endswith("-01") for one in seen)
    return [one.split("-")[2] for one in seen]


def test_a_streaming_chat_with_a_failover(tmp_path: Path) -> None:
    """One span of the gateway below the client's, one for each attempt, whose ids the backends see."""
    with backend(answer({}, status="503 Busy")) as bad, backend(stream) as good, collector() as taken:
        own = f"tracing: {{enabled: true, endpoint: '{taken.url}', service-name: ours, headers: {{x-key: k}}}}\n"
        text = services(chat=[bad.url, good.url]).replace("round-robin", "random") + own
        before = time.time_ns()
        with serving("--config", str(config(tmp_path, text))) as served:

            def ask() -> bool:
                told = {**SAMPLED, "authorization": "Bearer KEY-MARKER", "x-request-id": "mine"}
                got = served.post("/v1/chat/completions", json={**CHAT, "stream": True}, headers=told)
                assert got.content == EVENTS
                return bool(bad.requests)

            eventually(ask)  # until the one that fails was tried
            asked = len(good.requests)
        after = time.time_ns()
    assert (taken.services, taken.keys) == ({"ours"}, {"k"})
    wholes, tries = taken.of(Span.SPAN_KIND_SERVER), taken.of(Span.SPAN_KIND_CLIENT)
    assert (len(wholes), len(tries), len(bad.requests)) == (asked, asked + 1, 1)
    for span in (*wholes, *tries):
        assert (span.trace_id.hex(), span.name) == (TRACE, "chat m")
        assert before < span.start_time_unix_nano <= span.end_time_unix_nano < after
        assert "MARKER" not in str(span)
    assert {span.parent_span_id.hex() for span in wholes} == {PARENT}
    whole = wholes[-1]
    failed, answered = (span for span in tries if span.parent_span_id == whole.span_id)
    assert [failed.span_id.hex()] == parents(bad)
    assert answered.span_id.hex() == parents(good)[-1]
    assert {request.header("tracestate") for request in good.requests} == {"vendor=1"}
    assert whole.start_time_unix_nano <= failed.start_time_unix_nano <= failed.end_time_unix_nano
    assert failed.end_time_unix_nano <= answered.start_time_unix_nano
    assert abs(answered.end_time_unix_nano - whole.end_time_unix_nano) < 1_000_000
    usage = {
        "gen_ai.response.model": "m-2025",
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 5,
        "jairouter.usage.source": "measured",
    }
    asked_of = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "server.address": "127.0.0.1",
        "http.request.method": "POST",
    }
    assert attributes(failed.attributes) == {
        **asked_of,
        "server.port": bad.port,
        "jairouter.instance": f"m@{bad.url}",
        "http.response.status_code": 503,
        "error.type": "503",
    }
    assert attributes(answered.attributes) == {
        **asked_of,
        **usage,
        "server.port": good.port,
        "jairouter.instance": f"m@{good.url}",
        "http.response.status_code": 200,
    }
    assert attributes(whole.attributes) == {
        **usage,
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m",
        "http.request.method": "POST",
        "http.route": "/v1/chat/completions",
        "http.response.status_code": 200,
        "client.address": "127.0.0.1",
        "jairouter.service": "chat",
        "jairouter.request_id": "mine",
        "jairouter.ended": "ok",
        "jairouter.queued_s": 0.0,
    }
    assert [span.status.code for span in (failed, answered, whole)] == [
        Status.STATUS_CODE_ERROR,
        Status.STATUS_CODE_UNSET,
        Status.STATUS_CODE_UNSET,
    ]
    assert [event.name for span in (failed, answered, whole) for event in span.events] == ["gen_ai.first_token"] * 2
    at = whole.events[0].time_unix_nano
    assert answered.start_time_unix_nano < at < answered.end_time_unix_nano


def test_what_else_becomes_of_calls(tmp_path: Path) -> None:
    """Refusals, cut streams, clients who want no trace, and traces that begin here."""
    cut = raw(HEAD + b"%x\r\n" % len(EVENTS) + EVENTS[:90])
    with backend(cut) as behind, backend(answer({})) as good, collector() as taken:
        text = services(chat=[behind.url], embedding=[good.url])
        text += f"tracing: {{enabled: true, endpoint: '{taken.url}'}}\n"
        with serving("--config", str(config(tmp_path, text))) as served:
            served.post("/v1/chat/completions", json={**CHAT, "stream": True}, headers={"traceparent": "nonsense"})
            served.post("/v1/embeddings", json={"model": "m"}, headers=UNSAMPLED)
            served.post("/v1/chat/completions", json={"model": "nobody"}, headers=SAMPLED)
            served.post("/v1/rerank", content=b"{", headers={"content-type": "application/json", **SAMPLED})
            bad = {"traceparent": "nonsense", "tracestate": "vendor=1"}
            served.post("/v1/embeddings", json={"model": "m"}, headers=bad)
    wholes = [
        (span.name, span.trace_id.hex() == TRACE, attributes(span.attributes).get("error.type"))
        for span in taken.of(Span.SPAN_KIND_SERVER)
    ]
    assert wholes == [
        ("chat m", False, "truncated"),
        ("chat", True, None),
        ("rerank", True, None),
        ("embeddings m", False, None),
    ]
    broken = taken.of(Span.SPAN_KIND_CLIENT)[0]
    assert (attributes(broken.attributes)["error.type"], broken.status.code) == ("broken", Status.STATUS_CODE_ERROR)
    unsampled, anew = good.requests
    assert unsampled.header("traceparent") != UNSAMPLED["traceparent"]
    assert (unsampled.header("traceparent") or "").startswith(f"00-{TRACE}-")
    assert (unsampled.header("traceparent") or "").endswith("-00")
    assert anew.header("tracestate") is None


def test_no_collector_is_one_warning(tmp_path: Path) -> None:
    """Clients are answered as ever, and the end comes."""
    log = tmp_path / "log"
    with backend(answer({})) as behind:
        text = services(chat=[behind.url])
        text += "tracing: {enabled: true, endpoint: 'http://127.0.0.1:1/v1/traces', timeout: 200ms}\n"
        batches = {"OTEL_BSP_SCHEDULE_DELAY": "50"}
        with serving("--config", str(config(tmp_path, text)), stderr=log, env=batches) as served:

            def ask() -> int:
                assert served.post("/v1/chat/completions", json=CHAT).status_code == 200
                return log.read_text().count("traces are lost")

            eventually(ask)
            for _ in range(20):
                ask()
    warnings = [line for line in log.read_text().splitlines() if " INFO " not in line]
    assert len(warnings) == 1
    assert warnings[0].endswith("WARN traces are lost: no collector accepts them at http://127.0.0.1:1/v1/traces")


def test_without_the_packages_it_is_said_at_start(tmp_path: Path) -> None:
    """With what to install."""
    (tmp_path / "opentelemetry").mkdir()
    (tmp_path / "opentelemetry" / "__init__.py").write_text("")  # in the place of the real ones
    file = config(tmp_path, "tracing: {enabled: true}\n")
    done = run_apart("serve", "--config", str(file), "--port", "0", env={"PYTHONPATH": str(tmp_path)})
    assert (done.returncode, done.stdout) == (2, "")
    said = "error: tracing cannot be used: the OpenTelemetry packages are not installed"
    assert done.stderr == f"{said}\n\nhint: install them with `pip install 'jairouter[tracing]'`\n"


def test_without_tracing_nothing_of_it_is_loaded(tmp_path: Path) -> None:
    """Not by the gateway's own modules."""
    script = tmp_path / "x.py"
    script.write_text("import sys, jairouter_cli.serve.server\nassert 'opentelemetry' not in sys.modules\n")

    subprocess.run([sys.executable, str(script)], check=True, timeout=60)
