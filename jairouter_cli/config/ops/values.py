"""Edits that set and unset single values, by their path: `model.services.chat.instances[0].weight`."""

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, get_origin

from jairouter_cli.config.change import Change
from jairouter_cli.config.document import Document, Path
from jairouter_cli.config.fields import kind_within, member_of
from jairouter_cli.config.masking import concealed
from jairouter_cli.config.model import Config
from jairouter_cli.config.ops.sections import key_in
from jairouter_cli.config.scalars import TEXTS, text_of
from jairouter_cli.config.spelling import service_type, squash
from jairouter_cli.errors import KeyNotFound

_QUOTED: Final = re.compile(r"""\s*(?:"[^"]*"|'[^']*')\s*""")
_STEP: Final = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")


def set_text(document: Document, key: str, text: str) -> Change:
    """Put what a person typed at a key: YAML, but where text belongs it is taken as it stands, unless it is in quotes.

    Raises `KeyNotFound`, `EditImpossible`, and `ConfigSyntaxError` for what is no YAML.
    """
    path, kind = _resolved(document, key)
    if kind in TEXTS and not _QUOTED.fullmatch(text):
        return _set(document, key, path, kind, text)
    return _set(document, key, path, kind, Document.load(f"value: {text}\n", "VALUE").get(("value",)))


def set_value(document: Document, key: str, value: Any) -> Change:
    """Put a value at a key of the file. Raises `KeyNotFound`, `EditImpossible`."""
    path, kind = _resolved(document, key)
    return _set(document, key, path, kind, value)


def _set(document: Document, key: str, path: Path, kind: Any, value: Any) -> Change:
    said = concealed(kind, value, str(path[-1]))
    return Change(document.assign(path, value), f"set {key} to {text_of(said) or said}")


def unset_value(document: Document, key: str) -> Change:
    """Remove a key from the file, so that its default holds. Raises `KeyNotFound`, `EditImpossible`."""
    path = path_of(document, key)
    if document.get(path) is None:
        raise KeyNotFound(key=key, candidates="it is not in the file, so its default already applies")
    edited = document.remove(path) if isinstance(path[-1], int) else document.drop(path)
    return Change(edited, f"unset {key}")


def value_at(data: Any, key: str) -> Any:
    """Return what stands at a key of plain data, keys in any spelling. Raises `KeyNotFound`."""
    for number, step in enumerate(_steps(key)):
        if isinstance(step, int) and isinstance(data, Sequence) and step < len(data):
            data = data[step]
            continue
        found = _spelled(data, str(step)) if isinstance(data, Mapping) else None
        if found is None:
            raise KeyNotFound(key=key, candidates=_candidates(data if isinstance(data, Mapping) else (), key, number))
        data = data[found]
    return data


def path_of(document: Document, key: str) -> Path:
    """Return where a key stands, or would stand, in the spellings of the file. Raises `KeyNotFound`."""
    return _resolved(document, key)[0]


def _resolved(document: Document, key: str) -> tuple[Path, Any]:
    """Return where a key stands, or would stand, and what kind of value belongs there; None if that is not known."""
    path: Path = ()
    kind: Any = Config
    whole: Any = Config
    for number, step in enumerate(_steps(key)):
        node = document.get(path)
        if isinstance(step, int):
            if not isinstance(node, list) or step >= len(node):
                raise KeyNotFound(
                    key=key, candidates=f"the list has {len(node) if isinstance(node, list) else 0} items"
                )
            path, whole = (*path, step), kind
            continue
        whole = kind_within(kind if get_origin(whole) is tuple else whole, step)
        try:
            names, kind = member_of(kind, step)
        except KeyError as unknown:
            raise KeyNotFound(key=key, candidates=_candidates(unknown.args, key, number)) from None
        path = (*path, key_in(document, path, names))
    return path, whole


def _steps(key: str) -> list[str | int]:
    found, at = list[str | int](), 0
    for match in _STEP.finditer(key):
        if match.start() != at:
            break
        found.append(match[1] if match[2] is None else int(match[2]))
        at = match.end()
    if at != len(key) or not found:
        raise KeyNotFound(key=key, candidates="keys are joined by dots, like server.port or a.list[0].name")
    return found


def _spelled(node: Mapping[Any, Any], step: str) -> str | None:
    return next((key for key in node if squash(str(key)) == squash(step)), None) or next(
        (key for key in node if service_type(step) is not None and service_type(str(key)) is service_type(step)), None
    )


def _candidates(names: Any, key: str, number: int) -> str:
    """Return the keys that may be meant where a step of a key is unknown."""
    step = [*_STEP.finditer(key)][number]
    close = difflib.get_close_matches(step[1] or "", [str(name) for name in names], 3, cutoff=0.4)
    if close:
        return "did you mean " + " or ".join(key[: step.start(1)] + name for name in close) + "?"
    return "the keys are " + (", ".join(map(str, names)) or "none")
