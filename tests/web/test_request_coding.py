"""Bodies that come packed are unpacked within their limit, and forwarded plain."""

import gzip
import random
import sys
import zlib
from collections.abc import Callable

import pytest

from jairouter_cli.payloads.request_coding import codings, unpack
from jairouter_cli.request_errors import EncodingUnsupported, InvalidRequest, PayloadTooLarge
from tests.web.conftest import Front

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PLAIN = b'{"model": "m", "messages": [{"role": "user", "content": "\xc3\xa9 hello"}]}'
LIMIT = 1 << 20


def raw_deflate(data: bytes) -> bytes:
    """Pack as some clients do who say `deflate`: without zlib's head and sum."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKERS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("zstd", zstd.compress),
]
PACKED = {
    "gzip": gzip.compress(PLAIN),
    "x-gzip": gzip.compress(PLAIN),
    "GZIP": gzip.compress(PLAIN[:9]) + gzip.compress(PLAIN[9:]),
    "deflate": zlib.compress(PLAIN),
    "Deflate": raw_deflate(PLAIN),
    "zstd": zstd.compress(PLAIN),
    "ZSTD": zstd.compress(PLAIN[:9]) + zstd.compress(PLAIN[9:]),
    "gzip, zstd": zstd.compress(gzip.compress(PLAIN)),
    "identity, gzip": gzip.compress(PLAIN),
    "identity": PLAIN,
}


@pytest.mark.parametrize("named", PACKED)
def test_what_comes_packed_is_forwarded_plain(front: Front, named: str) -> None:
    """In one member or several, in one coding or several; the backend is told nothing of it."""
    headers = {"content-type": "application/json", "content-encoding": named}
    response = front.gateway.post("/v1/chat/completions", content=PACKED[named], headers=headers)
    assert (response.status_code, front.last.body) == (200, PLAIN)
    assert (front.last.header("content-encoding"), front.last.header("content-length")) == (None, str(len(PLAIN)))


def test_a_form_comes_packed_as_well(front: Front) -> None:
    """An upload is unpacked before its model is looked for."""
    form = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--b--\r\n'
    headers = {"content-type": "multipart/form-data; boundary=b", "content-encoding": "gzip"}
    response = front.gateway.post("/v1/audio/transcriptions", content=gzip.compress(form), headers=headers)
    assert (response.status_code, front.last.body) == (200, form)


@pytest.mark.parametrize("named", ["br", "compress", "gzip, br", "gzip,gzip,gzip,gzip,gzip"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/config/instance/add/chat"])
def test_what_nobody_can_unpack_is_refused(front: Front, named: str, path: str) -> None:
    """415 that names it and says what is taken."""
    headers = {"content-type": "application/json", "content-encoding": named, "accept-language": "en"}
    response = front.gateway.post(path, content=b"\x00", headers=headers)
    accepted = "gzip, deflate, zstd" if path.startswith("/v1") else "identity"
    assert (response.status_code, response.headers["accept-encoding"]) == (415, accepted)
    assert "content encoding" in response.text
    assert front.backend.requests == []


def test_the_limit_holds_while_a_body_is_unpacked() -> None:
    """What fits to the byte is taken, one more is not, however well it is packed and however often."""
    for name, pack in PACKERS:
        assert unpack(pack(bytes(LIMIT)), [name], LIMIT) == bytes(LIMIT)
        with pytest.raises(PayloadTooLarge):
            unpack(pack(bytes(LIMIT + 1)), [name], LIMIT)
        with pytest.raises(PayloadTooLarge):
            unpack(pack(bytes(64 * LIMIT)), [name], LIMIT)
    with pytest.raises(PayloadTooLarge):
        unpack(gzip.compress(gzip.compress(bytes(64 * LIMIT))), ["gzip", "gzip"], LIMIT)
    with pytest.raises(PayloadTooLarge):
        unpack(gzip.compress(bytes(LIMIT // 2)) * 3, ["gzip"], LIMIT)


def test_large_pieces_come_out_whole() -> None:
    """What does not pack well, and what spans many pieces."""
    data = random.Random(1).randbytes(300_000) + bytes(3_000_000)
    for name, pack in PACKERS:
        assert unpack(pack(data), [name], 1 << 24) == data
        assert unpack(bytearray(pack(data)), [name], 1 << 24) == data


@pytest.mark.parametrize("name", ["gzip", "deflate", "zstd"])
def test_what_is_broken_is_refused(name: str) -> None:
    """Cut off anywhere, followed by something else, empty, or no packed data at all."""
    good = PACKED[name]
    for bad in (*(good[:end] for end in range(len(good))), good + b"garbage", good + b"\0", PLAIN, b"\x1f\x8b" * 9):
        with pytest.raises(InvalidRequest) as caught:
            unpack(bad, [name], LIMIT)
        assert (caught.value.status, caught.value.reason) == (400, "malformed_body")


def test_members_without_content_are_counted() -> None:
    """A million empty ones would be a million units of work."""
    for name, empty in {"gzip": gzip.compress(b""), "zstd": zstd.compress(b"")}.items():
        assert unpack(empty * 1000 + PACKED[name], [name], LIMIT) == PLAIN
        with pytest.raises(InvalidRequest, match="more than 1024 parts"):
            unpack(empty * 2000, [name], LIMIT)


def test_the_names_of_codings() -> None:
    """Of all lines, in the order in which they were applied."""
    lines = [("content-encoding", "GZip, identity"), ("x", "y"), ("content-encoding", " , zstd")]
    assert codings(lines) == ["gzip", "zstd"]
    with pytest.raises(EncodingUnsupported, match=f"'{40 * 'x'}'"):
        unpack(b"", ["x" * 100], LIMIT)
