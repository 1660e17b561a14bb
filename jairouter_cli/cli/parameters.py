"""Commands, options and arguments as ours are: quick to load, helped in the reader's language, with errors of one form.

Typer converts every value with Pydantic, even one that was not given, and to load that takes longer than most commands:
here a value is taken as it is where it needs no conversion.
"""

import os
import re
from collections.abc import Callable
from enum import Enum
from inspect import cleandoc
from pathlib import Path
from typing import Any, Final

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from jairouter_cli.cli.help import HelpContext, grouped, summary
from jairouter_cli.cli.language import paragraphs
from jairouter_cli.cli.misuse import misuse, no_such_command, shown_name, wrong_choice, wrong_number

_UNKNOWN: Final = object()
_MISUSED: Final = 2
_SHORT: Final = {"ls": "list", "rm": "remove"}
_NUMBER: Final = re.compile("[0-9]{1,9}")


def spare_conversion(command: TyperCommand | TyperGroup) -> None:
    """Have a command, and those inside a group, convert no value that is already what is wanted."""
    command.__class__ = Group if isinstance(command, TyperGroup) else _Command
    for inner in command.commands.values() if isinstance(command, TyperGroup) else ():
        if isinstance(inner, TyperCommand | TyperGroup):
            spare_conversion(inner)


class _Command(TyperCommand):
    context_class = HelpContext

    def get_params(self, ctx: Any) -> list[Any]:
        return _sparing(super().get_params(ctx))

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        self.help = paragraphs(cleandoc(self.help or ""))
        super().format_help_text(ctx, formatter)


class Group(TyperGroup):
    """A group of commands, in sections; what other programs call a command leads to ours."""

    context_class = HelpContext

    def get_params(self, ctx: Any) -> list[Any]:
        """Return its parameters, `--help` among them."""
        return _sparing(super().get_params(ctx))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command by its name, or by the short one that shells have for it."""
        return super().get_command(ctx, cmd_name) or super().get_command(ctx, _SHORT.get(cmd_name, cmd_name))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that is meant. Raises `UsageError`."""
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise no_such_command(args[0], self.list_commands(ctx), ctx.command_path)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Return the commands that a word may become, each with its summary, or its options."""
        found = TyperCommand.shell_complete(self, ctx, incomplete)  # without the commands
        shown = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx) if name.startswith(incomplete))
        from typer._click.shell_completion import CompletionItem  # noqa: PLC0415 - only for the shell

        return [*(CompletionItem(name, help=summary(one)) for name, one in shown if one and not one.hidden), *found]

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write what the group is for."""
        self.help = paragraphs(cleandoc(self.help or ""))
        super().format_help_text(ctx, formatter)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, which most readers look for, and the options after them."""
        self.format_commands(ctx, formatter)
        TyperCommand.format_options(self, ctx, formatter)  # type: ignore[arg-type]  # without the commands again

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write what holds for all commands."""
        self.epilog = paragraphs(self.epilog or "")
        super().format_epilog(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, section by section."""
        shown = [
            (name, one) for name in self.list_commands(ctx) if (one := self.get_command(ctx, name)) and not one.hidden
        ]
        for heading, rows in grouped(shown).items():
            with formatter.section(heading):
                formatter.write_dl(rows)

    def main(self, *args: Any, **given: Any) -> Any:
        """Run a command; return its exit code. Raises `UsageError` where the arguments are not understood."""
        try:
            return super().main(*args, **{**given, "standalone_mode": False})
        except typer.Abort:  # the end of the input where an answer was wanted
            return 1
        except typer.TyperException as error:
            if type(error).__name__ == "NoArgsIsHelpError":
                error.show()  # type: ignore[attr-defined]
                return _MISUSED
            if not hasattr(error, "ctx"):
                raise
            raise misuse(error) from None


def _sparing(parameters: list[Any]) -> list[Any]:
    for one in parameters:
        one.__class__ = _Option if isinstance(one, TyperOption) else _Argument
        one.help = paragraphs(one.help or "")
    return parameters


class _Option(TyperOption):
    def get_runtime_param(self) -> Any:
        return _Conversion(super().get_runtime_param)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        return _files(self, incomplete) or super().shell_complete(ctx, incomplete)


class _Argument(TyperArgument):
    def get_runtime_param(self) -> Any:
        return _Conversion(super().get_runtime_param)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        return _files(self, incomplete) or super().shell_complete(ctx, incomplete)

    def get_usage_pieces(self, _: Any) -> list[str]:
        """Return the name, in brackets where it can be left out; Typer has braces, which elsewhere mean a choice."""
        name = self.display_name_raw + ("" if self.nargs == 1 else "...")
        return [name if self.required else f"[{name}]"]

    def get_help_record(self, ctx: Any) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        return record and (self.display_name_raw, record[1])


def _files(parameter: TyperOption | TyperArgument, incomplete: str) -> list[Any]:
    """Return that the shell is to complete names of files, if the value is one."""
    if parameter.type_descriptor.annotation is not Path:
        return []
    from typer._click.shell_completion import CompletionItem  # noqa: PLC0415 - only for the shell

    return [CompletionItem(incomplete, type="file")]


class _Conversion:
    """What Typer converts the values of a parameter with: plain ones at once, others as it would without this."""

    def __init__(self, typers: Callable[[], Any]) -> None:
        self._typers: Final = typers

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the value that is meant."""
        plain = _plain(param, value)
        if plain is not _UNKNOWN:
            return plain
        wanted = param.type_descriptor.annotation
        try:
            return self._typers().coerce(value, param=param, ctx=ctx)
        except typer.BadParameter:
            name = shown_name(param)
            if wanted in {int, float}:
                raise wrong_number(name, str(value), param.min, param.max, whole=wanted is int) from None
            if isinstance(wanted, type) and issubclass(wanted, Enum):
                raise wrong_choice(name, str(value), [str(one.value) for one in wanted]) from None
            raise


def _plain(parameter: TyperOption | TyperArgument, value: Any) -> Any:
    """Return what a value means where that is plain to see, or `_UNKNOWN`.

    What is not text is a default, and right; a path is to be readable, as Typer demands of one that exists.
    """
    wanted = parameter.type_descriptor.annotation
    if value is None:
        return () if parameter.multiple else None
    if type(value) is wanted:
        return value
    if wanted is Path and isinstance(value, str) and os.access(value, os.R_OK):
        return Path(value)
    if wanted in {int, float} and isinstance(value, str) and _NUMBER.fullmatch(value):
        return _within(parameter, wanted(value))
    return _UNKNOWN


def _within(parameter: TyperOption | TyperArgument, number: float) -> Any:
    """Return a number that is within the bounds, or `_UNKNOWN`."""
    too_small = parameter.min is not None and number < parameter.min
    too_large = parameter.max is not None and number > parameter.max
    return _UNKNOWN if too_small or too_large else number
