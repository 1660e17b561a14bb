"""Answers of chat completions as those of Anthropic's Messages API: whole ones, and errors."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from jairouter_cli.adapters.chat import (
    ChatAnswer,
    ChatChoice,
    ChatUsage,
    ChatWords,
    TranslatedRequest,
    arguments_of,
    decoder,
    text_of,
)

# docs.anthropic.com, "Errors"; other 4xx are the request's fault, other 5xx the API's.
ERROR_TYPES: Final[Mapping[int, str]] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_SERVER_ERROR: Final = 500
_REASONS: Final[Mapping[str, str]] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
SIGNATURE: Final = "jairouter"
"""In place of Anthropic's proof that a thought is its own; clients send it back, and nobody here checks it."""


def error_type(status: int) -> str:
    """Return Anthropic's word for a status."""
    return ERROR_TYPES.get(status, "api_error" if status >= _SERVER_ERROR else "invalid_request_error")


def error(status: int, body: bytes, request_id: str) -> bytes:
    """Return a backend's error in Anthropic's form, with the backend's own words."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        found = None
    said = found.get("error", found) if isinstance(found, dict) else body.decode("utf-8", "replace")[:1000]
    message = (said.get("message") or said.get("detail")) if isinstance(said, dict) else said
    told = {"type": error_type(status), "message": str(message or f"the backend responded with HTTP {status}")}
    return msgspec.json.encode({"type": "error", "error": told, "request_id": request_id})


def message(body: bytes, model: str, expected: int, request: TranslatedRequest) -> bytes | None:
    """Return a whole answer as a message; None for what is no answer of a chat. `expected` are tokens of the prompt."""
    try:
        answer = decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    if not answer.choices:
        return None
    choice = answer.choices[0]
    content = _content(choice.message or ChatWords())
    made = {
        "id": id_of(answer, request),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": stop_reason(choice.finish_reason, has_call=any(one["type"] == "tool_use" for one in content)),
        "stop_sequence": None,
        "usage": usage(answer.usage, expected, 0),
    }
    _name_sequence(made, choice)
    return msgspec.json.encode(made)


def _content(said: ChatWords) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = []
    if said.thought:
        content.append({"type": "thinking", "thinking": said.thought, "signature": SIGNATURE})
    if said.text:
        content.append({"type": "text", "text": said.text})
    for number, call in enumerate(said.tool_calls or ()):
        function = call.function
        if function is None or not text_of(function.name):
            continue
        passed = function.arguments
        given = passed if isinstance(passed, dict) else arguments_of(text_of(passed))
        name = text_of(call.id) or f"toolu_{number}"
        content.append({"type": "tool_use", "id": name, "name": function.name, "input": given})
    return content


def _name_sequence(made: dict[str, Any], choice: ChatChoice) -> None:
    if made["stop_reason"] == "end_turn" and isinstance(choice.stop_reason, str) and choice.stop_reason:
        made["stop_reason"], made["stop_sequence"] = "stop_sequence", choice.stop_reason


def id_of(answer: ChatAnswer, request: TranslatedRequest) -> str:
    """Return the id of a message."""
    return f"msg_{request.key or text_of(answer.id) or 'unknown'}"


def stop_reason(finish: str | None, *, has_call: bool) -> str:
    """Return why an answer ended. An agent waits for ever for a call that is announced and missing."""
    if has_call:
        return "tool_use" if finish != "length" else "max_tokens"
    found = _REASONS.get(finish or "stop", "end_turn")
    return "end_turn" if found == "tool_use" else found


def usage(told: ChatUsage | None, expected: int, written: int) -> dict[str, int]:
    """Return the tokens of a call; what the backend does not tell is `expected` of the prompt and was `written`."""
    read = expected if told is None or told.prompt_tokens is None else told.prompt_tokens
    output = written if told is None or told.completion_tokens is None else told.completion_tokens
    details = None if told is None else told.prompt_tokens_details
    cached = min(read, (details.cached_tokens if details else None) or 0)
    return {
        "input_tokens": read - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": output,
    }
