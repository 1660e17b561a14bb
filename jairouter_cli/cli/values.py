"""`jairouter config get|set|unset|edit`: single values of the configuration file, and the file in an editor."""

import os
import shlex
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from jairouter_cli.cli import candidates, editing, options, output
from jairouter_cli.cli.language import _
from jairouter_cli.cli.shared import ConfigOption, ExpectOption, JsonOption, WaitOption
from jairouter_cli.config.change import Change
from jairouter_cli.config.document import Document
from jairouter_cli.config.imports import has_imports
from jairouter_cli.config.ops import values as ops
from jairouter_cli.config.parse import parse
from jairouter_cli.config.view import as_yaml
from jairouter_cli.errors import ConfigSyntaxError, JAIRouterError, UsageError

_KEY: Final = "Key, like server.port or model.services.chat.instances[0].weight."

KeyArgument = Annotated[str, typer.Argument(help=_KEY, autocompletion=candidates.all_keys, metavar="KEY")]
WrittenKeyArgument = Annotated[str, typer.Argument(help=_KEY, autocompletion=candidates.keys_in_file, metavar="KEY")]


def get(
    ctx: typer.Context,
    key: KeyArgument,
    *,
    secrets: Annotated[bool, typer.Option("--secrets", help="Show API keys and headers.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the value of a key, or its default if the file does not set it."""
    loaded = options.read(ctx, config)
    value = ops.value_at(as_yaml(loaded.config, reveal=secrets), key)
    output.show(value, as_json=as_json or isinstance(value, dict | list), text=lambda: _plain(value))


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def set_value(
    ctx: typer.Context,
    key: KeyArgument,
    value: Annotated[
        str,
        typer.Argument(
            help="Value, in YAML: a word, a number, [a, list], {a: mapping}.",
            autocompletion=candidates.values,
            metavar="VALUE",
        ),
    ],
    *,
    expect: ExpectOption = None,
    wait: WaitOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set a key in the file.

    For example: jairouter config set server.port 9090
    """

    def operation(document: Document) -> Change:
        try:
            return ops.set_text(document, key, value)
        except ConfigSyntaxError as error:
            raise UsageError(message=_("the value is not valid YAML: {problem}").format(problem=error)) from None

    editing.edit(
        ctx,
        config,
        operation,
        expect=expect,
        wait=wait,
        as_json=as_json,
    )


def unset(
    ctx: typer.Context,
    key: WrittenKeyArgument,
    *,
    expect: ExpectOption = None,
    wait: WaitOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a key from the file, so that its default applies."""
    editing.edit(
        ctx, config, lambda document: ops.unset_value(document, key), expect=expect, wait=wait, as_json=as_json
    )


def edit(
    ctx: typer.Context, *, wait: WaitOption = False, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Edit the file in $VISUAL or $EDITOR. An invalid result is reported and not saved."""
    store = options.store(ctx, config)
    loaded = store.read()
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", prefix="jairouter-", encoding="utf-8", delete=False) as copy:
        copy.write(loaded.document.dump())
    draft = Path(copy.name)
    command = [*shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"), str(draft)]
    try:
        code = subprocess.run(command, check=False).returncode  # noqa: S603 - the user's own editor
    except OSError as error:
        message = _("cannot start the editor {program}: {reason}").format(program=command[0], reason=error.strerror)
        raise UsageError(message=message, hint="set VISUAL or EDITOR to another one") from None
    if code:
        raise UsageError(message=_("the editor exited with code {code}; nothing was changed").format(code=code))
    edited = Document.load(draft.read_text("utf-8"), str(draft))
    if edited.dump() == loaded.document.dump():
        draft.unlink()
        output.say(_("no changes"))
        return
    try:
        parse(replace(edited, file=str(loaded.file)) if has_imports(edited) else edited)
    except JAIRouterError as error:
        error.hint = _("the file was not changed; your draft is in {file}").format(file=draft)
        raise
    editing.edit(
        ctx, config, lambda _: Change(edited, "edited by hand"), expect=loaded.digest, wait=wait, as_json=as_json
    )
    draft.unlink()
