"""A stream's usage is asked for and hidden again; every other byte stays, both ways."""

import json
from itertools import pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from jairouter_cli.payloads.sse import EventGate
from jairouter_cli.payloads.stream_usage import HidingGate, asking, lacks_usage
from tests.payloads.test_rename import values

CHUNK = b'data: {"choices":[{"delta":{"content":"\\"choices\\":[] \\"usage\\":{}"}}],"usage":null}'
USAGE = b'data: {"choices": [ ], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}}'
FILTERS = b'data: {"choices":[],"prompt_filter_results":[],"usage":null}'  # Azure's first one
ODD = (b": ping", b"id: 1\nevent: x\ndata: [1,\ndata: 2]", b"", b"data: [DONE]", b'data: {"choices":[],"usage":')


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"model":"m"}', '{"stream_options":{"include_usage":true},"model":"m"}'),
        (' {\n "model":"m"}', ' {"stream_options":{"include_usage":true},\n "model":"m"}'),
        ('{"stream_options": null , "a":1}', '{"stream_options":{"include_usage":true}, "a":1}'),
        ('{"a":1,"stream_options":null}', '{"a":1,"stream_options":{"include_usage":true}}'),
        ('{"stream_options": { }, "a": 1}', '{"stream_options": {"include_usage":true }, "a": 1}'),
        ('{"stream_options":{"x":{}}}', '{"stream_options":{"include_usage":true,"x":{}}}'),
        (
            '{"a":{"stream_options":1},"b":"{"}',
            '{"stream_options":{"include_usage":true},"a":{"stream_options":1},"b":"{"}',
        ),
        ('{"stream\\u005foptions":{}}', '{"stream\\u005foptions":{"include_usage":true}}'),
        ('\ufeff{"model":"m"}', '\ufeff{"stream_options":{"include_usage":true},"model":"m"}'),
        (r'{"a":"\ud83d","stream_options":{}}', r'{"a":"\ud83d","stream_options":{"include_usage":true}}'),
        ('{"stream_options":1,"stream_options":{}}', '{"stream_options":1,"stream_options":{"include_usage":true}}'),
    ],
)
def test_what_is_put_in(before: str, after: str) -> None:
    """Spaces, order, escapes, names that only look alike."""
    assert lacks_usage(before.encode())
    assert asking(before.encode()).decode() == after


@pytest.mark.parametrize(
    "options", ['{"include_usage":true}', '{"include_usage":false}', '{"continuous_usage_stats":true}', "1", "[]", '""']
)
def test_who_has_decided_is_not_asked_again(options: str) -> None:
    """Nor is what a backend will refuse made any better."""
    assert not lacks_usage(f'{{"stream_options":{options}}}'.encode())


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"a":' + b"[" * 100_000, b'{"stream_options":"\xff"}'])
def test_what_cannot_be_read_is_not_asked(body: bytes) -> None:
    """A backend will judge it."""
    assert not lacks_usage(body)


@given(st.dictionaries(st.text(), values, max_size=4), st.sampled_from([None, 1]), st.booleans())
def test_any_body(other: dict[str, object], indent: int | None, ascii_only: bool) -> None:
    """What is read afterwards differs in the one member."""
    before: dict[str, object] = {"model": "m", **other}
    body = json.dumps(before, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assume(lacks_usage(body))
    options = before.get("stream_options")
    asked = {**(options if isinstance(options, dict) else {}), "include_usage": True}
    assert json.loads(asking(body)) == {**before, "stream_options": asked}


events = st.lists(
    st.tuples(
        st.sampled_from([CHUNK, USAGE, FILTERS, *ODD, b"id: 7\n" + USAGE]),
        st.sampled_from([b"\n\n", b"\r\n\r\n", b"\r\r"]),
    ),
    max_size=8,
)


@example([(b"", b"\r\n\r\n"), (b"", b"\r\n\r\n"), (USAGE, b"\r\n\r\n")], b"", [6])  # ends that overlap
@given(events, st.sampled_from([b"", b"data: [DONE]", USAGE, CHUNK]), st.lists(st.integers(0, 2000), max_size=30))
def test_any_stream_in_any_pieces(told: list[tuple[bytes, bytes]], tail: bytes, cuts: list[int]) -> None:
    """The client sees what it would have seen, and at the same moments; we hear all."""
    stream = b"".join(event + end for event, end in told) + tail
    assume(b"\r\r\n" not in stream)  # the LF belongs to the CR before it, and so to the event before
    seen = b"".join(event + end for event, end in told if USAGE not in event) + (b"" if tail == USAGE else tail)
    hidden: list[bytes] = []
    plain, gate, out, heard = EventGate(), HidingGate(hidden.append), b"", b""
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    for start, end in pairwise(edges):
        out += gate.feed(stream[start:end])
        heard += plain.feed(stream[start:end])
        assert len(out) + sum(map(len, hidden)) == len(heard)
    assert out + gate.rest() == seen
    assert len(hidden) == sum(USAGE in event for event, _ in told) + (tail == USAGE)


def test_what_has_nothing_to_hide_is_not_copied() -> None:
    """The usual case hands on the very bytes."""
    chunk, hidden = CHUNK + b"\n\n", list[bytes]()
    assert HidingGate(hidden.append).feed(chunk) is chunk
    assert hidden == []
