"""The models of a running gateway: which there are, and which one a command means."""

import difflib
import os
from collections.abc import Mapping, Sequence
from typing import Final

from jairouter_cli.cli import client
from jairouter_cli.cli.language import _
from jairouter_cli.errors import NotAGateway, UsageError

KEY_VARIABLE: Final = "JAIROUTER_API_KEY"
"""The environment variable whose value is sent as bearer token to `/v1`."""

_CHAT: Final = "chat"
_SHOWN: Final = 10  # names that an error lists


def api_key() -> str | None:
    """Return the key with which this user's requests go to the gateway, or None."""
    return os.environ.get(KEY_VARIABLE) or None


def bearer(key: str | None) -> dict[str, str]:
    """Return the headers that send a key."""
    return {"authorization": f"Bearer {key}"} if key else {}


def chat_models(base: str, timeout_s: float) -> tuple[str, ...]:
    """Return the chat models that a gateway has. Raises `Unreachable`, `NotAGateway`, `Answered`."""
    found = client.get(base, "/v1/models", timeout_s, headers=bearer(api_key())).get("data")
    if not isinstance(found, list):
        raise NotAGateway(url=base, reason="no models in its response")
    entries = [one for one in found if isinstance(one, Mapping) and isinstance(one.get("id"), str)]
    return tuple(str(one["id"]) for one in entries if _CHAT in one.get("services", (_CHAT,)))


def chosen(wanted: str | None, models: Sequence[str], *, may_take_first: bool) -> str:
    """Return the model that is meant: the one named, or the only one. Raises `UsageError`."""
    if not models:
        hint = _("add those of a backend with `jairouter instances add URL`")
        raise UsageError(message=_("the gateway has no chat models"), hint=hint)
    listed = ", ".join(models[:_SHOWN]) + (", ..." if len(models) > _SHOWN else "")
    if wanted is None:
        if len(models) > 1 and not may_take_first:
            raise UsageError(message=_("name a model: {names}").format(names=listed))
        return models[0]
    if wanted not in models:
        close = difflib.get_close_matches(wanted, models, 1)
        message = _("the gateway has no chat model '{name}'").format(name=wanted)
        hint = _("did you mean {names}?") if close else _("the chat models are {names}")
        raise UsageError(message=message, hint=hint.format(names=close[0] if close else listed))
    return wanted
