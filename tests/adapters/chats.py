"""Streams of chat completions as backends send them, for the tests of what is made of them."""

import json
from typing import Any, Final

from jairouter_cli.adapters.chat import TranslatedRequest

NO_TOOLS: Final = TranslatedRequest({}, [])
DONE: Final = b"data: [DONE]\n\n"
USAGE: Final = {"prompt_tokens": 30, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 20}}


def chunk(finish: str | None = None, usage: Any = None, **delta: Any) -> bytes:
    """Return an event of a chat."""
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}] if delta or finish else []
    return b"data: " + json.dumps({"id": "c1", "created": 5, "choices": choices, "usage": usage}).encode() + b"\n\n"


def call(
    index: int | None,
    name: str | None = None,
    arguments: str = "",
    id: str | None = None,  # noqa: A002 - the API's
) -> dict[str, Any]:
    """Return a piece of a tool call."""
    return {"index": index, "id": id, "function": {"name": name, "arguments": arguments}}


CALLS: Final = [("read", '{"a": 1}'), ("write", '{"b": 2}')]
CALLS_AS_SENT: Final = {
    "in turn": [call(0, "read", '{"a"', "x"), call(0, None, ": 1}"), call(1, "write", '{"b": 2}', "y")],
    "mixed": [
        call(0, "read", '{"a"', "x"),
        call(1, "write", '{"b"', "y"),
        call(0, None, ": 1}"),
        call(1, None, ": 2}"),
    ],
    "the second first": [
        call(1, "write", '{"b"', "y"),
        call(0, "read", '{"a"', "x"),
        call(1, None, ": 2}"),
        call(0, None, ": 1}"),
    ],
    "all of number 0": [
        call(0, "read", '{"a"', "x"),
        call(0, None, ": 1}", "x"),
        call(0, "write", '{"b": 2}', "y"),
    ],
    "names repeated": [
        call(0, "read", '{"a"', "x"),
        call(0, "read", ": 1}", "x"),
        call(1, "write", '{"b": 2}', "y"),
    ],
    "names late": [
        call(0, None, '{"a"', "x"),
        call(0, "read", ": 1}"),
        call(1, None, "", "y"),
        call(1, "write", '{"b": 2}'),
    ],
    "no numbers": [call(None, "read", '{"a": 1}', "x"), call(None, "write", '{"b": 2}', "y")],
}
"""The calls above as backends send them in pieces."""

WHOLE: Final = b"".join(
    [
        chunk(role="assistant", content=""),
        chunk(reasoning="hm"),
        chunk(content="Hé"),
        *(chunk(tool_calls=[piece]) for piece in CALLS_AS_SENT["mixed"]),
        chunk("tool_calls"),
        chunk(usage=USAGE),
        DONE,
    ]
)
"""A stream that has everything."""
