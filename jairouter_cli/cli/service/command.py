"""`jairouter service`: install, show and remove the gateway as a service."""

import getpass
import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.text import Text

from jairouter_cli.cli import options, output
from jairouter_cli.cli.language import _
from jairouter_cli.cli.service import units
from jairouter_cli.cli.service.managers import Manager, manager, own_command
from jairouter_cli.cli.service.units import ServiceFile
from jairouter_cli.cli.shared import ConfigOption, JsonOption
from jairouter_cli.config import files, keeping
from jairouter_cli.config.store import Loaded
from jairouter_cli.errors import ConfigUnwritable, UsageError

_STOPPED: Final = 1  # the exit code of `status`

app = typer.Typer(help="Run the gateway as a service of systemd or launchd.", no_args_is_help=True)

UserOption = Annotated[
    bool, typer.Option("--user", help="A service of this user, which needs no root, instead of one of the system.")
]


@app.command("install")
def install(
    ctx: typer.Context,
    *,
    user: UserOption = False,
    run_as: Annotated[
        str | None,
        typer.Option(
            help="User that a system service runs as; by default the owner of the configuration file.",
            show_default=False,
            metavar="NAME",
        ),
    ] = None,
    only_print: Annotated[bool, typer.Option("--print", help="Print the service file, and install nothing.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Install the gateway as a service, start it, and start it with the system.

    The service can write the folders of its configuration and its state, and nothing else. Variables that the
    configuration reads go into a file next to it: jairouter.env for jairouter.yaml, with lines NAME=VALUE.

    For example: sudo jairouter --config /etc/jairouter/jairouter.yaml service install
    """
    loaded = options.read(ctx, config)
    theirs = manager(is_of_user=user)
    unit = _unit(loaded, user=None if user else _account(loaded.file, run_as))
    text = theirs.text(unit)
    if unit.user:
        _warn_of_other_owners(unit, unit.user)
    data = {"file": str(theirs.file), "installed": not only_print, "content": text.decode()}
    if only_print:
        output.show(data, as_json=as_json, text=lambda: Text(text.decode().rstrip()))
        return
    theirs.state()  # where it does not run, nothing is written
    _put(theirs.file, text)
    theirs.start()
    said = _("installed and started {file}").format(file=theirs.file)
    output.show(data, as_json=as_json, text=lambda: said)
    if not as_json:
        output.say(_("log: `{command}`").format(command=_log_command(is_of_user=user)))
        if user:
            output.say(_("to keep it running after you log out: `loginctl enable-linger`"))


@app.command("status")
def status(*, user: UserOption = False, as_json: JsonOption = False) -> None:
    """Show whether the service is installed, enabled and running.

    Exit codes: 0 running, 1 not running.
    """
    theirs = manager(is_of_user=user)
    state = theirs.state()
    is_installed = theirs.file.exists()
    data = {
        "file": str(theirs.file) if is_installed else None,
        "state": state.word,
        "isEnabled": state.is_enabled,
        "isRunning": state.is_running,
    }
    output.show(data, as_json=as_json, text=lambda: _state(theirs, state.word, enabled=state.is_enabled))
    if not state.is_running:
        raise typer.Exit(_STOPPED)


@app.command("uninstall")
def uninstall(*, user: UserOption = False, as_json: JsonOption = False) -> None:
    """Stop the service and remove its file; configuration and state stay."""
    theirs = manager(is_of_user=user)
    if not theirs.file.exists():
        message = _("the service is not installed: there is no {file}").format(file=theirs.file)
        raise UsageError(message=message, hint=_("services of a user have --user"))
    _check_ours(theirs.file)
    theirs.stop()
    try:
        theirs.file.unlink()
    except OSError as error:
        raise ConfigUnwritable(file=str(theirs.file), reason=error.strerror) from None
    theirs.forget()
    said = _("stopped and removed {file}").format(file=theirs.file)
    output.show({"file": str(theirs.file), "removed": True}, as_json=as_json, text=lambda: said)


def _unit(loaded: Loaded, user: str | None) -> ServiceFile:
    server, store = loaded.config.server, loaded.config.store
    file = loaded.file.absolute()
    folders = {keeping.anchor(file).parent, keeping.folder(file, store.state_dir, os.environ)}
    usage, log = loaded.config.usage.file, loaded.config.logging.access.file
    folders |= {(file.parent / named).expanduser().parent for named in (usage, log) if named}
    wait_s = server.shutdown.timeout_s + server.shutdown.delay_s
    return ServiceFile(own_command(), file, sorted(map(Path.absolute, folders)), wait_s, server.port, user)


def _account(file: Path, named: str | None) -> str:
    """Return the user that a system service runs as. Raises `UsageError` for root."""
    if named:
        return named
    try:
        owner = file.owner()
    except (KeyError, OSError):
        owner = getpass.getuser()
    if owner == "root":
        folder = file.absolute().parent
        hint = _(
            "give it a user of its own:\n"
            "  useradd --system --no-create-home jairouter\n"
            "  chown -R jairouter {folder}\n"
            "or name one with --run-as, or use --user for a service of your own"
        ).format(folder=folder)
        raise UsageError(
            message=_("{file} belongs to root, and the gateway needs no root").format(file=file), hint=hint
        )
    return owner


def _warn_of_other_owners(unit: ServiceFile, user: str) -> None:
    """Warn where the service could not save edits, because a folder belongs to somebody else."""
    for folder in unit.writable:
        with suppress(KeyError, OSError):
            if folder.owner() != user:
                text = _("{folder} belongs to {owner}, so the service cannot save edits: `chown -R {user} {folder}`")
                output.warn(text.format(folder=folder, owner=folder.owner(), user=user))


def _put(file: Path, text: bytes) -> None:
    """Write the service file. Raises `UsageError` if another one is there, `ConfigUnwritable`."""
    if file.exists():
        _check_ours(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        files.replace(file, text)
        file.chmod(0o644)
    except OSError as error:
        raise ConfigUnwritable(file=str(file), reason=error.strerror) from None


def _check_ours(file: Path) -> None:
    """Raise `UsageError` for a service file that somebody else has written."""
    if units.MARK.encode() not in files.read(file):
        hint = _("remove it first, or see `jairouter service install --print`")
        raise UsageError(message=_("{file} was not written by this command").format(file=file), hint=hint)


def _state(theirs: Manager, word: str, *, enabled: bool) -> Text:
    starts = _("starts with the system") if enabled else _("does not start with the system")
    file = str(theirs.file) if theirs.file.exists() else _("not installed")
    return output.pairs([(_("service"), file), (_("state"), word), (_("start"), starts)])


def _log_command(*, is_of_user: bool) -> str:
    return "journalctl --user -u jairouter -f" if is_of_user else "journalctl -u jairouter -f"
