"""The forms in which an endpoint tells errors, as its API's clients read them: as a whole answer, and in a stream.

An endpoint without a row tells them as OpenAI's chat does: `{"error": {...}}`, and in a stream as a plain event.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import msgspec

from jairouter_cli.adapters.messages.answer import error_type
from jairouter_cli.config.model import Locale
from jairouter_cli.request_errors import RequestError
from jairouter_cli.web.errors import error_object


class ToldError(NamedTuple):
    """An error, and what has gone before it: `events` of the same stream, none before a whole answer."""

    error: RequestError
    locale: Locale
    request_id: str
    events: int = 0


class ErrorForm(NamedTuple):
    """How an API tells errors."""

    whole: Callable[[ToldError], object]
    """The body of an answer, to be made JSON."""
    event: Callable[[ToldError], bytes]
    """The last event of a stream."""


def form_of(path: str) -> ErrorForm:
    """Return the form of the endpoint that is served at a path."""
    return _FORMS.get(path, _CHAT)


def _whole(told: ToldError) -> object:
    return error_object(told.error, told.locale)


def _event(told: ToldError) -> bytes:
    return b"data: " + msgspec.json.encode(_whole(told)) + b"\n\n"


def _message(told: ToldError) -> object:
    """Return an error of Anthropic's Messages API, and beside its members what ours has."""
    ours = error_object(told.error, told.locale)["error"]
    return {"type": "error", "error": {**ours, "type": error_type(told.error.status)}, "request_id": told.request_id}


def _message_event(told: ToldError) -> bytes:
    return b"event: error\ndata: " + msgspec.json.encode(_message(told)) + b"\n\n"


def _response_event(told: ToldError) -> bytes:
    """Return the `error` event of OpenAI's Responses API.

    Its SDKs raise only for a member `error`, which OpenAI's own service sends there, too.
    """
    ours = error_object(told.error, told.locale)["error"]
    said = {
        "type": "error",
        "code": ours["code"],
        "message": ours["message"],
        "param": ours.get("param"),
        "sequence_number": told.events,  # they are counted from 0
        "error": ours,
    }
    return b"event: error\ndata: " + msgspec.json.encode(said) + b"\n\n"


_CHAT: Final = ErrorForm(_whole, _event)
_MESSAGES: Final = ErrorForm(_message, _message_event)
_RESPONSES: Final = ErrorForm(_whole, _response_event)
_FORMS: Final[Mapping[str, ErrorForm]] = {
    "/v1/messages": _MESSAGES,
    "/v1/messages/count_tokens": _MESSAGES,
    "/v1/responses": _RESPONSES,
}
