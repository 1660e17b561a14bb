"""The interface for tracing calls. Its implementation needs OpenTelemetry, which is imported only if tracing is on."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Protocol

from jairouter_cli.config.monitoring import Tracing
from jairouter_cli.errors import TracingUnusable
from jairouter_cli.observe.events import Completed
from jairouter_cli.payloads.headers import Headers
from jairouter_cli.routing.call import Target


class Trail(Protocol):
    """The spans of one call. Whoever begins one calls `end` once."""

    def attempt(self, target: Target, model: str, headers: Headers) -> Headers:
        """Begin an attempt; return the headers of its request with the attempt's span in them."""

    def end(self, event: Completed, answered_by: str) -> None:
        """End everything; `answered_by` is the model that the answer names, or empty."""


class Tracer(Protocol):
    """Begins trails, and sends what they leave behind to a collector."""

    def begin(self, headers: Headers, began_s_ago: float = 0.0) -> Trail:
        """Begin to follow a request by its headers."""

    def close(self, within_s: float) -> None:
        """Send what waits, and end."""


def tracer(settings: Tracing, tell: Callable[[str, Exception | None], None]) -> Tracer | None:
    """Return who follows calls, None if it is not asked for. Raises `TracingUnusable`.

    `tell` is called with what keeps traces from being sent beside a collector's silence, or None when nothing does.
    """
    if not settings.enabled:
        return None
    require()
    from jairouter_cli.observe.spans import Spans  # noqa: PLC0415 - optional, and slow to import

    return Spans(settings, tell)


def require() -> None:
    """Look whether what is asked for can be had, without loading it. Raises `TracingUnusable`."""
    try:
        found = all(find_spec(name) for name in ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http"))
    except ImportError:
        found = False
    if not found:
        raise TracingUnusable(
            problem="the OpenTelemetry packages are not installed",
            hint="install them with `pip install 'jairouter[tracing]'`",
        )
