"""The keys of the structs in `model`: names, kinds, units and ranges, for code that walks a file along with them.

Must not live here: reading values, see `parse` and `scalars`.
"""

from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec

from jairouter_cli.config.kinds import Alias, Secret, TextForm, ValueUnit
from jairouter_cli.config.model import Service, ServiceType
from jairouter_cli.config.spelling import kebab, service_type, squash


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a struct as the walk needs it."""

    name: str
    key: str
    kind: Any
    aliases: tuple[str, ...] = ()
    unit: ValueUnit | None = None
    bounds: msgspec.Meta | None = None
    required: bool = False
    form: TextForm | None = None


@cache
def fields_of(struct: type[msgspec.Struct]) -> tuple[Field, ...]:
    """Return the fields of a struct."""
    hints = get_type_hints(struct, include_extras=True)
    hints = {name: hints[name] for name in struct.__struct_fields__}
    required = {f.name for f in msgspec.structs.fields(struct) if f.required}
    return tuple(described(name, hint, required=name in required) for name, hint in hints.items())


def described(name: str, hint: Any, *, required: bool) -> Field:
    """Return a field by its type and what is annotated to it."""
    kind, extras = _unwrap(hint)
    aliases = next((extra.keys for extra in extras if isinstance(extra, Alias)), ())
    unit = next((extra for extra in extras if isinstance(extra, ValueUnit)), None)
    bounds = next((extra for extra in extras if isinstance(extra, msgspec.Meta)), None)
    form = next((extra for extra in extras if isinstance(extra, TextForm)), None)
    return Field(name, kebab(name), kind, aliases, unit, bounds, required, form)


def _unwrap(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """Strip `Annotated` and `| None` off a type; return it with the annotations."""
    if get_origin(hint) is Annotated:
        inner, *extras = get_args(hint)
        kind, more = _unwrap(inner)
        return kind, (*extras, *more)
    if get_origin(hint) is UnionType or type(hint) is UnionType or NoneType in get_args(hint):
        (inner,) = (arg for arg in get_args(hint) if arg is not NoneType)
        return _unwrap(inner)
    return hint, ()


def names_of(struct: type[msgspec.Struct], field: str) -> tuple[str, ...]:
    """Return the keys under which a field is read, the one that is written first."""
    spec = next(spec for spec in fields_of(struct) if spec.name == field)
    return (spec.key, *spec.aliases)


def member_of(kind: Any, key: str) -> tuple[tuple[str, ...], Any]:
    """Return a member of a section by one of its keys: all of them, the one that is written first, and its kind.

    The kind is a struct for a section, and for a list what its items are; `ServiceType` for the services. Raises
    `KeyError` with the keys that there are.
    """
    if kind is ServiceType:
        service = service_type(key)
        if service is None:
            raise KeyError(*ServiceType)
        return (service.value,), Service
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)) or kind is Secret:
        return (key,), None  # a header, or what no section is: the file will be judged
    for spec in fields_of(kind):
        if squash(key) in {squash(name) for name in (spec.key, *spec.aliases) if "." not in name}:
            return (spec.key, *spec.aliases), _kind(spec.kind)
    raise KeyError(*(spec.key for spec in fields_of(kind)))


def kind_of(struct: type[msgspec.Struct], key: str) -> Any:
    """Return what kind of value a section's key has, whichever of its spellings it is; None if there is no such key."""
    for spec in fields_of(struct):
        if squash(key) in {squash(name) for name in (spec.key, *spec.aliases) if "." not in name}:
            return spec.kind
    return None


def kind_within(kind: Any, key: str) -> Any:
    """Return the kind of what stands under a key of a section or a mapping; None where that is not known."""
    if get_origin(kind) is dict:
        of, item = get_args(kind)
        return item if of is not ServiceType or service_type(key) is not None else kind_of(Service, key)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind is not Secret:
        return kind_of(kind, key)
    return kind if kind in {Secret, str} else None


def kind_alone(kind: Any) -> Any:
    """Return the kind of a value that stands alone, for a whole section or list perhaps."""
    if get_origin(kind) is tuple:
        return get_args(kind)[0]
    short = getattr(kind, "SHORTHAND", None)
    return kind if short is None else kind_of(kind, short)


def unit_of(struct: type[msgspec.Struct], field: str) -> float:
    """Return the unit, in seconds, of a duration that is written as a plain number."""
    spec = next(spec for spec in fields_of(struct) if spec.name == field)
    return spec.unit.seconds if spec.unit is not None else 1.0


def _kind(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) in {tuple, dict} else kind
