"""A configuration as plain data: for JSON in camelCase, for YAML in kebab-case, secrets masked unless asked for."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from jairouter_cli.config.kinds import Bytes, Secret, UrlPath
from jairouter_cli.config.masking import shown_path
from jairouter_cli.config.model import Instance, ServiceType
from jairouter_cli.config.spelling import camel, kebab

Naming = Callable[[str], str]


def plain(value: Any, *, naming: Naming = camel, reveal: bool = False) -> Any:
    """Return `value` as mappings, lists and scalars; members that are None are left out, durations are `30s`."""
    if isinstance(value, Secret):
        return value.value if reveal else str(value)
    if isinstance(value, msgspec.Struct):
        return _struct(value, naming=naming, reveal=reveal)
    if isinstance(value, Mapping):
        return {str(key): plain(item, naming=naming, reveal=reveal) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item, naming=naming, reveal=reveal) for item in value]
    if isinstance(value, str):
        return str(value) if reveal or not isinstance(value, UrlPath) else shown_path(value)
    return int(value) if isinstance(value, Bytes) else value


def _struct(value: msgspec.Struct, *, naming: Naming, reveal: bool) -> dict[str, Any]:
    members = {}
    for name in value.__struct_fields__:
        member = getattr(value, name)
        if member is None:
            continue
        is_duration = name.endswith("_s") and isinstance(member, int | float)
        members[naming(name)] = duration(member) if is_duration else plain(member, naming=naming, reveal=reveal)
    return members


def duration(seconds: float) -> str:
    """Return a duration as it is written in the file: `30s`, `500ms`."""
    number = seconds if seconds >= 1 else seconds * 1000
    whole = str(round(number, 6)).removesuffix(".0")  # never 1e+06, which is no duration
    return f"{whole}s" if seconds >= 1 else f"{whole}ms"


def as_yaml(value: Any, *, reveal: bool = False) -> Any:
    """Return `value` with the keys of the YAML file."""
    return plain(value, naming=kebab, reveal=reveal)


def instance_view(service: ServiceType, instance: Instance, *, reveal: bool = False) -> dict[str, Any]:
    """Return an instance as lists show it: with its service and its id."""
    return {"service": service.value, "id": instance.id, **plain(instance, reveal=reveal)}


def iso_duration(seconds: float) -> str:
    """Return a duration as Java writes it: PT10S, PT1M, PT1H30M, PT0.5S."""
    nanos = round(seconds * 10**9)
    hours, minutes, rest = nanos // (3600 * 10**9), nanos // (60 * 10**9) % 60, nanos % (60 * 10**9)
    shown = f"{rest // 10**9}.{rest % 10**9:09}".rstrip("0").rstrip(".")
    parts = [f"{hours}H" if hours else "", f"{minutes}M" if minutes else "", f"{shown}S" if rest else ""]
    return "PT" + ("".join(parts) or "0S")
