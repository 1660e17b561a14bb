"""Errors as clients of `/v1` read them, and what catches everything that handlers raise.

A surface that tells errors in another form says so by a row: `app` hands the rows in.
"""

import logging
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from litestar import Request, Response
from litestar.exceptions import HTTPException

from jairouter_cli.config.model import Locale
from jairouter_cli.request_errors import (
    BaseUrlWrong,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    RequestError,
    RouteMisspelled,
    RouteNotFound,
)
from jairouter_cli.web.language import negotiate
from jairouter_cli.web.nearest_path import nearest_path

logger: Final = logging.getLogger("jairouter")

AnyRequest = Request[Any, Any, Any]
ErrorObject = dict[str, dict[str, object]]


class SurfaceErrors(NamedTuple):
    """How the paths that begin with one of these tell errors, where not as `/v1` does.

    `told` answers with an error; `raised` with what Litestar raises (no such path, a wrong method, a bad parameter), or
    is None where that becomes an error like any other.
    """

    prefixes: tuple[str, ...]
    told: Callable[[AnyRequest, RequestError], Response[Any]]
    raised: Callable[[AnyRequest, HTTPException], Response[Any]] | None = None


def error_object(error: RequestError, locale: Locale) -> ErrorObject:
    """Return the body of an error. `details.source` tells it from an error of a backend, which passes unchanged."""
    body: dict[str, object] = {"message": error.message(locale), "type": error.type, "code": error.code or error.type}
    if error.param is not None:
        body["param"] = error.param
    body["details"] = {"source": "gateway", "reason": error.reason, **error.details}
    return {"error": body}


def error_headers(error: RequestError) -> dict[str, str]:
    """Return the headers that an error carries beside its body's."""
    headers = dict(error.headers)
    if error.retry_after_s is not None:
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after_s)))
    if isinstance(error, MethodNotAllowed):
        headers["allow"] = str(error.params["allowed"])
    return headers


def locale_of(request: AnyRequest) -> Locale:
    """Return the language in which a request's client reads errors."""
    default: Locale = request.app.state.gateway.table.config.server.locale
    return negotiate(request.headers.get("accept-language"), default)


def answer_error(request: AnyRequest, error: RequestError) -> Response[Any]:
    """Answer with an error as clients of `/v1` read it."""
    return Response(error_object(error, locale_of(request)), status_code=error.status, headers=error_headers(error))


def exception_handlers(forms: Sequence[SurfaceErrors], paths: Collection[str]) -> Mapping[Any, Any]:
    """Return Litestar's table of handlers, for an application with surfaces of these forms.

    `paths` are those that may be proposed to a client that has missed one.
    """

    def form_of(request: AnyRequest) -> SurfaceErrors:
        path = request.url.path
        return next((form for form in forms if path.startswith(form.prefixes)), _V1)

    def told(request: AnyRequest, error: RequestError) -> Response[Any]:
        return form_of(request).told(request, error)

    def raised(request: AnyRequest, error: HTTPException) -> Response[Any]:
        form = form_of(request)
        return form.told(request, _ours(request, error, paths)) if form.raised is None else form.raised(request, error)

    def bug(request: AnyRequest, error: Exception) -> Response[Any]:
        logger.error("bug while answering %s %s", request.method, request.url.path, exc_info=error)
        return told(request, InternalError())

    return {RequestError: told, HTTPException: raised, Exception: bug}


def allowed_methods(headers: Mapping[str, str] | None) -> str:
    """Return what Litestar says of the methods that are allowed, in an order that does not change from run to run."""
    named = (headers or {}).get("allow", "another method")
    return ", ".join(sorted(part.strip() for part in named.split(",")))


def _ours(request: AnyRequest, error: HTTPException, paths: Collection[str]) -> RequestError:
    method, path = request.method, request.url.path
    not_found, not_allowed = 404, 405
    if error.status_code == not_found:
        near = nearest_path(path, paths)
        if near is None:
            return RouteNotFound(method=method, path=path)
        kind = BaseUrlWrong if near.startswith("/v1") else RouteMisspelled
        return kind(method=method, path=path, nearest=near)
    if error.status_code == not_allowed:
        return MethodNotAllowed(method=method, path=path, allowed=allowed_methods(error.headers))
    return InvalidRequest(problem=error.detail)


_V1: Final = SurfaceErrors((), answer_error)
