"""A collector of traces as a server of its own: takes what is sent by OTLP over HTTP, and remembers the spans."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class Collector:
    """What has come, and where it listens."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    services: set[str] = field(default_factory=set)
    keys: set[str | None] = field(default_factory=set)

    def take(self, body: bytes, key: str | None) -> None:
        """Remember a request."""
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.services.add(str(attributes(resource.resource.attributes)["service.name"]))
            self.keys.add(key)
            for scope in resource.scope_spans:
                self.spans += scope.spans

    def of(self, kind: "Span.SpanKind.ValueType") -> list[Span]:
        """Return the spans of a kind in the order in which they began."""
        return sorted((span for span in self.spans if span.kind == kind), key=lambda span: span.start_time_unix_nano)


def attributes(pairs: Iterable[KeyValue]) -> dict[str, object]:
    """Return attributes by their names."""
    found: dict[str, object] = {}
    for pair in pairs:
        kind = pair.value.WhichOneof("value")
        assert kind is not None
        found[pair.key] = getattr(pair.value, kind)
    return found


@contextmanager
def collector() -> Iterator[Collector]:
    """Run one."""
    running = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            running.take(self.rfile.read(int(self.headers["content-length"])), self.headers.get("x-key"))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.url = f"http://127.0.0.1:{server.server_port}/v1/traces"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
