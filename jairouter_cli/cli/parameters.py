"""Options and arguments that take a value as it is where it needs no conversion.

Typer converts every value with Pydantic, even one that was not given, and to load that takes longer than most commands.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

_UNKNOWN: Final = object()
_NUMBER: Final = re.compile("[0-9]{1,9}")


def spare_conversion(command: TyperCommand | TyperGroup) -> None:
    """Have a command, and those inside a group, convert no value that is already what is wanted."""
    command.__class__ = Group if isinstance(command, TyperGroup) else _Command
    for inner in command.commands.values() if isinstance(command, TyperGroup) else ():
        if isinstance(inner, TyperCommand | TyperGroup):
            spare_conversion(inner)


class _Command(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        return _sparing(super().get_params(ctx))


class Group(TyperGroup):
    """A group whose own options convert no value that is already what is wanted."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return its parameters, `--help` among them."""
        return _sparing(super().get_params(ctx))


def _sparing(parameters: list[Any]) -> list[Any]:
    for one in parameters:
        one.__class__ = _Option if isinstance(one, TyperOption) else _Argument
    return parameters


class _Option(TyperOption):
    def get_runtime_param(self) -> Any:
        return _Conversion(super().get_runtime_param)


class _Argument(TyperArgument):
    def get_runtime_param(self) -> Any:
        return _Conversion(super().get_runtime_param)


class _Conversion:
    """What Typer converts the values of a parameter with: plain ones at once, others as it would without this."""

    def __init__(self, typers: Callable[[], Any]) -> None:
        self._typers: Final = typers

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the value that is meant."""
        plain = _plain(param, value)
        return self._typers().coerce(value, param=param, ctx=ctx) if plain is _UNKNOWN else plain


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
