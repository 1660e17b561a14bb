"""Only whole events are let through, however the bytes come."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jairouter_cli.payloads.sse import MAX_HELD_BYTES, EventGate

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
