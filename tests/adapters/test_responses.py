"""OpenAI's Responses API in front of chat completions: requests, whole answers, and streams."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jairouter_cli.adapters.chat import TranslatedRequest
from jairouter_cli.adapters.failed import BackendFailed
from jairouter_cli.adapters.responses.answer import error, response
from jairouter_cli.adapters.responses.request import CUSTOM, responses_request
from jairouter_cli.adapters.responses.stream import ResponsesStream
from jairouter_cli.request_errors import InvalidRequest
from tests.adapters.chats import CALLS, CALLS_AS_SENT, DONE, NO_TOOLS, USAGE, WHOLE, call, chunk

USER = {"role": "user", "content": "hi"}
CALL = {"type": "function_call", "call_id": "t1", "name": "read", "arguments": '{"path": "a"}'}
PICTURE = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
PATCH = {
    "type": "custom",
    "name": "apply_patch",
    "description": "patches",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"},
}


def made(**members: Any) -> TranslatedRequest:
    """Return the chat request of a request."""
    return responses_request(json.dumps({"model": "m", "input": "hi", **members}).encode())


def messages(*items: Any, **members: Any) -> list[dict[str, Any]]:
    """Return the chat's messages."""
    found: list[dict[str, Any]] = made(input=list(items), **members).body["messages"]
    return found


def output(name: str, content: Any, kind: str = "function_call_output") -> dict[str, Any]:
    """Return what a tool has said."""
    return {"type": kind, "call_id": name, "output": content}


# --- requests ---


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("hi", [USER]),
        ([USER], [USER]),
        ([{"type": "message", **USER}], [USER]),
        ([{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}], [USER]),
        (
            [{"role": "assistant", "content": [{"type": "output_text", "text": "yes"}]}],
            [{"role": "assistant", "content": "yes"}],
        ),
        (
            [{"role": "user", "content": [{"type": "input_text", "text": "see"}, PICTURE]}],
            [{"role": "user", "content": [{"type": "text", "text": "see"}, PART]}],
        ),
        ("", []),
        ([], []),
    ],
)
def test_input(given: Any, expected: Any) -> None:
    """A text, or items in any of their forms."""
    assert made(input=given).body["messages"] == expected


def test_what_comes_first_is_the_system_prompt() -> None:
    """With the instructions; what comes later stays at its place."""
    developer = {"role": "developer", "content": "be careful"}
    assert messages(developer, USER, developer, instructions="be brief") == [
        {"role": "system", "content": "be brief\n\nbe careful"},
        {"role": "user", "content": "hi\n\nbe careful"},
    ]


def test_one_turn_is_one_message() -> None:
    """Thoughts, words and calls in a row: backends that get several stop early."""
    thought = {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "hm"}], "summary": []}
    turn = [thought, {"role": "assistant", "content": "let me"}, CALL, {**CALL, "call_id": "t2"}]
    found = messages(
        USER, *turn, output("t1", "one"), output("t2", [{"type": "input_text", "text": "two"}, PICTURE]), USER
    )
    assert [one["role"] for one in found] == ["user", "assistant", "tool", "tool", "user"]
    assert (found[1]["reasoning_content"], found[1]["content"], len(found[1]["tool_calls"])) == ("hm", "let me", 2)
    assert [(one["tool_call_id"], one["content"]) for one in found[2:4]] == [("t1", "one"), ("t2", "two")]
    assert found[4]["content"] == [PART, {"type": "text", "text": "hi"}]


@pytest.mark.parametrize("member", ["previous_response_id", "conversation", "background"])
def test_state_elsewhere(member: str) -> None:
    """It is refused: the answer would be to another question."""
    with pytest.raises(InvalidRequest, match=member):
        made(**{member: "x"})


def test_tools() -> None:
    """Functions, those in namespaces, and tools that take a text; others are left out, and named."""
    function = {
        "type": "function",
        "name": "read",
        "description": "reads",
        "parameters": {"type": "object"},
        "strict": False,
    }
    inner = {"type": "namespace", "name": "n", "tools": [{**function, "name": "inner"}]}
    found = made(tools=[function, PATCH, inner, {"type": "web_search"}, {"type": "local_shell"}])
    assert [tool["function"]["name"] for tool in found.body["tools"]] == ["read", "apply_patch", "inner"]
    assert found.body["tools"][0]["function"] == {key: value for key, value in function.items() if key != "type"}
    assert found.body["tools"][1]["function"]["parameters"]["required"] == ["input"]
    assert "start: x" in found.body["tools"][1]["function"]["description"]
    assert (found.tools, found.dropped) == ({"apply_patch": CUSTOM}, ["local_shell", "web_search"])


def test_a_call_of_a_tool_that_takes_a_text_goes_back() -> None:
    """In the history it is a call with that text."""
    text = '*** "quoted"\n+ü'
    found = messages(
        USER,
        {"type": "custom_tool_call", "call_id": "t", "name": "apply_patch", "input": text},
        output("t", "ok", "custom_tool_call_output"),
    )
    assert json.loads(found[1]["tool_calls"][0]["function"]["arguments"]) == {"input": text}
    assert found[2] == {"role": "tool", "tool_call_id": "t", "content": "ok"}


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}),
        (
            {"max_output_tokens": 1, "temperature": 0.5, "top_p": 0.9},
            {"max_tokens": 1, "temperature": 0.5, "top_p": 0.9},
        ),
        ({"reasoning": {"effort": "xhigh", "summary": "auto"}}, {"reasoning_effort": "high"}),
        (
            {
                "reasoning": {"effort": "new"},
                "store": False,
                "include": [],
                "prompt_cache_key": "k",
                "client_metadata": {},
            },
            {},
        ),
        ({"text": {"format": {"type": "text"}, "verbosity": "low"}}, {}),
        ({"text": {"format": {"type": "json_object"}}}, {"response_format": {"type": "json_object"}}),
        (
            {"text": {"format": {"type": "json_schema", "name": "a", "schema": {}, "strict": True}}},
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}, "strict": True}}},
        ),
    ],
)
def test_members(members: Any, expected: Any) -> None:
    """What both sides have goes over; what concerns OpenAI's service alone does not."""
    found = made(**members)
    assert (found.body, found.dropped) == ({"model": "m", "messages": [USER], **expected}, [])


@pytest.mark.parametrize("body", [b"[]", b'{"input": 1}', b'{"input": [1]}', b'{"input": [{"role": "x"}]}', b"{"])
def test_what_is_no_request(body: bytes) -> None:
    """It is refused with a reason."""
    with pytest.raises(InvalidRequest):
        responses_request(body)


# --- answers ---


def events(*pieces: bytes, request: TranslatedRequest = NO_TOOLS) -> list[dict[str, Any]]:
    """Return the events that become of a stream; their grammar is checked."""
    stream = ResponsesStream("asked", 12, request)
    text = b"".join(stream.feed(piece) for piece in pieces) + stream.rest()
    found = []
    for event in text.decode().split("\n\n")[:-1]:
        name, data = event.split("\n")
        said = json.loads(data.removeprefix("data: "))
        assert name == f"event: {said['type']}"
        found.append(said)
    check(found)
    return found


def check(found: list[dict[str, Any]]) -> None:
    """Check the grammar of a complete stream."""
    assert [one["sequence_number"] for one in found] == list(range(len(found)))
    assert [one["type"] for one in found[:2]] == ["response.created", "response.in_progress"]
    assert found[-1]["type"] in {"response.completed", "response.incomplete"}
    assert len({one["response"]["id"] for one in (found[0], found[1], found[-1])}) == 1
    done: list[dict[str, Any]] = []
    item = None
    for one in found[2:-1]:
        assert one["output_index"] == len(done)
        if one["type"] == "response.output_item.added":
            assert item is None
            item = one["item"]["id"]
        elif one["type"] == "response.output_item.done":
            assert one["item"]["id"] == item
            done.append(one["item"])
            item = None
        else:
            assert one["item_id"] == item
    assert item is None
    assert found[-1]["response"]["output"] == done
    assert len({one["id"] for one in done}) == len(done)


def items(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return the items of an answer: what they are, and what they say."""
    shown = []
    for item in found[-1]["response"]["output"]:
        if item["type"] in {"message", "reasoning"}:
            shown.append((item["type"], "".join(part["text"] for part in item["content"])))
        else:
            shown.append((item["name"], item.get("arguments", item.get("input"))))
    return shown


def test_words() -> None:
    """Deltas that add up to the item; the usage with what was cached."""
    found = events(chunk(content="Hel"), chunk(content="lo"), chunk("stop"), chunk(usage=USAGE), DONE)
    assert items(found) == [("message", "Hello")]
    assert "".join(one["delta"] for one in found if one["type"] == "response.output_text.delta") == "Hello"
    told = found[-1]["response"]
    assert (told["model"], told["status"], told["created_at"]) == ("asked", "completed", 5)
    assert told["usage"] == {
        "input_tokens": 30,
        "input_tokens_details": {"cached_tokens": 20},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 37,
    }


@pytest.mark.parametrize("pieces", CALLS_AS_SENT.values(), ids=CALLS_AS_SENT)
def test_calls_of_tools(pieces: list[dict[str, Any]]) -> None:
    """However a backend sends them."""
    found = events(*(chunk(tool_calls=[piece]) for piece in pieces), chunk("tool_calls"), DONE)
    assert sorted(items(found)) == CALLS


TEXT = '*** Begin Patch\n-"old"\n+new ü\\n\n'


@pytest.mark.parametrize("arguments", [json.dumps({"input": TEXT}), TEXT])
def test_a_tool_that_takes_a_text(arguments: str) -> None:
    """It gets the very text, also from a model that forgets the object around it."""
    request = TranslatedRequest({}, [], {"apply_patch": CUSTOM})
    half = len(arguments) // 2
    pieces = [call(0, "apply_patch", arguments[:half], "x"), call(0, None, arguments[half:])]
    found = events(*(chunk(tool_calls=[piece]) for piece in pieces), chunk("tool_calls"), DONE, request=request)
    assert items(found) == [("apply_patch", TEXT)]
    [said] = [one for one in found if one["type"] == "response.custom_tool_call_input.delta"]
    assert said["delta"] == TEXT
    body = {
        "choices": [
            {"message": {"tool_calls": [call(0, "apply_patch", arguments, "x")]}, "finish_reason": "tool_calls"}
        ]
    }
    [item] = json.loads(response(json.dumps(body).encode(), "m", 1, request) or b"")["output"]
    assert (item["type"], item["input"]) == ("custom_tool_call", TEXT)


@pytest.mark.parametrize(
    ("finish", "status", "reason"),
    [
        ("stop", "completed", None),
        ("tool_calls", "completed", None),
        ("length", "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "incomplete", {"reason": "content_filter"}),
    ],
)
def test_reasons(finish: str, status: str, reason: Any) -> None:
    """In a stream and in a whole answer."""
    streamed = events(chunk(content="x"), chunk(finish), DONE)[-1]
    body = {"id": "c", "choices": [{"message": {"content": "x", "reasoning": "hm"}, "finish_reason": finish}]}
    whole = json.loads(response(json.dumps(body).encode(), "asked", 12, NO_TOOLS) or b"")
    assert streamed["type"] == f"response.{status}"
    for told in (streamed["response"], whole):
        assert (told["status"], told["incomplete_details"], told["usage"]["input_tokens"]) == (status, reason, 12)
    assert [item["type"] for item in whole["output"]] == ["reasoning", "message"]


@given(st.lists(st.integers(0, len(WHOLE)), max_size=20))
def test_any_split_gives_the_same(cuts: list[int]) -> None:
    """How the bytes come makes no difference."""
    places = [0, *sorted(cuts), len(WHOLE)]
    assert events(*(WHOLE[a:b] for a, b in pairwise(places))) == events(WHOLE)


def test_a_cut_is_never_a_success() -> None:
    """At every byte before the reason: there is no end, or an error."""
    before = WHOLE.index(b'"finish_reason": "tool_calls"')
    for cut in range(before):
        stream = ResponsesStream("m", 1, NO_TOOLS)
        assert b"response.completed" not in stream.feed(WHOLE[:cut])
        with pytest.raises(BackendFailed):
            stream.rest()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error": {"message": "theirs", "code": 5}}', "theirs"),
        (b'{"error": "theirs"}', "theirs"),
        (b'{"detail": "theirs"}', "theirs"),
        (b"theirs", "theirs"),
        (b"", "the backend responded with HTTP 400"),
    ],
)
def test_errors(body: bytes, message: str) -> None:
    """They have OpenAI's form."""
    assert json.loads(error(400, body, ""))["error"]["message"] == message
