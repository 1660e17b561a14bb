"""A conversation in the terminal: lines are read with editing and history, answers are shown as they come."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

import platformdirs
from rich.text import Text

from jairouter_cli.cli import models, output
from jairouter_cli.cli.chat.conversation import Conversation
from jairouter_cli.cli.language import _
from jairouter_cli.errors import JAIRouterError

_PROMPT: Final = ">>> "
_MORE: Final = "... "
_QUOTES: Final = '"""'
_KEPT_LINES: Final = 1000
_LEAVING: Final = frozenset({"/exit", "/quit", "/bye"})


def converse(talk: Conversation, known: Sequence[str]) -> None:
    """Talk until the reader leaves; `known` are the models that there are."""
    output.say(_("model {name}; /help lists the commands").format(name=talk.model))
    with _remembered_lines():
        while (line := _line()) is not None:
            if line in _LEAVING:
                return
            if line.startswith("/"):
                _obey(talk, known, line)
            elif line:
                _show(talk, line)


def _line() -> str | None:
    """Return the next line, or several between triple quotes; None at the end; Ctrl-C drops what was written."""
    try:
        line = input(_PROMPT).strip()
        if not line.startswith(_QUOTES):
            return line
        lines = [line.removeprefix(_QUOTES)]
        while not lines[-1].rstrip().endswith(_QUOTES):
            lines.append(input(_MORE))
    except EOFError:
        output.say("")
        return None
    except KeyboardInterrupt:
        output.say("\n" + _("/exit or Ctrl-D ends the conversation"))
        return ""
    return "\n".join(lines).rstrip().removesuffix(_QUOTES).strip()


def _show(talk: Conversation, question: str) -> None:
    """Show the answer as it comes; an error does not end the conversation."""
    console = output.stdout()
    try:
        with closing(talk.ask(question)) as pieces:
            for piece in pieces:
                console.print(Text(piece.text, style="dim" if piece.is_thought else ""), end="", soft_wrap=True)
    except KeyboardInterrupt:
        console.print(Text(_(" (stopped)"), style="dim"), end="")
    except JAIRouterError as error:
        console.print()
        output.fail(error)
    else:
        if talk.finish == "length":
            console.print(Text(_(" (cut off: token limit)"), style="dim"), end="")
    console.print()


def _obey(talk: Conversation, known: Sequence[str], line: str) -> None:
    """Do what a command says."""
    name, _space, value = line.partition(" ")
    value = value.strip()
    if name == "/help":
        output.say(_help())
    elif name == "/model" and value:
        try:
            talk.model = models.chosen(value, known, may_take_first=False)
        except JAIRouterError as error:
            output.fail(error)
    elif name == "/model":
        output.say("\n".join(f"{'*' if one == talk.model else ' '} {one}" for one in known))
    elif name == "/system":
        talk.system = value
        output.say(_("system prompt set") if value else _("system prompt removed"))
    elif name == "/clear":
        talk.forget()
        output.say(_("conversation cleared"))
    else:
        output.say(_("unknown command '{name}'; /help lists the commands").format(name=name))


def _help() -> str:
    commands = (
        ("/model [NAME]", _("list the models, or change to another one")),
        ("/system [TEXT]", _("set the system prompt, or remove it")),
        ("/clear", _("forget what was said")),
        ("/exit", _("end the conversation, as Ctrl-D does")),
        (_QUOTES, _("begin and end text of several lines")),
        ("Ctrl-C", _("stop the answer")),
    )
    return str(output.pairs(commands))


@contextmanager
def _remembered_lines() -> Iterator[None]:
    """Have the lines of earlier conversations at hand, and keep those of this one, for this user alone."""
    if sys.platform == "win32":  # the console has editing and history of its own
        yield
        return
    import readline  # noqa: PLC0415 - not on every system

    file = Path(platformdirs.user_state_path("jairouter", appauthor=False)) / "chat-history"
    readline.set_history_length(_KEPT_LINES)
    with suppress(OSError):
        readline.read_history_file(file)
    try:
        yield
    finally:
        with suppress(OSError):  # nothing else is lost where no file can be written
            file.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600))
            readline.write_history_file(file)
