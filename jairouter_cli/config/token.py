"""Finds the admin token of the management API."""

from collections.abc import Mapping
from typing import Final

from jairouter_cli.config.model import Server

VARIABLE: Final = "JAIROUTER_ADMIN_TOKEN"


def admin_token(server: Server, environ: Mapping[str, str]) -> str | None:
    """Return the token that the environment or the configuration names, the environment first; "" is none."""
    named = server.admin_token.value if server.admin_token is not None else ""
    return environ.get(VARIABLE) or named or None
