"""Only whole events are let through, however the bytes come."""

import sys
from itertools import pairwise
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jairouter_cli.form import COMPILED, form
from jairouter_cli.payloads.first_event import Beginning
from jairouter_cli.payloads.sse import MAX_HELD_BYTES, EventGate, events_in, has_content
from jairouter_cli.payloads.stream_usage import HidingGate
from jairouter_cli.payloads.tokens import Meter

STREAM = b": comment\n\nid: 1\ndata: a\n\ndata: b\ndata: c\n\n\n\nevent: x\r\ndata: d\r\n\r\ndata: tail"


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_any_split_gives_the_same_bytes(cuts: list[int]) -> None:
    """Nothing is lost or reordered; what has gone out ends between two events."""
    gate, out, edges = EventGate(), b"", [0, *sorted(cuts), len(STREAM)]
    for start, end in pairwise(edges):
        out += gate.feed(STREAM[start:end])
        assert not out or out.endswith((b"\n\n", b"\r\n\r\n"))
    assert STREAM.startswith(out)
    assert out.endswith(b"data: d\r\n\r\n")
    assert (out + gate.rest(), gate.rest()) == (STREAM, b"")


@pytest.mark.parametrize("chunk", [b"data: 1\n\n", b"data: 1\n\ndata: 2\n\n"])
def test_whole_events_are_not_copied(chunk: bytes) -> None:
    """The usual case hands on the very bytes."""
    assert EventGate().feed(chunk) is chunk


def test_an_event_without_end_is_not_kept_for_ever() -> None:
    """Memory is bounded: past a megabyte it goes on in pieces."""
    gate = EventGate()
    out = b"".join(gate.feed(b"x" * 100_000) for _ in range(50))
    assert len(out) >= 5_000_000 - MAX_HELD_BYTES - 100_000
    assert out + gate.rest() == b"x" * 5_000_000


OPENING = b'data: {"choices":[{"delta":{"role":"assistant"}}]}'
WORD = b'data: {"choices":[{"delta":{"content":"hi"}}]}'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}'
SAID = (b": waiting", OPENING, WORD, USAGE, b"event: x\ndata: a\ndata: b", b"data: [DONE]")


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@given(st.lists(st.integers(0, 400), max_size=8))
def test_every_end_of_a_line_means_the_same_to_all(end: bytes, cuts: list[int]) -> None:
    """To the gates, the parser, the meter and whoever looks for the first event and for content, in any pieces."""
    stream = b"".join(event.replace(b"\n", end) + end * 2 for event in SAID)
    hidden: list[bytes] = []
    gate, meter, beginning, let_through = HidingGate(hidden.append), Meter(), Beginning(""), b""
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    for first, last in pairwise(edges):
        events = gate.feed(stream[first:last])
        meter.add(events)
        beginning.add(stream[first:last])
        let_through += events
    let_through += gate.rest()
    found = [(event.name, event.data) for event in events_in(let_through)]
    expected = [(b"", b""), (b"", OPENING[6:]), (b"", WORD[6:]), (b"x", b"a\nb"), (b"", b"[DONE]")]
    assert (found, hidden) == (expected, [USAGE + end * 2])
    assert (meter.events, meter.has_ended, beginning.is_over, beginning.error) == (5, True, True, None)
    contents = [has_content(event.raw) for event in events_in(let_through)]
    assert contents == [False, False, True, True, True]


@pytest.mark.skipif(form() == COMPILED, reason="a compiled function is not seen by Python's profiler")
def test_no_more_events_are_read_than_are_asked_for() -> None:
    """A piece may hold a thousand; the first one with content is all that matters."""
    read = 0

    def hear(frame: FrameType, event: str, _: object) -> None:
        nonlocal read
        read += event == "call" and frame.f_code.co_name == "_event"

    stream = OPENING + b"\n\n" + (WORD + b"\n\n") * 1000
    for text in (stream, stream.replace(b"\n", b"\r\n")):
        read = 0
        sys.setprofile(hear)
        try:
            found = has_content(text)
        finally:
            sys.setprofile(None)
        assert (found, read) == (True, 2)
