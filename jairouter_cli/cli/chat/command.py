"""`jairouter chat`: one question in a script, or a conversation in the terminal."""

import sys
from typing import Annotated

import typer

from jairouter_cli.cli import candidates, client, models, output
from jairouter_cli.cli.chat.conversation import Conversation
from jairouter_cli.cli.client import UrlOption, finite
from jairouter_cli.cli.language import _
from jairouter_cli.cli.shared import ConfigOption, JsonOption
from jairouter_cli.errors import UsageError


def chat(
    ctx: typer.Context,
    model: Annotated[
        str | None,
        typer.Argument(
            help="Model name; by default the only chat model.",
            autocompletion=candidates.models,
            show_default=False,
            metavar="MODEL",
        ),
    ] = None,
    question: Annotated[
        str | None,
        typer.Argument(
            help="Question to ask once; what is piped in follows it.", show_default=False, metavar="QUESTION"
        ),
    ] = None,
    *,
    system: Annotated[str, typer.Option(help="System prompt.", show_default=False, metavar="TEXT")] = "",
    url: UrlOption = None,
    timeout: Annotated[
        float,
        typer.Option(
            help="Seconds without any output before it gives up.",
            min=0.1,
            max=3600,
            callback=finite,
            metavar="SECONDS",
        ),
    ] = 300.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Chat with a model through the running gateway.

    In a terminal this is a conversation: /help lists its commands, Ctrl-C stops an answer, Ctrl-D ends it. With a
    question, or with text that is piped in, the answer goes to standard output.

    JAIROUTER_API_KEY is sent as API key if it is set.

    For example: git diff | jairouter chat qwen2.5:7b "Write a commit message for this change."
    """
    base = client.base(ctx, config, url)
    is_conversation = question is None and sys.stdin.isatty()
    if is_conversation and (as_json or not sys.stdout.isatty()):
        hint = 'for example: jairouter chat MODEL "Hello" --json'
        raise UsageError(message="a question is needed, as argument or on standard input", hint=hint)
    asked = "" if is_conversation else _asked(question)
    known = models.chat_models(base, min(timeout, 5.0))
    if not url:
        client.warn_of_another_file(ctx, config, base)
    name = models.chosen(model, known, may_take_first=is_conversation)
    talk = Conversation(base, name, timeout, models.api_key(), system)
    if is_conversation:
        from jairouter_cli.cli.chat.terminal import converse  # noqa: PLC0415 - only for a person

        converse(talk, known)
    else:
        _answer(talk, asked, as_json=as_json)


def _asked(question: str | None) -> str:
    """Return the question, with what is piped in behind it. Raises `UsageError` if both are empty."""
    piped = "" if sys.stdin.isatty() else sys.stdin.read()
    asked = "\n\n".join(part for part in (question or "", piped.strip()) if part)
    if not asked:
        raise UsageError(message="the question is empty")
    return asked


def _answer(talk: Conversation, asked: str, *, as_json: bool) -> None:
    """Print the answer to one question, as it comes or as one JSON document."""
    answer = ""
    for piece in talk.ask(asked):
        if not piece.is_thought:
            answer += piece.text
            if not as_json:
                sys.stdout.write(piece.text)
                sys.stdout.flush()
    if as_json:
        data = {"model": talk.model, "answer": answer, "finishReason": talk.finish, "usage": talk.usage}
        output.print_json(data)
    elif not answer.endswith("\n"):
        sys.stdout.write("\n")
    if talk.finish == "length":
        output.warn(_("the answer was cut off because it reached the token limit"))
