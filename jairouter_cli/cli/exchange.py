"""`jairouter config import|export`: configurations of the Java version and of LiteLLM."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from jairouter_cli.cli import editing, options, output
from jairouter_cli.cli.shared import ConfigOption, ExpectOption, JsonOption, WaitOption
from jairouter_cli.config import files, java_store, litellm
from jairouter_cli.config.document import Document
from jairouter_cli.config.history import Damaged, Revision
from jairouter_cli.config.imports import has_imports, whole_of
from jairouter_cli.config.ops.imports import replace_all, take_over
from jairouter_cli.config.parse import parse
from jairouter_cli.config.render import Style, block_lines
from jairouter_cli.config.roundtrip import plain_copy
from jairouter_cli.config.spelling import squash
from jairouter_cli.config.store import Operation
from jairouter_cli.errors import ConfigUnwritable, ForeignUnreadable


def import_config(
    ctx: typer.Context,
    source: Annotated[
        Path,
        typer.Argument(
            help="File: application.yml, LiteLLM's config.yaml or model-router-config@N.json; or a folder of the last.",
            metavar="SOURCE",
        ),
    ],
    *,
    expect: ExpectOption = None,
    wait: WaitOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import the configuration of the Java version or of LiteLLM; the current one is kept as a revision.

    For example: jairouter config import application.yml
    """
    store = options.store(ctx, config)
    *earlier, last = _sources(source)
    for one in earlier:  # each becomes a revision
        store.apply(one.operation, expect=expect)
        expect = None
    editing.edit(ctx, config, last.operation, expect=expect, wait=wait, as_json=as_json, left_out=last.left_out)


class _Source(NamedTuple):
    """What is imported from a file: an edit, and the settings that it leaves out."""

    operation: Operation
    left_out: Sequence[str] = ()


def _sources(source: Path) -> list[_Source]:
    """Return the edits that a source comes to, in their order. Raises `ForeignUnreadable`."""
    if source.is_dir():
        found = [_of_file(path) for path in java_store.versions(source).values()]
        if not found:
            raise ForeignUnreadable(file=str(source), reason="it has no model-router-config@N.json")
        return found
    return [_of_file(source)]


def _of_file(path: Path) -> _Source:
    summary = f"imported {path.name}"
    if path.suffix == ".json":
        model = java_store.read(path)
        return _Source(lambda document: take_over(document, model, summary))
    try:
        text = files.read(path).decode("utf-8")
    except OSError as error:
        raise ForeignUnreadable(file=str(path), reason=error.strerror or str(error)) from None
    except UnicodeDecodeError as error:
        raise ForeignUnreadable(file=str(path), reason=f"it is not UTF-8 text (byte {error.start})") from None
    read = Document.load(text, str(path))
    if "model_list" in read.root:
        return _of_litellm(path, read, summary)
    if has_imports(read):
        text = _united(read)
        return _Source(lambda document: replace_all(document, text, summary), ["spring"])
    return _Source(lambda document: replace_all(document, text, summary))


def _of_litellm(path: Path, read: Document, summary: str) -> _Source:
    found = litellm.taken_over(read.root, os.environ)
    if read.root["model_list"] and not found.section["services"]:
        reason = "none of its models can be imported:\n" + "\n".join(f"  {one}" for one in found.left_out)
        raise ForeignUnreadable(file=str(path), reason=reason)
    return _Source(lambda document: take_over(document, found.section, summary), found.left_out)


def _united(document: Document) -> str:
    """Return the text of a file with what it imports, which has its places elsewhere; comments are lost."""
    root = whole_of(document, os.environ).root()
    kept = {key: value for key, value in root.items() if squash(str(key)).partition(".")[0] != "spring"}
    return "\n".join(block_lines(plain_copy(kept), Style(2, 2))) + "\n"


def export_config(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder to write model-router-config@N.json to.", metavar="FOLDER")],
    *,
    everything: Annotated[bool, typer.Option("--all", help="Export all revisions, not only the newest.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Export the configuration for the Java version, API keys included."""
    store = options.store(ctx, config)
    found = list(store.history.newest()) if everything else []
    for one in found:
        if isinstance(one, Damaged):
            output.warn(f"skipping revision {one.number}: cannot read {one.file}: {one.reason}")
    texts = {one.number: one.text for one in reversed(found) if isinstance(one, Revision)} or {
        _newest(store.history.numbers): store.text()
    }
    paths = []
    for number, text in texts.items():
        path = folder / java_store.file_name(number)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            files.replace(path, java_store.exported(parse(Document.load(text, str(store.file))).config))
        except OSError as error:
            raise ConfigUnwritable(file=str(path), reason=error.strerror or str(error)) from None
        paths.append(str(path))
    output.show(paths, as_json=as_json, text=lambda: "\n".join(paths))


def _newest(numbers: list[int]) -> int:
    return numbers[-1] if numbers else 1
