"""Commands that are listed by name and help, and loaded when they are called: the others cost nothing at the start."""

from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

from jairouter_cli.cli.help import HelpContext
from jairouter_cli.cli.parameters import spare_conversion
from jairouter_cli.cli.shared import group_options


class StandIn(TyperCommand):
    """Stands for a command that a function without parameters loads and returns.

    The function's docstring is the first sentence of the command's own, as lists of commands show it.
    """

    context_class = HelpContext

    def loaded(self) -> TyperCommand | TyperGroup:
        """Return the command, or the group of commands, that this one stands for."""
        load: Any = self.callback
        found = load()
        parent = typer.Typer(rich_markup_mode=None)
        if isinstance(found, typer.Typer):
            found.callback()(group_options)
            parent.add_typer(found, name=self.name)
        else:
            parent.command(self.name)(found)
        command = cast("TyperCommand | TyperGroup", typer.main.get_group(parent).commands[str(self.name)])
        spare_conversion(command)
        return command

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Parse the arguments as the loaded command does: from here on the context has that one."""
        return self.loaded().make_context(info_name, args, parent, **extra)
