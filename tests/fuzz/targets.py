"""Every parser that sees a client's, a backend's or an operator's text, as a function of bytes that must not fail.

A target catches the errors that the parser documents and asserts what always holds; anything else that escapes is a
bug. One table serves three readers: `test_targets.py` runs seeds, finds and a few random inputs with every run of the
tests; its growth test runs `evil(n)`; `scripts/fuzz` searches for new inputs for as long as it is told to.
"""

import asyncio
import gzip
import math
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple

import msgspec
from litestar.datastructures import Headers

from jairouter_cli.auth.client_ip import client_ip, is_loopback
from jairouter_cli.config import llama_swap
from jairouter_cli.config.document import Document
from jairouter_cli.config.kinds import Network
from jairouter_cli.config.litellm import taken_over
from jairouter_cli.config.model import Locale
from jairouter_cli.config.parse import parse
from jairouter_cli.errors import ConfigError
from jairouter_cli.gateway.upstream.connection import Connection
from jairouter_cli.gateway.upstream.exchange import UpstreamFailure, UpstreamRequest
from jairouter_cli.payloads.affinity import affinity
from jairouter_cli.payloads.first_event import Beginning
from jairouter_cli.payloads.peek import Peeked, peek_json, peek_multipart
from jairouter_cli.payloads.rename import rename_form, rename_json
from jairouter_cli.payloads.request import Request
from jairouter_cli.payloads.request_coding import unpack
from jairouter_cli.payloads.retry_after import retry_after_s
from jairouter_cli.payloads.sse import MAX_HELD_BYTES, EventGate, has_content
from jairouter_cli.payloads.stream_usage import HidingGate, asking, lacks_usage
from jairouter_cli.payloads.tokens import Meter, expected_tokens
from jairouter_cli.request_errors import RequestError
from jairouter_cli.routing.call import Timeouts
from jairouter_cli.web.auth.pages import is_cross_site, is_ours
from jairouter_cli.web.language import negotiate

_FORM: Final = "multipart/form-data; boundary=b"
_LARGEST_BYTES: Final = 1 << 20
_PROXIES: Final = (Network("127.0.0.0/8"),)


class Target(NamedTuple):
    """A parser under test: what it must survive, some inputs to begin with, and inputs of any size that are hard."""

    feed: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    evil: tuple[Callable[[int], bytes], ...] = ()
    small_bytes: int = 20_000
    """Where the measuring of growth begins."""


# --- what a client sends ---


def _json_request(body: bytes) -> None:
    """Read a request: what is taken for one is renamed and measured without a further question."""
    affinity("", body, by_prefix=True)
    prompt, most = expected_tokens(body)
    assert 0 <= prompt < math.inf
    assert 0 <= most < math.inf
    try:
        peeked = peek_json(body)
        renamed = rename_json(body, "other")
        asked = asking(body) if lacks_usage(body) else None
    except RequestError:
        return
    assert peek_json(renamed).model == "other"
    assert peek_json(renamed).stream == peeked.stream
    if asked is not None:
        assert peek_json(asked) == peeked
        assert not lacks_usage(asked)


def _form_request(body: bytes) -> None:
    """Read a form: one that is good is good after its model is renamed."""
    try:
        peek_multipart(body, _FORM)
    except RequestError:
        return
    assert peek_multipart(rename_form(body, _FORM, "other"), _FORM).model == "other"


def _accept_language(value: bytes) -> None:
    """Choose a language, whatever is sent."""
    assert negotiate(value.decode("latin-1"), Locale.EN) in Locale


def _forwarded(value: bytes) -> None:
    """Judge what is claimed behind a trusted proxy: nobody becomes this machine without naming it."""
    lines = value.decode("latin-1").split("\n")
    for name in ("x-forwarded-for", "forwarded"):
        client = client_ip("127.0.0.1", [(name, line) for line in lines], _PROXIES)
        assert not is_loopback(client) or "127." in value.decode("latin-1") or ":" in value.decode("latin-1")


def _packed_request(data: bytes) -> None:
    """Unpack a body: what comes out is bounded."""
    coding = ("gzip", "deflate", "zstd")[data[0] % 3] if data else "gzip"
    with suppress(RequestError):
        assert len(unpack(data[1:], [coding], _LARGEST_BYTES)) <= _LARGEST_BYTES


def _origin(value: bytes) -> None:
    """Judge where a page comes from."""
    headers = [(name.encode(), value) for name in ("origin", "host", "sec-fetch-site")]
    is_cross_site(Headers(headers))
    is_ours(Headers(headers), "127.0.0.1")


# --- what a backend sends ---


class _Wire(asyncio.Transport):
    """A transport that keeps nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.is_closed = False

    def write(self, data: Any) -> None:
        """Take what is sent."""

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self.is_closed

    def abort(self) -> None:
        """Close."""
        self.is_closed = True

    def pause_reading(self) -> None:
        """Send no more: the target feeds all the same, as bytes that are on the way do."""

    def resume_reading(self) -> None:
        """Send on."""


class _Nobody:
    """An owner that keeps no connection."""

    def give_back(self, connection: Connection) -> None:
        """Keep nothing."""

    def drop(self, connection: Connection) -> None:
        """Forget nothing."""


def _answered(pieces: list[bytes]) -> tuple[int, list[tuple[str, str]], bytes, bool]:
    """Return status, headers, body and wholeness of an answer that comes in pieces, after which the backend closes."""

    async def scenario() -> tuple[int, list[tuple[str, str]], bytes, bool]:
        loop = asyncio.get_running_loop()
        connection, body = Connection(_Nobody(), loop), b""
        connection.connection_made(_Wire())
        request = UpstreamRequest("http://h", "/", [], b"", Timeouts(5, 5, 5, 5))

        async def take() -> bool:
            nonlocal body
            try:
                await connection.exchange(b"", request)
                while piece := await connection.read():
                    body += piece
            except UpstreamFailure:
                return False
            return True

        taking = asyncio.ensure_future(take())
        await asyncio.sleep(0)
        for piece in pieces:
            connection.data_received(piece)
            await asyncio.sleep(0)
        connection.connection_lost(None)
        is_whole = await taking
        return connection.status, list(connection.headers), body, is_whole

    with asyncio.Runner() as runner:
        return runner.run(scenario())


def _answer(data: bytes) -> None:
    """Read an answer: however it is cut into pieces, it is the same answer or the same failure."""
    size, wire = (data[0] % 16 + 1, data[1:]) if data else (1, b"")
    at_once = _answered([wire] if wire else [])
    in_pieces = _answered([wire[start : start + size] for start in range(0, len(wire), size)])
    if at_once[3] or in_pieces[3]:
        assert at_once == in_pieces
    if at_once[0]:
        assert 200 <= at_once[0] <= 599
    for name, value in at_once[1]:
        assert not set(name + value) & set("\r\n\0")


def _events(data: bytes) -> None:
    """Read a stream: nothing of it is lost or held beyond its bound, and its usage is a sane number."""
    size, stream = (data[0] + 1, data[1:]) if data else (1, b"")
    hidden: list[bytes] = []
    gate, hiding, meter = EventGate(), HidingGate(hidden.append), Meter()
    through, shown = b"", b""
    for start in range(0, len(stream), size):
        piece = stream[start : start + size]
        meter.add(piece)
        has_content(piece)
        through += gate.feed(piece)
        shown += hiding.feed(piece)
        assert len(through) >= start - MAX_HELD_BYTES
    through += gate.rest()
    shown += hiding.rest()
    assert through == stream
    assert len(shown) + sum(map(len, hidden)) == len(stream)
    _measured(meter)


def _whole_answer(body: bytes) -> None:
    """Measure an answer: what a backend says that it cost is a sane number or none."""
    meter = Meter()
    meter.add(body)
    _measured(meter)


def _measured(meter: Meter) -> None:
    tokens = meter.tokens(0.0)
    assert tokens is None or 0 <= tokens < 1e16
    spent = meter.spent(Request(b"{}", Peeked("m")), cut=False)
    if spent is not None:
        assert 0 <= spent.input_tokens < 1e16
        assert 0 <= spent.output_tokens < 1e16
    meter.model()


def _first_event(data: bytes) -> None:
    """Look for an error at the beginning of a stream, packed or not, in pieces."""
    coding = ("", "gzip", "deflate", "br")[data[0] % 4] if data else ""
    for size in (1, 7, 1 << 16):
        beginning = Beginning(coding)
        for start in range(1, len(data), size):
            beginning.add(data[start : start + size])
        beginning.add(b"")
        assert beginning.is_over
        assert beginning.error is None or 400 <= beginning.error.status <= 599


def _retry_after(value: bytes) -> None:
    """Read a pause: any value is one that a clock can bear."""
    assert 0 <= retry_after_s(value.decode("latin-1"), 1e9) < math.inf


# --- what an operator writes ---


def _config(data: bytes) -> None:
    """Read a file: one that is good keeps its text, of a bad one the problems are told."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    try:
        document = Document.load(text, "f.yaml")
        parse(document, {"A": "1"})
    except ConfigError:
        return
    assert document.dump() == text


def _litellm(data: bytes) -> None:
    """Take over any mapping."""
    try:
        root = msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return
    taken_over(root, {})
    if llama_swap.is_llama_swap(root):
        llama_swap.taken_over(root, {})


# --- the table ---

_CHAT: Final = (
    b'{"model":"m","stream":true,"stream_options":{"a":1},"n":2,"messages":[{"role":"user","content":"\\ud83d"}]}'
)
_FORM_BODY: Final = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--b--\r\n'
_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
_STREAM: Final = (
    b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}\n\ndata: [DONE]\n\n'
)
_MESSAGES: Final = (
    b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":5,"output_tokens":1}}}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","usage":{"output_tokens":7}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)
_YAML: Final = b"""server: {port: 8080}
model:
  services:
    chat:
      instances:
        - {name: m, base-url: "http://h:1", api-key: "${A:x}", timeout: 30s}
"""
_LITELLM: Final = b'{"model_list":[{"model_name":"a","litellm_params":{"model":"openai/x","api_base":"http://h"}}]}'


def _nested(opening: bytes, closing: bytes = b"") -> Callable[[int], bytes]:
    return lambda n: opening * n + closing * n


def _around(before: bytes, repeated: bytes, after: bytes) -> Callable[[int], bytes]:
    return lambda n: before + repeated * (n // len(repeated)) + after


TARGETS: Final[dict[str, Target]] = {
    "json_request": Target(
        _json_request,
        (_CHAT, b'{"model":"a","model":"b"}', b'{"model":"m","stream_options":null}', b"\xef\xbb\xbf" + _CHAT),
        (
            _around(b'{"model":"m","a":[', b"[],", b"1]}"),
            _around(b'{"model":"m","a":"', b"\\\\", b'"}'),
            _around(b'{"model":"m","a":', b"[", b""),
            _around(b'{"model":"m",', b'"stream_options":{},', b'"z":1}'),
            _around(b'{"model":"m","messages":["', b'base64,"data":"', b'"]}'),
            _around(b'{"model":"m","messages":[', b'{"role":"system"},', b"1]}"),
        ),
    ),
    "form_request": Target(
        _form_request,
        (_FORM_BODY, _FORM_BODY * 2),
        (
            _around(b"", b"--b\r\nContent-Disposition: form-data; name=x\r\n\r\n\r\n", _FORM_BODY),
            _around(b"--b\r\nContent-Disposition: form-data; name=f\r\n\r\n", b"\r\n--", b"\r\n" + _FORM_BODY),
        ),
    ),
    "accept_language": Target(
        _accept_language,
        (b"zh-CN,zh;q=0.9,en;q=0.8", b"*"),
        (
            _around(b"a", b" ", b"!"),
            _around(b"a,", b" ", b"!"),
            _around(b"a;", b" ", b"q"),
            _around(b"", b"a-", b"!"),
            _around(b"", b"en,", b"!"),
        ),
    ),
    "forwarded": Target(
        _forwarded,
        (b"1.2.3.4, 127.0.0.1", b'for="[::1]:80";proto=http, for=unknown'),
        (
            _around(b"", b"127.0.0.1,", b"1.2.3.4"),
            _around(b"", b"for=127.0.0.1,", b""),
            _around(b"for", b" ", b"=1"),
            _around(b"", b";for=", b'"'),
        ),
    ),
    "packed_request": Target(
        _packed_request,
        (b"\0" + gzip.compress(_CHAT), b"\1" + zlib.compress(_CHAT), b"\0" + gzip.compress(bytes(1 << 20))),
        (
            lambda n: b"\0" + gzip.compress(b"x" * n),
            lambda n: b"\0" + gzip.compress(b"") * (n // 20),
            lambda n: b"\1" + zlib.compress(bytes(n)),
        ),
    ),
    "origin": Target(
        _origin,
        (b"http://127.0.0.1:8080", b"[::1]:80", b"localhost"),
        (_around(b"http://", b"[", b""), _around(b"", b"a.", b":1"), _around(b"", b"@", b"")),
    ),
    "first_event": Target(
        _first_event,
        (
            b'\0data: {"error":{"message":"m","code":503}}\n\n',
            b'\0: hi\n\nevent: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n',
            b"\1" + gzip.compress(b'data: {"error":"x"}\n\n'),
        ),
        (
            _around(b"\0", b": x\n\n", b""),
            _around(b"\0data: ", b"[", b"\n\n"),
            _around(b"\0", b"data:\n", b"\n"),
            lambda n: b"\1" + gzip.compress(bytes(n)),
        ),
    ),
    "answer": Target(
        _answer,
        (
            b"\0" + _HEAD + b"content-length: 2\r\n\r\n{}",
            b"\3" + _HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nx: y\r\n\r\n",
            b"\1HTTP/1.1 100 Continue\r\n\r\n" + _HEAD + b"\r\n{}",
        ),
        (
            _around(b"\xff" + _HEAD, b"a:\r\n", b"\r\n"),
            _around(b"\xff" + _HEAD + b"a: ", b"x", b"\r\n\r\n"),
            _around(b"\xff", b"HTTP/1.1 100 Continue\r\n\r\n", b""),
            _around(b"\xff" + _HEAD + b"transfer-encoding: chunked\r\n\r\n", b"1\r\na\r\n", b"0\r\n\r\n"),
        ),
    ),
    "events": Target(
        _events,
        (b"\xff" + _STREAM, b"\4" + _MESSAGES, b"\xff" + _STREAM.replace(b"\n", b"\r\n")),
        (
            _around(b"\0data: ", b"x", b""),
            _around(b"\xff", b'data: {"choices":[]}\n\n', b""),
            _around(b"\xff", b"\r", b""),
            _around(b"\xff", b'"choices":[ ', b"\n\n"),
            _around(b"\xff", b"\ndata:", b""),
        ),
    ),
    "whole_answer": Target(
        _whole_answer,
        (
            b'{"model":"m","usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}',
            b'{"usage":{"prompt_tokens":-1,"completion_tokens":1e400}}',
            b'{"choices":[{"message":{"content":"hi"}}]}',
        ),
        (_around(b"", b'{"usage":', b""), _around(b'{"usage":{"a":', b"[", b""), _around(b"", b'"usage":{},', b"")),
    ),
    "retry_after": Target(
        _retry_after,
        (b"7", b"Wed, 21 Oct 2026 07:28:00 GMT", b"1e9"),
        (_around(b"", b"9", b""), _around(b"Wed, ", b"(", b""), _around(b"Wed, 21 Oct ", b" ", b"x")),
    ),
    "config": Target(
        _config,
        (_YAML, b"a: &a [1]\nb: *a\n", b"model: {services: {chat: {instances: []}}}\n"),
        (
            _around(b"a: ", b"${A:", b""),
            _around(b"a:\n", b"- x\n", b""),
            _nested(b"["),
            _around(b"model:\n  services:\n    chat:\n      instances:\n", b"        - {name: m, base-url: h}\n", b""),
        ),
        small_bytes=2_000,
    ),
    "litellm": Target(_litellm, (_LITELLM,)),
}
