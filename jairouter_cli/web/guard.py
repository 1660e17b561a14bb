"""Who may ask the gateway about itself and its backends, and how often."""

import hmac
import ipaddress
import os
from collections.abc import Iterator
from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from jairouter_cli.config.model import Server
from jairouter_cli.errors import NotFromHere, TokenMissing
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.gateway.limits import refused
from jairouter_cli.routing.admission import Refusal, client_of, demanded
from jairouter_cli.web.client_ip import client_ip

TOKEN_VARIABLE: Final = "JAIROUTER_ADMIN_TOKEN"  # noqa: S105 - its name


def operators_only(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Let in who has the admin token, or, where there is none, programs on the gateway's own machine.

    Raises `TokenMissing`, `NotFromHere`.
    """
    gateway: Gateway = connection.app.state.gateway
    server = gateway.table.config.server
    token = admin_token(server)
    if token is not None:
        if not any(hmac.compare_digest(given.encode(), token.encode()) for given in _given(connection)):
            raise TokenMissing(path=connection.url.path)
    elif not server.open_management and not _is_loopback(_client(connection)):
        raise NotFromHere(path=connection.url.path)


def admin_token(server: Server) -> str | None:
    """Return the token that the environment or the configuration names, the environment first."""
    named = os.environ.get(TOKEN_VARIABLE)
    return named or (server.admin_token.value if server.admin_token is not None else None) or None  # "" is none


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
    if not limits or _is_loopback(client := _client(connection)):
        return
    answer = gateway.limits.levels.charge(demanded(limits, client_of(client)))
    if isinstance(answer, Refusal):
        raise refused(answer)


def _client(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    trusted = connection.app.state.gateway.table.config.server.trusted_proxies
    peer = connection.client.host if connection.client else ""
    return client_ip(peer, dict(connection.headers), trusted)


def _is_loopback(client: str) -> bool:
    try:
        return ipaddress.ip_address(client).is_loopback
    except ValueError:
        return False
