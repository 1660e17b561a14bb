"""Requests in a dialect that an instance does not speak: translated for that attempt, and its answer back.

Why per attempt: of two instances of a model one may speak the client's dialect, and then bytes pass untouched; a
failover from one to the other must not be seen. What an instance speaks is in the configuration (`speaks`), or is
learned: one that has no such path is asked in chat completions from then on.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

import msgspec
from msgspec.structs import replace

from jairouter_cli.adapters.chat import TranslatedRequest
from jairouter_cli.adapters.failed import BackendFailed
from jairouter_cli.adapters.messages import answer as messages_answer
from jairouter_cli.adapters.messages.request import chat_request as of_messages
from jairouter_cli.adapters.messages.stream import MessagesStream
from jairouter_cli.adapters.responses import answer as responses_answer
from jairouter_cli.adapters.responses.request import responses_request
from jairouter_cli.adapters.responses.stream import ResponsesStream
from jairouter_cli.config.kinds import ApiDialect
from jairouter_cli.gateway.fallback import Canned
from jairouter_cli.gateway.inbound import Inbound
from jairouter_cli.gateway.opening import Opened
from jairouter_cli.gateway.upstream.exchange import Exchange, FailureKind, UpstreamFailure, UpstreamRequest
from jairouter_cli.payloads.headers import Headers
from jairouter_cli.payloads.tokens import Meter
from jairouter_cli.routing.call import Target

DROPPED_HEADER: Final = "x-jairouter-dropped"
"""Names what a request had that its translation has no place for."""

ESTIMATED_HEADER: Final = "x-jairouter-estimated"
"""Names what in an answer is an estimate."""

_BAD_REQUEST: Final = 400
_NOT_FOUND: Final = 404
_NO_SUCH_PATH: Final = frozenset({404, 405, 501})
_LARGEST_BYTES: Final = 64 << 20  # of a whole answer; base64 pictures have some megabytes
_LARGEST_ERROR_BYTES: Final = 1 << 20
_EVENTS: Final = "text/event-stream"
_JSON: Final = ("content-type", "application/json")
# Headers of a body that is another one now.
_OF_THE_BODY: Final = frozenset({"content-type", "content-length", "content-encoding", "etag", "content-md5", "digest"})
# What a client says to Anthropic alone.
_OF_THE_DIALECT: Final = ("anthropic-",)


class StreamTranslator(Protocol):
    """Makes the events of one stream from those of a chat. Both raise `BackendFailed`."""

    events: int
    """How many were made."""

    def feed(self, chunk: bytes) -> bytes:
        """Take in bytes as they come, return those that go on."""

    def rest(self) -> bytes:
        """Return what is left when the stream has ended."""

    def failed(self, message: str) -> bytes:
        """Return what comes before the event of an error, if the dialect has that."""


class Translator(NamedTuple):
    """One dialect in front of chat completions."""

    dialect: ApiDialect
    request: Callable[[bytes | bytearray], TranslatedRequest]
    """Returns the request for chat completions. Raises `InvalidRequest`."""
    whole: Callable[[bytes, str, int, TranslatedRequest], bytes | None]
    """Returns a whole answer in the dialect; None for what is none of a chat."""
    error: Callable[[int, bytes, str], bytes]
    """Returns a backend's error in the dialect."""
    stream: Callable[[str, int, TranslatedRequest], StreamTranslator]
    is_answer: Callable[[bytes], bool] | None = None
    """Whether a success is one of the dialect, where servers are known that say 200 to everything."""
    estimate: "Callable[[Inbound], Opened] | None" = None
    """Makes an answer without asking anybody."""


def _is_count(body: bytes) -> bool:
    """Whether a body is a count of tokens."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return False
    return isinstance(found, dict) and type(found.get("input_tokens")) is int


def _counted(inbound: Inbound) -> Opened:
    """Return about how many tokens a request has."""
    prompt, _ = inbound.request.expected_tokens
    body = msgspec.json.encode({"input_tokens": max(1, round(prompt))})
    return Opened(Canned(200, [_JSON, (ESTIMATED_HEADER, "input_tokens")], body))


_MESSAGES: Final = Translator(
    ApiDialect.MESSAGES, of_messages, messages_answer.message, messages_answer.error, MessagesStream
)
TRANSLATORS: Final = {
    "/messages": _MESSAGES,
    "/messages/count_tokens": _MESSAGES._replace(is_answer=_is_count, estimate=_counted),
    "/responses": Translator(
        ApiDialect.RESPONSES, responses_request, responses_answer.response, responses_answer.error, ResponsesStream
    ),
}
"""By the path of the endpoint behind `/v1`."""


class Spoken:
    """What the instances speak: as it is configured, or as one of them has let us know."""

    __slots__ = ("_lacking",)

    def __init__(self) -> None:
        self._lacking: set[tuple[str, str, str]] = set()

    def is_native(self, target: Target, translator: Translator, tail: str) -> bool:
        """Whether an instance is to be asked in the dialect of a client."""
        if target.speaks is not None and translator.dialect not in target.speaks:
            return False
        return (target.origin, target.prefix, tail) not in self._lacking

    def learn(self, target: Target, tail: str) -> None:
        """Note that a backend does not have an endpoint."""
        self._lacking.add((target.origin, target.prefix, tail))


def translated_request(translator: Translator, inbound: Inbound, target: Target, sent: UpstreamRequest) -> "Translated":
    """Return what is to be sent in place of a request. Raises `InvalidRequest`."""
    made = translator.request(inbound.request.raw)._replace(key=inbound.request_id.removeprefix("req_"))
    if (name := target.upstream_model or inbound.other_model) is not None:
        made.body["model"] = name
    request = replace(sent, path=target.path, headers=_headers(sent.headers), body=msgspec.json.encode(made.body))
    return Translated(translator, inbound, request, made)


def _headers(headers: Headers) -> Headers:
    """Return the headers of a request without those of its dialect; a key goes where chat completions look for it."""
    kept = [
        (name, value) for name, value in headers if not name.startswith(_OF_THE_DIALECT) and name != "accept-encoding"
    ]
    names = {name for name, _ in kept}
    if "x-api-key" in names:
        key = next(value for name, value in kept if name == "x-api-key")
        kept = [pair for pair in kept if pair[0] != "x-api-key"]
        if "authorization" not in names:
            kept.append(("authorization", f"Bearer {key}"))
    return kept


class Translated(NamedTuple):
    """A request that was translated, and what its answer is to become."""

    translator: Translator
    inbound: Inbound
    request: UpstreamRequest
    made: TranslatedRequest

    async def answer(self, opened: Opened) -> Opened:
        """Return an answer in the client's dialect. Raises `UpstreamFailure`."""
        exchange = opened.exchange
        kind = dict(exchange.headers).get("content-type", "")
        if exchange.status < _BAD_REQUEST and kind.startswith(_EVENTS):
            return self._stream(opened)
        body = await whole_body(exchange, _LARGEST_BYTES if exchange.status < _BAD_REQUEST else _LARGEST_ERROR_BYTES)
        headers = self._changed(exchange.headers)
        if exchange.status >= _BAD_REQUEST:
            told = self.translator.error(exchange.status, body, self.inbound.request_id)
            return Opened(Canned(exchange.status, [_JSON, *headers], told), is_error=opened.is_error)
        made = self.translator.whole(body, self.inbound.request.model, self._expected, self.made)
        if made is None:
            raise UpstreamFailure(FailureKind.BROKEN, "the response is not one of a chat")
        return Opened(TranslatedWhole(exchange.status, [_JSON, *headers], made, body))

    @property
    def _expected(self) -> int:
        prompt, _ = self.inbound.request.expected_tokens
        return round(prompt)

    def _stream(self, opened: Opened) -> Opened:
        exchange = opened.exchange
        headers = [("content-type", f"{_EVENTS}; charset=utf-8"), *self._changed(exchange.headers)]
        translator = self.translator.stream(self.inbound.request.model, self._expected, self.made)
        stream = TranslatedStream(exchange, headers, translator)
        return Opened(stream, stream.begin(opened.first))

    def _changed(self, headers: Headers) -> Headers:
        kept = [pair for pair in headers if pair[0] not in _OF_THE_BODY]
        if self.made.dropped:
            names = ", ".join(self.made.dropped).encode("ascii", "backslashreplace").decode("ascii")
            kept.append((DROPPED_HEADER, "".join(letter if letter.isprintable() else "?" for letter in names)[:1000]))
        return kept


class TranslatedWhole(Canned):
    """A whole answer in the client's dialect; `meter` has heard the backend's own."""

    __slots__ = ("meter",)

    def __init__(self, status: int, headers: Headers, body: bytes, heard: bytes) -> None:
        super().__init__(status, headers, body)
        self.meter: Final = Meter()
        self.meter.add(heard)


class TranslatedStream:
    """A stream in the client's dialect, made of the backend's as it comes; `meter` hears the backend's."""

    __slots__ = ("_exchange", "_is_over", "_translator", "headers", "meter", "status")

    def __init__(self, exchange: Exchange, headers: Headers, translator: StreamTranslator) -> None:
        self._exchange: Final = exchange
        self._translator: Final = translator
        self._is_over = False
        self.meter: Final = Meter()
        self.status = exchange.status
        self.headers: Headers = headers

    @property
    def events(self) -> int:
        """How many events the client has got."""
        return self._translator.events

    def failed(self, message: str) -> bytes:
        """Return what comes before the event of an error."""
        return self._translator.failed(message)

    def begin(self, first: bytes) -> bytes:
        """Translate what was read of it already. Raises `UpstreamFailure`."""
        return self._fed(first) if first else b""

    async def read(self) -> bytes:
        """Return what has come since, translated. Raises `UpstreamFailure`."""
        while not self._is_over:
            piece = await self._exchange.read()
            if piece:
                out = self._fed(piece)
            else:
                self._is_over = True
                out = self._ended()
            if out:
                return out
        return b""

    def _fed(self, piece: bytes) -> bytes:
        self.meter.add(piece)
        try:
            return self._translator.feed(piece)
        except BackendFailed as error:
            raise UpstreamFailure(FailureKind.BROKEN, str(error)) from None

    def _ended(self) -> bytes:
        try:
            return self._translator.rest()
        except BackendFailed as error:
            raise UpstreamFailure(FailureKind.BROKEN, str(error)) from None

    def expect_content(self, within_s: float | None) -> None:
        """Bound the time to the first content, or lift the bound."""
        self._exchange.expect_content(within_s)

    async def aclose(self) -> None:
        """Let the connection go."""
        await self._exchange.aclose()


async def answered(translator: Translator, inbound: Inbound, opened: Opened) -> Opened | None:
    """Return the answer of a backend that has the endpoint, with what was read of it; None if it has not.

    An error about the model, or in the words of the dialect, is an answer of one that has it; a success that is none in
    the dialect is that of a server which says 200 to everything. Raises `UpstreamFailure`.
    """
    exchange = opened.exchange
    is_doubtful = exchange.status in _NO_SUCH_PATH
    if not is_doubtful and (translator.is_answer is None or exchange.status >= _BAD_REQUEST):
        return opened
    body = await whole_body(exchange, _LARGEST_ERROR_BYTES)
    if is_doubtful:
        is_about_us = exchange.status == _NOT_FOUND and (
            b'"type":"error"' in body.replace(b" ", b"") or _names(body, inbound.call.model)
        )
    else:
        is_about_us = translator.is_answer is not None and translator.is_answer(body)
    if not is_about_us:
        return None
    headers = [pair for pair in exchange.headers if pair[0] not in {"content-length", "transfer-encoding"}]
    return Opened(Canned(exchange.status, headers, body), is_error=opened.is_error)


def _names(body: bytes, model: str) -> bool:
    return bool(model) and model.encode() in body


async def whole_body(exchange: Exchange, most: int) -> bytes:
    """Read an answer to its end, and let the connection go. Raises `UpstreamFailure`, also if it is too large."""
    body = bytearray()
    try:
        while piece := await exchange.read():
            body += piece
            if len(body) > most:
                raise UpstreamFailure(FailureKind.BROKEN, f"the response has more than {most >> 20} MiB")
    finally:
        await exchange.aclose()
    return bytes(body)
