"""Calls as OpenTelemetry spans, by its conventions for generative AI: one for the call, one for each attempt.

They contain no prompt, response or key. Spans that the collector does not accept are lost; clients do not notice.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanContext, SpanKind, Status, StatusCode, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from jairouter_cli.config.model import Dialect
from jairouter_cli.config.monitoring import Tracing
from jairouter_cli.observe.events import Attempt, Completed
from jairouter_cli.payloads.headers import Headers
from jairouter_cli.routing.call import Target

logger: Final = logging.getLogger("jairouter")

_PARENT: Final = "traceparent"
_LONGEST: Final = 4096  # of a header that is read; the standard asks for 512
_STATE: Final = "tracestate"
_FIRST_TOKEN: Final = "gen_ai.first_token"  # noqa: S105 - of an answer
_NAME_LENGTH: Final = 256
_NS: Final = 1_000_000_000
_BAD_REQUEST: Final = 400
_SERVER_ERROR: Final = 500

# The conventions' words; what they have none for is called by its path.
_OPERATIONS: Final[Mapping[str, str]] = {
    "/v1/chat/completions": "chat",
    "/v1/responses": "chat",
    "/v1/messages": "chat",
    "/v1/completions": "text_completion",
    "/v1/embeddings": "embeddings",
}
_PROVIDERS: Final[Mapping[Dialect, str]] = {Dialect.NORMAL: "openai"}


class Spans:
    """Begins trails, and has them sent in batches by a thread of the SDK's."""

    def __init__(self, settings: Tracing, tell: Callable[[str, Exception | None], None]) -> None:
        self._exporter = Announcing(settings, tell)
        resource = Resource.create({"service.name": settings.service_name, "process.pid": os.getpid()})
        sampler = ParentBased(TraceIdRatioBased(settings.sampling_ratio))
        self._provider = TracerProvider(sampler, resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("jairouter")
        self._propagator = TraceContextTextMapPropagator()

    def begin(self, headers: Headers, began_s_ago: float = 0.0) -> "SpanTrail":
        """Begin to follow a request, as part of its client's trace if it names one."""
        context = self._propagator.extract(
            {name: value for name, value in headers if name in {_PARENT, _STATE} and len(value) <= _LONGEST}
        )
        start = time.time_ns() - int(began_s_ago * _NS)
        span = self._tracer.start_span("request", context, SpanKind.SERVER, start_time=start)
        return SpanTrail(self, span, start, has_parent=get_current_span(context).get_span_context().is_valid)

    def attempt(self, whole: Span, start: int) -> Span:
        """Begin the span of an attempt."""
        return self._tracer.start_span("attempt", set_span_in_context(whole), SpanKind.CLIENT, start_time=start)

    def close(self, within_s: float) -> None:
        """Send what waits; beyond the deadline it is lost."""
        # a daemon, for the SDK's own deadline is half a minute
        ending = threading.Thread(target=self._end, name="jairouter-traces", daemon=True)
        ending.start()
        ending.join(within_s)
        if ending.is_alive():
            logger.warning("traces of the last calls are lost: the collector did not accept them within %g s", within_s)
            self._exporter.shutdown()

    def _end(self) -> None:
        self._provider.shutdown()


class Announcing(SpanExporter):
    """Sends spans, and says once that nobody takes them, and once that somebody does again."""

    def __init__(self, settings: Tracing, tell: Callable[[str, Exception | None], None]) -> None:
        self._tell = tell
        headers = {name: secret.value for name, secret in settings.headers.items()}
        self._endpoint = settings.endpoint
        self._exporter = OTLPSpanExporter(settings.endpoint, headers=headers, timeout=settings.timeout_s)
        self._is_failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them, in the SDK's thread."""
        try:
            result = self._exporter.export(spans)
        except Exception as error:  # noqa: BLE001 - the SDK would say so again and again
            self._tell("traces", error)
            return SpanExportResult.FAILURE
        self._tell("traces", None)
        has_failed = result is not SpanExportResult.SUCCESS
        if has_failed and not self._is_failing:
            logger.warning("traces are lost: no collector accepts them at %s", self._endpoint)
        elif self._is_failing and not has_failed:
            logger.info("traces are accepted again at %s", self._endpoint)
        self._is_failing = has_failed
        return result

    def shutdown(self) -> None:
        """End; what is being sent is tried no more."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]


class SpanTrail:
    """The spans of one call."""

    __slots__ = ("_attempts", "_has_parent", "_span", "_spans", "_start")

    def __init__(self, spans: Spans, span: Span, start: int, *, has_parent: bool) -> None:
        self._spans = spans
        self._span = span
        self._start = start
        self._has_parent = has_parent
        self._attempts: list[tuple[Span, int, Target, str]] = []

    def attempt(self, target: Target, model: str, headers: Headers) -> Headers:
        """Begin an attempt; a client's `tracestate` goes on only with a `traceparent` that makes sense."""
        start = time.time_ns()
        span = self._spans.attempt(self._span, start)
        self._attempts.append((span, start, target, model))
        dropped = {_PARENT} if self._has_parent else {_PARENT, _STATE}
        kept = [pair for pair in headers if pair[0] not in dropped]
        return [*kept, (_PARENT, _traceparent(span.get_span_context()))]

    def end(self, event: Completed, answered_by: str) -> None:
        """End the attempts, each when it did, and the call."""
        end = self._start + int(event.duration_s * _NS)
        token_at = None if event.first_token_s is None else self._start + int(event.first_token_s * _NS)
        operation = _OPERATIONS.get(event.path) or event.path.removeprefix("/v1/").replace("/", "_")
        usage = _usage(event, answered_by)
        tries = event.attempts
        for number, (span, start, target, model) in enumerate(self._attempts):
            if not span.is_recording():
                continue
            tried = tries[number] if number < len(tries) else None
            span.update_name(_name(operation, model))
            span.set_attributes(_of_attempt(target, model, operation))
            _judge_attempt(span, tried, event)
            if tried is not None and tried is event.answered:
                span.set_attributes(usage)
                _note_first_token(span, token_at)
            elif tried is not None:
                span.end(start + int(tried.duration_s * _NS))
                continue
            span.end(max(start, end))
        if self._span.is_recording():
            self._span.update_name(_name(operation, event.call.model if event.is_known else ""))
            self._span.set_attributes({**_of_call(event, operation), **usage})
            _judge(self._span, event)
            _note_first_token(self._span, token_at)
        self._span.end(end)


def _traceparent(span: SpanContext) -> str:
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"


def _name(operation: str, model: str) -> str:
    return f"{operation} {model[:_NAME_LENGTH]}".rstrip()


def _usage(event: Completed, answered_by: str) -> dict[str, AttributeValue]:
    told: dict[str, AttributeValue] = {}
    if answered_by:
        told["gen_ai.response.model"] = answered_by
    if event.spent is not None:
        told["gen_ai.usage.input_tokens"] = event.spent.input_tokens
        told["gen_ai.usage.output_tokens"] = event.spent.output_tokens
        told["jairouter.usage.source"] = event.spent.source.value
    return told


def _of_attempt(target: Target, model: str, operation: str) -> dict[str, AttributeValue]:
    host, port = target.address
    return {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": _PROVIDERS.get(target.dialect, target.dialect.value),
        "gen_ai.request.model": model[:_NAME_LENGTH],
        "server.address": host,
        "server.port": port,
        "http.request.method": "POST",
        "jairouter.instance": target.id,
    }


def _of_call(event: Completed, operation: str) -> dict[str, AttributeValue]:
    told: dict[str, AttributeValue] = {
        "gen_ai.operation.name": operation,
        "gen_ai.request.model": event.call.model[:_NAME_LENGTH],
        "http.request.method": event.method,
        "http.route": event.path,
        "http.response.status_code": event.status,
        "client.address": event.call.client_ip,
        "jairouter.service": event.call.service.value,
        "jairouter.request_id": event.request_id,
        "jairouter.ended": event.ended,
        "jairouter.queued_s": event.queued_s,
    }
    if event.fallback:
        told["jairouter.fallback"] = event.fallback
    return told


def _judge_attempt(span: Span, tried: Attempt | None, event: Completed) -> None:
    """Record how an attempt ended; without a record, it was still in flight when the call ended."""
    if tried is None:
        span.set_attribute("error.type", event.ended)
        return
    if tried.status is not None:
        span.set_attribute("http.response.status_code", tried.status)
    if tried.failure:
        span.set_attribute("error.type", tried.failure.partition(":")[0])
        span.set_status(Status(StatusCode.ERROR, tried.failure))
    elif tried.status is not None and tried.status >= _BAD_REQUEST:
        span.set_attribute("error.type", str(tried.status))
        span.set_status(Status(StatusCode.ERROR))


def _judge(span: Span, event: Completed) -> None:
    """Say how the call went; what a client did wrong is no error of the gateway's."""
    if event.ended == "truncated":
        span.set_attribute("error.type", event.ended)
        span.set_status(Status(StatusCode.ERROR))
    elif event.status >= _SERVER_ERROR:
        span.set_attribute("error.type", str(event.status))
        span.set_status(Status(StatusCode.ERROR))


def _note_first_token(span: Span, at: int | None) -> None:
    if at is not None:
        span.add_event(_FIRST_TOKEN, timestamp=at)
