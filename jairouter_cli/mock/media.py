"""Real sound and real pictures, made of nothing but numbers."""

import hashlib
import io
import math
import struct
import wave
import zlib
from typing import Final

SAMPLE_RATE: Final = 16_000  # per second, 16 bit, one channel

_SECONDS_PER_CHARACTER: Final = 0.05
_MAX_SECONDS: Final = 10.0
_MAX_PIXELS: Final = 1024  # of a side


def pcm(text: str) -> bytes:
    """Return a tone that lasts as long as the text takes to say, as 16-bit samples."""
    seconds = min(max(0.2, len(text) * _SECONDS_PER_CHARACTER), _MAX_SECONDS)
    pitch = 220 + hashlib.sha256(text.encode()).digest()[0]
    count = int(seconds * SAMPLE_RATE)
    fade = SAMPLE_RATE // 50  # a click is heard where a tone begins at full strength
    samples = (
        int(8000 * min(1, at / fade, (count - at) / fade) * math.sin(2 * math.pi * pitch * at / SAMPLE_RATE))
        for at in range(count)
    )
    return struct.pack(f"<{count}h", *samples)


def wav(samples: bytes) -> bytes:
    """Return 16-bit samples as a WAV file."""
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(samples)
    return stream.getvalue()


def wav_duration_s(data: bytes) -> float | None:
    """Return how long a WAV file plays; None if it is something else."""
    try:
        with wave.open(io.BytesIO(data), "rb") as file:
            return file.getnframes() / file.getframerate()
    except (wave.Error, EOFError):
        return None


def png(text: str, width: int = 256, height: int = 256) -> bytes:
    """Return a picture whose colours follow from the text; sides are 1 to 1024 pixels."""
    width, height = (min(max(1, side), _MAX_PIXELS) for side in (width, height))
    seed = hashlib.sha256(text.encode()).digest()
    rows = b"".join(_row(seed, y, width, height) for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bit RGB, nothing interlaced
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _row(seed: bytes, y: int, width: int, height: int) -> bytes:
    """Return a line of a gradient from the seed's first colour to its second."""
    share = y / height
    colour = bytes(int(seed[i] * (1 - share) + seed[i + 3] * share) for i in range(3))
    return b"\0" + colour * width


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
