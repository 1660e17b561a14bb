"""A request of Anthropic's Messages API as one for chat completions.

Whatever a client may send is accepted: what chat completions have no place for is left out, and named. The same request
always becomes the same bytes, and an earlier turn is a prefix of a later one, so that caches of prompts hit.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from jairouter_cli.adapters.chat import TranslatedRequest
from jairouter_cli.payloads.reading import read
from jairouter_cli.request_errors import InvalidRequest

# Claude Code begins its system prompt with a line of its own that differs in every request.
_BILLING: Final = "x-anthropic-billing-header:"
_KNOWN: Final = frozenset(
    {
        *("model", "messages", "system", "max_tokens", "stream", "stop_sequences", "temperature", "top_p"),
        *("tools", "tool_choice", "thinking", "output_config"),
    }
)
_EFFORTS: Final[Mapping[str, str]] = {"low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
_CHOICES: Final[Mapping[str, str]] = {"auto": "auto", "any": "required", "none": "none"}
_NOT_TOLD: Final = frozenset({"redacted_thinking"})
_decoder: Final = msgspec.json.Decoder()

Block = Mapping[str, Any]


@dataclass(slots=True)
class _Turns:
    """The messages made so far; `held` is what system messages said that has to wait for its place."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    dropped: set[str] = field(default_factory=set)


def chat_request(body: bytes | bytearray) -> TranslatedRequest:
    """Return the request for chat completions. Raises `InvalidRequest`."""
    asked = read(_decoder, body)
    if not isinstance(asked, dict):
        raise InvalidRequest(problem="the body is not a JSON object")
    turns = _Turns(dropped={name for name in asked if name not in _KNOWN})
    if system := _joined(_system_texts(asked.get("system"))):
        turns.messages.append({"role": "system", "content": system})
    messages = asked.get("messages")
    if not isinstance(messages, list):
        raise InvalidRequest(problem="messages: expected a list")
    for message in messages:
        _add(turns, message)
    _release(turns)
    made: dict[str, Any] = {"model": asked.get("model"), "messages": turns.messages}
    if asked.get("stream") is True:
        made["stream"], made["stream_options"] = True, {"include_usage": True}
    for name, other in (("max_tokens", "max_tokens"), ("temperature", "temperature"), ("top_p", "top_p")):
        if asked.get(name) is not None:
            made[other] = asked[name]
    if asked.get("stop_sequences"):
        made["stop"] = asked["stop_sequences"]
    _add_tools(made, asked, turns.dropped)
    _add_output(made, asked)
    return TranslatedRequest(made, sorted(turns.dropped))


# --- messages ---


def _system_texts(system: Any) -> list[str]:
    blocks = [{"text": system}] if isinstance(system, str) else system if isinstance(system, list) else []
    texts = [block["text"] for block in blocks if isinstance(block, dict) and isinstance(block.get("text"), str)]
    return [text for text in texts if text and not text.startswith(_BILLING)]


def _joined(texts: Sequence[str]) -> str:
    return "\n\n".join(texts)


def _add(turns: _Turns, message: Any) -> None:
    role = message.get("role") if isinstance(message, dict) else None
    content = message.get("content") if isinstance(message, dict) else None
    blocks: list[Block] = [{"type": "text", "text": content}] if isinstance(content, str) else _blocks(content)
    if role == "assistant":
        _release(turns)
        turns.messages.append(_assistant(blocks, turns.dropped))
    elif role == "system":
        _fold(turns, _system_texts(content))
    elif role == "user":
        _add_user(turns, blocks)
    else:
        raise InvalidRequest(problem="messages: expected the role user, assistant or system")


def _release(turns: _Turns) -> None:
    """Say what is held in a turn of its own, as no user's turn has come for it."""
    if turns.held:
        turns.messages.append({"role": "user", "content": _joined(turns.held)})
        turns.held = []


def _blocks(content: Any) -> list[Block]:
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _fold(turns: _Turns, texts: list[str]) -> None:
    """Put what a system message between turns says into the turn of a user: templates allow it at the beginning alone.

    It stays at its place; between calls of tools and their results it waits for the results.
    """
    last = turns.messages[-1] if turns.messages else None
    if last is None or last["role"] in {"assistant", "system"}:
        turns.held += texts
    elif last["role"] == "user" and isinstance(last["content"], str):
        last["content"] = _joined([last["content"], *texts])
    elif texts:
        turns.messages.append({"role": "user", "content": _joined(texts)})


def _assistant(blocks: Iterable[Block], dropped: set[str]) -> dict[str, Any]:
    texts, thoughts, calls = list[str](), list[str](), list[dict[str, Any]]()
    for block in blocks:
        match block.get("type"):
            case "text":
                texts.append(str(block.get("text") or ""))
            case "thinking":
                thoughts.append(str(block.get("thinking") or ""))
            case "tool_use":
                passed = msgspec.json.encode(block.get("input") or {}).decode()
                function = {"name": str(block.get("name") or ""), "arguments": passed}
                calls.append({"id": str(block.get("id") or ""), "type": "function", "function": function})
            case other:
                dropped.add(str(other))
    text = "".join(texts)
    made: dict[str, Any] = {"role": "assistant", "content": text if text or not calls else None}
    if thoughts:
        made["reasoning_content"] = "".join(thoughts)
    if calls:
        made["tool_calls"] = calls
    return made


def _add_user(turns: _Turns, blocks: Iterable[Block]) -> None:
    """Add the turn of a user: results of tools first, each in a message of its own, then all that is seen and said."""
    parts: list[dict[str, Any]] = []
    later: list[dict[str, Any]] = []
    for block in blocks:
        kind = block.get("type")
        if kind == "tool_result":
            texts, pictures = _result(block, turns.dropped)
            said = _joined(texts)
            if block.get("is_error") is True:  # the other side has no field for it
                said = f"The tool failed: {said}" if said else "The tool failed."
            turns.messages.append(
                {"role": "tool", "tool_call_id": str(block.get("tool_use_id") or ""), "content": said}
            )
            parts += pictures
        elif (part := _part(block)) is not None:
            later.append(part)
        elif kind != "text":
            turns.dropped.add(str(kind))
    parts += [{"type": "text", "text": text} for text in turns.held]
    turns.held = []
    parts += later
    if not parts:
        return
    if all(part["type"] == "text" for part in parts):
        turns.messages.append({"role": "user", "content": _joined([part["text"] for part in parts])})
    else:
        turns.messages.append({"role": "user", "content": parts})


def _result(block: Block, dropped: set[str]) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the texts and the pictures of a tool's result."""
    content = block.get("content")
    if isinstance(content, str):
        return [content] if content else [], []
    texts, pictures = list[str](), list[dict[str, Any]]()
    for one in _blocks(content):
        part = _part(one)
        if part is None:
            if one.get("type") != "text":
                dropped.add(str(one.get("type")))
        elif part["type"] == "text":
            texts.append(part["text"])
        else:
            pictures.append(part)
    return texts, pictures


def _part(block: Block) -> dict[str, Any] | None:
    """Return a text or a picture as a part of a message; None for what is empty, or neither."""
    kind, source = block.get("type"), block.get("source")
    if kind == "text":
        text = block.get("text")
        return {"type": "text", "text": text} if isinstance(text, str) and text else None
    if kind == "image" and isinstance(source, dict):
        url = source.get("url")
        if source.get("type") == "base64":
            url = f"data:{source.get('media_type') or 'image/png'};base64,{source.get('data') or ''}"
        if isinstance(url, str):
            return {"type": "image_url", "image_url": {"url": url}}
    return None


# --- tools and output ---


def _add_tools(made: dict[str, Any], asked: Mapping[str, Any], dropped: set[str]) -> None:
    tools = []
    for tool in _blocks(asked.get("tools")):
        if not isinstance(tool.get("input_schema"), dict):  # one that Anthropic's servers run
            dropped.add(str(tool.get("name") or tool.get("type")))
            continue
        function = {
            "name": tool.get("name"),
            "description": tool.get("description"),
            "parameters": tool["input_schema"],
        }
        tools.append({"type": "function", "function": {key: one for key, one in function.items() if one is not None}})
    if not tools:
        return
    made["tools"] = tools
    choice = asked.get("tool_choice")
    if isinstance(choice, dict):
        if choice.get("type") == "tool":
            made["tool_choice"] = {"type": "function", "function": {"name": choice.get("name")}}
        elif choice.get("type") in _CHOICES:
            made["tool_choice"] = _CHOICES[choice["type"]]
        if choice.get("disable_parallel_tool_use") is True:
            made["parallel_tool_calls"] = False


def _add_output(made: dict[str, Any], asked: Mapping[str, Any]) -> None:
    """Add how much is to be thought, and in which form the answer is to be; what is not known is as if not said."""
    output = asked.get("output_config")
    if not isinstance(output, dict):
        return
    if (effort := _EFFORTS.get(str(output.get("effort")))) is not None:
        made["reasoning_effort"] = effort
    wanted = output.get("format")
    if isinstance(wanted, dict) and wanted.get("type") == "json_schema" and isinstance(wanted.get("schema"), dict):
        schema = {"name": "answer", "schema": wanted["schema"], "strict": True}
        made["response_format"] = {"type": "json_schema", "json_schema": schema}
