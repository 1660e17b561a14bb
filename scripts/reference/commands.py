"""`docs/cli.md`: every command with its arguments and options, from the commands themselves."""

import re
from collections.abc import Iterator
from typing import Any, Final

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from jairouter_cli.cli.commands import app
from jairouter_cli.cli.stand_in import StandIn
from scripts.reference.markdown import code, made_by, slug, table

INTRO: Final = """\
# Command line reference

Every command of `jairouter`, with its arguments and options. `jairouter COMMAND --help` shows the same in the terminal.

- Results go to standard output, messages and warnings to standard error. With `--json`, the result is
  [a JSON document](json.md).
- Commands that edit take `--expect REVISION` (edit only if nobody else has) and `--wait` (until the running gateway
  uses the edit). Every edit is a [revision](management.md#revisions) that can be rolled back.
- `NO_COLOR` turns colours off. `LANG`, `LC_ALL` and `LANGUAGE` choose the language of messages: English or Chinese.
"""
EXIT_CODES: Final = """\
## Exit codes

| code | meaning |
| --- | --- |
| 0 | done |
| 1 | the operation failed, or what was asked about is not well (`jairouter health`, `jairouter doctor`) |
| 2 | usage or configuration error: an unknown option, an invalid file, an edit that does not fit the file |
| 3 | the gateway could not be reached |
| 130 | interrupted with Ctrl-C |

[Errors](errors.md#errors-of-the-command-line) lists the code of each error.
"""
_HELP: Final = {"help", "install_completion", "show_completion"}


def page() -> str:
    """Return the page."""
    found = dict(_commands(typer.main.get_command(app), ("jairouter",)))
    rows = [
        (f"[`{' '.join(path)}`](#{slug(' '.join(path))})", _summary(command))
        for path, command in found.items()
        if not isinstance(command, TyperGroup)
    ]
    sections = [_section(path, command) for path, command in found.items() if not _is_plain_group(path, command)]
    return "\n".join([made_by(INTRO), table(("command", "what it does"), rows), EXIT_CODES, *sections])


def _is_plain_group(path: tuple[str, ...], command: TyperCommand | TyperGroup) -> bool:
    return isinstance(command, TyperGroup) and len(path) > 1


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], TyperCommand | TyperGroup]]:
    if isinstance(command, StandIn):
        command = command.loaded()
    if command.hidden:
        return
    yield path, command
    if isinstance(command, TyperGroup):
        for name, inner in command.commands.items():
            yield from _commands(inner, (*path, name))


def _summary(command: TyperCommand | TyperGroup) -> str:
    return _paragraphs(command)[0]


def _paragraphs(command: TyperCommand | TyperGroup) -> list[str]:
    return [" ".join(part.split()) for part in (command.help or "").split("\n\n")]


def _section(path: tuple[str, ...], command: TyperCommand | TyperGroup) -> str:
    name = " ".join(path)
    context = typer.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    parts = [f"## {name}\n", code(re.sub(r"[{}]", "", usage))]
    for text in _paragraphs(command):
        example = re.fullmatch(r"(.*): (jairouter .*)", text)
        parts += [f"{example[1]}:\n", code(example[2], "sh")] if example else [f"{text}\n"]
    for kind, noun in ((TyperArgument, "argument"), (TyperOption, "option")):
        shown = [one for one in command.params if isinstance(one, kind) and not one.hidden and one.name not in _HELP]
        rows = [_row(one, context) for one in shown]
        if rows:
            parts.append(table((noun, "meaning"), rows))
    return "\n".join(parts)


def _row(parameter: Any, context: typer.Context) -> tuple[str, str]:
    name, text = parameter.get_help_record(context)
    if isinstance(parameter, TyperArgument):
        name = name.strip("[]").partition(" ")[0]
    choices = re.search(r"<(.*)>", name)
    text, _, extra = text.partition("  [")
    notes = [_note(one) for one in extra.rstrip("]").split("; ") if one and one != "required"]
    parts = [
        text,
        f"One of {_list(choices[1].split('|'))}." if choices else "",
        f"({', '.join(notes)})" if notes else "",
    ]
    return f"`{name.replace(choices[0], 'CHOICE') if choices else name}`", " ".join(filter(None, parts))


def _list(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _note(text: str) -> str:
    """Return a note of Typer's, like `[x>=1]`, in words."""
    text = re.sub(r"^(\S+)<=x<=(\S+)$", r"\1 to \2", text)
    text = re.sub(r"^x>=(\S+)$", r"at least \1", text)
    return re.sub(r"^default: (.*?)(\.0)?$", r"default: `\1`", text)
