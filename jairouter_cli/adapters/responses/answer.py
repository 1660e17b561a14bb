"""Answers of chat completions as those of OpenAI's Responses API: whole ones, their items, and errors."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from jairouter_cli.adapters.chat import (
    ChatAnswer,
    ChatUsage,
    ChatWords,
    ToolCall,
    TranslatedRequest,
    arguments_of,
    decoder,
    text_of,
)
from jairouter_cli.adapters.responses.request import CUSTOM

_INCOMPLETE: Final[Mapping[str, str]] = {"length": "max_output_tokens", "content_filter": "content_filter"}


def error(status: int, body: bytes, _request_id: str) -> bytes:
    """Return a backend's error: both APIs have the same form, which some backends do not keep."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        found = None
    if isinstance(found, dict) and isinstance(found.get("error"), dict):
        return body
    said = (found.get("error") or found.get("detail")) if isinstance(found, dict) else body.decode("utf-8", "replace")
    message = str(said or f"the backend responded with HTTP {status}")[:1000]
    told = {"message": message, "type": "invalid_request_error" if status < 500 else "server_error"}  # noqa: PLR2004
    return msgspec.json.encode({"error": {**told, "param": None, "code": None}})


def response(body: bytes, model: str, expected: int, request: TranslatedRequest) -> bytes | None:
    """Return a whole answer; None for what is no answer of a chat. `expected` are tokens of the prompt, roughly."""
    try:
        answer = decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    if not answer.choices:
        return None
    choice = answer.choices[0]
    output = _items(choice.message or ChatWords(), key_of(answer, request), request)
    made = head(answer, model, request)
    finish(made, output, choice.finish_reason, usage(answer.usage, expected, 0))
    return msgspec.json.encode(made)


def key_of(answer: ChatAnswer, request: TranslatedRequest) -> str:
    """Return what the ids of an answer have in common."""
    return request.key or text_of(answer.id) or "unknown"


def head(answer: ChatAnswer, model: str, request: TranslatedRequest) -> dict[str, Any]:
    """Return an answer that has begun."""
    body = request.body
    return {
        "id": f"resp_{key_of(answer, request)}",
        "object": "response",
        "created_at": answer.created if type(answer.created) is int else 0,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": body.get("max_tokens"),
        "metadata": {},
        "model": model,
        "output": [],
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "previous_response_id": None,
        "store": False,
        "temperature": body.get("temperature"),
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": body.get("top_p"),
        "usage": None,
    }


def finish(made: dict[str, Any], output: Sequence[Any], reason: str | None, told: Mapping[str, Any]) -> None:
    """Complete an answer."""
    incomplete = _INCOMPLETE.get(reason or "")
    made["status"] = "incomplete" if incomplete else "completed"
    made["incomplete_details"] = {"reason": incomplete} if incomplete else None
    made["output"], made["usage"] = list(output), told


def usage(told: ChatUsage | None, expected: int, written: int) -> dict[str, Any]:
    """Return the tokens of a call; what the backend does not tell is `expected` of the prompt and was `written`."""
    read = expected if told is None or told.prompt_tokens is None else told.prompt_tokens
    output = written if told is None or told.completion_tokens is None else told.completion_tokens
    prompt = None if told is None else told.prompt_tokens_details
    answer = None if told is None else told.completion_tokens_details
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": (prompt.cached_tokens if prompt else None) or 0},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": (answer.reasoning_tokens if answer else None) or 0},
        "total_tokens": read + output,
    }


# --- items ---


def reasoning_item(name: str, text: str) -> dict[str, Any]:
    """Return thoughts."""
    content = [{"type": "reasoning_text", "text": text}] if text else []
    return {"id": name, "type": "reasoning", "summary": [], "content": content, "status": "completed"}


def text_part(text: str) -> dict[str, Any]:
    """Return the words of a message."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def message_item(name: str, text: str | None, status: str = "completed") -> dict[str, Any]:
    """Return a message; without a text it has only begun."""
    content = [] if text is None else [text_part(text)]
    return {"id": name, "type": "message", "status": status, "role": "assistant", "content": content}


def call_item(name: str, call: ToolCall, request: TranslatedRequest, status: str = "completed") -> dict[str, Any]:
    """Return a call; one that has only begun has no arguments yet."""
    is_over = status == "completed"
    base = {"id": name, "status": status, "call_id": call.id, "name": call.name}
    if is_custom(call, request):
        return {**base, "type": "custom_tool_call", "input": custom_input(call) if is_over else ""}
    return {**base, "type": "function_call", "arguments": (call.arguments or "{}") if is_over else ""}


def is_custom(call: ToolCall, request: TranslatedRequest) -> bool:
    """Whether a call is of a tool that takes a text."""
    return request.tools.get(call.name) == CUSTOM


def custom_input(call: ToolCall) -> str:
    """Return the text that a tool is to get; models that forget the object around it mean the text itself."""
    found = arguments_of(call.arguments)
    return text_of(found["input"]) if isinstance(found.get("input"), str) else call.arguments


def _items(said: ChatWords, key: str, request: TranslatedRequest) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if said.thought:
        items.append(reasoning_item(f"rs_{key}", said.thought))
    if said.text:
        items.append(message_item(f"msg_{key}", said.text))
    for number, piece in enumerate(said.tool_calls or ()):
        function = piece.function
        if function is None or not text_of(function.name):
            continue
        passed = function.arguments
        arguments = msgspec.json.encode(passed).decode() if isinstance(passed, dict) else text_of(passed)
        call = ToolCall(text_of(piece.id) or f"call_{number}", text_of(function.name), arguments)
        items.append(call_item(f"fc_{key}_{number}", call, request))
    return items
