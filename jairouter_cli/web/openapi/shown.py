"""What the description shows of an operation: said beside its handler, by an example of what is answered and sent.

Litestar takes a class for each operation; these are made from examples. A schema is what an example has: its members
and their kinds, none of them required. Tests ask the running gateway whether that is true.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, NamedTuple

from litestar.openapi.spec import OpenAPIResponse, Operation, RequestBody

JSON_TYPES: Final = ("application/json",)
_KINDS: Final[Mapping[type, str]] = {bool: "boolean", int: "number", float: "number", str: "string"}
_AT: Final = "2026-11-24T08:00:00.123456"
_ENVELOPE: Final = {"$ref": "#/components/schemas/Envelope"}
_ERROR: Final = {"$ref": "#/components/schemas/Error"}

SAID: Final[Mapping[int, str]] = {
    200: "The service was there, and is changed",
    400: "The request is not valid",
    401: "The admin token is missing or wrong",
    403: "Only programs on the gateway's own machine may ask this",
    404: "Not found",
    408: "The body did not arrive within server.body-timeout",
    409: "Nothing is counted: monitoring.metrics.enabled is false",
    412: "The configuration is not what If-Match expects",
    413: "The body is over server.max-body-size",
    415: "The endpoint takes another type of body",
    429: "A limit is reached; Retry-After says for how long",
    500: "The file could not be read or written, or a bug",
    501: "Not implemented here",
    502: "The backend closed the connection",
    503: "No instance can answer; of health: DOWN or OUT_OF_SERVICE",
    504: "The backend was too slow",
}
"""What a status means, in a few words."""

_GUARDED: Final = (400, 401, 403, 404, 429, 500)


class Shown(NamedTuple):
    """What is answered with a status: content by media type, or none."""

    status: int
    content: dict[str, Any] | None = None


@dataclass
class ShownOperation(Operation):
    """An operation that shows what its handler says beside it."""

    x_path: str | None = field(default=None, metadata={"alias": "x-path"})
    """Where it is, if Litestar has no route for that alone."""
    body: ClassVar[dict[str, Any] | None] = None
    path: ClassVar[str | None] = None
    secured: ClassVar[bool] = False
    content: ClassVar[dict[str, Any] | None] = None
    others: ClassVar[tuple[Shown, ...]] = ()

    def __post_init__(self) -> None:
        """Put in what was said."""
        self.x_path = self.path
        if self.secured:
            self.security = [{}, {"bearer": []}, {"adminToken": []}]
        if self.body is not None:
            self.request_body = RequestBody(content=self.body, required=True)
        status = next((code for code in self.responses or {} if code.startswith("2")), "200")
        self.responses = {status: OpenAPIResponse(description="OK", content=self.content)}
        for answer in self.others:
            self.responses[str(answer.status)] = OpenAPIResponse(SAID[answer.status], content=answer.content)


def operation(
    content: dict[str, Any] | None, others: Iterable[Shown], body: dict[str, Any] | None = None, **more: Any
) -> type[Operation]:
    """Return the class of an operation."""
    return type("Operation", (ShownOperation,), {"content": content, "others": tuple(others), "body": body, **more})


def enveloped(
    message: str,
    data: Any = None,
    *,
    body: Any = None,
    edits: bool = False,
    also: tuple[int, ...] = (),
    path: str | None = None,
) -> type[Operation]:
    """Show an answer in the envelope of the management API; `path` where Litestar has no route for that alone."""
    example = {"success": True, "message": message, "timestamp": _AT}
    content = json_of(example if data is None else {**example, "data": data}, {"allOf": [_ENVELOPE, _data(data)]})
    refusal = json_of({"success": False, "message": "…", "timestamp": _AT}, _ENVELOPE)
    refusals = [Shown(status, refusal) for status in (*_GUARDED, *((412,) if edits else ()))]
    return operation(content, [*(Shown(status, content) for status in also), *refusals], _sent(body), path=path)


def plain(answer: Any, *, body: Any = None, orders: bool = False) -> type[Operation]:
    """Show an answer without an envelope: an object, or where something is ordered a sentence."""
    others = list(_errors(_GUARDED))
    if orders:
        missing = {**(others[0].content or {}), **content_of("Missing 'level' parameter")}
        others = [Shown(400, missing), *others[1:], Shown(501, content_of("…"))]
    return operation(content_of(answer), others, _sent(body))


def of_metrics(answer: Any, *, body: Any = None, also: tuple[int, ...] = ()) -> type[Operation]:
    """Show an answer about the gateway's own metrics; refusals are sentences or objects."""
    refusal = {**content_of("Missing 'enabled' parameter"), **json_of({"success": False, "message": "…"})}
    return operation(content_of(answer), [Shown(status, refusal) for status in (*_GUARDED, 412, *also)], _sent(body))


def of_models(answer: Any, *, named: bool = False) -> type[Operation]:
    """Show the list of models, or one that is `named`."""
    return operation(content_of(answer), _errors((400, 404, 429) if named else (400, 429)))


def content_of(example: Any) -> dict[str, Any]:
    """Return content by its example: a sentence, an object or a list."""
    if isinstance(example, str):
        return {"text/plain": {"schema": {"type": "string"}, "example": example}}
    return json_of(example)


def json_of(example: Any, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return content of JSON."""
    return {"application/json": {"schema": schema or schema_of(example), "example": told(example)}}


def told(example: Any) -> Any:
    """Return an example as it is shown."""
    if isinstance(example, Maybe):
        return told(example.value)
    if isinstance(example, Mapping):
        return {name: told(value) for name, value in example.items()}
    return [told(value) for value in example] if isinstance(example, list) else example


class Maybe(NamedTuple):
    """A value of an example in whose place there may be null."""

    value: Any


def schema_of(example: Any) -> dict[str, Any]:
    """Return the schema of what looks like this; anything where an example has nothing."""
    if isinstance(example, Maybe):
        return {"anyOf": [schema_of(example.value), {"type": "null"}]}
    if isinstance(example, Mapping):
        return {"type": "object", "properties": {str(name): schema_of(value) for name, value in example.items()}}
    if isinstance(example, list | tuple):
        return {"type": "array", "items": schema_of(example[0]) if example else {}}
    kind = _KINDS.get(type(example))
    return {} if kind is None else {"type": kind}


def errors_of(statuses: Iterable[int]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield refusals as clients of `/v1` read them, in plain data."""
    for answer in _errors(statuses):
        yield str(answer.status), {"description": SAID[answer.status], "content": answer.content}


def _errors(statuses: Iterable[int]) -> Iterator[Shown]:
    example = {"error": {"message": "…", "type": "…", "code": "…", "details": {"source": "gateway"}}}
    return (Shown(status, json_of(example, _ERROR)) for status in statuses)


def _data(data: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {} if data is None else {"data": schema_of(data)}}


def _sent(body: Any) -> dict[str, Any] | None:
    """Return what is sent, by its example: what is judged is judged by the operation, member by member."""
    return None if body is None else json_of(body, {"type": "array" if isinstance(body, list) else "object"})
