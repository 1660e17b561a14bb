"""Edits that import a configuration, and what of the earlier one they end."""

from collections.abc import Iterator, Mapping
from typing import Any

from jairouter_cli.config.change import Change
from jairouter_cli.config.document import Document
from jairouter_cli.config.model import ModelSection
from jairouter_cli.config.ops.sections import merge, written
from jairouter_cli.config.roundtrip import plain_copy
from jairouter_cli.config.spelling import find_key


def take_over(document: Document, model: Mapping[str, Any], summary: str) -> Change:
    """Put a whole `model` section in the place of the file's; the rest stays. Raises `EditImpossible`."""
    path = (find_key(document.root, "model") or "model",)
    return Change(document.assign(path, written(ModelSection, model)), summary)


def take_services(document: Document, model: Mapping[str, Any], summary: str) -> Change:
    """Put the services of a `model` section in the place of the file's, and set its other keys; the rest stays.

    Raises `EditImpossible`.
    """
    key = find_key(document.root, "model") or "model"
    if not isinstance(document.get((key,)), Mapping):
        return take_over(document, model, summary)
    others = {name: value for name, value in model.items() if name != "services"}
    document = merge(document, (key,), ModelSection, others)
    services = find_key(document.get((key,)), "services") or "services"
    new = written(ModelSection, {"services": model["services"]})["services"]
    return Change(document.assign((key, services), new), summary)


def replaced(before: Document, after: Document) -> list[str]:
    """Return what an import has ended: keys that are gone or have another value, instances, and comments."""
    found = list(_ended(before.root, after.root, ""))
    kept = after.text.splitlines()
    comments = sum(line.lstrip().startswith("#") and line not in kept for line in before.text.splitlines())
    return [*found, f"lines with comments: {comments}"] if comments else found


def _ended(before: Mapping[Any, Any], after: Mapping[Any, Any], path: str) -> Iterator[str]:
    for key, value in before.items():
        place = f"{path}.{key}".lstrip(".")
        other = find_key(after, str(key)) if isinstance(key, str) else None
        if other is None:
            yield place
        elif isinstance(value, Mapping) and isinstance(after[other], Mapping):
            yield from _ended(value, after[other], place)
        elif _has_sections(value) and _has_sections(after[other]):
            left = [_id(one) for one in after[other]]
            yield from (f"{place}: {_id(one)}" for one in value if _id(one) not in left)
        elif value != after[other]:
            yield place


def _has_sections(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, Mapping) for one in value)


def _id(section: Mapping[str, Any]) -> str:
    """Return the id of an instance, or the name of another section of a list."""
    name, url = (section.get(find_key(section, key) or key) for key in ("name", "base-url"))
    return f"{name}@{url}" if url else str(name)


def replace_all(document: Document, text: str, summary: str) -> Change:
    """Put another text in the place of the file's; a JSON file stays one. Raises `ConfigSyntaxError`."""
    new = Document.load(text, document.file)
    return Change(document.as_json(plain_copy(new.root)) if document.is_json else new, summary)
