"""Lists the values of a configuration file, each with its line and whether it is a secret.

The model says which keys are secrets; the value of an unknown key counts as one.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, get_args, get_origin

from jairouter_cli.config import scalars
from jairouter_cli.config.document import Document, Path
from jairouter_cli.config.fields import kind_alone, kind_of, kind_within
from jairouter_cli.config.kinds import Secret
from jairouter_cli.config.masking import is_secret, shown, sounds_secret
from jairouter_cli.config.model import Config
from jairouter_cli.config.parse import FOREIGN_SECTIONS
from jairouter_cli.config.spelling import squash


class Property(NamedTuple):
    """A single value: its key with dots, as the file spells it, and its line, or 0."""

    key: str
    value: str | float | bool | None
    line: int = 0
    is_secret: bool = False


Tree = Property | dict[str, "Tree"] | list["Tree"]


def tree(document: Document, environ: Mapping[str, str]) -> dict[str, Tree]:
    """Return a document with a `Property` for each value; placeholders are filled as far as `environ` does.

    The sections of other programs are left out.
    """
    walk = _Listing(document, environ)
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


def dotted(path: Path) -> str:
    """Return a path as Spring writes it: `a.b[0].c`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


class _Listing:
    """A walk through a document beside the kinds of its values; None stands for a kind that is not known."""

    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self._document: Final = document
        self._environ: Final = environ

    def node(self, node: Any, kind: Any, path: Path) -> Tree:
        if kind is None:  # whatever it is, and were it without end
            return Property(dotted(path), "", self._document.line(path), is_secret=True)
        if isinstance(node, Mapping):
            return {
                str(key): self.node(value, kind_within(kind, str(key)), (*path, key)) for key, value in node.items()
            }
        if isinstance(node, Sequence) and not isinstance(node, str):
            item = get_args(kind)[0] if get_origin(kind) is tuple else None
            return [self.node(value, item, (*path, index)) for index, value in enumerate(node)]
        name = next(step for step in reversed(path) if isinstance(step, str))
        alone = kind_alone(kind)
        return Property(dotted(path), self._filled(node, alone), self._document.line(path), is_secret(alone, name))

    def _filled(self, value: Any, kind: Any) -> str | float | bool:
        match value:
            case None:
                return ""
            case int() | float() if kind is str:
                return scalars.text_of(value) or value
            case bool() | int() | float():
                return value
            case _:
                try:
                    text = scalars.expand(str(value), self._environ)
                except (scalars.Unset, scalars.Expected):
                    text = str(value)
                return text if kind is Secret else shown(kind, text)
