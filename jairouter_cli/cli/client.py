"""A client for a running gateway: finds its address and sends requests to it."""

import ipaddress
import math
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from jairouter_cli.cli import options, output
from jairouter_cli.cli.language import _, marked
from jairouter_cli.config import paths
from jairouter_cli.config.model import Server
from jairouter_cli.config.store import Applied, Store
from jairouter_cli.config.token import admin_token
from jairouter_cli.errors import Answered, JAIRouterError, NotAGateway, NotTakenOver, Unreachable, UsageError

_PATIENCE_S: Final = 10.0  # an edit is in force within a second
_PATIENCE: Final = "JAIROUTER_WAIT_TIMEOUT"
_ASKING_S: Final = 0.5  # a worker that hangs must not use up the patience: the next question may reach another
_SILENT: Final = marked("no worker has responded")
_ERRNO: Final = re.compile(r"^\[Errno -?\d+\] ")
_PAUSE_S: Final = 0.05
_IPV4: Final = 4


def finite(value: float) -> float:
    """Return a number that is finite: nan passes Click's check of a range. Raises `UsageError`."""
    if not math.isfinite(value):
        raise UsageError(message="expected a number of seconds, found nan")
    return value


UrlOption = Annotated[
    str | None,
    typer.Option(help="Address of the gateway; by default, host and port in the configuration file.", metavar="URL"),
]
TimeoutOption = Annotated[
    float,
    typer.Option(help="Seconds to wait for a response.", min=0.1, max=3600, callback=finite, metavar="SECONDS"),
]


def token(ctx: typer.Context, config: Path | None, url: str | None) -> str | None:
    """Return the admin token; the one in the configuration file is not sent to another gateway (`--url`)."""
    return admin_token(Server() if url else _server(ctx, config), os.environ)


def base(ctx: typer.Context, config: Path | None, url: str | None) -> str:
    """Return the gateway's address: the one named, also as clients have it, or that of the configuration file."""
    return url.rstrip("/").removesuffix("/v1") if url else base_url(_server(ctx, config))


def base_url(server: Server) -> str:
    """Return the address at which a server with these settings is reached from its own machine."""
    host = _reachable(server.host.strip().strip("[]"))
    return f"http://[{host}]:{server.port}" if ":" in host else f"http://{host}:{server.port}"


def _reachable(host: str) -> str:
    """Return the loopback address in place of one that stands for all; `0` is short for 0.0.0.0."""
    try:
        address = ipaddress.ip_address(int(host) if host == "0" else host)
    except ValueError:  # a name
        return host
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if not address.is_unspecified:
        return host
    return "127.0.0.1" if address.version == _IPV4 else "::1"


def _server(ctx: typer.Context, config: Path | None) -> Server:
    """Read the server's settings; without a usable file, unless one was named, the defaults hold."""
    explicit = options.named(ctx, config)
    try:
        return Store(paths.find(explicit, os.environ, Path.cwd())).read().config.server
    except JAIRouterError:
        if explicit is not None:
            raise
        return Server()


def await_config(applied: Applied, server: Server) -> None:
    """Wait until every worker of the gateway that runs with these settings uses a configuration.

    For ten seconds, or as many as `JAIROUTER_WAIT_TIMEOUT` says. Raises `Unreachable`, `NotTakenOver`, `UsageError`.
    """
    patience_s = _patience_s(os.environ)
    with output.waiting(_("waiting for the gateway to reload...")):
        _await(applied, server, patience_s)


def _await(applied: Applied, server: Server, patience_s: float) -> None:
    end = time.monotonic() + patience_s
    behind: list[int] = []
    while True:
        try:
            behind = _behind(applied, server)
        except Unreachable as error:
            if not error.params.get("hangs"):
                raise
        else:
            if not behind:
                return
        if time.monotonic() > end:
            raise NotTakenOver(waited_s=patience_s, workers=", ".join(map(str, behind)) or _(_SILENT))
        time.sleep(_PAUSE_S)


def _behind(applied: Applied, server: Server) -> list[int]:
    """Ask which workers do not use a configuration, or a newer one. Raises `Unreachable`, `Answered`."""
    token = admin_token(server, os.environ)
    found = get(base_url(server), "/api/config/store/status", _ASKING_S, token=token)["data"]
    return [worker["pid"] for worker in found["workers"] if worker["writtenAt"] < applied.written_at]


def _patience_s(environ: Mapping[str, str]) -> float:
    """Return how long to wait for the workers. Raises `UsageError`."""
    text = environ.get(_PATIENCE)
    try:
        return _PATIENCE_S if text is None else finite(float(text))
    except (ValueError, UsageError):
        message = _("{name}: expected a number of seconds, found '{found}'").format(name=_PATIENCE, found=text)
        raise UsageError(message=message) from None


def warn_of_another_file(
    ctx: typer.Context, config: Path | None, base: str, told: Mapping[str, Any] | None = None
) -> None:
    """Warn if the gateway at the address of one configuration file uses another."""
    if text := another_file(ctx, config, base, told):
        output.warn(text)


def another_file(ctx: typer.Context, config: Path | None, base: str, told: Mapping[str, Any] | None = None) -> str:
    """Return what to say if the gateway at the address of one configuration file uses another; nothing if it does not.

    `told` is what it says of its configuration in its health; it is asked if that is not known yet.
    """
    try:
        own = options.store(ctx, config).file.resolve()
        if told is None:
            told = get(base, "/actuator/health/config", _ASKING_S).get("details", {})
    except JAIRouterError:  # no file to compare with, or a gateway that shows less
        return ""
    used = told.get("file")
    if not used or Path(used) == own:
        return ""
    return _("the gateway at {url} uses another configuration, {used}, not {own}").format(url=base, used=used, own=own)


def get(
    base: str,
    path: str,
    timeout_s: float,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    token: str | None = None,
) -> dict[str, Any]:
    """Send a GET request; return the JSON object of the response, whatever its status, unless it is an error.

    Raises `Unreachable`, `NotAGateway`, `Answered`, `UsageError`.
    """
    import httpx  # noqa: PLC0415 - takes longer to import than most commands take to run

    try:
        with httpx.Client(timeout=timeout_s, trust_env=False) as client:
            sent = {"accept-language": "en", **(headers or {})}
            if token is not None:
                sent["x-admin-token"] = token
            answer = client.get(f"{base}{path}", params=query, headers=sent)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        message = _("'{url}' is not an http:// or https:// address").format(url=base)
        hint = _("did you mean {names}?").format(names=f"http://{base}") if "://" not in base else None
        raise UsageError(message=message, hint=hint) from None
    except httpx.HTTPError as error:
        hangs = isinstance(error, httpx.TimeoutException)
        reason = _ERRNO.sub("", str(error)) or type(error).__name__
        raise Unreachable(url=base, reason=reason, hangs=hangs) from None
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise NotAGateway(url=base, reason=_("HTTP {status}, not JSON").format(status=answer.status_code))
    refusal = found.get("error")
    if isinstance(refusal, dict):
        raise Answered(url=base, status=answer.status_code, reason=str(refusal.get("message")))
    if found.get("success") is False:
        raise Answered(url=base, status=answer.status_code, reason=str(found.get("message")))
    return found
