"""The command `jairouter`: its subcommands, each loaded when it is called."""

import sys
from collections.abc import Callable
from typing import Annotated, Final

import typer

from jairouter_cli.cli.parameters import Group
from jairouter_cli.cli.shared import ConfigOption
from jairouter_cli.cli.stand_in import StandIn
from jairouter_cli.form import form

# The headings of `jairouter --help`, in the order in which their first commands stand below.
START: Final = "Start"
CONFIGURE: Final = "Configure"
WATCH: Final = "Watch"
TRY: Final = "Use and try out"
ABOUT: Final = "About the program"

app = typer.Typer(
    name="jairouter",
    cls=Group,
    help="An AI gateway for people who run their own models: one OpenAI-compatible port in front of all of them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 failed or not well, 2 wrong usage or configuration, 3 no gateway responded.",
)


@app.command("init", cls=StandIn, rich_help_panel=START)
def _init() -> Callable[..., None]:
    """Create a configuration file with comments: ./jairouter.yaml, or the one that --config names."""
    from jairouter_cli.cli.init import init

    return init


@app.command("discover", cls=StandIn, rich_help_panel=START)
def _discover() -> Callable[..., None]:
    """Find model servers, and say how to add their models."""
    from jairouter_cli.cli.discover.command import discover

    return discover


@app.command("serve", cls=StandIn, rich_help_panel=START)
def _serve() -> Callable[..., None]:
    """Start the gateway."""
    from jairouter_cli.cli.serve import serve

    return serve


@app.command("service", cls=StandIn, rich_help_panel=START)
def _service() -> typer.Typer:
    """Run the gateway as a service of systemd or launchd."""
    from jairouter_cli.cli.service.command import app as group

    return group


@app.command("services", cls=StandIn, rich_help_panel=CONFIGURE)
def _services() -> typer.Typer:
    """List, add, change and remove services."""
    from jairouter_cli.cli.services import app as group

    return group


@app.command("instances", cls=StandIn, rich_help_panel=CONFIGURE)
def _instances() -> typer.Typer:
    """List, add, change and remove instances."""
    from jairouter_cli.cli.instances import app as group

    return group


@app.command("limits", cls=StandIn, rich_help_panel=CONFIGURE)
def _limits() -> typer.Typer:
    """List, show, set and remove limits."""
    from jairouter_cli.cli.limits import app as group

    return group


@app.command("config", cls=StandIn, rich_help_panel=CONFIGURE)
def _config() -> typer.Typer:
    """Find, show, check and change the configuration."""
    from jairouter_cli.cli.config import app as group

    return group


@app.command("health", cls=StandIn, rich_help_panel=WATCH)
def _health() -> Callable[..., None]:
    """Show the health of a running gateway and its instances."""
    from jairouter_cli.cli.health import health

    return health


@app.command("top", cls=StandIn, rich_help_panel=WATCH)
def _top() -> Callable[..., None]:
    """Watch a running gateway: rates, requests in flight, times to first token, breakers and health of each instance."""  # noqa: E501 - its own
    from jairouter_cli.cli.top.command import top

    return top


@app.command("explain", cls=StandIn, rich_help_panel=WATCH)
def _explain() -> Callable[..., None]:
    """Show which instance a running gateway would choose now for a request, and why not the others."""
    from jairouter_cli.cli.explain import explain

    return explain


@app.command("usage", cls=StandIn, rich_help_panel=WATCH)
def _usage() -> Callable[..., None]:
    """Show how many tokens were used, and whether they were measured or estimated."""
    from jairouter_cli.cli.usage import usage

    return usage


@app.command("doctor", cls=StandIn, rich_help_panel=WATCH)
def _doctor() -> Callable[..., None]:
    """Find what is wrong with a set-up: the file, the machine, the port, the backends, and who can reach them."""
    from jairouter_cli.cli.doctor.command import doctor

    return doctor


@app.command("chat", cls=StandIn, rich_help_panel=TRY)
def _chat() -> Callable[..., None]:
    """Chat with a model through the running gateway."""
    from jairouter_cli.cli.chat.command import chat

    return chat


@app.command("connect", cls=StandIn, rich_help_panel=TRY)
def _connect() -> Callable[..., None]:
    """Set up another program to use the gateway: Claude Code, Codex, Copilot, Continue, opencode, Open WebUI, aider."""
    from jairouter_cli.cli.connect.command import connect

    return connect


@app.command("mock", cls=StandIn, rich_help_panel=TRY)
def _mock() -> Callable[..., None]:
    """Run a mock model server: chat, completions, embeddings, rerank, speech, transcription, images."""
    from jairouter_cli.cli.mock import mock

    return mock


@app.command("completion", cls=StandIn, rich_help_panel=ABOUT)
def _completion() -> Callable[..., None]:
    """Print the completion script of a shell."""
    from jairouter_cli.cli.completion.command import completion

    return completion


@app.command("version", cls=StandIn, rich_help_panel=ABOUT)
def _version_command() -> Callable[..., None]:
    """Print the version, as --version does."""
    from jairouter_cli.cli.about import version

    return version


@app.command("help", cls=StandIn, rich_help_panel=ABOUT)
def _help() -> Callable[..., None]:
    """Show how a command is used, as COMMAND --help does."""
    from jairouter_cli.cli.about import show_help

    return show_help


def _version(*, wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        sys.stdout.write(f"jairouter {metadata.version('jairouter')} ({form()})\n")
        raise typer.Exit


@app.callback()
def options(
    config: ConfigOption = None,
    version: Annotated[  # noqa: FBT002 - typer's way of a flag
        bool,
        typer.Option(
            "--version",
            help="Print the version and exit.",
            callback=lambda value: _version(wanted=value),
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Take the options that stand before the subcommand."""
