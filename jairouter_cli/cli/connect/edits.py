"""Edits of other programs' configuration files, in JSON or YAML, that leave everything else in them as it is."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from jairouter_cli.cli.language import _
from jairouter_cli.config.document import Document
from jairouter_cli.errors import ConfigSyntaxError, EditImpossible, UsageError

Entry = tuple[tuple[str | int, ...], Any]
"""Where a value goes, and the value."""

_JSON: Final = frozenset({".json", ".jsonc"})


def with_entries(text: str, file: Path, entries: Sequence[Entry]) -> str:
    """Return a file's text with values set. Raises `UsageError` if it has a form that cannot be edited."""
    if not text.strip() and file.suffix in _JSON:
        return json.dumps(_tree(entries), indent=2, ensure_ascii=False) + "\n"
    try:
        if file.suffix in _JSON:
            json.loads(text)  # with comments, or commas too many, it would be read as something else
        document = Document.load(text, str(file))
        for path, value in entries:
            document = document.assign(path, value)
    except (ValueError, RecursionError, ConfigSyntaxError, EditImpossible) as error:
        raise _refusal(file, entries, error) from None
    return document.dump()


def with_list_item(text: str, file: Path, name: str, item: Mapping[str, Any], *, key: str) -> str:
    """Return a file's text with an item in the list called `name`, in place of one that has the same `key`.

    Raises `UsageError` if it has a form that cannot be edited.
    """
    try:
        document = Document.load(text, str(file))
        present = document.get((name,))
        if not isinstance(present, list) or not present:
            document = document.put((name,), [dict(item)])
        else:
            document = document.append((name,), dict(item))
            same = [at for at, one in enumerate(present) if isinstance(one, Mapping) and one.get(key) == item[key]]
            for at in reversed(same):
                document = document.remove((name, at))
    except (ConfigSyntaxError, EditImpossible) as error:
        raise _refusal(file, [((name,), [item])], error) from None
    return document.dump()


def _tree(entries: Sequence[Entry]) -> dict[str, Any]:
    """Return values as one tree."""
    root: dict[str, Any] = {}
    for path, value in entries:
        *above, last = map(str, path)
        node = root
        for step in above:
            node = node.setdefault(step, {})
        node[last] = value
    return root


def _refusal(file: Path, entries: Sequence[Entry], error: Exception) -> UsageError:
    piece = json.dumps(_tree(entries), indent=2, ensure_ascii=False)
    message = _("{file} cannot be edited: {reason}").format(file=file, reason=error)
    return UsageError(message=message, hint=_("add this to it by hand:") + f"\n\n{piece}")
