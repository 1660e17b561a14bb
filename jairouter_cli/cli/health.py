"""`jairouter health`: asks a running gateway how it is; made for scripts."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from jairouter_cli.cli import options, output
from jairouter_cli.cli.options import ConfigOption, JsonOption
from jairouter_cli.config import paths
from jairouter_cli.config.model import Server
from jairouter_cli.config.store import Store
from jairouter_cli.errors import JAIRouterError, Unreachable, UsageError

NOT_UP = 1  # the exit code; 3 says that nobody answered, 2 that the command was misused

_COLOURS = {"UP": "green", "DOWN": "red", "OUT_OF_SERVICE": "red"}


def health(
    ctx: typer.Context,
    *,
    url: Annotated[
        str | None, typer.Option(help="The gateway's address; by default the one its configuration file names.")
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for an answer.", min=0.1)] = 5.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask a running gateway how it and its instances are.

    Exit codes: 0 UP, 1 not UP, 2 misused, 3 unreachable.
    """
    base = url.rstrip("/") if url else base_url(_server(ctx, config))
    node = fetch(base, timeout)
    output.show(node, as_json=as_json, text=lambda: _text(base, node))
    if node["status"] != "UP":
        raise typer.Exit(NOT_UP)


def base_url(server: Server) -> str:
    """Return the address at which a server with these settings is reached from its own machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(server.host, server.host)
    return f"http://[{host}]:{server.port}" if ":" in host and "[" not in host else f"http://{host}:{server.port}"


def _server(ctx: typer.Context, config: Path | None) -> Server:
    """Read the server's settings; without a usable file, unless one was named, the defaults hold."""
    explicit = options.named(ctx, config)
    try:
        return Store(paths.find(explicit, os.environ, Path.cwd())).read().config.server
    except JAIRouterError:
        if explicit is not None:
            raise
        return Server()


def fetch(base: str, timeout_s: float) -> dict[str, Any]:
    """Ask for the health. Raises `Unreachable`, `UsageError`."""
    import httpx  # noqa: PLC0415 - takes longer to import than most commands take to run

    try:
        with httpx.Client(timeout=timeout_s, trust_env=False) as client:
            answer = client.get(f"{base}/actuator/health")
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        raise UsageError(message=f"'{base}' is not an http:// or https:// address") from None
    except httpx.HTTPError as error:
        raise Unreachable(url=base, reason=str(error) or type(error).__name__) from None
    try:
        node = answer.json()
    except ValueError:
        node = None
    if not isinstance(node, dict) or not isinstance(node.get("status"), str):
        raise Unreachable(url=base, reason=f"something else does, with HTTP {answer.status_code}")
    return node


def _text(base: str, node: dict[str, Any]) -> RenderableType:
    components = node.get("components", {})
    parts: list[RenderableType] = [Text.assemble(f"{base} is ", _status(node["status"]))]
    if rows := list(_rows(components)):
        parts.append(output.table(("SERVICE", "MODEL", "BASE URL", "STATUS", "ERROR"), rows))
    else:
        parts.append("no instances; add one with `jairouter instances add SERVICE MODEL BASE_URL`")
    if error := components.get("config", {}).get("details", {}).get("error"):
        parts.append(Text.assemble(("the configuration file was not taken over: ", "yellow"), error))
    return Group(*parts)


def _rows(components: dict[str, Any]) -> list[tuple[object, ...]]:
    services = components.get("modelRouter", {}).get("details", {}).get("services", {})
    return [
        (name, instance["model"], instance["url"], _status(instance["status"]), instance.get("error", ""))
        for name, service in services.items()
        for instance in service["instances"]
    ]


def _status(status: str) -> Text:
    return Text(status, style=_COLOURS.get(status, "yellow"))
