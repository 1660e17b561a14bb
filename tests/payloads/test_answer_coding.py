"""Packed answers pass as they are, and are heard all the same."""

import gzip
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jairouter_cli.payloads.answer_coding import Ear, PackedGate, accepted, is_packed

TEXT = b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n' * 50 + b"data: [DONE]\n\n"


def bare(text: bytes) -> bytes:
    """Pack as RFC 1951 has it."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(text) + packer.flush()


PACKED = {
    "gzip": gzip.compress(TEXT),
    "X-GZIP ": gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:]),
    "deflate": zlib.compress(TEXT),
    "Deflate": bare(TEXT),
}


@pytest.mark.parametrize("coding", PACKED)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_it_is_heard_in_any_pieces(coding: str, size: int) -> None:
    """In each of the codings that are asked for, several in a row, and with a head of its own or none."""
    heard: list[bytes] = []
    ear = Ear(coding, heard.append)
    for start in range(0, len(PACKED[coding]), size):
        ear.add(PACKED[coding][start : start + size])
    assert (is_packed(coding), b"".join(heard), ear.is_deaf) == (True, TEXT, False)


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, br", "aes128gcm"])
def test_what_is_not_known_is_not_heard(coding: str) -> None:
    """It passes, and counts as content."""
    heard: list[bytes] = []
    gate = PackedGate(coding, heard.append)
    assert gate.feed(b"\x8b\x02") == b"\x8b\x02"
    assert (gate.says_something(b"\x8b\x02"), gate.rest(), heard) == (True, b"", [])


@given(st.sampled_from(sorted(PACKED)), st.binary(max_size=200))
def test_no_bytes_upset_it(coding: str, noise: bytes) -> None:
    """What is not what it says it is, is not heard any more."""
    ear = Ear(coding, lambda _: None)
    ear.add(noise)
    ear.add(PACKED[coding] + noise)
    ear.add(noise)


def test_a_bomb_is_not_unpacked() -> None:
    """A gigabyte of nothing in a megabyte: it is given up at once, and never held."""
    packer = zlib.compressobj(wbits=31)
    zeros = bytes(1 << 20)
    bomb = b"".join(packer.compress(zeros) for _ in range(64)) + packer.flush()
    sizes: list[int] = []
    ear = Ear("gzip", lambda piece: sizes.append(len(piece)))
    ear.add(bomb)
    assert (ear.is_deaf, max(sizes) <= 1 << 16, sum(sizes) <= 8 << 20) == (True, True, True)


def test_events_are_heard_as_they_are_flushed() -> None:
    """A piece that ends in the midst of one is content only with the rest of it."""
    packer = zlib.compressobj(wbits=31)

    def pieces() -> Iterator[bytes]:
        for text in (b": hi\n\n", TEXT[:20], TEXT[20:60]):
            yield packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH)

    heard: list[bytes] = []
    gate = PackedGate("gzip", heard.append)
    assert [gate.says_something(gate.feed(piece)) for piece in pieces()] == [False, False, True]
    assert heard == [b": hi\n\n", TEXT[:47]]
    gate.rest()
    assert b"".join(heard) == b": hi\n\n" + TEXT[:60]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("gzip, deflate", "gzip, deflate"),
        ("gzip;q=1.0,identity; q=0.5", "gzip;q=1.0,identity; q=0.5"),
        ("gzip, deflate, br, zstd", "gzip, deflate"),
        ("br;q=1, GZIP;q=0.5, *;q=0", "GZIP;q=0.5"),
        ("br", "identity"),
        ("*", "identity"),
    ],
)
def test_only_what_is_read_is_asked_for(before: str, after: str) -> None:
    """What stays is as the client spelt it."""
    assert accepted(before) == after
