"""The application: its endpoints, and for all of them delays, failures, the header and the form of errors."""

import asyncio
import logging
import random
from collections.abc import Mapping
from typing import Final

from litestar import Litestar, Response, get
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from jairouter_cli.mock import kinds
from jairouter_cli.mock.audio import speech, transcripts
from jairouter_cli.mock.behaviour import Behaviour
from jairouter_cli.mock.body import JSON, MockRequest
from jairouter_cli.mock.chat import chat
from jairouter_cli.mock.completions import completions
from jairouter_cli.mock.images import edits, generations, picture
from jairouter_cli.mock.models import list_models, show_model
from jairouter_cli.mock.other_apis import count_tokens, messages, moderations, responses, score
from jairouter_cli.mock.vectors import embeddings, rerank
from jairouter_cli.request_errors import RequestError

logger: Final = logging.getLogger("jairouter.mock")

# What a gateway lets through by default; Litestar's own limit is smaller than some songs.
_MAX_BODY_BYTES: Final = 64 * 1024 * 1024

_INVALID: Final = "invalid_request_error"


@get("/health")
async def health() -> dict[str, str]:
    """Tell that it runs."""
    return {"status": "ok"}


class Load:
    """Counts the POSTs in flight; it wraps the application."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.most_in_flight = 0

    def around(self, app: ASGIApp) -> ASGIApp:
        """Return the application with the counter around it."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            if scope.get("method") != "POST":
                await app(scope, receive, send)
                return
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            try:
                await app(scope, receive, send)
            finally:
                self.in_flight -= 1

        return counted


def create(behaviour: Behaviour) -> Litestar:
    """Build the application of a server that behaves so."""
    rng = random.Random(behaviour.seed)
    load = Load()

    @get("/mock/load")
    async def show_load() -> dict[str, int]:
        """Return the number of POSTs in flight, now and at most."""
        return {"in_flight": load.in_flight, "most_in_flight": load.most_in_flight}

    header = (b"x-mock-backend", behaviour.name.encode())
    program = [(b"server", b"llama.cpp")] if behaviour.kind == kinds.LLAMA_CPP else []
    told = [list_models, show_model] if behaviour.kind is None else kinds.handlers(behaviour.kind)

    async def misbehave(request: MockRequest) -> Response[JSON] | None:
        """Delay, and fail as often as is wanted."""
        if request.method != "POST":
            return None
        await asyncio.sleep(behaviour.delay_s)
        if rng.random() < behaviour.fail_rate:
            return _error(503, "the mock model is overloaded", "overloaded_error")
        return None

    async def sign(message: Message, _: Scope) -> None:
        """Tell which server answers."""
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], header, *program]

    return Litestar(
        route_handlers=[
            *(chat, completions, embeddings, rerank),
            *(responses, messages, count_tokens, moderations, score),
            *(speech, transcripts),
            *(generations, edits, picture),
            *told,
            *(health, show_load),
        ],
        state=State({"behaviour": behaviour}),
        middleware=[load.around],
        before_request=misbehave,
        before_send=[sign],
        exception_handlers={HTTPException: _answer_http, RequestError: _answer_request, Exception: _answer_bug},
        request_max_body_size=_MAX_BODY_BYTES,
        openapi_config=None,
        logging_config=None,
    )


def _error(
    status: int, message: str, kind: str, param: str | None = None, headers: Mapping[str, str] | None = None
) -> Response[JSON]:
    about = {"message": message, "type": kind, "param": param, "code": None}
    return Response({"error": about}, status_code=status, headers=headers, media_type="application/json")


def _answer_http(request: MockRequest, error: HTTPException) -> Response[JSON]:
    """Answer what Litestar refuses: an unknown path, another method, a body that is too large or no form."""
    message = f"{error.detail}: {request.method} {request.url.path}"
    return _error(error.status_code, message, _INVALID, headers=error.headers)


def _answer_request(_: MockRequest, error: RequestError) -> Response[JSON]:
    """Answer what this server refuses."""
    return _error(error.status, error.message(), _INVALID, error.param)


def _answer_bug(request: MockRequest, error: Exception) -> Response[JSON]:
    """Answer what nobody foresaw."""
    logger.error("bug while answering %s %s", request.method, request.url.path, exc_info=error)
    return _error(500, "the mock model has a bug; see its log", "server_error")
