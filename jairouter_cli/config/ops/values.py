"""Setting and unsetting single values, by the path of their keys: `model.services.chat.instances[0].weight`."""

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from jairouter_cli.config.document import Document, Path
from jairouter_cli.config.model import Config, Service, ServiceType
from jairouter_cli.config.ops.change import Change
from jairouter_cli.config.parse import members_of
from jairouter_cli.config.spelling import service_type, squash
from jairouter_cli.errors import KeyNotFound

_STEP: Final = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")


def set_value(document: Document, key: str, value: Any) -> Change:
    """Put a value at a key of the file. Raises `KeyNotFound`, `EditImpossible`."""
    return Change(document.assign(path_of(document, key), value), f"set {key} to {_shown(key, value)}")


def unset_value(document: Document, key: str) -> Change:
    """Remove a key from the file, so that its default holds. Raises `KeyNotFound`, `EditImpossible`."""
    path = path_of(document, key)
    if document.get(path) is None:
        raise KeyNotFound(key=key, candidates="it is not in the file, its default holds already")
    edited = document.remove(path) if isinstance(path[-1], int) else document.drop(path)
    return Change(edited, f"unset {key}")


def value_at(data: Any, key: str) -> Any:
    """Return what stands at a key of plain data, keys in any spelling. Raises `KeyNotFound`."""
    for step in _steps(key):
        if isinstance(step, int) and isinstance(data, Sequence) and step < len(data):
            data = data[step]
            continue
        found = _spelled(data, str(step)) if isinstance(data, Mapping) else None
        if found is None:
            raise KeyNotFound(key=key, candidates=_candidates(data if isinstance(data, Mapping) else (), str(step)))
        data = data[found]
    return data


def path_of(document: Document, key: str) -> Path:
    """Return where a key stands, or would stand, in the spellings of the file. Raises `KeyNotFound`."""
    path: Path = ()
    kind: Any = Config
    for step in _steps(key):
        node = document.get(path)
        if isinstance(step, int):
            if not isinstance(node, list) or step >= len(node):
                raise KeyNotFound(key=key, candidates=f"there are {len(node) if isinstance(node, list) else 0} there")
            path = (*path, step)
            continue
        name, kind = _member(kind, step, key)
        written = _written(node, name) if isinstance(node, Mapping) else None
        path = (*path, written or name[0])
    return path


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


def _member(kind: Any, step: str, key: str) -> tuple[tuple[str, ...], Any]:
    """Return the names of a member of a section, the one to be written first, and its kind."""
    if kind is ServiceType:
        service = service_type(step)
        if service is None:
            raise KeyNotFound(key=key, candidates="the services are " + ", ".join(ServiceType))
        return (service.value,), Service
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return (step,), None  # a header, or what no section is: the file will be judged
    members = members_of(kind)
    for names, inner in members:
        if squash(step) in {squash(name) for name in names if "." not in name}:
            return names, inner
    raise KeyNotFound(key=key, candidates=_candidates([names[0] for names, _ in members], step))


def _written(node: Mapping[Any, Any], names: tuple[str, ...]) -> str | None:
    wanted = {squash(name) for name in names}
    services = {service_type(name) for name in names} - {None}
    for present in node:
        if squash(str(present)) in wanted or service_type(str(present)) in services:
            return str(present)
    return None


def _spelled(node: Mapping[Any, Any], step: str) -> str | None:
    return next((key for key in node if squash(str(key)) == squash(step)), None) or next(
        (key for key in node if service_type(step) is not None and service_type(str(key)) is service_type(step)), None
    )


def _candidates(names: Any, step: str) -> str:
    close = difflib.get_close_matches(step, [str(name) for name in names], 3, cutoff=0.4)
    return "did you mean " + " or ".join(close) + "?" if close else "there is " + (", ".join(map(str, names)) or "none")


def _shown(key: str, value: Any) -> str:
    last = squash(key.rpartition(".")[2])
    is_secret = any(word in last for word in ("apikey", "token", "password", "secret")) or "headers" in squash(key)
    return "******" if is_secret and last != "tokensperminute" else str(value)
