"""Generates valid WAV and PNG files."""

import hashlib
import math
import struct
import zlib
from collections.abc import Iterator
from typing import Final

SAMPLE_RATE: Final = 16_000  # per second, 16 bit, one channel
MAX_SIDE: Final = 1024  # pixels

_SAMPLE_BYTES: Final = 2
_SECONDS_PER_CHARACTER: Final = 0.05
_MIN_SECONDS: Final = 0.2
_MAX_SECONDS: Final = 10.0
_LOUDNESS: Final = 8000  # of 32767
_FADE: Final = SAMPLE_RATE // 50  # samples; a click is heard where a tone begins at full strength


def pcm(text: str) -> bytes:
    """Return a tone as 16-bit samples, little-endian. It lasts 50 ms per character, from 0.2 to 10 seconds."""
    seconds = min(max(_MIN_SECONDS, len(text) * _SECONDS_PER_CHARACTER), _MAX_SECONDS)
    count = round(seconds * SAMPLE_RATE)
    wave = _wave(40 + hashlib.sha256(text.encode()).digest()[0] % 33)  # 222 to 400 Hz
    samples = (wave * (count // len(wave) + 1))[:count]
    for at in range(_FADE):
        samples[at] = samples[at] * at // _FADE
        samples[-1 - at] = samples[-1 - at] * at // _FADE
    return struct.pack(f"<{count}h", *samples)


def _wave(period: int) -> list[int]:
    """Return one swing of a tone with a softer one an octave above it."""
    turns = (2 * math.pi * at / period for at in range(period))
    return [round(_LOUDNESS * (math.sin(turn) + math.sin(2 * turn) / 4)) for turn in turns]


def wav(samples: bytes) -> bytes:
    """Return 16-bit samples as a WAV file."""
    form = struct.pack("<HHIIHH", 1, 1, SAMPLE_RATE, SAMPLE_RATE * _SAMPLE_BYTES, _SAMPLE_BYTES, 8 * _SAMPLE_BYTES)
    body = b"WAVE" + _riff_chunk(b"fmt ", form) + _riff_chunk(b"data", samples)
    return _riff_chunk(b"RIFF", body)


def _riff_chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body


def wav_duration_s(data: bytes) -> float | None:
    """Return how long a WAV file of any encoding plays; None if it is something else.

    A file that was cut off, or whose length was unknown when it was begun, lasts as long as the samples it has.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return None
    chunks = dict(_riff_chunks(memoryview(data)[12:]))
    form, sound = chunks.get(b"fmt ", b""), chunks.get(b"data", b"")
    if len(form) < struct.calcsize("<HHII"):
        return None
    *_, bytes_per_s = struct.unpack_from("<HHII", form)
    return len(sound) / bytes_per_s if bytes_per_s else None


def _riff_chunks(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    at = 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, at)
        yield kind, data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2  # chunks begin at even places


def png(text: str, width: int = 256, height: int = 256) -> bytes:
    """Return a picture whose colours follow from the text; sides outside 1 to 1024 pixels become the nearest."""
    width, height = (min(max(1, side), MAX_SIDE) for side in (width, height))
    strip = _gradient(hashlib.sha256(text.encode()).digest(), width + height)
    # Each row begins one pixel further along the strip: the gradient runs from corner to corner.
    rows = b"".join(b"\0" + strip[3 * y : 3 * (y + width)] for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bit RGB, nothing interlaced
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(kind, body) for kind, body in chunks)


def _gradient(seed: bytes, length: int) -> bytes:
    """Return pixels from the seed's first colour to its second."""
    shares = (at / length for at in range(length))
    return bytes(int(seed[i] * (1 - share) + seed[i + 3] * share) for share in shares for i in range(3))


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
