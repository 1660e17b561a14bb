"""What a configuration file says, value by value, each with its place, and whether it is a secret.

Secrets are told by what the model says of a key, and, where it does not know the key, by being unknown: whatever is
not sure to be harmless is one.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, get_args, get_origin

import msgspec

from jairouter_cli.config import scalars
from jairouter_cli.config.document import Document
from jairouter_cli.config.kinds import Secret
from jairouter_cli.config.model import Config, Service, ServiceType
from jairouter_cli.config.parse import FOREIGN_SECTIONS, kind_of
from jairouter_cli.config.spelling import service_type, squash

Path = tuple[str | int, ...]

_SECRET_NAME: Final = re.compile(r"password|passwd|secret|token|key|authorization|credential|cookie", re.IGNORECASE)
_WORD: Final = 8  # characters from which on a secret is found in the midst of a word, too


class Property(NamedTuple):
    """A single value: its key with dots, as the file spells it, and its line, or 0."""

    key: str
    value: str | float | bool | None
    line: int = 0
    is_secret: bool = False


Tree = Property | dict[str, "Tree"] | list["Tree"]


def sounds_secret(name: str) -> bool:
    """Whether a name is like that of a secret."""
    return _SECRET_NAME.search(name) is not None


def tree(document: Document, environ: Mapping[str, str]) -> dict[str, Tree]:
    """Return a document with a `Property` for each value; placeholders are filled as far as `environ` does.

    The sections of other programs are left out.
    """
    walk = _Walk(document, environ)
    own = {str(key): value for key, value in document.root.items() if squash(str(key)) not in FOREIGN_SECTIONS}
    return {key: walk.node(value, kind_of(Config, key), (key,)) for key, value in own.items()}


def flat(node: Tree) -> Iterator[Property]:
    """Yield all values in a tree."""
    if isinstance(node, Property):
        yield node
    else:
        for one in node.values() if isinstance(node, dict) else node:
            yield from flat(one)


def properties_of(plain: Any, path: Path = ()) -> Iterator[Property]:
    """Yield the values in plain data, which came from no file."""
    if isinstance(plain, Mapping):
        for key, value in plain.items():
            yield from properties_of(value, (*path, str(key)))
    elif isinstance(plain, Sequence) and not isinstance(plain, str):
        for index, value in enumerate(plain):
            yield from properties_of(value, (*path, index))
    else:
        yield Property(dotted(path), plain, 0, isinstance(plain, str) and sounds_secret(str(path[-1])))


def secrets_in(value: Any) -> frozenset[str]:
    """Return all secrets in a configuration."""
    found: set[str] = set()
    if isinstance(value, Secret):
        found.add(value.value)
    elif isinstance(value, msgspec.Struct):
        found.update(*(secrets_in(member) for member in msgspec.structs.astuple(value)))
    elif isinstance(value, Mapping):
        found.update(*(secrets_in(member) for member in value.values()))
    elif isinstance(value, tuple):
        found.update(*(secrets_in(member) for member in value))
    return frozenset(one for one in found if one)


def tells(text: str, secrets: frozenset[str]) -> bool:
    """Whether one of some secrets stands in a text: as a word, or anywhere if it is long."""
    return any(
        secret in text and (len(secret) >= _WORD or re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", text))
        for secret in secrets
    )


def dotted(path: Path) -> str:
    """Return a path as Spring writes it: `a.b[0].c`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


class _Walk:
    """A walk through a document beside the kinds of its values; None stands for a kind that is not known."""

    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self._document: Final = document
        self._environ: Final = environ

    def node(self, node: Any, kind: Any, path: Path) -> Tree:
        if kind is None:  # whatever it is, and were it without end
            return Property(dotted(path), "", self._document.line(path), is_secret=True)
        if isinstance(node, Mapping):
            return {str(key): self.node(value, _member(kind, str(key)), (*path, key)) for key, value in node.items()}
        if isinstance(node, Sequence) and not isinstance(node, str):
            item = get_args(kind)[0] if get_origin(kind) is tuple else None
            return [self.node(value, item, (*path, index)) for index, value in enumerate(node)]
        name = next(step for step in reversed(path) if isinstance(step, str))
        return Property(dotted(path), self._filled(node), self._document.line(path), _is_secret(_alone(kind), name))

    def _filled(self, value: Any) -> str | float | bool:
        match value:
            case None:
                return ""
            case bool() | int() | float():
                return value
            case _:
                try:
                    return scalars.expand(str(value), self._environ)
                except (scalars.Unset, scalars.Expected):
                    return str(value)


def _member(kind: Any, key: str) -> Any:
    """Return the kind of what stands under a key."""
    if get_origin(kind) is dict:
        of, item = get_args(kind)
        return item if of is not ServiceType or service_type(key) is not None else kind_of(Service, key)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind is not Secret:
        return kind_of(kind, key)
    return kind if kind in {Secret, str} else None


def _alone(kind: Any) -> Any:
    """Return the kind of a value that stands alone, for a whole section or list perhaps."""
    if get_origin(kind) is tuple:
        return get_args(kind)[0]
    short = getattr(kind, "SHORTHAND", None)
    return kind if short is None else kind_of(kind, short)


def _is_secret(kind: Any, name: str) -> bool:
    if kind is None or kind is Secret:
        return True
    return kind is str and sounds_secret(name)
