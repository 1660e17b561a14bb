"""Errors as clients of `/v1` read them (contract 1.10, form A), and the place that catches what Litestar raises."""

import logging
import math
import re
from collections.abc import Mapping
from typing import Any, Final

from litestar import Request, Response
from litestar.exceptions import HTTPException

from jairouter_cli.config.management import Access
from jairouter_cli.config.model import Locale
from jairouter_cli.errors import (
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    RequestError,
    RouteNotFound,
)
from jairouter_cli.web.actuator.conventions import access, endpoint_of
from jairouter_cli.web.manage.envelope import envelope

# Where upstream answers in its envelope, errors too (contract 2.1).
ENVELOPED: Final = (
    "/api/config",
    "/api/models",
    "/api/services",
    "/api/instances",
    "/api/loadbalancer",
    "/api/token-usage",
)

logger: Final = logging.getLogger("jairouter")

_READ_OF_LANGUAGES: Final = 1024  # letters; browsers send fifty
_WEIGHT: Final = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")  # RFC 9110, 12.4.2

_SPOKEN: Final = {locale.value: locale for locale in Locale}

ErrorObject = dict[str, dict[str, object]]


def negotiate(accept_language: str | None, default: Locale) -> Locale:
    """Return the language that the client wants most of those we speak, else `default` (RFC 9110, 12.5.4)."""
    best, best_quality = default, 0.0
    for entry in (accept_language or "")[:_READ_OF_LANGUAGES].split(","):
        language, _, weight = entry.partition(";")
        spoken = _SPOKEN.get(language.partition("-")[0].strip().lower())
        if spoken is not None and (quality := _quality(weight)) > best_quality:
            best, best_quality = spoken, quality
    return best


def _quality(weight: str) -> float:
    """Return how much something is wanted; what is no weight makes it unwanted."""
    if not weight.strip():
        return 1.0
    name, _, value = (part.strip() for part in weight.partition("="))
    return float(value) if name.lower() == "q" and _WEIGHT.fullmatch(value) else 0.0


def error_object(error: RequestError, locale: Locale) -> ErrorObject:
    """Return the body of an error. `details.source` tells it from an error of a backend, which passes unchanged."""
    body: dict[str, object] = {"message": error.message(locale), "type": error.type, "code": error.type}
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


def answer_http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Response[object]:
    """Turn what Litestar raises (no such path, wrong method, bad parameter) into our form.

    Under `/actuator` an unknown path is 404 without a body, as in Spring Boot (contract 3.2).
    """
    if request.url.path.startswith("/actuator"):
        return _empty(request, error)
    return answer_request_error(request, _ours(request, error))


def _empty(request: Request[Any, Any, Any], error: HTTPException) -> Response[object]:
    """Answer without a body; what is not exposed is not there, whatever the method."""
    status, headers = error.status_code, dict(error.headers or {})
    if status == MethodNotAllowed.status:
        config = request.app.state.gateway.table.config
        is_there = access(config, endpoint_of(request.url.path)) is not Access.NONE
        status, headers = (status, {"allow": _allowed(error.headers)}) if is_there else (NotFound.status, {})
    return Response(b"", status_code=status, headers=headers, media_type="text/plain")


def answer_request_error(request: Request[Any, Any, Any], error: RequestError) -> Response[object]:
    """Answer a typed handler's request with an error."""
    default: Locale = request.app.state.gateway.table.config.server.locale
    locale = negotiate(request.headers.get("accept-language"), default)
    if request.url.path.startswith(ENVELOPED):
        return envelope(error.message(locale), None, error.status, error_headers(error))
    return Response(error_object(error, locale), status_code=error.status, headers=error_headers(error))


def answer_bug(request: Request[Any, Any, Any], error: Exception) -> Response[object]:
    """Answer what nobody foresaw: the log gets the traceback, the client gets none."""
    logger.error("bug while answering %s %s", request.method, request.url.path, exc_info=error)
    return answer_request_error(request, InternalError())


def _ours(request: Request[Any, Any, Any], error: HTTPException) -> RequestError:
    method, path = request.method, request.url.path
    not_found, not_allowed = 404, 405
    if error.status_code == not_found:
        return RouteNotFound(method=method, path=path)
    if error.status_code == not_allowed:
        return MethodNotAllowed(method=method, path=path, allowed=_allowed(error.headers))
    return InvalidRequest(problem=error.detail)


def _allowed(headers: Mapping[str, str] | None) -> str:
    named = (headers or {}).get("allow", "another method")
    return ", ".join(sorted(part.strip() for part in named.split(",")))  # Litestar's order changes from run to run
