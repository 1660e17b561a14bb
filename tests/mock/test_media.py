"""Sound and pictures are real: readers that know nothing of us read them."""

import io
import struct
import wave

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jairouter_cli.mock import media
from tests.mock.pictures import read_png

said = st.text(max_size=30)


@given(said)
def test_sound_is_read_by_the_standard_library(text: str) -> None:
    """One channel, 16 bit, the samples that were put in; both readers agree how long it plays."""
    samples = media.pcm(text)
    data = media.wav(samples)
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)
        assert file.readframes(file.getnframes()) == samples
        assert media.wav_duration_s(data) == file.getnframes() / file.getframerate()


@pytest.mark.parametrize(("length", "seconds"), [(0, 0.2), (4, 0.2), (5, 0.25), (100, 5), (200, 10), (9999, 10)])
def test_sound_lasts_as_long_as_its_text(length: int, seconds: float) -> None:
    """50 ms a character, within bounds."""
    assert len(media.pcm("x" * length)) == seconds * 16_000 * 2


@given(said)
def test_sound_neither_clicks_nor_clips(text: str) -> None:
    """It begins and ends in silence, is heard in between, and has room above its loudest."""
    samples = [sample for (sample,) in struct.iter_unpack("<h", media.pcm(text))]
    assert (samples[0], samples[-1]) == (0, 0)
    assert 5_000 < max(samples) < 15_000


@given(st.integers(1, 8), st.integers(1, 4), st.sampled_from([8_000, 44_100]), st.integers(0, 200))
def test_duration_of_any_wav(channels: int, width: int, rate: int, frames: int) -> None:
    """Whatever the standard library writes."""
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        file.writeframes(bytes(channels * width * frames))
    assert media.wav_duration_s(stream.getvalue()) == pytest.approx(frames / rate)


def test_duration_of_a_wav_with_more_in_it() -> None:
    """Other chunks are stepped over, also odd ones; a length that nobody knew yet is not believed."""
    plain = media.wav(bytes(32_000))
    odd = plain[:12] + b"LIST\x03\x00\x00\x00abc\x00" + plain[12:]
    unknown = plain[:40] + b"\xff\xff\xff\xff" + plain[44:]
    assert [media.wav_duration_s(data) for data in (odd, unknown, unknown[:-16_000])] == [1, 1, 0.5]


@given(st.binary(max_size=80))
def test_what_is_no_sound_has_no_duration(data: bytes) -> None:
    """None, not an error; nor for what only begins like a WAV."""
    assert media.wav_duration_s(data) is None
    begun = media.wav_duration_s(b"RIFF\0\0\0\0WAVE" + data)
    assert begun is None or begun >= 0


@given(said, st.integers(-1, 40), st.integers(-1, 40))
def test_picture(text: str, width: int, height: int) -> None:
    """Checksums and sizes are right; sides have at least one pixel."""
    assert read_png(media.png(text, width, height))[:2] == (max(1, width), max(1, height))


def test_picture_has_bounds() -> None:
    """No more than 1024 pixels a side, and small on the wire."""
    data = media.png("cat", 5000, 1024)
    assert read_png(data)[:2] == (1024, 1024)
    assert len(data) < 500_000


def test_pictures_follow_from_the_text() -> None:
    """The same for the same, another for another."""
    assert media.png("cat") == media.png("cat") != media.png("dog")
