"""What is said of a command line that cannot be understood, in the form that all errors have."""

import difflib
import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from jairouter_cli.cli.language import _, marked
from jairouter_cli.errors import UsageError

# What people type who know other programs.
_OTHER_NAMES: Final[Mapping[str, str]] = {
    "up": "serve",
    "run": "serve",
    "start": "serve",
    "status": "health",
    "ps": "top",
    "edit": "config edit",
    "list": "instances list",
    "add": "instances add",
    "reload": "config validate",
    "validate": "config validate",
    "import": "config import",
}
# How the parser says it, and how we do.
_SAYINGS: Final = (
    (r"Got unexpected extra argument\(s\) \((?P<what>.*)\)", marked("unexpected argument: {what}")),
    (r"Option '(?P<what>.*)' does not take a value\.?", marked("{what} does not take a value")),
    (r"Option '(?P<what>.*)' requires an argument\.?", marked("{what} needs a value")),
    (r"Missing command\.?", marked("no command was given")),
)


def misuse(error: Any) -> UsageError:
    """Return an error of the parser as one of ours; `error` is its `UsageError`, or a kind of it."""
    hint = None
    if possible := getattr(error, "possibilities", None):
        hint = _("did you mean {names}?").format(names=_listed(sorted(possible)))
    elif error.ctx is not None:
        hint = _("`{command} --help` shows how it is used").format(command=error.ctx.command_path)
    return UsageError(message=_said(error), hint=hint)


def no_such_command(name: str, known: Collection[str], path: str) -> UsageError:
    """Return the error for a command that there is not, with those that may be meant."""
    other = _OTHER_NAMES.get(name)
    near = difflib.get_close_matches(name, known, 2, 0.5)
    if other is not None and other.partition(" ")[0] in known:
        near = [other]
    hint = _("did you mean {names}?").format(names=_listed([f"`{path} {one}`" for one in near])) if near else None
    fallback = _("`{command} --help` lists the commands").format(command=path)
    return UsageError(message=_("no such command: {name}").format(name=name), hint=hint or fallback)


def wrong_choice(name: str, found: str, choices: Collection[str]) -> UsageError:
    """Return the error for a value that is none of the choices."""
    near = difflib.get_close_matches(found.lower(), choices, 1, cutoff=0.5)
    return UsageError(
        message=_("{name}: expected one of {choices}; found '{found}'").format(
            name=name, choices=", ".join(choices), found=found
        ),
        hint=_("did you mean {names}?").format(names=near[0]) if near else None,
    )


def wrong_number(name: str, found: str, least: float | None, most: float | None, *, whole: bool) -> UsageError:
    """Return the error for what is no number, or none within its bounds."""
    wanted = _("a whole number") if whole else _("a number")
    if least is not None and most is not None:
        wanted = _("{number} from {least:g} to {most:g}").format(number=wanted, least=least, most=most)
    elif least is not None:
        wanted = _("{number} of at least {least:g}").format(number=wanted, least=least)
    message = _("{name}: expected {wanted}; found '{found}'").format(name=name, wanted=wanted, found=found)
    return UsageError(message=message)


def shown_name(parameter: Any) -> str:
    """Return the name of an option or an argument, as help shows it."""
    return str(parameter.opts[0] if parameter.param_type_name == "option" else parameter.display_name_raw)


def _said(error: Any) -> str:
    kind, parameter = type(error).__name__, getattr(error, "param", None)
    if kind == "NoSuchOption":
        return _("no such option: {name}").format(name=error.option_name)
    if kind == "MissingParameter" and parameter is not None:
        is_argument = parameter.param_type_name == "argument"
        saying = marked("missing argument: {name}") if is_argument else marked("missing option: {name}")
        return _(saying).format(name=shown_name(parameter))
    for pattern, saying in _SAYINGS:
        if found := re.fullmatch(pattern, error.message, re.DOTALL):
            return _(saying).format(**found.groupdict())
    problem = error.message.removeprefix("Value error, ").rstrip(".")
    if parameter is None:
        return str(problem[:1].lower() + problem[1:])
    return _("invalid value for {name}: {problem}").format(name=shown_name(parameter), problem=problem)


def _listed(names: Collection[str]) -> str:
    return _(" or ").join(names)
