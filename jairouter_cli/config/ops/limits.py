"""Setting and clearing limits: of the gateway, of a service, of an instance; and of each client there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jairouter_cli.config.document import Document
from jairouter_cli.config.model import ClientLimit, RateLimit, ServiceType
from jairouter_cli.config.ops import instances
from jairouter_cli.config.ops.change import Change
from jairouter_cli.config.ops.instances import Path
from jairouter_cli.config.parse import names_of
from jairouter_cli.config.spelling import camel, find_key, kebab
from jairouter_cli.errors import LimitNotFound


@dataclass(frozen=True, slots=True)
class Place:
    """Where a limit stands: at the gateway, at a service, at an instance of it; or the one of each client there."""

    service: ServiceType | None = None
    instance: str | None = None
    per_client: bool = False

    def __str__(self) -> str:
        name = "the gateway" if self.service is None else self.instance or f"service {self.service}"
        return f"each client of {name}" if self.per_client else name


def set_limit(document: Document, place: Place, values: Mapping[str, Any]) -> Change:
    """Set members of a limit, by the names of their fields, and switch it on; the others stay as they are.

    Raises `EditImpossible`, `InstanceNotFound`, `InstanceAmbiguous`.
    """
    section, place = _section(document, place)
    struct = ClientLimit if place.per_client else RateLimit
    edited = document
    for field, value in {"enabled": True, **values}.items():
        edited = edited.assign((*section, _spelled(edited, section, struct, field)), value)
    said = ", ".join(f"{kebab(field)} {value}" for field, value in values.items())
    return Change(edited, f"set the limit of {place}: {said or 'enabled'}", *_whose(place))


def clear_limit(document: Document, place: Place) -> Change:
    """Remove a limit. Raises `LimitNotFound`, `EditImpossible`, `InstanceNotFound`, `InstanceAmbiguous`."""
    section, place = _section(document, place)
    present = document.get(section)
    edited = document
    if place.per_client:
        switch = (*section[:-1], _spelled(document, section[:-1], RateLimit, "client_ip_enable"))
        if document.get(switch) is not None:
            edited = edited.drop(switch)
    if present is not None:
        edited = edited.drop(section)
    if edited is document:
        raise LimitNotFound(place=str(place))
    return Change(edited, f"removed the limit of {place}", *_whose(place))


def _whose(place: Place) -> tuple[str | None, str | None]:
    return (None if place.service is None else place.service.value), place.instance


def _section(document: Document, place: Place) -> tuple[Path, Place]:
    """Return where the section stands, or would stand, and the place with the whole id of its instance."""
    holder: Path = (find_key(document.root, "model") or "model",)
    if place.service is not None and place.instance is not None:
        holder, found = instances.place(document, place.service, place.instance)
        place = Place(place.service, found, place.per_client)
    elif place.service is not None:
        holder = instances.service_path(document, place.service)
    section = (*holder, _existing(document, holder, "rate-limit") or _new(document, holder, "rate_limit"))
    if place.per_client:
        section = (*section, _spelled(document, section, RateLimit, "client_ip"))
    return section, place


def _spelled(document: Document, holder: Path, struct: type[RateLimit | ClientLimit], field: str) -> str:
    """Return the key of a field as it stands in a section, or as it is to be written there."""
    found = (_existing(document, holder, name) for name in names_of(struct, field))
    return next((key for key in found if key), None) or _new(document, holder, field)


def _existing(document: Document, holder: Path, name: str) -> str | None:
    node = document.get(holder)
    return find_key(node, name) if isinstance(node, Mapping) else None


def _new(document: Document, holder: Path, field: str) -> str:
    """Return a field's key, in camelCase where the keys around are."""
    for depth in range(len(holder), 0, -1):
        node = document.get(holder[:depth])
        keys = [str(key) for key in node] if isinstance(node, Mapping) else []
        if any("-" in key for key in keys):
            break
        if any(key != key.lower() and key.isalpha() for key in keys) and depth != _SERVICES_DEPTH:
            return camel(field)
    return kebab(field)


_SERVICES_DEPTH = 2  # the names of services are no keys that tell a style: `imgGen`
