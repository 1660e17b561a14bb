"""Answers of chat completions as those of Anthropic's Messages API: the grammar of streams, reasons, usage, errors."""

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jairouter_cli.adapters.failed import BackendFailed
from jairouter_cli.adapters.messages.answer import error, message
from jairouter_cli.adapters.messages.stream import MessagesStream
from tests.adapters.chats import CALLS, CALLS_AS_SENT, DONE, NO_TOOLS, USAGE, WHOLE, call, chunk


def events(*pieces: bytes) -> list[dict[str, Any]]:
    """Return the events that become of a stream; their grammar is checked."""
    stream = MessagesStream("asked", 12, NO_TOOLS)
    return parsed(b"".join(stream.feed(piece) for piece in pieces) + stream.rest())


def parsed(text: bytes) -> list[dict[str, Any]]:
    """Read events; each has a line with its name."""
    found = []
    for event in text.decode().split("\n\n")[:-1]:
        name, data = event.split("\n")
        said = json.loads(data.removeprefix("data: "))
        assert name == f"event: {said['type']}"
        found.append(said)
    check(found)
    return found


def check(found: Sequence[dict[str, Any]]) -> None:
    """Check the grammar of a complete stream."""
    assert [one["type"] for one in (found[0], *found[-2:])] == ["message_start", "message_delta", "message_stop"]
    open_block: str | None = None
    index = 0
    for one in found[1:-2]:
        assert one["index"] == index
        if one["type"] == "content_block_start":
            assert open_block is None
            open_block = one["content_block"]["type"]
        elif one["type"] == "content_block_delta":
            kinds = {"text": {"text_delta"}, "thinking": {"thinking_delta", "signature_delta"}}
            assert one["delta"]["type"] in kinds.get(str(open_block), {"input_json_delta"})
        else:
            assert (one["type"], open_block is None) == ("content_block_stop", False)
            open_block, index = None, index + 1
    assert open_block is None
    assert all(isinstance(number, int) for one in (found[0]["message"], found[-2]) for number in one["usage"].values())


def content(found: Iterable[dict[str, Any]]) -> list[tuple[str, Any]]:
    """Put the blocks together as a client does."""
    blocks: list[tuple[str, Any]] = []
    for one in found:
        if one["type"] == "content_block_start":
            block = one["content_block"]
            blocks.append((block.get("name", block["type"]), ""))
        elif one["type"] == "content_block_delta":
            said = one["delta"].get("text", one["delta"].get("thinking", one["delta"].get("partial_json", "")))
            blocks[-1] = blocks[-1][0], blocks[-1][1] + said
    return blocks


def test_words() -> None:
    """The usage comes behind the reason in the backend's stream, and with it in ours."""
    found = events(
        chunk(role="assistant", content=""),
        chunk(content="Hel"),
        chunk(content="lo"),
        chunk("stop"),
        chunk(usage=USAGE),
        DONE,
    )
    assert content(found) == [("text", "Hello")]
    assert found[0]["message"]["usage"]["input_tokens"] == 12
    assert found[0]["message"]["model"] == "asked"
    assert found[-2]["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert found[-2]["usage"] == {
        "input_tokens": 10,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 20,
        "output_tokens": 7,
    }


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_thoughts(name: str) -> None:
    """They are a block of their own, with a proof before its end."""
    found = events(chunk(**{name: "h"}), chunk(**{name: "m"}), chunk(content="yes"), chunk("stop"), DONE)
    assert content(found) == [("thinking", "hm"), ("text", "yes")]
    proofs = [one for one in found if one.get("delta", {}).get("type") == "signature_delta"]
    assert len(proofs) == 1


@pytest.mark.parametrize("pieces", CALLS_AS_SENT.values(), ids=CALLS_AS_SENT)
def test_calls_of_tools(pieces: list[dict[str, Any]]) -> None:
    """However a backend sends them."""
    found = events(*(chunk(tool_calls=[piece]) for piece in pieces), chunk("tool_calls"), DONE)
    assert sorted(content(found)) == CALLS
    assert found[-2]["delta"]["stop_reason"] == "tool_use"


@pytest.mark.parametrize(
    ("finish", "has_call", "reason"),
    [
        ("stop", False, "end_turn"),
        ("stop", True, "tool_use"),
        ("length", False, "max_tokens"),
        ("length", True, "max_tokens"),
        ("tool_calls", True, "tool_use"),
        ("tool_calls", False, "end_turn"),
        ("content_filter", False, "refusal"),
        ("eos", False, "end_turn"),
    ],
)
def test_reasons(finish: str, has_call: bool, reason: str) -> None:
    """In a stream and in a whole answer."""
    said: dict[str, Any] = {"content": "x"}
    if has_call:
        said["tool_calls"] = [call(0, "read", "{}", "t")]
    assert events(chunk(**said), chunk(finish), DONE)[-2]["delta"]["stop_reason"] == reason
    body = {"id": "c", "choices": [{"message": said, "finish_reason": finish}], "usage": USAGE}
    whole = json.loads(message(json.dumps(body).encode(), "asked", 12, NO_TOOLS) or b"")
    assert (whole["stop_reason"], whole["model"], whole["usage"]["input_tokens"]) == (reason, "asked", 10)


def test_a_whole_answer() -> None:
    """Thoughts, words and calls; the sequence that vLLM stopped at."""
    said = {
        "content": "x",
        "reasoning": "hm",
        "tool_calls": [call(None, "read", '{"a": 1}', "t"), call(None, "w", "oops", "u")],
    }
    body = {"choices": [{"message": said, "finish_reason": "tool_calls"}]}
    whole = json.loads(message(json.dumps(body).encode(), "m", 5, NO_TOOLS) or b"")
    assert [block["type"] for block in whole["content"]] == ["thinking", "text", "tool_use", "tool_use"]
    assert [block["input"] for block in whole["content"][2:]] == [{"a": 1}, {"arguments": "oops"}]
    assert (whole["usage"]["input_tokens"], whole["usage"]["output_tokens"]) == (5, 0)
    stopped = {"choices": [{"message": {"content": None}, "finish_reason": "stop", "stop_reason": "END"}]}
    whole = json.loads(message(json.dumps(stopped).encode(), "m", 5, NO_TOOLS) or b"")
    assert (whole["content"], whole["stop_reason"], whole["stop_sequence"]) == ([], "stop_sequence", "END")


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"choices": []}', b'{"choices": 1}', b"\xff"])
def test_what_is_no_answer(body: bytes) -> None:
    """It is never made one."""
    assert message(body, "m", 1, NO_TOOLS) is None


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (400, b'{"error": {"message": "too long", "type": "x"}}', "invalid_request_error", "too long"),
        (404, b'{"error": "no model"}', "not_found_error", "no model"),
        (422, b'{"detail": "bad"}', "invalid_request_error", "bad"),
        (429, b"slow down", "rate_limit_error", "slow down"),
        (500, b"", "api_error", "the backend responded with HTTP 500"),
        (529, b"{}", "overloaded_error", "the backend responded with HTTP 529"),
    ],
)
def test_errors(status: int, body: bytes, kind: str, words: str) -> None:
    """The backend's words, in Anthropic's form."""
    assert json.loads(error(status, body, "req_1")) == {
        "type": "error",
        "error": {"type": kind, "message": words},
        "request_id": "req_1",
    }


@given(st.lists(st.integers(0, len(WHOLE)), max_size=20))
def test_any_split_gives_the_same(cuts: list[int]) -> None:
    """How the bytes come makes no difference."""
    places = [0, *sorted(cuts), len(WHOLE)]
    assert events(*(WHOLE[a:b] for a, b in pairwise(places))) == events(WHOLE)


def test_a_cut_is_never_a_success() -> None:
    """At every byte before the reason: there is no end, or an error."""
    before = WHOLE.index(b'"finish_reason": "tool_calls"')
    for cut in range(before):
        stream = MessagesStream("m", 1, NO_TOOLS)
        assert b"message_stop" not in stream.feed(WHOLE[:cut])
        with pytest.raises(BackendFailed):
            stream.rest()


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (b'data: {"error": {"message": "out of memory"}}\n\n', "out of memory"),
        (b'data: {"error": "x"}\n\n', "x"),
        (b"data: {\n\n", "not one of a chat"),
        (b"data: 1\n\n", "not one of a chat"),
    ],
)
def test_an_error_in_the_midst(event: bytes, words: str) -> None:
    """It ends the stream, and the client is told by whoever relays it."""
    stream = MessagesStream("m", 1, NO_TOOLS)
    stream.feed(chunk(content="a"))
    with pytest.raises(BackendFailed, match=words):
        stream.feed(event)
