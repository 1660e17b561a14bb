"""Who may ask the gateway about itself and its backends, and how often."""

import ipaddress
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from jairouter_cli.errors import NotFromHere
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.gateway.limits import refused
from jairouter_cli.routing.admission import Refusal, client_of, demanded
from jairouter_cli.web.client_ip import client_ip


def own_machine_only(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Let nobody in from another machine. Raises `NotFromHere`."""
    if not _is_loopback(_client(connection)):
        raise NotFromHere(path=connection.url.path)


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
