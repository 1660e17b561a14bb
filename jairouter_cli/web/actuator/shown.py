"""What the description shows of an operation of `/actuator`: its media types are Spring Boot's."""

from typing import Any, Final

from litestar.openapi.spec import Operation

from jairouter_cli.web.actuator.conventions import MEDIA_TYPES
from jairouter_cli.web.openapi.shown import JSON_TYPES, Shown, operation, schema_of

PLAIN: Final = JSON_TYPES
PROMETHEUS: Final = ("text/plain", "application/openmetrics-text")
_TEXT: Final = ("text/plain",)


def of_actuator(
    answer: Any,
    *,
    body: Any = None,
    guarded: bool = False,
    also: tuple[int, ...] = (),
    types: tuple[str, ...] = MEDIA_TYPES,
) -> type[Operation]:
    """Show an answer, an object or a text, or None for nothing; `guarded` is what only operators may ask."""
    if isinstance(answer, str) and types != PROMETHEUS:
        types = _TEXT
    content = None if answer is None else dict.fromkeys(types, _shown(answer))
    others = [Shown(status, content if status == 503 else None) for status in also]  # noqa: PLR2004 - health, in full
    others += [Shown(status) for status in (400, 404, 429, *((401, 403) if guarded else ()))]
    taken = MEDIA_TYPES if answer is None else JSON_TYPES
    sent = None if body is None else {kind: {"schema": {"type": "object"}, "example": body} for kind in taken}
    return operation(content, others, sent, secured=guarded)


def _shown(example: Any) -> dict[str, Any]:
    return {"schema": schema_of(example), "example": example}
