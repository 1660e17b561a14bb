"""A request of OpenAI's Responses API as one for chat completions.

It is stateless: the whole conversation comes in every request, as agents send it. What refers to state elsewhere is
refused, for the answer would be to another question.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from jairouter_cli.adapters.chat import TranslatedRequest, text_of
from jairouter_cli.payloads.reading import read
from jairouter_cli.request_errors import InvalidRequest

CUSTOM: Final = "custom"
"""What a tool is that takes one text instead of arguments."""

_STATE: Final = ("previous_response_id", "conversation", "background")
_KNOWN: Final = frozenset(
    {
        *("model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "stream", "text"),
        *("reasoning", "max_output_tokens", "temperature", "top_p", *_STATE),
        # what concerns OpenAI's service alone
        *("store", "include", "metadata", "client_metadata", "prompt_cache_key", "prompt_cache_retention", "user"),
        *("safety_identifier", "service_tier", "truncation", "stream_options"),
    }
)
_EFFORTS: Final[Mapping[str, str]] = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
}
_TEXTS: Final = frozenset({"input_text", "output_text", "text", "summary_text", "reasoning_text"})
_SYSTEM: Final = frozenset({"system", "developer"})
_decoder: Final = msgspec.json.Decoder()

Item = Mapping[str, Any]


@dataclass(slots=True)
class _Conversation:
    """The messages made so far; `system` stands before all others, `seen` comes with the next user's turn."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    system: list[str] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)
    dropped: set[str] = field(default_factory=set)

    def assistant(self) -> dict[str, Any]:
        """Return the message of the assistant that is under way: its items in a row are one message."""
        self.release()
        if not self.messages or self.messages[-1]["role"] != "assistant":
            self.messages.append({"role": "assistant", "content": None})
        return self.messages[-1]

    def release(self) -> None:
        """Say what is left of a user's turn."""
        if self.seen:
            parts, self.seen = self.seen, []
            self.messages.append({"role": "user", "content": _content(parts)})


def responses_request(body: bytes | bytearray) -> TranslatedRequest:
    """Return the request for chat completions. Raises `InvalidRequest`."""
    asked = read(_decoder, body)
    if not isinstance(asked, dict):
        raise InvalidRequest(problem="the body is not a JSON object")
    for name in _STATE:
        if asked.get(name):
            raise InvalidRequest(problem=f"{name} is not supported here: send the whole conversation in input")
    made = _Conversation(dropped={name for name in asked if name not in _KNOWN})
    if instructions := text_of(asked.get("instructions")):
        made.system.append(instructions)
    _add_input(made, asked.get("input"))
    system = [{"role": "system", "content": "\n\n".join(made.system)}] if made.system else []
    request: dict[str, Any] = {"model": asked.get("model"), "messages": [*system, *made.messages]}
    if asked.get("stream") is True:
        request["stream"], request["stream_options"] = True, {"include_usage": True}
    for name, other in (("max_output_tokens", "max_tokens"), ("temperature", "temperature"), ("top_p", "top_p")):
        if asked.get(name) is not None:
            request[other] = asked[name]
    tools = _add_tools(request, asked, made.dropped)
    _add_output(request, asked)
    return TranslatedRequest(request, sorted(made.dropped), tools)


# --- the conversation ---


def _add_input(made: _Conversation, given: Any) -> None:
    if isinstance(given, str):
        given = [{"role": "user", "content": given}] if given else []
    if given is not None and not isinstance(given, list):
        raise InvalidRequest(problem="input: expected a text or a list")
    for item in given or ():
        if not isinstance(item, dict):
            raise InvalidRequest(problem="input: expected a list of objects")
        _add(made, item)
    made.release()


def _add(made: _Conversation, item: Item) -> None:
    kind = item.get("type") or ("message" if "role" in item else None)
    match kind:
        case "message":
            _add_message(made, item)
        case "reasoning":
            thought = "".join(_texts(item.get("content")) or _texts(item.get("summary")))
            if thought:
                turn = made.assistant()
                turn["reasoning_content"] = turn.get("reasoning_content", "") + thought
        case "function_call" | "custom_tool_call":
            passed = text_of(item.get("arguments"))
            if kind == "custom_tool_call":
                passed = msgspec.json.encode({"input": text_of(item.get("input"))}).decode()
            function = {"name": text_of(item.get("name")), "arguments": passed or "{}"}
            call = {"id": text_of(item.get("call_id")), "type": "function", "function": function}
            made.assistant().setdefault("tool_calls", []).append(call)
        case "function_call_output" | "custom_tool_call_output":
            _add_output_of_tool(made, item)
        case _:
            made.dropped.add(str(kind))


def _add_message(made: _Conversation, item: Item) -> None:
    role, content = item.get("role"), item.get("content")
    parts = _parts(content, made.dropped)
    if role == "assistant":
        turn = made.assistant()
        turn["content"] = (turn["content"] or "") + "".join(part["text"] for part in parts if part["type"] == "text")
    elif role in _SYSTEM and not made.messages and not made.seen:
        made.system += [part["text"] for part in parts if part["type"] == "text"]
    elif role in _SYSTEM or role == "user":  # templates allow a system message at the beginning alone
        made.seen += parts
    else:
        raise InvalidRequest(problem="input: expected the role user, assistant, system or developer")


def _add_output_of_tool(made: _Conversation, item: Item) -> None:
    """Add the result of a tool, directly behind the calls; its pictures are seen with the next user's turn."""
    parts = _parts(item.get("output"), made.dropped)
    text = "\n\n".join(part["text"] for part in parts if part["type"] == "text")
    pictures = [part for part in parts if part["type"] != "text"]
    message = {"role": "tool", "tool_call_id": text_of(item.get("call_id")), "content": text}
    made.messages.append(message)
    made.seen += pictures


def _parts(content: Any, dropped: set[str]) -> list[dict[str, Any]]:
    """Return texts and pictures as parts of a message."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    parts: list[dict[str, Any]] = []
    for one in content if isinstance(content, list) else ():
        kind = one.get("type") if isinstance(one, dict) else None
        if kind in _TEXTS:
            if text := text_of(one.get("text")):
                parts.append({"type": "text", "text": text})
        elif kind == "input_image" and isinstance(one.get("image_url"), str):
            picture = {"url": one["image_url"]}
            if one.get("detail") in {"low", "high"}:
                picture["detail"] = one["detail"]
            parts.append({"type": "image_url", "image_url": picture})
        elif kind == "refusal":
            parts.append({"type": "text", "text": text_of(one.get("refusal"))})
        else:
            dropped.add(str(kind))
    return parts


def _texts(content: Any) -> list[str]:
    return [part["text"] for part in _parts(content, set()) if part["type"] == "text"]


def _content(parts: Sequence[dict[str, Any]]) -> Any:
    if all(part["type"] == "text" for part in parts):
        return "\n\n".join(part["text"] for part in parts)
    return list(parts)


# --- tools and output ---


def _add_tools(request: dict[str, Any], asked: Mapping[str, Any], dropped: set[str]) -> dict[str, str]:
    """Add the tools; return what those are that are no functions."""
    tools: list[dict[str, Any]] = []
    kinds: dict[str, str] = {}
    for tool in _flat(asked.get("tools")):
        name, kind = text_of(tool.get("name")), tool.get("type")
        if not name or kind not in {"function", CUSTOM}:
            dropped.add(name or str(kind))
            continue
        if kind == CUSTOM:
            kinds[name] = CUSTOM
        tools.append({"type": "function", "function": _function(tool)})
    if not tools:
        return {}
    request["tools"] = tools
    choice = asked.get("tool_choice")
    if isinstance(choice, str) and choice in {"auto", "none", "required"}:
        request["tool_choice"] = choice
    elif isinstance(choice, dict) and text_of(choice.get("name")):
        request["tool_choice"] = {"type": "function", "function": {"name": choice["name"]}}
    if isinstance(asked.get("parallel_tool_calls"), bool):
        request["parallel_tool_calls"] = asked["parallel_tool_calls"]
    return kinds


def _flat(tools: Any) -> list[Item]:
    """Return the tools, those of namespaces among them."""
    found: list[Item] = []
    for tool in tools if isinstance(tools, list) else ():
        if isinstance(tool, dict):
            found += _flat(tool.get("tools")) if tool.get("type") == "namespace" else [tool]
    return found


def _function(tool: Item) -> dict[str, Any]:
    """Return a tool as a function; one that takes a text as a function of one text, with its grammar in words."""
    description = text_of(tool.get("description"))
    if tool.get("type") != CUSTOM:
        members = {"name": tool["name"], "description": description or None, "parameters": tool.get("parameters")}
        if isinstance(tool.get("strict"), bool):
            members["strict"] = tool["strict"]
        return {key: value for key, value in members.items() if value is not None}
    form = tool.get("format")
    if isinstance(form, dict) and text_of(form.get("definition")):
        description = (
            f"{description}\n\nThe input follows this {form.get('syntax') or ''} grammar:\n{form['definition']}"
        )
    text = {"type": "string", "description": "The input, as plain text."}
    parameters = {"type": "object", "properties": {"input": text}, "required": ["input"]}
    return {"name": tool["name"], "description": description.strip(), "parameters": parameters}


def _add_output(request: dict[str, Any], asked: Mapping[str, Any]) -> None:
    reasoning, text = asked.get("reasoning"), asked.get("text")
    if isinstance(reasoning, dict) and (effort := _EFFORTS.get(str(reasoning.get("effort")))) is not None:
        request["reasoning_effort"] = effort
    wanted = text.get("format") if isinstance(text, dict) else None
    if not isinstance(wanted, dict):
        return
    if wanted.get("type") == "json_object":
        request["response_format"] = {"type": "json_object"}
    elif wanted.get("type") == "json_schema":
        schema = {key: wanted[key] for key in ("name", "description", "schema", "strict") if key in wanted}
        request["response_format"] = {"type": "json_schema", "json_schema": schema}
