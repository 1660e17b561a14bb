"""`jairouter config import|export`: configurations of the Java version, of LiteLLM and of llama-swap."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer
from msgspec import Struct

from jairouter_cli.cli import editing, options, output, revisions
from jairouter_cli.cli.client import await_config
from jairouter_cli.cli.init import template
from jairouter_cli.cli.language import _, language
from jairouter_cli.cli.shared import ConfigOption, ExpectOption, JsonOption, WaitOption
from jairouter_cli.config import files, java_store, litellm, llama_swap, paths
from jairouter_cli.config.change import Change
from jairouter_cli.config.document import Document
from jairouter_cli.config.fields import fields_of
from jairouter_cli.config.foreign import TakenOver
from jairouter_cli.config.history import Damaged, Revision
from jairouter_cli.config.imports import has_imports, whole_of
from jairouter_cli.config.model import Config, ModelSection
from jairouter_cli.config.ops.imports import replace_all, replaced, take_over, take_services
from jairouter_cli.config.parse import parse
from jairouter_cli.config.render import Style, block_lines
from jairouter_cli.config.roundtrip import plain_copy
from jairouter_cli.config.spelling import squash
from jairouter_cli.config.store import Operation, Store
from jairouter_cli.errors import ConfigNotFound, ConfigUnwritable, ForeignUnreadable

_HINT: Final = "docs/migrate.md describes which files can be imported, and how to move from other gateways by hand"


def import_config(
    ctx: typer.Context,
    source: Annotated[
        Path,
        typer.Argument(
            help="File: application.yml or model-router-config@N.json (or its folder) of the Java version, or the file "
            "of LiteLLM or llama-swap.",
            metavar="SOURCE",
        ),
    ],
    *,
    expect: ExpectOption = None,
    wait: WaitOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import the configuration of the Java version, of LiteLLM or of llama-swap; the current one is kept as a revision.

    Settings that cannot be imported are listed, and so is what they replace. A missing file is created.

    For example: jairouter config import application.yml
    """
    sources = _sources(source)
    store, is_new = _store(ctx, config, sources)
    before = editing.config_of(store)
    for one in sources:  # each becomes a revision
        ended: list[str] = []
        applied = store.apply(_noting(one.operation, ended), expect=expect)
        expect = None
    last = sources[-1]
    _tell(last, [] if is_new else ended, store.history.numbers)
    lists = {"imported": last.imported, "leftOut": last.left_out, "replaced": [] if is_new else ended}
    editing.report(applied, before, as_json=as_json, more=lists)
    if wait:
        await_config(applied, (before or applied.config).server)


def _store(ctx: typer.Context, config: Path | None, sources: Sequence["_Source"]) -> tuple[Store, bool]:
    """Return the file to import into, and whether it was created for that, which it is not for a bad source."""
    try:
        return options.store(ctx, config), False
    except ConfigNotFound:
        store = Store(paths.default_target(options.named(ctx, config), os.environ, Path.cwd()))
    text = template(language())
    document = Document.load(text, str(store.file))
    for one in sources:
        document = one.operation(document).document
    parse(Document.load(document.dump(), str(store.file)))
    store.create(text)
    output.say(_("created {file}").format(file=store.file))
    return store, True


def _noting(operation: Operation, ended: list[str]) -> Operation:
    """Return an operation that also lists what it ends."""

    def noted(document: Document) -> Change:
        change = operation(document)
        ended[:] = replaced(document, change.document)
        return change

    return noted


def _tell(source: "_Source", ended: Sequence[str], numbers: Sequence[int]) -> None:
    """Print what was imported, what was not, and what is gone with it."""
    for one in source.imported:
        output.say(_("imported: {setting}").format(setting=one))
    for one in source.left_out:
        output.warn(_("not imported: {setting}").format(setting=one))
    for one in ended:
        output.warn(_("replaced: {setting}").format(setting=one))
    if ended and len(numbers) > 1:
        command = f"jairouter config rollback {numbers[-2]}"
        output.say(_("to go back: `{command}`").format(command=command))


class _Source(NamedTuple):
    """What is imported from a file: an edit, what of the file is in it, and what is not."""

    operation: Operation
    imported: Sequence[str] = ()
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
        _own_keys(path, ModelSection, model)
        return _Source(lambda document: take_over(document, model, summary), ["model"])
    try:
        text = files.read(path).decode("utf-8")
    except OSError as error:
        raise ForeignUnreadable(file=str(path), reason=error.strerror or str(error)) from None
    except UnicodeDecodeError as error:
        raise ForeignUnreadable(file=str(path), reason=f"it is not UTF-8 text (byte {error.start})") from None
    read = Document.load(text, str(path))
    if "model_list" in read.root:
        return _foreign(path, litellm.taken_over(read.root, os.environ), summary)
    if llama_swap.is_llama_swap(read.root):
        return _foreign(path, llama_swap.taken_over(read.root, os.environ), summary)
    left_out = ["spring"] if has_imports(read) else []
    text = _united(read) if left_out else text
    sections = _own_keys(path, Config, Document.load(text, str(path)).root)
    return _Source(lambda document: replace_all(document, text, summary), sections, left_out)


def _foreign(path: Path, found: TakenOver, summary: str) -> _Source:
    if not found.section["services"]:
        reasons = [f"  {one}" for one in found.left_out]
        reason = "\n".join(["none of its models can be imported:", *reasons]) if reasons else "it has no models"
        raise ForeignUnreadable(file=str(path), reason=reason)
    return _Source(lambda document: take_services(document, found.section, summary), found.imported, found.left_out)


def _own_keys(path: Path, section: type[Struct], root: Mapping[Any, Any]) -> list[str]:
    """Return the keys of a section that a file has, as it spells them. Raises `ForeignUnreadable` if it has none."""
    known = {squash(name) for field in fields_of(section) for name in (field.key, *field.aliases)}
    found = [str(key) for key in root if squash(str(key)).partition(".")[0] in known]
    if not found:
        raise ForeignUnreadable(file=str(path), reason="it is no configuration that can be imported", hint=_HINT)
    return found


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
            revisions.tell_damaged(one)
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
