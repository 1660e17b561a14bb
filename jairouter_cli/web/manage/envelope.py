"""The envelope of the management API, and what is refused in it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from litestar import Response

from jairouter_cli.config.model import ServiceType
from jairouter_cli.config.spelling import service_type
from jairouter_cli.request_errors import RequestError
from jairouter_cli.web.errors import AnyRequest, SurfaceErrors, error_headers, locale_of

WRONG: Final = "参数验证失败: "  # how the Java version begins to say what is wrong with a request


class Refused(Exception):
    """A request that is answered with an error; `message` is the Java version's own where it has one."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def envelope(
    message: str, data: Any = None, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response[Any]:
    """Return an answer: its members in the Java version's order, none of them null."""
    body: dict[str, Any] = {"success": status < 400, "message": message}  # noqa: PLR2004
    if data is not None:
        body["data"] = data
    body["timestamp"] = datetime.now().isoformat()  # noqa: DTZ005 - the Java version's: local, without a zone
    return Response(body, status_code=status, headers=dict(headers or {}))


def answer_refusal(_: AnyRequest, error: Refused) -> Response[Any]:
    """Answer what a handler refused."""
    return envelope(error.message, status=error.status)


def answer_error(request: AnyRequest, error: RequestError) -> Response[Any]:
    """Answer with an error in the envelope."""
    return envelope(error.message(locale_of(request)), None, error.status, error_headers(error))


ENVELOPED: Final = SurfaceErrors(
    (
        "/api/config",
        "/api/models",
        "/api/services",
        "/api/instances",
        "/api/loadbalancer",
        "/api/token-usage",
    ),
    answer_error,
)
"""Where the Java version answers in its envelope, errors too."""


def known_service(text: str) -> ServiceType:
    """Return the service that a path names, in any spelling. Raises `Refused`."""
    found = service_type(text)
    if found is None:
        raise Refused(400, f"{WRONG}无效的服务类型: {text}")
    return found


async def json_object(request: AnyRequest) -> dict[str, Any]:
    """Return the body, a JSON object. Raises `Refused`."""
    try:
        body = msgspec.json.decode(await request.body())
    except msgspec.DecodeError as error:
        raise Refused(400, f"{WRONG}请求体不是有效的 JSON: {error}") from None
    if not isinstance(body, dict):
        raise Refused(400, f"{WRONG}请求体必须是 JSON 对象")
    return body
