"""Bodies of requests that come packed (`Content-Encoding`): unpacked within the limit that holds for plain ones."""

import sys
import zlib
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from jairouter_cli.payloads.headers import Headers
from jairouter_cli.request_errors import EncodingUnsupported, InvalidRequest, PayloadTooLarge

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_PIECE_BYTES: Final = 1 << 16  # packed
_AT_ONCE_BYTES: Final = 1 << 20  # unpacked, before the limit is looked at again
_SHOWN: Final = 40  # letters of a name that nobody knows
_MOST_CODINGS: Final = 4  # one over the other; one is what clients send
_MOST_MEMBERS: Final = 1024  # of gzip or frames of zstd in a row: each costs work, however little is in it
_LEAST_WINDOW_LOG: Final = 23  # 8 MiB, which every decoder of the coding must take (RFC 9659)
_MOST_WINDOW_LOG: Final = 31
_GZIP_BITS: Final = 31
_RAW_BITS: Final = -15


class _Unpacker(Protocol):
    """What unpacks one member; `zstd.ZstdDecompressor` is one."""

    @property
    def eof(self) -> bool:
        """Whether the end of the packed data was met."""

    @property
    def needs_input(self) -> bool:
        """Whether all that was given is used up."""

    @property
    def unused_data(self) -> bytes:
        """What came behind the end."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Take in more, and return so many bytes at most."""


class _Zlib:
    """The same for the formats that zlib knows."""

    __slots__ = ("_stream",)

    def __init__(self, bits: int) -> None:
        self._stream: Final = zlib.decompressobj(bits)

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        return not self._stream.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._stream.decompress(self._stream.unconsumed_tail + data, max_length)


def _gzip(_: memoryview, __: int) -> _Unpacker:
    return _Zlib(_GZIP_BITS)


def _deflate(packed: memoryview, _: int) -> _Unpacker:
    """Return what unpacks `deflate`: zlib's format, or, as some send, what is inside of it."""
    start = bytes(packed[:2])
    is_zlib = len(start) > 1 and start[0] & 15 == 8 and int.from_bytes(start) % 31 == 0  # noqa: PLR2004 - RFC 1950, 2.2
    return _Zlib(zlib.MAX_WBITS if is_zlib else _RAW_BITS)


def _zstd(_: memoryview, limit_bytes: int) -> _Unpacker:
    """Return what unpacks zstd; what it may hold in memory is bounded as the body is."""
    window_log = min(max(limit_bytes.bit_length(), _LEAST_WINDOW_LOG), _MOST_WINDOW_LOG)
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: window_log})


_UNPACKERS: Final[Mapping[str, Callable[[memoryview, int], _Unpacker]]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "zstd": _zstd,
}
ACCEPTED: Final = "gzip, deflate, zstd"


def codings(headers: Headers) -> list[str]:
    """Return the names of what a body was packed with, in the order in which that was done."""
    lines = [value for name, value in headers if name == "content-encoding"]
    named = [name.strip().lower() for name in ",".join(lines).split(",")]
    return [name for name in named if name not in {"", "identity"}]


def unpack(body: bytes | bytearray, packed_with: list[str], limit_bytes: int) -> bytes | bytearray:
    """Return the plain body. Raises `EncodingUnsupported`, `PayloadTooLarge`, `InvalidRequest` if it is broken."""
    unknown = [name for name in packed_with if name not in _UNPACKERS]
    if unknown or len(packed_with) > _MOST_CODINGS:
        found = (unknown or [", ".join(packed_with[:_MOST_CODINGS]) + ", ..."])[0]
        raise EncodingUnsupported(found=found[:_SHOWN], accepted=ACCEPTED)
    for name in reversed(packed_with):
        body = _unpack(body, name, limit_bytes)
    return body


def _unpack(body: bytes | bytearray, name: str, limit_bytes: int) -> bytes | bytearray:
    plain, rest = bytearray(), memoryview(body)
    try:
        for _ in range(_MOST_MEMBERS):
            rest = _member(_UNPACKERS[name](rest, limit_bytes), rest, plain, limit_bytes)
            if not rest:
                return plain
    except (zlib.error, zstd.ZstdError):
        raise InvalidRequest(problem=f"its {name} data is invalid") from None
    except EOFError:
        raise InvalidRequest(problem=f"its {name} data is cut off") from None
    raise InvalidRequest(problem=f"its {name} data has more than {_MOST_MEMBERS} parts")


def _member(unpacker: _Unpacker, packed: memoryview, plain: bytearray, limit_bytes: int) -> memoryview:
    """Unpack up to the end of one member; return what is behind it. Raises `EOFError` if there is no end."""
    at = 0
    while not unpacker.eof:
        piece = bytes(packed[at : at + _PIECE_BYTES]) if unpacker.needs_input else b""
        at += len(piece)
        data = unpacker.decompress(piece, _AT_ONCE_BYTES)
        plain += data
        if len(plain) > limit_bytes:
            raise PayloadTooLarge(limit_bytes=limit_bytes, setting="server.max-body-size")
        if not (piece or data or unpacker.eof):
            raise EOFError
    return packed[at - len(unpacker.unused_data) :]
