"""The application as ASGI, with a line in the access log for every request that Litestar answers itself.

What the gateway forwards reports for itself, with more than can be seen from here.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from litestar import Litestar
from litestar.types import Message, Receive, Send

from jairouter_cli.auth.client_ip import client_in
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.gateway.reply import CLIENT_LEFT
from jairouter_cli.observe.events import Handled
from jairouter_cli.web.courtesies import Courtesies
from jairouter_cli.web.doors.asgi import AsgiPieces
from jairouter_cli.web.doors.body import Intake
from jairouter_cli.web.v1.endpoints import BY_PATH

_BUG: Final = 500  # nothing was answered
_BAD_REQUEST: Final = 400


class AccessLogged:
    """Litestar, and who is told of what it answers."""

    def __init__(self, litestar: Litestar, gateway: Gateway, intake: Intake, tell: Callable[[Handled], None]) -> None:
        self._litestar = litestar
        self._courtesies = Courtesies(litestar, gateway)
        self._gateway = gateway
        self._intake = intake
        self._tell = tell

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer a request, and tell of it."""
        if scope["type"] != "http" or scope["path"] in BY_PATH:
            await self._litestar(scope, receive, send)
            return
        began, status, sent_bytes, ended = self._gateway.clock(), _BUG, 0, "failed"

        async def note(message: Message) -> None:
            nonlocal status, sent_bytes, ended
            if message["type"] == "http.response.start":
                status = message["status"]
                ended = "ok" if status < _BAD_REQUEST else "failed"
            elif message["type"] == "http.response.body":
                sent_bytes += len(message["body"])
            await send(message)

        try:
            await self._courtesies(scope, self._bounded(scope, receive), note)
        except asyncio.CancelledError:
            status, ended = CLIENT_LEFT, "left"
            raise
        finally:
            client = client_in(scope, self._gateway.table.config.server.trusted_proxies)
            method, path = scope["method"], scope["path"]
            lasted_s, template = self._gateway.clock() - began, scope.get("path_template", "")
            self._tell(Handled(client, method, path, status, ended, lasted_s, sent_bytes, template))

    def _bounded(self, scope: Any, receive: Receive) -> Receive:
        """Return what receives the body whole, within its bounds, and then whatever else comes."""
        is_read = False

        async def bounded() -> Any:
            nonlocal is_read
            while is_read:
                message = await receive()
                if message["type"] != "http.request":  # the end of the body, which had come by its length
                    return message
            is_read = True
            announced = dict(scope["headers"]).get(b"content-length")
            body = await self._intake.take(
                AsgiPieces(receive),
                None if announced is None else announced.decode("latin-1"),
                asyncio.current_task(),
            )
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        return bounded
