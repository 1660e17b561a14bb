"""Edits that add, change and remove instances."""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from jairouter_cli.config.addresses import backend_of
from jairouter_cli.config.change import Change
from jairouter_cli.config.document import Document, Path
from jairouter_cli.config.masking import is_mask_of
from jairouter_cli.config.model import Config, Instance, ServiceType
from jairouter_cli.config.ops.sections import is_in_camel_case, merge, written
from jairouter_cli.config.scalars import text_of
from jairouter_cli.config.spelling import camel, find_key, kebab, service_type
from jairouter_cli.config.view import plain
from jairouter_cli.errors import InstanceAmbiguous, InstanceExists, InstanceNotFound

_SHOWN: Final = 5  # candidates that an error names
_SLASHES_AT_END: Final = re.compile(r"/+(?=(?:#\d+)?$)")


@dataclass(frozen=True, slots=True)
class _InstanceEntry:
    """An instance as it stands in the file: at `index`, as the `number`th of `count` with its name and address."""

    index: int
    name: str
    base_url: str
    number: int = 1
    count: int = 1

    @property
    def id(self) -> str:
        """`name@base-url`; among equals their number stands behind it: `name@base-url#2`."""
        return self.plain_id if self.count == 1 else f"{self.plain_id}#{self.number}"

    @property
    def plain_id(self) -> str:
        return f"{self.name}@{self.base_url}"

    def is_as(self, other: "_InstanceEntry") -> bool:
        """Whether both are the same model on the same backend, however its address is written."""
        return self.name == other.name and backend_of(self.base_url) == backend_of(other.base_url)


def add(document: Document, service: ServiceType, instance: Instance) -> Change:
    """Add an instance behind those that the service has. Raises `InstanceExists`, `EditImpossible`."""
    is_camel = is_in_camel_case(document, instances_path(document, service))
    return _appended(document, service, _written(instance, camel if is_camel else kebab))


def add_members(document: Document, service: ServiceType, members: Mapping[str, Any]) -> Change:
    """Add an instance that has these keys; the rest as `add`. What its values are worth is judged with the file."""
    is_camel = is_in_camel_case(document, instances_path(document, service))
    return _appended(document, service, written(Instance, members, in_camel_case=is_camel))


def _appended(document: Document, service: ServiceType, value: dict[str, Any]) -> Change:
    path = instances_path(document, service)
    new = _entry(0, value)
    if any(entry.is_as(new) for entry in _entries(document, path)):
        raise InstanceExists(service=service.value, instance=new.plain_id)
    present = document.get(path)
    is_list = isinstance(present, list) and bool(present)
    edited = document.append(path, value) if is_list else document.put(path, [value])
    return Change(edited, f"added instance {new.plain_id} to service {service}", service.value, new.plain_id)


def remove(document: Document, service: ServiceType, wanted: str, base_url: str | None = None) -> Change:
    """Remove an instance: `MODEL@BASE_URL`, `MODEL@BASE_URL#2` for the second of equals, or `MODEL` if that is enough.

    Addresses are compared as they stand in the file, without slashes at their end. Raises `InstanceNotFound`,
    `InstanceAmbiguous`, `EditImpossible`.
    """
    path = instances_path(document, service)
    entry = _chosen(service, _entries(document, path), f"{wanted}@{base_url}" if base_url else wanted)
    summary = f"removed instance {entry.id} from service {service}"
    return Change(document.remove((*path, entry.index)), summary, service.value, entry.id)


def update(document: Document, service: ServiceType, wanted: str, members: Mapping[str, Any]) -> Change:
    """Change what is named of an instance; what is not named stays.

    Raises `InstanceNotFound`, `InstanceAmbiguous`, `InstanceExists` if it would be as another one, `EditImpossible`.
    """
    path, before = place(document, service, wanted)
    edited = merge(document, path, Instance, members)
    present = [entry.plain_id for entry in _entries(document, path[:-1])]
    now = _entry(0, edited.get(path)).plain_id
    if now in present and now != trimmed(before).partition("#")[0]:
        raise InstanceExists(service=service.value, instance=now)
    return Change(edited, f"changed instance {before} of service {service}", service.value, now)


def unmasked(document: Document, service: ServiceType, members: Any) -> Any:
    """Return an instance as it came, with what is masked in it as it stands in the file, if it does."""
    if not isinstance(members, Mapping):
        return members
    path = instances_path(document, service)
    wanted = _entry(0, members).plain_id
    entry = next((entry for entry in _entries(document, path) if entry.plain_id == wanted), None)
    node = document.get((*path, entry.index)) if entry is not None else {}
    return _with_secrets_of(node, members)


def _with_secrets_of(node: Mapping[str, Any], members: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in members.items():
        there = node.get(find_key(node, key) or key)
        if there is not None and is_mask_of(value, there):
            found[key] = there
        elif isinstance(value, Mapping) and isinstance(there, Mapping):
            found[key] = _with_secrets_of(there, value)
        else:
            found[key] = value
    return found


def place(document: Document, service: ServiceType, wanted: str) -> tuple[Path, str]:
    """Return where an instance stands, and its id. Raises `InstanceNotFound`, `InstanceAmbiguous`."""
    path = instances_path(document, service)
    entry = _chosen(service, _entries(document, path), wanted)
    return (*path, entry.index), entry.id


def read(document: Document, config: Config, service: ServiceType, wanted: str) -> Instance:
    """Return an instance of the configuration that a document holds. Raises as `place`."""
    path, _id = place(document, service, wanted)
    return config.model.services[service].instances[int(path[-1])]


def instances_path(document: Document, service: ServiceType) -> Path:
    """Return where the instances of a service stand, or would stand, in the spellings that the file uses."""
    path = service_path(document, service)
    return (*path, _key(document.get(path), "instances"))


def service_path(document: Document, service: ServiceType) -> Path:
    """Return where a service stands, or would stand."""
    path: Path = ()
    for step in ("model", "services"):
        path = (*path, _key(document.get(path), step))
    services = document.get(path)
    keys = services if isinstance(services, Mapping) else ()
    key = next((key for key in keys if isinstance(key, str) and service_type(key) is service), service.value)
    return (*path, key)


def trimmed(instance_id: str) -> str:
    """Return an id without slashes at the end of its address, in front of its number."""
    return _SLASHES_AT_END.sub("", instance_id)


# --- what is there ---


def _key(node: Any, wanted: str) -> str:
    found = find_key(node, wanted) if isinstance(node, Mapping) else None
    return found or wanted


def _entries(document: Document, path: Path) -> list[_InstanceEntry]:
    """Return the instances at a path; what is no mapping is none, but counts for the index."""
    found = document.get(path)
    items = enumerate(found) if isinstance(found, list) else ()
    return list(_numbered([_entry(index, item) for index, item in items if isinstance(item, Mapping)]))


def _entry(index: int, item: Mapping[str, Any]) -> _InstanceEntry:
    name, base_url = (_member(item, key) for key in ("name", "base-url"))
    return _InstanceEntry(index, name, base_url.rstrip("/"))


def _member(item: Mapping[str, Any], wanted: str) -> str:
    value = item.get(_key(item, wanted))
    return "" if value is None else text_of(value) or str(value)


def _numbered(entries: Sequence[_InstanceEntry]) -> Iterator[_InstanceEntry]:
    ids = [entry.plain_id for entry in entries]
    for at, entry in enumerate(entries):
        number, count = ids[: at + 1].count(entry.plain_id), ids.count(entry.plain_id)
        yield _InstanceEntry(entry.index, entry.name, entry.base_url, number, count)


# --- choosing ---

# What a user may mean by a text, the closest reading first.
_READINGS: Final[Sequence[Callable[[_InstanceEntry, str], bool]]] = (
    lambda entry, wanted: trimmed(wanted) == entry.id,
    lambda entry, wanted: trimmed(wanted) == entry.plain_id,
    lambda entry, wanted: wanted == entry.name,
)


def _chosen(service: ServiceType, entries: Sequence[_InstanceEntry], wanted: str) -> _InstanceEntry:
    """Return the one instance that `wanted` fits."""
    readings = ([entry for entry in entries if fits(entry, wanted)] for fits in _READINGS)
    fitting = next((found for found in readings if found), [])
    if not fitting:
        raise InstanceNotFound(service=service.value, instance=wanted, candidates=_closest(entries, wanted))
    if len(fitting) > 1:
        listed = "it can be " + ", ".join(entry.id for entry in fitting[:_SHOWN])
        raise InstanceAmbiguous(service=service.value, instance=wanted, candidates=listed)
    return fitting[0]


def _closest(entries: Sequence[_InstanceEntry], wanted: str) -> str:
    if not entries:
        return "the service has no instances"
    close = difflib.get_close_matches(wanted, [entry.id for entry in entries], _SHOWN, cutoff=0)
    return "closest matches: " + ", ".join(close)


# --- writing ---


def _written(struct: msgspec.Struct, naming: Callable[[str], str]) -> dict[str, Any]:
    """Return a struct as it is written: what it must have, then what differs from the defaults."""
    shown = plain(struct, naming=str, reveal=True)
    written = {}
    for spec in msgspec.structs.fields(struct):
        value = getattr(struct, spec.name)
        if not spec.required and value == _default(spec):
            continue
        is_section = isinstance(value, msgspec.Struct) and isinstance(shown[spec.name], dict)
        written[naming(spec.name)] = _written(value, naming) if is_section else shown[spec.name]
    return written


def _default(spec: msgspec.structs.FieldInfo) -> Any:
    return spec.default_factory() if spec.default_factory is not msgspec.NODEFAULT else spec.default
