"""Who may ask the gateway about itself and its backends, and how often."""

import hmac
import ipaddress
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from jairouter_cli.config.token import admin_token
from jairouter_cli.errors import NotFromHere, TokenMissing
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.gateway.limits import refused
from jairouter_cli.routing.admission import Refusal, client_of, demanded
from jairouter_cli.web.client_ip import client_in, is_loopback


def operators_only(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Let in who has the admin token, or, where there is none, programs on the gateway's own machine.

    Raises `TokenMissing`, `NotFromHere`.
    """
    _let_in(connection)


def _let_in(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    gateway: Gateway = connection.app.state.gateway
    server = gateway.table.config.server
    token = admin_token(server, os.environ)
    if token is not None:
        if not any(hmac.compare_digest(given.encode(), token.encode()) for given in _given(connection)):
            raise TokenMissing(path=connection.url.path)
    elif not server.open_management and not (is_loopback(_client(connection)) and _is_no_page(connection)):
        raise NotFromHere(path=connection.url.path)


def is_operator(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Whether `operators_only` lets somebody in."""
    try:
        _let_in(connection)
    except (TokenMissing, NotFromHere):
        return False
    return True


def _is_no_page(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Whether this is not a page of somebody else's, in a browser on this machine, that asks behind its user's back.

    Such a page sends its own origin, or, where its name was made to point here (DNS rebinding), its own host.
    """
    host = connection.headers.get("host", "")
    origin = connection.headers.get("origin")
    name = urlsplit(f"//{host}").hostname or ""
    return (origin is None or urlsplit(origin).netloc == host) and (name == "localhost" or _is_address(name))


def _given(connection: ASGIConnection[Any, Any, Any, Any]) -> Iterator[str]:
    """Yield what was given as a token."""
    scheme, _, credential = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        yield credential.strip()
    yield connection.headers.get("x-admin-token", "")


def not_too_often(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Keep a client of another machine to `server.management-rate-limit`. Raises `RateLimitExceeded`."""
    gateway: Gateway = connection.app.state.gateway
    limits = gateway.table.management
    if not limits or is_loopback(client := _client(connection)):
        return
    answer = gateway.limits.levels.charge(demanded(limits, client_of(client)))
    if isinstance(answer, Refusal):
        raise refused(answer)


def _client(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    return client_in(connection.scope, connection.app.state.gateway.table.config.server.trusted_proxies)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
