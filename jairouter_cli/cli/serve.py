"""`jairouter serve`: starts the gateway and says, on one screen, where it is and what to try."""

import os
from contextlib import ExitStack
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Group, RenderableType
from rich.text import Text

from jairouter_cli.cli import options, output
from jairouter_cli.cli.client import base_url
from jairouter_cli.cli.language import _, marked
from jairouter_cli.cli.shared import ConfigOption, JsonOption
from jairouter_cli.config import paths
from jairouter_cli.config.model import Config, Server
from jairouter_cli.config.store import Loaded, Store
from jairouter_cli.config.token import admin_token
from jairouter_cli.errors import ConfigNotFound, UsageError

_SHOWN_INSTANCES: Final = 12  # of a service; the screen stays one screen


_KEYS: Final = {"host": "server.host", "port": "server.port", "workers": "server.workers", "as_json": "json"}


class Interface(StrEnum):
    """How Granian calls the application; the tests try both."""

    RSGI = "rsgi"
    ASGI = "asgi"


def serve(
    ctx: typer.Context,
    *,
    config: ConfigOption = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on (overrides server.host).", metavar="HOST")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            help="Port to listen on (overrides server.port); 0 picks a free one.", min=0, max=65535, metavar="PORT"
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(help="Number of worker processes (overrides server.workers).", min=1, max=1024, metavar="N"),
    ] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Serve mock models; needs no configuration file.")] = False,
    interface: Annotated[
        Interface | None, typer.Option(hidden=True, help="How the server calls the application.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Start the gateway.

    Try it without a configuration file: jairouter serve --demo
    """
    from jairouter_cli.cli.listening import place, warn_if_open  # noqa: PLC0415 - sockets are of no use to other commands

    with ExitStack() as stack:
        loaded = Store(_file(ctx, config, stack, demo=demo)).read()
        options.tell(loaded.file, loaded.notices)
        server = _overridden(loaded.config.server, host, port, workers)
        address, free = place(server.host, server.port)
        url = base_url(Server(host=address, port=free))
        warn_if_open(server.host, address)
        announce = partial(_announce, loaded, server, url, as_json=as_json, demo=demo)
        from jairouter_cli.serve.server import Listening, run  # noqa: PLC0415 - heavy: it brings Litestar and Granian along

        run(loaded, Listening(address, free, server.workers), announce, _options(ctx), interface)


def _file(ctx: typer.Context, config: Path | None, stack: ExitStack, *, demo: bool) -> Path:
    named = options.named(ctx, config)
    if demo:
        if named is not None:
            raise UsageError(message="--demo uses its own configuration", hint="leave out --demo or --config")
        from jairouter_cli.cli.demo import demo as run_demo  # noqa: PLC0415 - only the demo needs it

        return stack.enter_context(run_demo())
    try:
        return paths.find(named, os.environ, Path.cwd())
    except ConfigNotFound as error:
        error.hint = "run `jairouter init` to create one, or `jairouter serve --demo` to try the gateway without one"
        raise


def _overridden(server: Server, host: str | None, port: int | None, workers: int | None) -> Server:
    """Return the settings with what the command line says in place of the file's."""
    given = {"host": host, "port": port, "workers": workers}
    return msgspec.structs.replace(server, **{name: value for name, value in given.items() if value is not None})


def _options(ctx: typer.Context) -> dict[str, str]:
    """Return what the command line says, by the keys that it says it over, or by the options' own names."""
    sources = {name: ctx.get_parameter_source(name) for name in ctx.params}
    given = {name: ctx.params[name] for name, source in sources.items() if source and source.name == "COMMANDLINE"}
    return {_KEYS.get(name, name): str(value).lower() if value is True else str(value) for name, value in given.items()}


def _announce(loaded: Loaded, server: Server, url: str, *, as_json: bool, demo: bool) -> None:
    services = {
        kind.value: [instance.id for instance in service.instances]
        for kind, service in loaded.config.model.services.items()
    }
    data = {"url": url, "config": str(loaded.file), "pid": os.getpid(), "workers": server.workers, "services": services}
    data["management"] = _who_manages(loaded.config.server)
    if as_json:
        output.print_json(data)
    else:
        output.stderr().print(_screen(loaded, url, demo=demo))


def _screen(loaded: Loaded, url: str, *, demo: bool) -> RenderableType:
    lines: list[RenderableType] = [
        Text.assemble(("JAiRouter", "bold"), _(" listens on "), (f"{url}/v1", "bold green")),
        output.pairs(
            (
                (_("config"), loaded.file),
                (_("health"), f"{url}/actuator/health"),
                (_("API docs"), f"{url}/docs"),
                (_("manage"), f"{url}/api/config   ({_(_who_manages(loaded.config.server))})"),
            )
        ),
        "",
        *_services(loaded.config),
        "",
        Text(_("try:"), style="bold"),
        f"  {_example(loaded.config, url)}",
    ]
    if not demo:
        lines.append(_("  jairouter instances add URL   (in another terminal; no restart needed)"))
    return Group(*lines)


def _who_manages(server: Server) -> str:
    """Say who may use the management API."""
    if admin_token(server, os.environ) is not None:
        return marked("with the admin token")
    return (
        marked("open to everyone")
        if server.open_management
        else marked("from this machine only; set server.admin-token to allow others")
    )


def _services(config: Config) -> list[str]:
    if not any(service.instances for service in config.model.services.values()):
        return [_("  no instances yet: add one, and the gateway starts to serve it")]
    lines = []
    for kind, service in config.model.services.items():
        shown = service.instances[:_SHOWN_INSTANCES]
        lines += [f"  {kind.value:<9} {one.id}{'' if one.enabled else '  ' + _('(disabled)')}" for one in shown]
        if hidden := len(service.instances) - len(shown):
            lines.append(f"  {'':<9} " + _("and {number} more").format(number=hidden))
    return lines


def _example(config: Config, url: str) -> str:
    chat = next((s for kind, s in config.model.services.items() if kind == "chat" and s.instances), None)
    if chat is None:
        return f"curl {url}/v1/models"
    body = f'{{"model":"{chat.instances[0].name}","messages":[{{"role":"user","content":"Hello"}}]}}'
    return f"curl {url}/v1/chat/completions -H 'Content-Type: application/json' -d '{body}'"
