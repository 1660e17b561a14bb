"""Edits that set and clear limits: of the gateway, a service or an instance, and of each client there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jairouter_cli.config.change import Change
from jairouter_cli.config.document import Document, Path
from jairouter_cli.config.fields import names_of
from jairouter_cli.config.model import ClientLimit, RateLimit, ServiceType
from jairouter_cli.config.ops import instances
from jairouter_cli.config.ops.sections import key_in
from jairouter_cli.config.place import Place
from jairouter_cli.config.spelling import find_key, kebab
from jairouter_cli.errors import LimitNotFound


@dataclass(frozen=True, slots=True)
class LimitPlace:
    """Where a limit stands: at the gateway, at a service, at an instance of it; or the one of each client there."""

    service: ServiceType | None = None
    instance: str | None = None
    per_client: bool = False

    @property
    def where(self) -> Place:
        """Whatever it is that each client has there."""
        return Place(self.service, self.instance or "")

    def __str__(self) -> str:
        name = "the gateway" if self.service is None else self.instance or f"service {self.service}"
        return f"each client of {name}" if self.per_client else name


def set_limit(document: Document, place: LimitPlace, values: Mapping[str, Any]) -> Change:
    """Set members of a limit, by the names of their fields, and switch it on; the others stay as they are.

    A name that is no field's is written as it is: the file's reader tells of unknown keys.

    Raises `EditImpossible`, `InstanceNotFound`, `InstanceAmbiguous`.
    """
    section, place = _section(document, place)
    struct = ClientLimit if place.per_client else RateLimit
    edited = document
    for field, value in {"enabled": True, **values}.items():
        edited = edited.assign((*section, _key(edited, section, struct, field)), value)
    said = ", ".join(f"{kebab(field)} {value}" for field, value in values.items() if field in struct.__struct_fields__)
    return Change(edited, f"set the limit of {place}: {said or 'enabled'}", *_whose(place))


def clear_limit(document: Document, place: LimitPlace) -> Change:
    """Remove a limit. Raises `LimitNotFound`, `EditImpossible`, `InstanceNotFound`, `InstanceAmbiguous`."""
    section, place = _section(document, place)
    present = document.get(section)
    edited = document
    if place.per_client:
        switch = (*section[:-1], _key(document, section[:-1], RateLimit, "client_ip_enable"))
        if document.get(switch) is not None:
            edited = edited.drop(switch)
    if present is not None:
        edited = edited.drop(section)
    if edited is document:
        raise LimitNotFound(place=str(place))
    return Change(edited, f"removed the limit of {place}", *_whose(place))


def _whose(place: LimitPlace) -> tuple[str | None, str | None]:
    return (None if place.service is None else place.service.value), place.instance


def _section(document: Document, place: LimitPlace) -> tuple[Path, LimitPlace]:
    """Return where the section stands, or would stand, and the place with the whole id of its instance."""
    holder: Path = (find_key(document.root, "model") or "model",)
    if place.service is not None and place.instance is not None:
        holder, found = instances.place(document, place.service, place.instance)
        place = LimitPlace(place.service, found, place.per_client)
    elif place.service is not None:
        holder = instances.service_path(document, place.service)
    section = (*holder, key_in(document, holder, ["rate-limit"]))
    if place.per_client:
        section = (*section, _key(document, section, RateLimit, "client_ip"))
    return section, place


def _key(document: Document, section: Path, struct: type[RateLimit | ClientLimit], field: str) -> str:
    names = names_of(struct, field) if field in struct.__struct_fields__ else (field,)
    return key_in(document, section, names)
