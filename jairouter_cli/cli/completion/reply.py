"""The replies to a shell's script: the words that the one at the cursor may become.

A reply is a line with its kind, then a line for each word, with a tab and its help behind it except in bash. The kinds:

- `files`: the shell completes names of files itself;
- `open`: more belongs behind each word, so no space is put there;
- `words`: none of these.
"""

import os
import re
from collections.abc import Sequence
from typing import Any, Final

import typer
from typer._click.shell_completion import CompletionItem, ShellComplete, split_arg_string

from jairouter_cli.cli.completion.shells import Shell
from jairouter_cli.errors import JAIRouterError

_OPEN: Final = (".", "=", "@")
_SPECIAL: Final = re.compile(r"""[\s"'\\$`&|;<>()*?!{}#]""")  # not [ and ], which are in keys and do no harm
_QUOTED: Final = re.compile(r"""(?:[^"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')*""")
_KEPT: Final = "@"  # bash keeps it in the word that it breaks there


class _Words(ShellComplete):
    """The words before the cursor, and what Click finds for the one at it."""

    name = "jairouter"
    source_template = ""

    def __init__(self, command: Any, words: Sequence[str], incomplete: str) -> None:
        super().__init__(command, {}, "jairouter", "")
        self._words: Final = [_expanded(word) for word in words if word]
        self._incomplete: Final = incomplete

    def source_vars(self) -> dict[str, Any]:
        return {}

    def get_completion_args(self) -> tuple[list[str], str]:
        return self._words, self._incomplete

    def format_completion(self, item: CompletionItem) -> str:
        return str(item.value)

    def found(self) -> list[CompletionItem]:
        """Return what the incomplete word may become; nothing if the words before it make no sense."""
        try:
            return self.get_completions(self._words, self._incomplete)
        except (JAIRouterError, typer.TyperException, OSError):
            return []


def reply(command: Any, arguments: Sequence[str]) -> str:
    """Return the reply to a shell: its name, then what its script passes on."""
    shell, *rest = arguments or ("",)
    if shell not in set(Shell):
        return ""
    if shell == Shell.BASH:
        line, breaks = (*rest, "", "")[:2]
        return _for_bash(command, line, breaks)
    *words, incomplete = rest or ("",)
    incomplete = incomplete.removeprefix(":") if shell == Shell.POWERSHELL else incomplete.lstrip("\"'")
    return _written(_found(command, words, incomplete), with_help=True)


def _for_bash(command: Any, line: str, breaks: str) -> str:
    """Return the reply for a line up to the cursor; bash wants what it replaces: words also end at some letters."""
    is_quoted = _QUOTED.fullmatch(line) is None
    words = split_arg_string(line)
    incomplete = words.pop() if words and (is_quoted or not line[-1:].isspace()) else ""
    found = _found(command, words[1:], incomplete)
    kept = 0 if is_quoted else _kept(incomplete, breaks)
    cut = [CompletionItem(_escaped(one.value[kept:], quoted=is_quoted), one.type) for one in found]
    return _written(cut, with_help=False)


def _kept(incomplete: str, breaks: str) -> int:
    """Return how many letters of a word bash leaves as they are."""
    last = max((incomplete.rfind(letter) for letter in breaks if not letter.isspace()), default=-1)
    return last if incomplete[last : last + 1] == _KEPT else last + 1


def _escaped(word: str, *, quoted: bool) -> str:
    return word if quoted else _SPECIAL.sub(lambda found: f"\\{found[0]}", word)


def _found(command: Any, words: Sequence[str], incomplete: str) -> list[CompletionItem]:
    """Return the possible words, whole: `--option=` in front of a value stays."""
    option, equals, _ = incomplete.partition("=")
    before = option + equals if incomplete.startswith("--") and equals else ""
    found = _Words(command, words, incomplete).found()
    return [CompletionItem(before + one.value, one.type, one.help) for one in found]


def _written(found: Sequence[CompletionItem], *, with_help: bool) -> str:
    if any(one.type == "file" for one in found):
        return "files\n"
    words = [one for one in found if str(one.value).isprintable()]
    kind = "open" if words and all(one.value.endswith(_OPEN) for one in words) else "words"
    lines = (f"{one.value}\t{' '.join((one.help or '').split())}" if with_help else one.value for one in words)
    return "\n".join((kind, *lines)) + "\n"


def _expanded(word: str) -> str:
    """Return a word as the shell would pass it on: scripts get `~/file` as it is typed."""
    return os.path.expanduser(word) if word.startswith("~/") else word  # noqa: PTH111 - a word is no path yet
