"""Writes sections that came as JSON into the file, in its spelling, and keeps the members they do not name.

Members that are null or read-only (`instanceId`, `status`, ...) are not written.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from jairouter_cli.config.document import Document, Path
from jairouter_cli.config.fields import member_of
from jairouter_cli.config.kinds import MASK
from jairouter_cli.config.masking import is_mask_of
from jairouter_cli.config.model import Service
from jairouter_cli.config.spelling import camel, service_type, squash
from jairouter_cli.errors import EditRefused

_CAMEL_CASE: Final = re.compile(r"[a-z]+[A-Z]")
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
    """Return a value as it is written into a file: a section's members under the keys that we write.

    Raises `EditRefused` for what is masked: there is nothing that could stand in its place.
    """
    if isinstance(value, str) and MASK in value:
        raise EditRefused([f"a value is masked ({MASK}), but there is no earlier value to keep; send the value itself"])
    if isinstance(value, Mapping):
        found = {}
        for key, item in value.items():
            if _is_said(str(key), item):
                names, inner = _member(kind, str(key))
                found[_new_key(names, inner, in_camel_case=in_camel_case)] = written(
                    inner, item, in_camel_case=in_camel_case
                )
        return found
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [written(kind, item, in_camel_case=in_camel_case) for item in value]
    return value


def merge(document: Document, path: Path, kind: Any, value: Mapping[str, Any]) -> Document:
    """Put the members of a section into the one that stands at a path, section by section; lists are replaced.

    What is masked stays as it is. Raises `EditImpossible`, `EditRefused`.
    """
    for key, item in value.items():
        if not _is_said(key, item):
            continue
        names, inner = _member(kind, key)
        at = (*path, key_in(document, path, names))
        if is_mask_of(item, document.get(at)):
            continue
        if isinstance(item, Mapping) and isinstance(document.get(at), Mapping) and document.get(at):
            document = merge(document, at, inner, item)
        else:
            document = document.assign(at, written(inner, item, in_camel_case=is_in_camel_case(document, path)))
    return document


def key_in(document: Document, path: Path, names: Sequence[str]) -> str:
    """Return the key under which a member stands in a section, or is to be written there: as those around it are."""
    node = document.get(path)
    keys = [key for key in node if isinstance(key, str)] if isinstance(node, Mapping) else []
    wanted, services = {squash(name) for name in names}, {service_type(name) for name in names} - {None}
    for key in keys:
        if squash(key) in wanted or service_type(key) in services:
            return key
    return _new_key(names, None, in_camel_case=is_in_camel_case(document, path))


def is_in_camel_case(document: Document, path: Path) -> bool:
    """Whether the keys around a path are in camelCase: the nearest ones that tell."""
    for depth in range(len(path), 0, -1):
        node = document.get(path[:depth])
        sections = node if isinstance(node, list) else [node]
        keys = [str(key) for section in sections if isinstance(section, Mapping) for key in section]
        keys = [key for key in keys if service_type(key) is None]  # `imgGen` is a name, and tells no style
        if any("-" in key for key in keys):
            return False
        if any(_CAMEL_CASE.match(key) for key in keys):
            return True
    return False


def _new_key(names: Sequence[str], kind: Any, *, in_camel_case: bool) -> str:
    plain = not in_camel_case or kind is Service
    return names[0] if plain else camel(names[0].replace("-", "_"))


def _is_said(key: str, value: Any) -> bool:
    return value is not None and squash(key) not in ONLY_SHOWN


def _member(kind: Any, key: str) -> tuple[Sequence[str], Any]:
    """Return the names of a member and its kind; of what is not known, the key as it came."""
    try:
        return member_of(kind, key)
    except KeyError:
        return (key,), None
