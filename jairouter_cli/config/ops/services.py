"""Edits that add, change and remove services."""

from collections.abc import Mapping
from typing import Any

from jairouter_cli.config.change import Change
from jairouter_cli.config.document import Document
from jairouter_cli.config.model import Service, ServiceType
from jairouter_cli.config.ops.instances import service_path, unmasked
from jairouter_cli.config.ops.sections import is_in_camel_case, merge, written
from jairouter_cli.errors import ServiceExists, ServiceNotFound


def add(document: Document, service: ServiceType, members: Mapping[str, Any]) -> Change:
    """Add a service; without `instances` it has none. Raises `ServiceExists`, `EditRefused`, `EditImpossible`."""
    path = service_path(document, service)
    if is_there(document, service):
        raise ServiceExists(service=service.value)
    named = {**members, **({} if members.get("instances") else {"instances": []})}
    value = written(Service, named, in_camel_case=is_in_camel_case(document, path))
    return Change(document.put(path, value), f"added service {service}", service.value)


def update(document: Document, service: ServiceType, members: Mapping[str, Any]) -> Change:
    """Change what is named of a service; what is not named, or masked, stays.

    Raises `ServiceNotFound`, `EditRefused`, `EditImpossible`.
    """
    path = _there(document, service)
    if isinstance(members.get("instances"), list):
        members = {**members, "instances": [unmasked(document, service, one) for one in members["instances"]]}
    return Change(merge(document, path, Service, members), f"changed service {service}", service.value)


def remove(document: Document, service: ServiceType) -> Change:
    """Remove a service with its instances. Raises `ServiceNotFound`, `EditImpossible`."""
    return Change(document.drop(_there(document, service)), f"removed service {service}", service.value)


def is_there(document: Document, service: ServiceType) -> bool:
    """Whether the file names a service, be it without anything."""
    path = service_path(document, service)
    services = document.get(path[:-1])
    return isinstance(services, Mapping) and path[-1] in services


def _there(document: Document, service: ServiceType) -> tuple[str | int, ...]:
    if not is_there(document, service):
        raise ServiceNotFound(service=service.value)
    return service_path(document, service)
