"""What a call is expected to cost, and what it did."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jairouter_cli.payloads.peek import Peeked
from jairouter_cli.payloads.reported import MOST_TOKENS
from jairouter_cli.payloads.request import Request
from jairouter_cli.payloads.spent import Source, Spent
from jairouter_cli.payloads.tokens import PICTURE_TOKENS, Meter, expected_tokens


def body(**fields: Any) -> bytes:
    """Return a request's body."""
    return json.dumps(fields).encode()


MESSAGES = [{"role": "user", "content": "x" * 400}]
PICTURE = [{"role": "user", "content": [{"image_url": {"url": "data:image/png;base64," + "A" * 100_000}}]}]


@pytest.mark.parametrize(
    ("fields", "prompt", "most"),
    [
        ({"messages": MESSAGES}, 108, 0),
        ({"messages": MESSAGES, "max_tokens": 50}, 108, 50),
        ({"messages": MESSAGES, "max_completion_tokens": 20, "max_tokens": 50, "n": 2}, 108, 40),
        ({"prompt": "x" * 38, "max_tokens": None}, 10, 0),
        ({"input": ["x" * 16, "y" * 16]}, 10, 0),
        ({"query": "xx", "documents": ["yyyyyyyyyyyyyyyyyy"]}, 6.5, 0),
        ({"messages": PICTURE}, PICTURE_TOKENS + 16, 0),
        ({"messages": MESSAGES, "max_tokens": -5, "n": "two"}, 108, 0),
        ({"messages": MESSAGES, "max_tokens": "many"}, 108, 0),
        ({"messages": MESSAGES, "max_tokens": "50", "n": 2.0}, 108, 100),
        ({"messages": MESSAGES, "max_tokens": 50, "n": 1, "best_of": 3}, 108, 150),
        ({"messages": MESSAGES, "max_tokens": True, "n": False}, 108, 0),
        ({"messages": MESSAGES, "max_tokens": [5], "n": {"n": 3}}, 108, 0),
        ({"prompt": ["xxxx", "yyyy", "zzzz"], "max_tokens": 50}, 6, 150),
        ({"prompt": [[1, 2], [3]], "max_tokens": 50}, 3, 100),
        ({"prompt": [1, 2, 3], "max_tokens": 50}, 2, 50),
    ],
)
def test_what_is_expected(fields: dict[str, Any], prompt: float, most: float) -> None:
    """A token for four bytes of the prompt, a picture for what it is; beside it what is asked for at most."""
    assert expected_tokens(body(model="m", **fields)) == pytest.approx((prompt, most), abs=3)


@pytest.mark.parametrize("number", ["1e308", "1e999", "9" * 10_000, "9" * 400 + ".0", '"1e999"', "9000000000000000000"])
def test_no_number_is_beyond_all_measure(number: str) -> None:
    """Nor what comes of two of them; what a whole bucket is charged at most, it is charged."""
    text = f'{{"messages":[],"max_tokens":{number},"n":{number}}}'.encode()
    assert expected_tokens(text) == (0.5, MOST_TOKENS)
    assert expected_tokens(text.replace(number.encode(), b"-" + number.strip('"').encode())) == (0.5, 0)


@pytest.mark.parametrize("odd", [rb"\ud83d", rb"\\\udfff", b"\xd6\xd0", b"\xff\xfe"])
def test_odd_text_costs_what_it_is_long(odd: bytes) -> None:
    """A lone surrogate, bytes that are no text, a byte order mark: no way round a limit."""
    text = b'{"messages":"' + odd * 100 + b'","max_tokens":7}'
    expected = ((len(odd) * 100 + 2) / 4, 7)
    assert expected_tokens(text) == expected_tokens(b"\xef\xbb\xbf" + text) == expected


@pytest.mark.parametrize("text", [b"", b"--boundary\r\n", b"[1]", b"{"])
def test_nothing_is_known_of_a_form(text: bytes) -> None:
    """Nor of anything else that is no object."""
    assert expected_tokens(text) == (0.0, 0.0)


def metered(*pieces: bytes, prompt: float = 10) -> float | None:
    """Return what a meter says after an answer."""
    meter = Meter()
    for piece in pieces:
        meter.add(piece)
    return meter.tokens(prompt)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 9}, 9),
        ({"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 2}}, 7),
        ({"input_tokens": 3, "output_tokens": 5}, 8),
        ({"completion_tokens": 4}, 4),
        ({"seconds": 4}, None),
        ({"total_tokens": "9"}, None),
        (
            {"input_tokens": 3, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 100, "output_tokens": 5},
            128,
        ),
        ({"input_tokens": 3, "input_tokens_details": {"cached_tokens": 2}, "output_tokens": 5}, 8),
        ({"prompt_tokens": 3.0, "completion_tokens": 4.0}, 7),
        ({"prompt_tokens": 3.5, "completion_tokens": 4}, None),
        ({"prompt_tokens": -3, "completion_tokens": 4}, None),
        ({"prompt_tokens": True, "completion_tokens": 4}, None),
        ({"prompt_tokens": float("nan"), "completion_tokens": 4}, None),
        ({"prompt_tokens": 1e308, "completion_tokens": 4}, None),
        ({"prompt_tokens": 10**400, "completion_tokens": 4}, None),
        ({"prompt_tokens": [[1]], "completion_tokens": {"a": 1}}, None),
        ({"total_tokens": 2**53}, None),
    ],
)
def test_what_the_backend_says(usage: dict[str, Any], tokens: float | None) -> None:
    """In the shapes that there are; behind it may stand anything."""
    assert metered(json.dumps({"choices": [], "usage": usage, "other": "}"}).encode()) == tokens


def test_the_last_usage_of_a_stream_counts() -> None:
    """Some backends send it with every piece, and null until they know."""
    events = [b'data: {"choices":[{}],"usage":null}\n\n', b'data: {"usage":{"total_tokens":3}}\n\n']
    last = (
        b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}\n\ndata: [DONE]\n\n'
    )
    assert metered(*events, last) == 12
    assert metered(b'data: {"x":1}\n\n' * 3000, last[:30], last[30:]) == 12


START = b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":25,'
START += b'"cache_creation_input_tokens":10,"cache_read_input_tokens":100,"output_tokens":1}}}\n\n'
DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"type":"text_delta","text":"x"}}\n\n'
STOP = b'event: message_delta\ndata: {"type":"message_delta","delta":{},"usage":{"output_tokens":15}}\n\n'
STOP += b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
TOLD_AGAIN = STOP.replace(b'"usage":{', b'"usage":{"input_tokens":25,')
COMPLETED = b'event: response.completed\ndata: {"type":"response.completed","response":{"output":["%s"],"usage":'
COMPLETED += b'{"input_tokens":30,"output_tokens":4,"total_tokens":34}, "metadata":{"a":"%s"}}}\n\n'


@pytest.mark.parametrize("size", [1, 7, 100, 1_000_000])
@pytest.mark.parametrize(
    ("stream", "spent"),
    [
        (START + DELTA + STOP, Spent(135, 15, Source.MEASURED)),
        (START + DELTA + TOLD_AGAIN, Spent(135, 15, Source.MEASURED)),
        (START + DELTA * 500 + STOP, Spent(135, 15, Source.MEASURED)),
        (COMPLETED % (b"y" * 100_000, b"z"), Spent(30, 4, Source.MEASURED)),
        (COMPLETED % (b"y", b"z" * 100_000), Spent(30, 4, Source.MEASURED)),
        (b'{"usage":{"prompt_tokens":3,"completion_tokens":4},"x":"' + b"y" * 50_000, Spent(3, 4, Source.MEASURED)),
    ],
)  # fmt: skip
def test_a_report_is_found_wherever_it_stands(stream: bytes, spent: Spent, size: int) -> None:
    """At the beginning, in the middle and at the end of an answer of any length, and in parts, as Anthropic's."""
    meter = Meter()
    for start in range(0, len(stream), size):
        meter.add(stream[start : start + size])
    assert meter.spent(Request(b"{}", Peeked("m")), cut=False) == spent
    assert meter.tokens(0) == spent.input_tokens + spent.output_tokens


@pytest.mark.parametrize(
    "junk", [b"[" * 100_000, b'{"usage":' * 20_000, b'"usage":{' * 5000, b'"usage":[' * 5000, b"\xff" * 20_000]
)
def test_no_depth_upsets_it(junk: bytes) -> None:
    """Nothing but what a report says is believed, and nothing is raised."""
    assert metered(b'{"usage":' + junk) is None
    assert metered(b"data: " + junk + b"\n\n") == 11
    assert expected_tokens(b'{"max_tokens":' + junk) == (0.0, 0.0)


def test_without_usage_events_are_counted() -> None:
    """A stream that broke off, or whose client did not ask: the prompt, and about a token an event."""
    assert metered(*[b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'] * 20) == 30
    assert metered(b'data: {"a":1}\n\ndata: {"b":2}\n\n') == 12
    assert metered(b"RIFF....") is None
    assert metered() is None


CHAT = b'{"choices":[{"message":{"content":"' + b"y" * 40 + b'"}}]'
REQUEST = body(messages=MESSAGES)


@pytest.mark.parametrize(
    ("pieces", "cut", "spent"),
    [
        ([CHAT + b',"usage":{"prompt_tokens":3,"completion_tokens":4}}'], False, Spent(3, 4, Source.MEASURED)),
        ([CHAT, b',"usage":{"input_tokens":3,"output_tokens":4}}'], False, Spent(3, 4, Source.MEASURED)),
        ([b'{"data":[],"usage":{"total_tokens":8}}'], False, Spent(8, 0, Source.MEASURED)),
        ([CHAT + b"}"], False, Spent(108, 10, Source.ESTIMATED)),
        ([b'data: {"a":1}\n\n'] * 5, False, Spent(108, 5, Source.ESTIMATED)),
        ([b'data: {"a":1}\n\n'] * 5, True, Spent(108, 5, Source.PARTIAL)),
        ([b'data: {"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\n'], True, Spent(3, 4, Source.MEASURED)),
        ([START, DELTA * 9], True, Spent(135, 10, Source.PARTIAL)),
        ([START, *[DELTA] * 500], True, Spent(135, 501, Source.PARTIAL)),
        ([b"RIFF...."], False, None),
        ([b'{"text":"no tokens here"}'], False, None),
    ],
)
def test_what_is_written_into_the_ledger(pieces: list[bytes], cut: bool, spent: Spent | None) -> None:
    """Prompt and answer apart, and where the numbers come from."""
    meter = Meter()
    for piece in pieces:
        meter.add(piece)
    assert meter.spent(Request(REQUEST, Peeked("m")), cut=cut) == spent


@pytest.mark.parametrize(
    ("events", "ended"),
    [
        (b'data: {"a":1}\n\ndata: [DONE]\n\n', True),
        (b"data:[DONE]\n\n", True),
        (b'event: message_stop\ndata: {"type":"message_stop"}\n\n', True),
        (b'event: response.completed\ndata: {"type":"response.completed","response":{}}\n\n', True),
        (b'data: {"content":"say [DONE]"}\n\n', False),
        (b'data: {"content":"\\"type\\":\\"message_stop\\""}\n\n', False),
        (b'data: {"a":1}\n\n', False),
        (b"", False),
    ],
)
def test_the_last_event(events: bytes, ended: bool) -> None:
    """Behind it nothing comes that a client would wait for."""
    meter = Meter()
    meter.add(events)
    assert meter.has_ended is ended


@given(st.binary(max_size=300))
def test_no_bytes_upset_it(noise: bytes) -> None:
    """Whatever a backend sends."""
    metered(noise)
    metered(b'{"usage": ' + noise)
    expected_tokens(noise)
