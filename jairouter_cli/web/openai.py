"""`/v1/*`: one handler over a table of endpoints. Bodies are peeked into and forwarded as they came."""

import asyncio
import logging
import re
import secrets
from dataclasses import dataclass
from typing import Any, Final

from litestar import get
from litestar.handlers import ASGIRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from jairouter_cli.config.model import DEFAULT_PATHS, Locale, ServiceType
from jairouter_cli.errors import (
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    ModelNotFound,
    PayloadTooLarge,
    RequestError,
    UnsupportedMediaType,
)
from jairouter_cli.gateway.dispatch import Inbound, dispatch
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.routing.call import Call
from jairouter_cli.web.errors import header, negotiate, send_error
from jairouter_cli.web.peek import Peeked, peek_json, peek_multipart
from jairouter_cli.web.relay import relay

logger: Final = logging.getLogger("jairouter")

# `/api/v1` is where upstream's later versions serve the same endpoints (contract 1.11).
PREFIXES: Final = ("", "/api")

_REQUEST_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path of the OpenAI API and the service that answers it."""

    path: str
    service: ServiceType
    multipart: bool = False

    @property
    def is_main(self) -> bool:
        """Whether an instance's `path` is meant for this endpoint."""
        return DEFAULT_PATHS[self.service] == self.path

    @property
    def tail(self) -> str:
        """The path behind the version segment."""
        return self.path.removeprefix("/v1")


ENDPOINTS: Final = (
    Endpoint("/v1/chat/completions", ServiceType.CHAT),
    Endpoint("/v1/completions", ServiceType.CHAT),
    Endpoint("/v1/embeddings", ServiceType.EMBEDDING),
    Endpoint("/v1/rerank", ServiceType.RERANK),
    Endpoint("/v1/audio/speech", ServiceType.TTS),
    Endpoint("/v1/audio/transcriptions", ServiceType.STT, multipart=True),
    Endpoint("/v1/audio/translations", ServiceType.STT, multipart=True),
    Endpoint("/v1/images/generations", ServiceType.IMG_GEN),
    Endpoint("/v1/images/edits", ServiceType.IMG_EDIT, multipart=True),
    Endpoint("/v1/images/variations", ServiceType.IMG_EDIT, multipart=True),
)


def endpoint_routes(gateway: Gateway) -> list[ASGIRouteHandler]:
    """Return a route for each endpoint, under each prefix."""
    return [
        ASGIRouteHandler([prefix + endpoint.path for prefix in PREFIXES], copy_scope=False)(_handler(gateway, endpoint))
        for endpoint in ENDPOINTS
    ]


def _handler(gateway: Gateway, endpoint: Endpoint) -> ASGIApp:
    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(gateway, endpoint, scope, receive, send).answer()

    return handle


class Request:
    """One request to an endpoint, from its first byte to its last."""

    __slots__ = (
        "_endpoint",
        "_gateway",
        "_headers",
        "_receive",
        "_request_id",
        "_scope",
        "_send",
        "_started",
    )

    def __init__(self, gateway: Gateway, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send) -> None:
        self._gateway = gateway
        self._endpoint = endpoint
        self._scope = scope
        self._headers = list(scope["headers"])
        self._receive = receive
        self._send = self._watched(send)
        self._started = False
        self._request_id = _request_id(header(self._headers, b"x-request-id"))

    def _locale(self) -> Locale:
        """Return the language of errors; looked up only when there is one."""
        default = self._gateway.table.config.server.locale
        return negotiate(header(self._headers, b"accept-language"), default)

    async def answer(self) -> None:
        """Answer, whatever happens; an error before the head is sent becomes an error answer."""
        try:
            await self._forward(await self._read())
        except RequestError as error:
            await self._fail(error)
        except Exception:
            logger.exception("bug while answering request %s", self._request_id)
            await self._fail(InternalError())

    async def _fail(self, error: RequestError) -> None:
        """Answer with an error, or break off if the head is gone already."""
        if not self._started:
            await send_error(self._send, error, self._locale(), self._request_id)

    def _watched(self, send: Send) -> Send:
        async def watched(message: Any) -> None:
            self._started = True
            await send(message)

        return watched

    async def _read(self) -> Inbound:
        """Read the request whole. Raises `InvalidRequest` and its kin."""
        scope, endpoint = self._scope, self._endpoint
        method = str(scope.get("method"))
        if method != "POST":
            raise MethodNotAllowed(method=method, path=endpoint.path, allowed="POST")
        content_type = header(self._headers, b"content-type") or ""
        self._check_media_type(content_type)
        body = await self._body()
        peeked: Peeked = peek_multipart(body, content_type) if endpoint.multipart else peek_json(body)
        client = scope["client"]
        call = Call(endpoint.service, peeked.model, client[0] if client else "", peeked.stream)
        headers = self._headers
        if header(headers, b"x-request-id") != self._request_id:
            headers = [pair for pair in headers if pair[0] != b"x-request-id"]
            headers.append((b"x-request-id", self._request_id.encode()))
        return Inbound(call, endpoint.tail, endpoint.is_main, scope["query_string"], headers, body, self._request_id)

    def _check_media_type(self, content_type: str) -> None:
        expected = "multipart/form-data" if self._endpoint.multipart else "application/json"
        kind = content_type.partition(";")[0].strip().lower()
        if kind not in {expected, ""} or (self._endpoint.multipart and not kind):
            raise UnsupportedMediaType(expected=expected, found=kind)

    async def _body(self) -> bytes:
        """Read the body whole. Raises `PayloadTooLarge`."""
        limit = self._gateway.table.config.server.max_body_size
        pieces: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] != "http.request":
                raise InvalidRequest(problem="it was cut off")
            pieces.append(message["body"])
            size += len(message["body"])
            if size > limit:
                raise PayloadTooLarge(limit_bytes=limit, setting="server.max-body-size")
            if not message["more_body"]:
                return b"".join(pieces)

    async def _forward(self, inbound: Inbound) -> None:
        """Dispatch and relay, until done or the client leaves."""
        work = asyncio.ensure_future(self._exchange(inbound))
        left = asyncio.ensure_future(self._until_left())
        try:
            await asyncio.wait({work, left}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                work.cancel()
                await asyncio.wait({work})
            if not work.cancelled():
                work.result()
        finally:
            left.cancel()
            work.cancel()

    async def _exchange(self, inbound: Inbound) -> None:
        await relay(await dispatch(self._gateway, inbound), self._send, self._locale)

    async def _until_left(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass


def _request_id(given: str | None) -> str:
    """Keep a client's id if it is fit for a header and a log line, else make one."""
    return given if given and _REQUEST_ID.fullmatch(given) else f"req_{secrets.token_hex(12)}"


def _model(gateway: Gateway, model: str) -> dict[str, object]:
    """Return a model as OpenAI's list shows it, with the services that have it."""
    services = [kind.value for kind, name in gateway.table.pools if name == model]
    return {"id": model, "object": "model", "created": 0, "owned_by": "jairouter", "services": services}


def model_routes(gateway: Gateway) -> list[Any]:
    """Return the routes that list the configured models."""

    @get([prefix + "/v1/models" for prefix in PREFIXES], summary="List the configured models")
    async def list_models() -> dict[str, object]:
        """Every model that has an enabled instance, in the order of the file."""
        return {"object": "list", "data": [_model(gateway, model) for model in gateway.table.models]}

    @get([prefix + "/v1/models/{model:path}" for prefix in PREFIXES], summary="Show one model")
    async def show_model(model: str) -> dict[str, object]:
        """One model by its name, which may hold slashes."""
        name = model.removeprefix("/")
        if name not in gateway.table.models:
            raise ModelNotFound(model=name, service="*", param="model")
        return _model(gateway, name)

    return [list_models, show_model]
