"""Who may ask the gateway about itself and its backends, and how often."""

from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from jairouter_cli.auth.client_ip import client_in, is_loopback
from jairouter_cli.auth.credentials import ADMIN_HEADERS, is_token, tokens_in
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.gateway.limits import refused
from jairouter_cli.payloads.request_coding import codings
from jairouter_cli.request_errors import EncodingUnsupported, FromOtherSite, NotFromHere, TokenMissing
from jairouter_cli.routing.admission import Refusal, client_of, demanded
from jairouter_cli.web.auth.pages import is_cross_site, is_ours

AnyConnection = ASGIConnection[Any, Any, Any, Any]

_SHOWN: Final = 40  # letters of the name of a coding


def operators_only(connection: AnyConnection, _: BaseRouteHandler) -> None:
    """Let in who has the admin token, or, where there is none, programs on the gateway's own machine.

    Raises `TokenMissing`, `NotFromHere`, `FromOtherSite`.
    """
    _let_in(connection)


def _let_in(connection: AnyConnection) -> None:
    table = _gateway(connection).table
    server, token = table.config.server, table.callers.token
    if token is not None:
        if not _has(connection, token):
            raise TokenMissing(path=connection.url.path)
        return
    if server.open_management:
        return
    if not is_loopback(_client(connection)):
        raise NotFromHere(path=connection.url.path)
    _refuse_pages(connection)


def is_operator(connection: AnyConnection) -> bool:
    """Whether `operators_only` lets somebody in."""
    try:
        _let_in(connection)
    except (TokenMissing, NotFromHere, FromOtherSite):
        return False
    return True


def no_pages(connection: AnyConnection, _: BaseRouteHandler) -> None:
    """Let in all but pages of other sites that come from this machine. Raises `FromOtherSite`."""
    table = _gateway(connection).table
    server, token = table.config.server, table.callers.token
    if server.open_management or (token is not None and _has(connection, token)):
        return
    if is_loopback(_client(connection)):
        _refuse_pages(connection)


def _refuse_pages(connection: AnyConnection) -> None:
    own_name = _gateway(connection).table.config.server.host
    if is_cross_site(connection.headers) or not is_ours(connection.headers, own_name):
        raise FromOtherSite(path=connection.url.path)


def _has(connection: AnyConnection, token: str) -> bool:
    authorizations, others = (connection.headers.getall(name, []) for name in ADMIN_HEADERS)
    return any(is_token(given, token) for given in tokens_in(authorizations, others))


def plain_only(connection: AnyConnection, _: BaseRouteHandler) -> None:
    """Let in no bodies that are packed. Raises `EncodingUnsupported`."""
    lines = [("content-encoding", line) for line in connection.headers.getall("content-encoding", [])]
    if packed_with := codings(lines):
        raise EncodingUnsupported(found=packed_with[0][:_SHOWN], accepted="identity")


def not_too_often(connection: AnyConnection, _: BaseRouteHandler) -> None:
    """Keep a client of another machine to `server.management-rate-limit`. Raises `RateLimitExceeded`."""
    gateway = _gateway(connection)
    limits = gateway.table.management
    if not limits or is_loopback(client := _client(connection)):
        return
    answer = gateway.limits.levels.charge(demanded(limits, client_of(client)))
    if isinstance(answer, Refusal):
        raise refused(answer)


def _gateway(connection: AnyConnection) -> Gateway:
    gateway: Gateway = connection.app.state.gateway
    return gateway


def _client(connection: AnyConnection) -> str:
    return client_in(connection.scope, _gateway(connection).table.config.server.trusted_proxies)
