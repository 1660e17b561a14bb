"""The keys of a configuration file as a person types them, level by level: `server.`, `server.port`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, get_args, get_origin

import msgspec

from jairouter_cli.config.fields import fields_of, kind_within
from jairouter_cli.config.kinds import Secret
from jairouter_cli.config.model import Config, ServiceType
from jairouter_cli.config.spelling import find_key, service_type, squash

_STEP: Final = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")


def kind_at(key: str) -> Any:
    """Return the kind of value that a key has, a type; None if that is not known."""
    kind: Any = Config
    for name, number in _STEP.findall(key):
        kind = kind_within(kind, name) if not number else _item(kind)
    return kind


def below(config: Config, typed: str) -> list[str]:
    """Return the keys that what was typed can become, one level further; those of sections end with a dot.

    Items of lists are those that the configuration has.
    """
    before, _, begun = typed.rpartition(".")
    kind: Any = Config
    node: Any = config
    for name, number in _STEP.findall(before):
        if number:
            kind, node = _item(kind), _at(node, int(number))
        else:
            kind, node = kind_within(kind, name), _member(kind, node, name)
    return [f"{before}{'.' if before else ''}{one}" for one in _names(kind, node) if _begins(one, begun)]


def written_below(data: Any, typed: str) -> list[str]:
    """Return the keys of plain data that what was typed can become, one level further."""
    before, _, begun = typed.rpartition(".")
    for name, number in _STEP.findall(before):
        if number:
            data = _at(data, int(number))
        else:
            found = find_key(data, name) if isinstance(data, Mapping) else None
            data = data[found] if found is not None else None
    if not isinstance(data, Mapping):
        return []
    found_here = (one for key, value in data.items() for one in _spelled(str(key), value))
    return [f"{before}{'.' if before else ''}{one}" for one in found_here if _begins(one, begun)]


def _spelled(key: str, value: Any) -> Iterator[str]:
    yield key
    if isinstance(value, Mapping) and value:
        yield f"{key}."
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield f"{key}[{number}]{'.' if isinstance(item, Mapping) else ''}"


def _names(kind: Any, node: Any) -> Iterator[str]:
    """Yield the keys of a section."""
    if get_origin(kind) is dict:
        yield from (f"{key}." for key in (node if isinstance(node, Mapping) else ()) if service_type(str(key)))
    elif _is_section(kind):
        for spec in fields_of(kind):
            if _is_section(spec.kind) or (get_origin(spec.kind) is dict and get_args(spec.kind)[0] is ServiceType):
                yield f"{spec.key}."
            elif _is_section(_item(spec.kind)):
                items = getattr(node, spec.name, None) or ()
                yield from (f"{spec.key}[{number}]." for number in range(len(items)))
            else:
                yield spec.key


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind is not Secret


def _item(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is tuple else None


def _at(node: Any, number: int) -> Any:
    return node[number] if isinstance(node, Sequence) and number < len(node) else None


def _member(kind: Any, node: Any, name: str) -> Any:
    """Return the value of a section's key, None where there is none."""
    if isinstance(node, Mapping):
        return node.get(service_type(name))
    if not _is_section(kind):
        return None
    spellings = ((one.name, {squash(word) for word in (one.key, *one.aliases)}) for one in fields_of(kind))
    return next((getattr(node, field, None) for field, words in spellings if squash(name) in words), None)


def _begins(key: str, begun: str) -> bool:
    return key.startswith(begun)
