"""Requests of Anthropic's Messages API as chat completions get them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jairouter_cli.adapters.messages.request import chat_request
from jairouter_cli.request_errors import InvalidRequest

USER = {"role": "user", "content": "hi"}
CALL = {"type": "tool_use", "id": "t1", "name": "read", "input": {"path": "a"}}
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
TOOL = {"name": "read", "description": "reads", "input_schema": {"type": "object"}}


def made(**members: Any) -> dict[str, Any]:
    """Return the chat request of a request for a message."""
    return chat_request(json.dumps({"model": "m", "max_tokens": 5, "messages": [USER], **members}).encode()).body


def messages(*given: Any, system: Any = None) -> list[dict[str, Any]]:
    """Return the chat's messages."""
    found: list[dict[str, Any]] = made(messages=list(given), **({} if system is None else {"system": system}))[
        "messages"
    ]
    return found


def result(name: str, content: Any, **more: Any) -> dict[str, Any]:
    """Return the result of a tool."""
    return {"type": "tool_result", "tool_use_id": name, "content": content, **more}


def text(words: str) -> dict[str, Any]:
    """Return a block of text."""
    return {"type": "text", "text": words}


def test_the_system_prompt() -> None:
    """A text, or blocks that are joined, and stay apart."""
    assert messages(USER, system="be brief")[0] == {"role": "system", "content": "be brief"}
    assert messages(USER, system=[text("a"), text("b")])[0]["content"] == "a\n\nb"
    assert messages(USER, system=[]) == [USER]


def test_the_line_that_differs_each_time() -> None:
    """Claude Code's first block has a hash of its own in every request: with it no prompt would ever be cached."""
    several = [
        made(system=[text(f"x-anthropic-billing-header: cc_version=2.1; cch={cch};"), text("You are")]) for cch in "ab"
    ]
    assert several[0] == several[1]
    assert several[0]["messages"][0]["content"] == "You are"


def test_a_system_message_between_turns() -> None:
    """It stays at its place, in the turn of a user, and never between a call and its result."""
    reminder = {"role": "system", "content": "be careful"}
    assert messages(USER, reminder) == [{"role": "user", "content": "hi\n\nbe careful"}]
    called = {"role": "assistant", "content": [CALL]}
    turns = messages(USER, called, reminder, {"role": "user", "content": [result("t1", "x"), text("go on")]})
    assert [one["role"] for one in turns] == ["user", "assistant", "tool", "user"]
    assert turns[3]["content"] == "be careful\n\ngo on"
    assert messages(USER, called, {"role": "user", "content": [result("t1", "x")]}, reminder)[3] == {
        "role": "user",
        "content": "be careful",
    }


def test_results_come_first() -> None:
    """Each in a message of its own, directly behind the calls; text and pictures of the turn follow."""
    calls = [{**CALL, "id": f"t{number}"} for number in (1, 2, 3)]
    turns = messages(
        USER,
        {"role": "assistant", "content": [text("let me"), *calls]},
        {
            "role": "user",
            "content": [text("thanks"), result("t1", "one"), result("t2", [text("two"), PICTURE]), result("t3", [])],
        },
    )
    assert [(one["role"], one.get("tool_call_id")) for one in turns[2:]] == [
        ("tool", "t1"),
        ("tool", "t2"),
        ("tool", "t3"),
        ("user", None),
    ]
    assert [one["content"] for one in turns[2:5]] == ["one", "two", ""]
    assert turns[5]["content"] == [PART, text("thanks")]


def test_a_tool_that_failed() -> None:
    """That is said in words: chat completions have no field for it."""
    turns = messages(
        USER, {"role": "assistant", "content": [CALL]}, {"role": "user", "content": [result("t1", "no", is_error=True)]}
    )
    assert turns[2]["content"] == "The tool failed: no"


@pytest.mark.parametrize(
    ("passed", "arguments"), [({}, {}), ({"a": {"b": [1, "ü"]}}, {"a": {"b": [1, "ü"]}}), (None, {})]
)
def test_calls(passed: Any, arguments: Any) -> None:
    """Arguments are JSON in a text."""
    turn = messages(USER, {"role": "assistant", "content": [{**CALL, "input": passed}]})[1]
    assert turn["content"] is None
    [call] = turn["tool_calls"]
    assert (call["id"], call["type"], call["function"]["name"]) == ("t1", "function", "read")
    assert json.loads(call["function"]["arguments"]) == arguments


def test_thoughts_go_back() -> None:
    """Backends that think want their thoughts of the turns before."""
    turn = messages(
        USER, {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}, CALL]}
    )[1]
    assert turn["reasoning_content"] == "hm"


@pytest.mark.parametrize(
    ("source", "url"),
    [
        (PICTURE["source"], "data:image/png;base64,AAAA"),
        ({"type": "url", "url": "https://h/a.png"}, "https://h/a.png"),
    ],
)
def test_pictures(source: Any, url: str) -> None:
    """Within the request, or at an address."""
    [turn] = messages({"role": "user", "content": [{"type": "image", "source": source}]})
    assert turn["content"] == [{"type": "image_url", "image_url": {"url": url}}]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "auto"}, {"tool_choice": "auto"}),
        ({"type": "any"}, {"tool_choice": "required"}),
        ({"type": "none"}, {"tool_choice": "none"}),
        ({"type": "tool", "name": "read"}, {"tool_choice": {"type": "function", "function": {"name": "read"}}}),
        ({"type": "auto", "disable_parallel_tool_use": True}, {"tool_choice": "auto", "parallel_tool_calls": False}),
        ({"type": "new"}, {}),
    ],
)
def test_the_choice_of_a_tool(choice: Any, expected: dict[str, Any]) -> None:
    """By their names on the other side."""
    found = made(tools=[TOOL], tool_choice=choice)
    assert {key: found[key] for key in ("tool_choice", "parallel_tool_calls") if key in found} == expected
    assert found["tools"] == [
        {"type": "function", "function": {"name": "read", "description": "reads", "parameters": {"type": "object"}}}
    ]


def test_what_is_left_out_is_named() -> None:
    """Tools of Anthropic's servers, blocks and members without a counterpart; never an error."""
    body = {
        "model": "m",
        "messages": [{"role": "assistant", "content": [{"type": "redacted_thinking", "data": "x"}]}, USER],
        "tools": [TOOL, {"type": "web_search_20250305", "name": "web_search"}],
        "top_k": 5,
        "metadata": {"user_id": "u"},
    }
    made, dropped, *_ = chat_request(json.dumps(body).encode())
    assert dropped == ["metadata", "redacted_thinking", "top_k", "web_search"]
    assert [tool["function"]["name"] for tool in made["tools"]] == ["read"]


def test_marks_for_a_cache_are_gone() -> None:
    """Wherever they stand."""
    mark = {"cache_control": {"type": "ephemeral"}}
    found = made(
        system=[{**text("a"), **mark}],
        messages=[
            {"role": "user", "content": [{**text("b"), **mark}]},
            {"role": "assistant", "content": [{**CALL, **mark}]},
        ],
        tools=[{**TOOL, **mark}],
    )
    assert "cache_control" not in json.dumps(found)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}),
        (
            {"stop_sequences": ["x"], "temperature": 0.5, "top_p": 0.9},
            {"stop": ["x"], "temperature": 0.5, "top_p": 0.9},
        ),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}, {"reasoning_effort": "high"}),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}, "output_config": {"effort": "new"}}, {}),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True},
                }
            },
        ),
    ],
)
def test_members(members: Any, expected: Any) -> None:
    """What both sides have goes over."""
    assert made(**members) == {"model": "m", "messages": [USER], "max_tokens": 5, **expected}


@pytest.mark.parametrize(
    "body", [b"[]", b'{"messages": 1}', b'{"messages": [1]}', b'{"messages": [{"role": "x"}]}', b"{"]
)
def test_what_is_no_request(body: bytes) -> None:
    """It is refused with a reason."""
    with pytest.raises(InvalidRequest):
        chat_request(body)


MEMBERS = ("type", "text", "content", "source", "id", "input", "url", "name")
BLOCKS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "text", "content", "source", "id", "input", "url", "name"]), inner)
    ),
    max_leaves=8,
)


@given(st.lists(st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system"]), "content": BLOCKS})))
def test_whatever_is_in_a_message(turns: Any) -> None:
    """It is accepted, and every message that is made has a role and a content."""
    for turn in messages(*turns):
        assert turn["role"] in {"user", "assistant", "tool", "system"}
        assert "content" in turn


@given(st.lists(st.sampled_from(["user", "assistant", "system"]), min_size=1, max_size=8), st.integers(1, 8))
def test_an_earlier_turn_is_a_prefix(roles: list[str], length: int) -> None:
    """Up to a user's turn, so that backends need not work on it again."""
    turns = [{"role": role, "content": f"{number}"} for number, role in enumerate(roles)]
    cut = turns[:length]
    if not cut or cut[-1]["role"] != "assistant" or (len(turns) > length and turns[length]["role"] == "system"):
        return
    earlier, later = messages(*cut), messages(*turns)
    assert later[: len(earlier)] == earlier
