"""The store of the Java version, and the form in which its API shows a configuration.

The store is a folder of complete documents, `model-router-config@N.json`; each has the content of `model` here.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from jairouter_cli.config import files
from jairouter_cli.config.fields import unit_of
from jairouter_cli.config.kinds import Secret
from jairouter_cli.config.model import Config, Instance, ModelSection, Service
from jairouter_cli.config.spelling import camel, service_type, squash
from jairouter_cli.config.view import plain
from jairouter_cli.errors import ForeignUnreadable

_NAME: Final = re.compile(r"model-router-config@(\d+)\.json")


def file_name(number: int) -> str:
    """Return the name of a version's file."""
    return f"model-router-config@{number}.json"


def versions(folder: Path) -> dict[int, Path]:
    """Return the files of the Java version's store by their numbers, ascending; none where there is no folder."""
    if not folder.is_dir():
        return {}
    found = {int(match[1]): path for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))}
    return dict(sorted(found.items()))


def read(path: Path) -> dict[str, Any]:
    """Return a document of the Java version's store. Raises `ForeignUnreadable`."""
    try:
        found = msgspec.json.decode(files.read(path))
    except OSError as error:
        raise ForeignUnreadable(file=str(path), reason=error.strerror or str(error)) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise ForeignUnreadable(file=str(path), reason=str(error)) from None
    if not isinstance(found, dict):
        raise ForeignUnreadable(file=str(path), reason="it is not a JSON object")
    inner = found.get("model")
    return inner if isinstance(inner, dict) else found


def united(documents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return several documents as one: the later one wins, services are united, and so are instances.

    Those are the same that have the same name and address; their order is that in which they first came.
    """
    whole: dict[str, Any] = {}
    services: dict[str, dict[str, Any]] = {}
    for document in documents:
        whole |= {key: value for key, value in document.items() if key != "services"}
        found = document.get("services")
        for key, value in found.items() if isinstance(found, Mapping) else ():
            kind = service_type(key)
            service = services.setdefault(kind.value if kind else key, {})
            members = value if isinstance(value, Mapping) else {}
            service |= {key: value for key, value in members.items() if key != "instances"}
            service["instances"] = _united_instances(service.get("instances") or [], members.get("instances") or [])
    return {**whole, "services": services}


def _united_instances(earlier: Any, later: Any) -> Any:
    """Return both as one list; what is none is returned as it is, for the file to be judged by it."""
    for one in (earlier, later):
        if not isinstance(one, list):
            return one
    known = {_id(one): one for one in earlier}
    known |= {_id(one): one for one in later if isinstance(one, Mapping) and _id(one)}
    return list(known.values())


def _id(instance: Mapping[str, Any]) -> str:
    members = {squash(key): value for key, value in instance.items()}
    name, url = members.get("name"), members.get("baseurl")
    return f"{name}@{str(url).rstrip('/')}" if name and url else ""


def exported(config: Config) -> bytes:
    """Return a configuration as a document of the Java version's store, keys included."""
    return msgspec.json.encode(model_view(config.model, reveal=True))


# --- as it is shown: camelCase, durations as plain numbers ---


def model_view(model: ModelSection, *, reveal: bool = False) -> dict[str, Any]:
    """Return the whole: what holds for all services, and the services with their instances."""
    shown = section_view(model, reveal=reveal)
    shown["services"] = {kind.value: service_view(one, reveal=reveal) for kind, one in model.services.items()}
    return shown


def service_view(service: Service, *, reveal: bool = False) -> dict[str, Any]:
    """Return a service with its instances, each with its id."""
    shown = section_view(service, reveal=reveal)
    shown["instances"] = [instance_view(one, reveal=reveal) for one in service.instances]
    return shown


def instance_view(instance: Instance, *, reveal: bool = False) -> dict[str, Any]:
    """Return an instance with its id."""
    return {**section_view(instance, reveal=reveal), "instanceId": instance.id}


def section_view(section: msgspec.Struct, *, reveal: bool = False) -> dict[str, Any]:
    """Return a section, without what it does not say."""
    shown: dict[str, Any] = {}
    for name in section.__struct_fields__:
        value = getattr(section, name)
        if value is None or name in {"services", "instances"}:
            continue
        if isinstance(value, msgspec.Struct) and not isinstance(value, Secret):
            shown[camel(name)] = section_view(value, reveal=reveal)
        elif name.endswith("_s") and isinstance(value, int | float):
            shown[camel(name)] = _number(value / unit_of(type(section), name))
        else:
            shown[camel(name)] = _number(value) if isinstance(value, float) else plain(value, reveal=reveal)
    return shown


def changes(before: ModelSection, after: ModelSection) -> dict[str, Any]:
    """Return the differences, value by value, in the form of the Java version; keys are compared, but masked.

    A path is the keys on the way, an instance's id among them: `services.chat.instances.m@http://h.weight`.
    """
    old, new = (dict(_values(model_view(one, reveal=True))) for one in (before, after))
    was, now = (dict(_values(model_view(one))) for one in (before, after))
    items = {
        "added": [_item(path, None, now[path], "ADDED") for path in new if path not in old],
        "removed": [_item(path, was[path], None, "REMOVED") for path in old if path not in new],
        "modified": [
            _item(path, was[path], now[path], "MODIFIED") for path in new if path in old and old[path] != new[path]
        ],
    }
    same = sum(path in old and old[path] == value for path, value in new.items())
    return {**items, "unchangedCount": same, "totalChanges": sum(map(len, items.values()))}


def _item(path: str, old: Any, new: Any, kind: str) -> dict[str, Any]:
    shown = {"path": path, "oldValue": old, "newValue": new, "changeType": kind}
    return {name: value for name, value in shown.items() if value is not None}


def _values(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value with its path; an instance is named by its id, so that its position does not matter."""
    if isinstance(node, Mapping) and node:
        for key, value in node.items():
            yield from _values(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list) and node and isinstance(node[0], Mapping):
        for value in node:
            yield from _values(value, f"{path}.{value.get('instanceId')}")
    else:
        yield path, node


def _number(value: float) -> float:
    return int(value) if float(value).is_integer() else round(value, 6)
