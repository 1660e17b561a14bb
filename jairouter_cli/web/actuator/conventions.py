"""What all of `/actuator` has in common: media types, which endpoints there are, who sees what."""

from typing import Any, Final, NoReturn

from litestar import MediaType, Response
from litestar.connection import ASGIConnection
from litestar.datastructures.headers import Accept
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException
from litestar.handlers import BaseRouteHandler

from jairouter_cli.config.management import ENDPOINTS, Access, Management, Show
from jairouter_cli.config.model import Config
from jairouter_cli.config.spelling import squash
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.request_errors import MethodNotAllowed, NotFound
from jairouter_cli.web.auth.operators import is_operator, no_pages
from jairouter_cli.web.errors import AnyRequest, SurfaceErrors, allowed_methods, answer_error
from jairouter_cli.web.views.node import Node

BASE: Final = "/actuator"
ACTUATOR_JSON: Final = "application/vnd.spring-boot.actuator.v3+json"
MEDIA_TYPES: Final = (ACTUATOR_JSON, "application/vnd.spring-boot.actuator.v2+json", MediaType.JSON.value)

_READ_OF_ACCEPT: Final = 1024  # letters; browsers send a hundred

# Asked under whatever name the gateway has where they run; a page that is told of these has learnt nothing.
_FOR_PROBES: Final = frozenset({"", "health", "prometheus"})
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def answer(request: AnyRequest, node: Node, status: int = 200) -> Response[Node]:
    """Return an answer of the type that the client wants most of ours, by default the newest of Spring's."""
    wanted = Accept(request.headers.get("accept", "*/*")[:_READ_OF_ACCEPT])
    return Response(node, status_code=status, media_type=wanted.best_match([*MEDIA_TYPES], ACTUATOR_JSON))


def nothing() -> NoReturn:
    """Say that there is no such thing."""
    raise NotFoundException


def bad_parameter(what: str) -> NoReturn:
    """Say that a parameter is none that can be taken."""
    raise HTTPException(what, status_code=400)


def endpoint_of(path: str) -> str:
    """Return the name of the endpoint that a path belongs to; empty for the list of them."""
    return path.removeprefix(BASE).strip("/").partition("/")[0]


def access(config: Config, endpoint: str) -> Access:
    """Return what may be done with an endpoint: nothing if it is not exposed, or not there at all."""
    management = config.management
    if not endpoint:
        return Access.READ_ONLY if management.endpoints.web.discovery.enabled else Access.NONE
    if endpoint not in ENDPOINTS or not _is_exposed(management, endpoint):
        return Access.NONE
    return _settings(management, endpoint)


def _is_exposed(management: Management, endpoint: str) -> bool:
    exposure, names = management.endpoints.web.exposure, {"*", squash(endpoint)}
    return not names.isdisjoint(map(squash, exposure.include)) and names.isdisjoint(map(squash, exposure.exclude))


def _settings(management: Management, endpoint: str) -> Access:
    granted: Access = getattr(management.endpoint, endpoint.replace("-", "_")).granted
    return granted


def exposed_only(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Let in to what is exposed; with a slash at its end a path is another one, which there is not."""
    gateway: Gateway = connection.app.state.gateway
    granted, method = access(gateway.table.config, endpoint_of(connection.url.path)), connection.scope["method"]  # type: ignore[typeddict-item]
    if granted is Access.NONE or connection.scope["raw_path"].endswith(b"/"):
        raise NotFoundException
    if granted is Access.READ_ONLY and method not in _READING:
        raise MethodNotAllowedException(headers={"allow": "GET"})


def no_pages_here(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Let pages of other sites in to nothing but links and what load balancers ask. Raises `FromOtherSite`."""
    if endpoint_of(connection.url.path) not in _FOR_PROBES:
        no_pages(connection, handler)


def shows(request: AnyRequest, show: Show) -> bool:
    """Whether something is shown to whoever asks."""
    return show is Show.ALWAYS or (show is Show.WHEN_AUTHORIZED and is_operator(request))


def _answer_empty(request: AnyRequest, error: HTTPException) -> Response[Any]:
    """Answer without a body, as Spring Boot does; what is not exposed is not there, whatever the method."""
    status, headers = error.status_code, dict(error.headers or {})
    if status == MethodNotAllowed.status:
        is_there = access(request.app.state.gateway.table.config, endpoint_of(request.url.path)) is not Access.NONE
        status, headers = (status, {"allow": allowed_methods(error.headers)}) if is_there else (NotFound.status, {})
    return Response(b"", status_code=status, headers=headers, media_type="text/plain")


ERRORS: Final = SurfaceErrors((BASE,), answer_error, _answer_empty)
"""How errors are told here."""
