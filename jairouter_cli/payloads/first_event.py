"""The first event of a stream that says anything, and whether it is an error: then the 200 before it meant nothing.

Comments, pings and events without data are passed over, as clients pass over them.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from jairouter_cli.payloads.answer_coding import Ear, is_packed
from jairouter_cli.payloads.reading import read
from jairouter_cli.payloads.sse import EventGate, events_in

_LONGEST_BYTES: Final = 1 << 16  # what is looked at; an error is short

_STATUSES: Final = range(400, 600)
_NAMES: Final = ("code", "status", "status_code", "http_status")
# By the words of OpenAI, Anthropic and vLLM, where no number is said.
_BY_WORD: Final[Mapping[str, int]] = {
    "invalid_request_error": 400,
    "invalid_request": 400,
    "invalid_prompt": 400,
    "context_length_exceeded": 400,
    "BadRequestError": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "NotFoundError": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "server_error": 500,
    "api_error": 500,
    "overloaded_error": 503,
    "timeout_error": 504,
}
_UNKNOWN: Final = 502

_object: Final = msgspec.json.Decoder(dict[str, Any])


class ErrorEvent(NamedTuple):
    """An error that a stream begins with, as it would have been without a stream: JSON, and a status."""

    status: int
    body: bytes


class Beginning:
    """Reads a stream until its first event is there."""

    __slots__ = ("_ear", "_gate", "_size", "error", "is_over")

    def __init__(self, coding: str) -> None:
        self._gate: Final = EventGate()
        self._ear: Final = Ear(coding, self._hear) if is_packed(coding) else None
        self._size = 0
        self.is_over = False
        """Whether nothing more needs to be read."""
        self.error: ErrorEvent | None = None

    def add(self, piece: bytes) -> None:
        """Take a piece; an empty one is the end."""
        self._size += len(piece)
        if self._ear is None:
            self._hear(piece)
        else:
            self._ear.add(piece)
            self.is_over = self.is_over or self._ear.is_deaf
        if not piece and not self.is_over:
            self._look(self._gate.rest())
        self.is_over = self.is_over or not piece or self._size > _LONGEST_BYTES

    def _hear(self, piece: bytes) -> None:
        if not self.is_over:
            self._look(self._gate.feed(piece))

    def _look(self, events: bytes) -> None:
        for _, name, data in events_in(events[:_LONGEST_BYTES]):
            if name != b"ping" and data and data != b'{"type":"ping"}':
                self.is_over, self.error = True, _error(name, data)
                return


def _error(name: bytes, data: bytes) -> ErrorEvent | None:
    """Return what an event says, if it is an error in one of the forms that there are."""
    said = read(_object, data)
    if said is None:
        return ErrorEvent(_UNKNOWN, _body(data.decode("utf-8", "replace"))) if name == b"error" else None
    kind = said.get("type")
    if kind == "response.failed":  # of the Responses API
        response = said.get("response")
        error = response.get("error") if isinstance(response, dict) else None
        return _told(error if isinstance(error, dict) else {})
    error = said.get("error")
    if isinstance(error, dict):
        return ErrorEvent(_status(error, said), data)
    if error:
        return ErrorEvent(_status(said), _body(str(error)))
    if name == b"error" or kind == "error" or said.get("object") == "error":
        return _told(said)
    return None


def _told(error: Mapping[str, Any]) -> ErrorEvent:
    """Return an error whose members stand alone, put where clients look for them."""
    kind = error.get("type")
    code = error.get("code")
    message = error.get("message")
    text = message if isinstance(message, str) else "the backend failed"
    is_kind = isinstance(kind, str) and kind not in {"error", "response.failed"}
    return ErrorEvent(_status(error), _body(text, kind if is_kind else "server_error", code, error.get("param")))


def _body(message: str, kind: object = "server_error", code: object = None, param: object = None) -> bytes:
    return msgspec.json.encode({"error": {"message": message, "type": kind, "code": code, "param": param}})


def _status(*places: Mapping[str, Any]) -> int:
    """Return the status that an error names, in a number or by a word."""
    for place in places:
        for name in _NAMES:
            number = _number(place.get(name))
            if number in _STATUSES:
                return number
    words = [place.get(name) for place in places for name in ("type", "code")]
    return next((_BY_WORD[word] for word in words if isinstance(word, str) and word in _BY_WORD), _UNKNOWN)


def _number(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value[:4])
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
