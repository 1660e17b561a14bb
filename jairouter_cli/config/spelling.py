"""Spellings of keys: `base-url`, `baseUrl`, `base_url` and `BASE_URL` are the same key."""

from collections.abc import Iterable
from typing import Any

from jairouter_cli.config.model import SERVICE_SPELLINGS, ServiceType


def squash(key: str) -> str:
    """Return the form in which all spellings of a key are equal: lower case, without `-` and `_`."""
    return key.replace("-", "").replace("_", "").lower()


def kebab(name: str) -> str:
    """Return a field's name as the YAML key that we write: `base_url` is `base-url`, `timeout_s` is `timeout`."""
    return name.removesuffix("_s").replace("_", "-")


def camel(name: str) -> str:
    """Return a field's name as the JSON key that we write: `base_url` is `baseUrl`, `timeout_s` is `timeout`."""
    first, *rest = name.removesuffix("_s").split("_")
    return first + "".join(part.capitalize() for part in rest)


def find_key(keys: Iterable[Any], wanted: str) -> str | None:
    """Return the one of `keys` that is a spelling of `wanted`, or None."""
    form = squash(wanted)
    return next((key for key in keys if isinstance(key, str) and squash(key) == form), None)


def service_type(key: str) -> ServiceType | None:
    """Return the service type that `key` spells, or None."""
    return SERVICE_SPELLINGS.get(squash(key))
