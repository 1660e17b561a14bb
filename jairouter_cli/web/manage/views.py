"""The configuration as the management API shows it (contract 2.2.1): camelCase, durations as plain numbers."""

from typing import Any

import msgspec

from jairouter_cli.config.model import ModelSection, Secret, Service
from jairouter_cli.config.parse import unit_of
from jairouter_cli.config.spelling import camel
from jairouter_cli.config.view import plain


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


def instance_view(instance: msgspec.Struct, *, reveal: bool = False) -> dict[str, Any]:
    """Return an instance with its id."""
    return {**section_view(instance, reveal=reveal), "instanceId": instance.id}  # type: ignore[attr-defined]


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


def _number(value: float) -> float:
    return int(value) if float(value).is_integer() else round(value, 6)
