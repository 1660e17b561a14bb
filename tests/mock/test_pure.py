"""The pretend models' media are real, their answers the same each time."""

import base64
import io
import math
import struct
import wave
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jairouter_cli.mock import media, text

words = st.text("ab ", max_size=20)


@given(words)
def test_sound(said: str) -> None:
    """A WAV that the standard library reads, at least a fifth of a second long."""
    data = media.wav(media.pcm(said))
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, media.SAMPLE_RATE)
        assert file.getnframes() / file.getframerate() == media.wav_duration_s(data)
    assert (media.wav_duration_s(data) or 0) >= 0.2


@pytest.mark.parametrize("data", [b"", b"RIFF", b"no sound at all"])
def test_what_is_no_sound_has_no_duration(data: bytes) -> None:
    """None, not an error."""
    assert media.wav_duration_s(data) is None


@given(words, st.integers(-1, 40), st.integers(-1, 40))
def test_picture(prompt: str, width: int, height: int) -> None:
    """A PNG whose checksums and sizes are right."""
    data = media.png(prompt, width, height)
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    at, chunks = 8, {}
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length) == (zlib.crc32(kind + body),)
        chunks[kind] = body
        at += 12 + length
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    shown = struct.unpack_from(">II", chunks[b"IHDR"])
    assert shown == (max(1, width), max(1, height))
    assert len(zlib.decompress(chunks[b"IDAT"])) == shown[1] * (1 + 3 * shown[0])


@given(words, st.integers(1, 300))
def test_embedding(said: str, dimensions: int) -> None:
    """Length one, the same each time, and back from base64."""
    vector = text.embedding(said, dimensions)
    assert vector == text.embedding(said, dimensions)
    assert math.isclose(sum(value * value for value in vector), 1)
    unpacked = struct.unpack(f"<{dimensions}f", base64.b64decode(text.as_base64(vector)))
    assert unpacked == pytest.approx(vector, abs=1e-6)


def test_texts_that_share_words_are_closer() -> None:
    """What embeddings are for."""
    one, two, three = (text.embedding(said) for said in ("red fox runs", "red fox sleeps", "blue whale"))
    near, far = (sum(a * b for a, b in zip(one, other, strict=True)) for other in (two, three))
    assert near > far


def test_replies() -> None:
    """The question again, cut where it must be."""
    assert text.reply("a b") == (["You", " said:", " a", " b"], "stop")
    assert text.reply("a b", 2) == (["You", " said:"], "length")
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "image_url"}]},
        {"role": "tool"},
    ]
    assert text.last_user_text(messages) == "x [image_url]"
