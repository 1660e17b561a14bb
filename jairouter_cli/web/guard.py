"""Who may ask the gateway about itself and its backends: programs on its own machine."""

import ipaddress
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from jairouter_cli.errors import NotFromHere
from jairouter_cli.web.client_ip import client_ip


def own_machine_only(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Let nobody in from another machine. Raises `NotFromHere`."""
    trusted = connection.app.state.gateway.table.config.server.trusted_proxies
    peer = connection.client.host if connection.client else ""
    client = client_ip(peer, dict(connection.headers), trusted)
    try:
        is_loopback = ipaddress.ip_address(client).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise NotFromHere(path=connection.url.path)
