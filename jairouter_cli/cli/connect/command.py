"""`jairouter connect`: shows what it would write, writes it when told, and undoes it."""

import difflib
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import RenderableType
from rich.text import Text

from jairouter_cli.cli import candidates, models, output
from jairouter_cli.cli import client as gateways
from jairouter_cli.cli.client import UrlOption
from jairouter_cli.cli.connect import records
from jairouter_cli.cli.connect.clients import CLIENTS, Client, ClientName, GatewayAddress, shown_settings
from jairouter_cli.cli.language import _
from jairouter_cli.cli.shared import ConfigOption, JsonOption
from jairouter_cli.config.kinds import MASK
from jairouter_cli.errors import ConfigUnreadable, UsageError

_ASKING_S: Final = 5.0
_HEAD: Final = 2  # lines that name the file


def connect(  # noqa: PLR0913 - one option a field
    ctx: typer.Context,
    client: Annotated[
        ClientName | None,
        typer.Argument(help=f"Program: {', '.join(ClientName)}.", show_default=False, metavar="CLIENT"),
    ] = None,
    *,
    model: Annotated[
        str | None,
        typer.Option(
            help="Model to use; by default the only chat model.",
            autocompletion=candidates.models,
            show_default=False,
            metavar="MODEL",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write without asking.")] = False,
    only_print: Annotated[bool, typer.Option("--print", help="Show what would be written, and write nothing.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Put the program's file back as it was.")] = False,
    url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set up another program to use the gateway: Claude Code, Codex, Copilot, Continue, opencode, Open WebUI, aider.

    The change is shown first, and written after a question or with --yes. --undo restores the file byte for byte.
    Without CLIENT, the programs are listed. A key in JAIROUTER_API_KEY is used if it is set.

    For example: jairouter connect claude-code --model qwen2.5-coder:32b
    """
    if client is None:
        _list(as_json=as_json)
        return
    one = CLIENTS[client]
    if undo:
        _undo(one, as_json=as_json)
        return
    base = gateways.base(ctx, config, url)
    known = models.chat_models(base, _ASKING_S)
    if not url:
        gateways.warn_of_another_file(ctx, config, base)
    gateway = GatewayAddress(base, models.chosen(model, known, may_take_first=False), known, models.api_key())
    if one.edited is None or one.file is None:
        _tell(one, gateway, as_json=as_json)
    else:
        _write(one, one.file(os.environ), gateway, yes=yes and not only_print, ask=not only_print, as_json=as_json)


def _tell(one: Client, gateway: GatewayAddress, *, as_json: bool) -> None:
    """Show the variables of a program that has no file."""
    settings = one.variables(gateway) if one.variables else {}
    shown = {name: MASK if value == gateway.key else value for name, value in settings.items()}
    data = {"client": one.name, "file": None, "written": False, "variables": shown, "start": one.start}
    output.show(data, as_json=as_json, text=lambda: shown_settings(shown).rstrip())
    if not as_json:
        output.say(_("{title} reads these variables: set them where you start it").format(title=one.title))


def _write(one: Client, file: Path, gateway: GatewayAddress, *, yes: bool, ask: bool, as_json: bool) -> None:
    """Show what changes in a program's file, and write it if that is wanted."""
    before = _text(file)
    after = one.edited(before, file, gateway) if one.edited else before
    change = _difference(file, before, after, gateway.key)
    if not as_json:
        output.stdout().print(_coloured(change) if change else _("nothing to change in {file}").format(file=file))
    is_wanted = bool(change) and (yes or (ask and not as_json and _is_wanted(file)))
    if is_wanted:
        records.write(one.name, file, after.encode())
    data = {
        "client": one.name,
        "file": str(file),
        "written": is_wanted,
        "change": change,
        "start": one.start,
    }
    if as_json:
        output.print_json(data)
    elif is_wanted:
        output.say(_("written; start it with `{command}`").format(command=one.start))
        output.say(_("to undo: `jairouter connect {name} --undo`").format(name=one.name))
        if gateway.key and gateway.key in after:
            output.warn(_("{file} now holds the API key").format(file=file))
    elif change:
        output.say(_("nothing was written; use --yes to write it"))


def _is_wanted(file: Path) -> bool:
    """Ask, where somebody can answer."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    return typer.confirm(_("Write {file}?").format(file=file), err=True)


def _text(file: Path) -> str:
    try:
        return (records.content(file) or b"").decode()
    except OSError as error:
        raise ConfigUnreadable(file=str(file), reason=error.strerror) from None
    except UnicodeDecodeError:
        raise UsageError(message=_("{file} is not UTF-8 text").format(file=file)) from None


def _difference(file: Path, before: str, after: str, key: str | None) -> str:
    """Return a unified diff, without the key."""
    old, new = (text.splitlines(keepends=True) for text in (before, after))
    lines = difflib.unified_diff(old, new, str(file) if before else os.devnull, str(file), n=2)
    text = "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
    return text.replace(key, MASK) if key else text


def _coloured(change: str) -> Text:
    styles = {"+": "green", "-": "red", "@": "cyan"}
    lines = change.splitlines()
    return Text("\n").join(
        Text(line, style="bold" if number < _HEAD else styles.get(line[:1], "")) for number, line in enumerate(lines)
    )


def _undo(one: Client, *, as_json: bool) -> None:
    file = records.undo(one.name)
    data = {"client": one.name, "file": str(file), "restored": True}
    text = _("{file} is as it was before")
    output.show(data, as_json=as_json, text=lambda: text.format(file=file))


def _list(*, as_json: bool) -> None:
    data = [
        {
            "client": one.name,
            "title": one.title,
            "file": str(one.file(os.environ)) if one.file else None,
            "isConnected": records.record_of(one.name) is not None,
        }
        for one in CLIENTS.values()
    ]
    output.show(data, as_json=as_json, text=lambda: _table(data))


def _table(data: list[dict[str, Any]]) -> RenderableType:
    rows = [
        (
            one["client"],
            one["title"],
            _("connected") if one["isConnected"] else "-",
            one["file"] or _("(environment variables)"),
        )
        for one in data
    ]
    return output.table(("CLIENT", "PROGRAM", "STATE", "FILE"), rows)
