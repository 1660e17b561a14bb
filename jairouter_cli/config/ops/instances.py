"""Adding and removing instances."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from jairouter_cli.config.document import Document
from jairouter_cli.config.model import Instance, ServiceType
from jairouter_cli.config.ops.change import Change
from jairouter_cli.config.spelling import camel, find_key, kebab, service_type, squash
from jairouter_cli.config.view import plain
from jairouter_cli.errors import InstanceAmbiguous, InstanceExists, InstanceNotFound

Path = tuple[str | int, ...]

_SHOWN = 5  # candidates that an error names


def add(document: Document, service: ServiceType, instance: Instance) -> Change:
    """Add an instance behind those that the service has. Raises `InstanceExists`, `EditImpossible`."""
    path = instances_path(document, service)
    present = _present(document, path)
    if instance.id in (_id(one) for one in present):
        raise InstanceExists(service=service.value, instance=instance.id)
    value = _written(instance, in_camel_case=_is_camel_case(present))
    edited = document.append(path, value) if present else document.put(path, [value])
    return Change(edited, f"added instance {instance.id} to service {service}", service.value, instance.id)


def remove(document: Document, service: ServiceType, wanted: str, base_url: str | None = None) -> Change:
    """Remove an instance: `MODEL@BASE_URL`, `MODEL@BASE_URL#2` for the second of equals, or `MODEL` if that is enough.

    Raises `InstanceNotFound`, `InstanceAmbiguous`, `EditImpossible`.
    """
    path = instances_path(document, service)
    names = _names(_present(document, path))
    index = _chosen(service, names, f"{wanted}@{base_url.rstrip('/')}" if base_url else wanted)
    summary = f"removed instance {names[index]} from service {service}"
    return Change(document.remove((*path, index)), summary, service.value, names[index])


def instances_path(document: Document, service: ServiceType) -> Path:
    """Return where the instances of a service stand, or would stand, in the spellings that the file uses."""
    path: Path = ()
    for step in ("model", "services"):
        path = (*path, _key(document.get(path), step))
    services = document.get(path)
    keys = services if isinstance(services, Mapping) else ()
    key = next((key for key in keys if isinstance(key, str) and service_type(key) is service), service.value)
    return (*path, key, _key(document.get((*path, key)), "instances"))


def _key(node: Any, wanted: str) -> str:
    found = find_key(node, wanted) if isinstance(node, Mapping) else None
    return found or wanted


def _present(document: Document, path: Path) -> list[Mapping[str, Any]]:
    found = document.get(path)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _member(instance: Mapping[str, Any], wanted: str) -> str:
    key = find_key(instance, wanted)
    return str(instance[key]) if key else ""


def _id(instance: Mapping[str, Any]) -> str:
    return f"{_member(instance, 'name')}@{_member(instance, 'base-url').rstrip('/')}"


def _names(present: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the ids; where several are equal they are told apart by `#1`, `#2`, ..."""
    ids = [_id(one) for one in present]
    return [f"{name}#{ids[: index + 1].count(name)}" if ids.count(name) > 1 else name for index, name in enumerate(ids)]


def _chosen(service: ServiceType, names: Sequence[str], wanted: str) -> int:
    """Return the index of the one instance that `wanted` fits."""
    wanted = wanted.rstrip("/")
    fitting = [index for index, name in enumerate(names) if name == wanted]
    if not fitting:
        fitting = [
            i for i, name in enumerate(names) if name.rpartition("#")[0] == wanted or name.startswith(f"{wanted}@")
        ]
    if not fitting:
        raise InstanceNotFound(service=service.value, instance=wanted, candidates=_closest(names, wanted))
    if len(fitting) > 1:
        listed = "it may be " + ", ".join(names[index] for index in fitting[:_SHOWN])
        raise InstanceAmbiguous(service=service.value, instance=wanted, candidates=listed)
    return fitting[0]


def _closest(names: Sequence[str], wanted: str) -> str:
    if not names:
        return "the service has no instances"
    close = difflib.get_close_matches(wanted, names, _SHOWN, cutoff=0) or names[:_SHOWN]
    return "there is " + ", ".join(close)


def _is_camel_case(present: Sequence[Mapping[str, Any]]) -> bool:
    return any(squash(key) == "baseurl" and key != "base-url" and "_" not in key for one in present for key in one)


def _written(instance: Instance, *, in_camel_case: bool) -> dict[str, Any]:
    """Return an instance as it is written: name and address, then what differs from the defaults."""
    members = plain(instance, naming=str, reveal=True)
    defaults = plain(Instance(name=instance.name, base_url=instance.base_url), naming=str)
    naming = camel if in_camel_case else kebab
    return {
        naming(name): value
        for name, value in members.items()
        if name in {"name", "base_url"} or value != defaults.get(name)
    }
