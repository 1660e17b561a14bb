"""`jairouter discover`: which model servers answer on this machine, or at the addresses that are named."""

import os
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from jairouter_cli.cli import options, output
from jairouter_cli.cli.client import finite
from jairouter_cli.cli.discover import finding
from jairouter_cli.cli.discover.adding import address
from jairouter_cli.cli.language import _
from jairouter_cli.cli.shared import ConfigOption, JsonOption
from jairouter_cli.config.addresses import backend_of
from jairouter_cli.config.model import Config
from jairouter_cli.discovery.difference import difference
from jairouter_cli.discovery.kinds import BackendKind, FoundBackend
from jairouter_cli.discovery.probe import TIMEOUT_S
from jairouter_cli.errors import ConfigNotFound, JAIRouterError

# Where model servers listen unless they are told otherwise.
_PORTS: Final[Sequence[int]] = (
    11434,  # Ollama
    8000,  # vLLM
    8080,  # llama.cpp, LocalAI, llama-swap
    1234,  # LM Studio
    9997,  # Xinference
    30000,  # SGLang
    80,  # GPUStack
    3000,  # TGI
    8081,
)
_OLLAMA_PORT: Final = 11434
_HERE: Final = frozenset({"0.0.0.0", "::", ""})


def discover(
    ctx: typer.Context,
    urls: Annotated[
        list[str] | None,
        typer.Argument(
            help="Addresses to look at; by default the usual ports of this machine, and OLLAMA_HOST.",
            show_default=False,
            metavar="URL...",
        ),
    ] = None,
    *,
    timeout: Annotated[
        float,
        typer.Option(help="Seconds to wait for each response.", min=0.1, max=60, callback=finite, metavar="SECONDS"),
    ] = TIMEOUT_S,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find model servers, and say how to add their models.

    Only GET requests are sent, which change and cost nothing.

    For example: jairouter discover http://10.0.0.7:8000
    """
    try:
        loaded = options.read(ctx, config).config
    except ConfigNotFound:
        if options.named(ctx, config) is not None:
            raise
        loaded = Config()
    addresses = [address(url) for url in urls] if urls else usual(os.environ)
    with output.waiting(_("looking for model servers...")):
        outcomes = dict(zip(addresses, finding.find(loaded, addresses, timeout_s=timeout), strict=True))
    found = {
        base: one
        for base, one in outcomes.items()
        if isinstance(one, FoundBackend) and (urls or one.kind is not BackendKind.JAIROUTER)
    }
    failed = {base: one for base, one in outcomes.items() if isinstance(one, JAIRouterError) and urls}
    data = [_view(loaded, base, one) for base, one in found.items()]
    output.show(data, as_json=as_json, text=lambda: _table(loaded, found))
    for error in failed.values():
        output.fail(error)
    if failed:
        raise typer.Exit(1)


def usual(environ: Mapping[str, str]) -> list[str]:
    """Return the addresses at which model servers usually listen on this machine, and that of `OLLAMA_HOST`."""
    here = [f"http://127.0.0.1:{port}" for port in _PORTS]
    named = _of_ollama(environ.get("OLLAMA_HOST", "").strip())
    return list(dict.fromkeys([*here, *([named] if named else [])]))


def _of_ollama(host: str) -> str | None:
    """Return the address that `OLLAMA_HOST` means, as Ollama reads it: scheme and port may be missing."""
    if not host:
        return None
    try:
        parts = urlsplit(host if "://" in host else f"http://{host}")
        name, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if port is None and "://" not in host:
        port = _OLLAMA_PORT
    name = "127.0.0.1" if name in _HERE else name
    place = f"[{name}]" if ":" in name else name
    return backend_of(f"{parts.scheme}://{place}{'' if port is None else f':{port}'}{parts.path}")


def _view(config: Config, base: str, backend: FoundBackend) -> dict[str, Any]:
    found = difference(config, base, backend.models)
    return {**finding.backend_view(base, backend), "models": finding.model_views(backend, found)}


def _table(config: Config, found: Mapping[str, FoundBackend]) -> RenderableType:
    if not found:
        return _("no model server found; name its address: `jairouter discover http://HOST:PORT`")
    rows, new = [], ""
    for base, backend in found.items():
        changes = difference(config, base, backend.models)
        new = new or (base if changes.new else "")
        rows.append((base, backend.kind, backend.version or "-", len(backend.models), len(changes.present)))
    columns = (_("BASE URL"), _("KIND"), _("VERSION"), _("MODELS"), _("CONFIGURED"))
    parts: list[RenderableType] = [output.table(columns, rows)]
    if new:
        parts.append(Text(_("add the models of one with `jairouter instances add {url}`").format(url=new)))
    return Group(*parts)
