"""Putting sections that came as JSON into the file: in its spelling, keeping what they do not name.

What is null, masked, or only ever shown (`instanceId`, `status`, ...) is not put anywhere.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from jairouter_cli.config.document import Document, Path
from jairouter_cli.config.model import MASK, Service, ServiceType
from jairouter_cli.config.parse import members_of
from jairouter_cli.config.spelling import camel, service_type, squash

ONLY_SHOWN: Final = frozenset(
    {
        "instanceid",
        "id",
        "service",
        "status",
        "healthstatus",
        "lasthealthcheck",
        "requestcount",
        "errorcount",
        "avgresponsetime",
    }
)


def written(kind: Any, value: Any, *, in_camel_case: bool = False) -> Any:
    """Return a value as it is written into a file: a section's members under the keys that we write."""
    if isinstance(value, Mapping):
        found = {}
        for key, item in value.items():
            if not _is_said(str(key), item):
                continue
            names, inner = _member(kind, str(key))
            name = camel(names[0].replace("-", "_")) if in_camel_case and inner is not Service else names[0]
            found[name] = written(inner, item, in_camel_case=in_camel_case)
        return found
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [written(kind, item, in_camel_case=in_camel_case) for item in value]
    return value


def merge(document: Document, path: Path, kind: Any, value: Mapping[str, Any]) -> Document:
    """Put the members of a section into the one that stands at a path, section by section; lists are replaced.

    Raises `EditImpossible`.
    """
    in_camel_case = is_in_camel_case(document, path)
    for key, item in value.items():
        if not _is_said(key, item):
            continue
        names, inner = _member(kind, key)
        there = document.get(path)
        at = (*path, _written_key(there, names) or (camel(names[0].replace("-", "_")) if in_camel_case else names[0]))
        if isinstance(item, Mapping) and isinstance(document.get(at), Mapping) and document.get(at):
            document = merge(document, at, inner, item)
        else:
            document = document.assign(at, written(inner, item, in_camel_case=in_camel_case))
    return document


def is_in_camel_case(document: Document, path: Path) -> bool:
    """Whether the keys around a path are in camelCase."""
    for depth in range(len(path), 0, -1):
        node = document.get(path[:depth])
        keys = [str(key) for key in node] if isinstance(node, Mapping) else []
        keys = [key for key in keys if service_type(key) is None]
        if any("-" in key for key in keys):
            return False
        if any(key != key.lower() and key.isalpha() for key in keys):
            return True
        items = node if isinstance(node, list) else []
        if any("baseUrl" in item for item in items if isinstance(item, Mapping)):
            return True
    return False


def _is_said(key: str, value: Any) -> bool:
    return value is not None and value != MASK and squash(key) not in ONLY_SHOWN


def _member(kind: Any, key: str) -> tuple[tuple[str, ...], Any]:
    """Return the names of a member and its kind; of what is not known, the key as it came."""
    if kind is ServiceType:
        service = service_type(key)
        return ((service.value if service else key),), Service
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        for names, inner in members_of(kind):
            if squash(key) in {squash(name) for name in names if "." not in name}:
                return names, inner
    return (key,), None


def _written_key(node: Any, names: tuple[str, ...]) -> str | None:
    wanted = {squash(name) for name in names}
    keys = [str(key) for key in node] if isinstance(node, Mapping) else []
    return next((key for key in keys if squash(key) in wanted), None)
