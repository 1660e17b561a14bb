"""What `/api/monitoring` says in place of an envelope: plain sentences."""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import MediaType, Response

from jairouter_cli.web.errors import AnyRequest


def said(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response[str]:
    """Return a sentence."""
    return Response(text, media_type=MediaType.TEXT, status_code=status, headers=dict(headers or {}))


def refused(text: str) -> Response[str]:
    """Return what is wrong with a request."""
    return said(text, 400)


async def members_of(request: AnyRequest) -> dict[str, Any]:
    """Return the members of the body; none if it is no JSON object."""
    body = await json_of(request)
    return body if isinstance(body, dict) else {}


async def json_of(request: AnyRequest) -> Any:
    """Return the body; None if it is no JSON."""
    try:
        return msgspec.json.decode(await request.body())
    except msgspec.DecodeError:
        return None


def texts_of(value: Any) -> dict[str, str] | None:
    """Return an object of single values as texts, as the Java version reads them; None for anything else."""
    if not isinstance(value, dict) or not all(isinstance(one, str | int | float) for one in value.values()):
        return None
    return {key: str(one).lower() if isinstance(one, bool) else str(one) for key, one in value.items()}
