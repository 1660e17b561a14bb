"""Edits that import a configuration."""

from collections.abc import Mapping
from typing import Any

from jairouter_cli.config.change import Change
from jairouter_cli.config.document import Document
from jairouter_cli.config.model import ModelSection
from jairouter_cli.config.ops.sections import written
from jairouter_cli.config.roundtrip import plain_copy
from jairouter_cli.config.spelling import find_key


def take_over(document: Document, model: Mapping[str, Any], summary: str) -> Change:
    """Put a whole `model` section in the place of the file's; the rest stays. Raises `EditImpossible`."""
    path = (find_key(document.root, "model") or "model",)
    return Change(document.assign(path, written(ModelSection, model)), summary)


def replace_all(document: Document, text: str, summary: str) -> Change:
    """Put another text in the place of the file's; a JSON file stays one. Raises `ConfigSyntaxError`."""
    new = Document.load(text, document.file)
    return Change(document.as_json(plain_copy(new.root)) if document.is_json else new, summary)
