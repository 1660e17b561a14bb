"""What the command line says, as settings: a worker has the words of the command that started it."""

from collections.abc import Iterable, Mapping
from typing import Final

_OVERRIDES: Final[Mapping[str, str]] = {"host": "server.host", "port": "server.port", "workers": "server.workers"}
_FLAGS: Final = frozenset({"json", "demo"})


def command_line(arguments: Iterable[str]) -> dict[str, str]:
    """Return what the options of `serve` say, by the keys that they stand over, or by their own names."""
    found: dict[str, str] = {}
    pending = ""
    for argument in arguments:
        if argument.startswith("-") and argument.strip("-"):
            name, equals, value = argument.lstrip("-").partition("=")
            name = "config" if name == "c" else name
            pending = "" if equals or name in _FLAGS else name
            if equals or name in _FLAGS:
                found[_OVERRIDES.get(name, name)] = value or "true"
        elif pending:
            found[_OVERRIDES.get(pending, pending)] = argument
            pending = ""
    return found
