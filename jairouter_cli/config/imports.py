"""Follows `spring.config.import` in files of the Java version, as Spring Boot does.

An imported file overrides the file that imports it, and a later import an earlier one: mappings are merged key by
key, lists are replaced. `classpath:` is the folder of the first file.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from jairouter_cli.config import scalars
from jairouter_cli.config.document import Document
from jairouter_cli.config.spelling import find_key, service_type, squash
from jairouter_cli.errors import ConfigInvalid, Problem

_IMPORT: Final = ("spring", "config", "import")
_PROFILES: Final = (("spring", "profiles", "active"), ("spring", "profiles", "include"))
_SCHEME: Final = re.compile(r"(optional:)?\s*(?:(classpath\*?|file):)?\s*(.*)", re.IGNORECASE | re.DOTALL)
_OTHER_SCHEME: Final = re.compile(r"[a-z][a-z0-9+-]+:", re.IGNORECASE)
_EXTENSION: Final = re.compile(r"\[\.\w+\]$")  # Spring's hint for a file without one
_MOST: Final = 100  # files


@dataclass(slots=True)
class Whole:
    """A file and all that it imports, in the order in which they win, the last first of all."""

    documents: list[Document]
    remarks: list[tuple[int, str]] = field(default_factory=list)
    """What is not followed: line of the first file, and why."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The imported files."""
        return tuple(Path(document.file) for document in self.documents[1:])

    def root(self) -> dict[Any, Any]:
        """Return what all of them say together."""
        whole: Mapping[Any, Any] = {}
        for document in self.documents:
            whole = united(whole, document.root)
        return dict(whole)


def whole_of(document: Document, environ: Mapping[str, str]) -> Whole:
    """Follow the imports of a document. Raises `ConfigInvalid` for a file that is missing, `ConfigSyntaxError`."""
    whole = Whole([])
    _follow(document, Path(document.file).parent, environ, whole, set())
    return whole


def has_imports(document: Document) -> bool:
    """Whether a document names other files."""
    return any(True for _ in _locations(document))


def united(lower: Mapping[Any, Any], upper: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return two sections as one; where both say something the upper one wins, in whatever spelling it says it."""
    found = dict(lower)
    for key, value in upper.items():
        there = next((one for one in found if _is_same(one, key)), None)
        if there is None:
            found[key] = value
        elif isinstance(value, Mapping) and isinstance(found[there], Mapping):
            found[there] = united(found[there], value)
        elif value is not None:
            found[there] = value
    return found


def _is_same(one: Any, other: Any) -> bool:
    a, b = str(one), str(other)
    return squash(a) == squash(b) or (service_type(a) is not None and service_type(a) is service_type(b))


def _follow(document: Document, top: Path, environ: Mapping[str, str], whole: Whole, seen: set[Path]) -> None:
    seen.add(Path(document.file).resolve())
    is_first = not whole.documents
    whole.documents.append(document)
    for profiles in _PROFILES if is_first else ():
        keys, value = _spelled(document.root, profiles)
        if value:
            said = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            text = (
                f"profiles are not supported ({said}): list the files application-PROFILE.yml in spring.config.import"
            )
            whole.remarks.append((document.line(keys), text))
    for keys, location in _locations(document):
        path, line = _dotted(keys), document.line(keys)
        try:
            text = scalars.expand(location, environ)
        except (scalars.Unset, scalars.Expected):
            raise _missing(document, path, line, location) from None
        optional, scheme, name = _SCHEME.fullmatch(text.strip()).groups()  # type: ignore[union-attr]
        name = _EXTENSION.sub("", name.strip())
        if (scheme is None and _OTHER_SCHEME.match(name)) or name.endswith(".properties") or "*" in name:
            whole.remarks.append((line if is_first else 0, f"unsupported import, ignored: {text.strip()}"))
            continue
        file = _found(name, bool(scheme and scheme.lower() == "file"), Path(document.file).parent, top)
        if file is None and not optional:
            raise _missing(document, path, line, text.strip())
        if file is not None and file.resolve() not in seen:
            if len(seen) >= _MOST:
                raise ConfigInvalid(document.file, [Problem(path, line, f"at most {_MOST} imported files")])
            _follow(_read(file, document, path, line), top, environ, whole, seen)


def _locations(document: Document) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield what a document imports: a text, texts with commas between them, or a list."""
    keys, value = _spelled(document.root, _IMPORT)
    entries = [((*keys, index), one) for index, one in enumerate(value)] if isinstance(value, list) else [(keys, value)]
    for at, entry in entries:
        for one in re.split(r"[,;]", entry) if isinstance(entry, str) else ():
            if one.strip():
                yield at, one


def _spelled(node: Any, path: tuple[str, ...]) -> tuple[tuple[str | int, ...], Any]:
    """Return the keys as they are written, also with dots in them, and what stands there; None if nothing does."""
    if not path:
        return (), node
    for length in range(len(path), 0, -1):
        key = find_key(node, ".".join(path[:length])) if isinstance(node, Mapping) else None
        if key is not None and isinstance(node, Mapping):
            keys, value = _spelled(node[key], path[length:])
            if value is not None:
                return (key, *keys), value
    return (), None


def _found(name: str, is_file: bool, here: Path, top: Path) -> Path | None:  # noqa: FBT001
    """Return the file that a location means: a folder means its application.yml."""
    plain = re.sub(r"^//(?=/)", "", name)
    folders = (here, top) if is_file else (top, here)
    for folder in folders:
        place = folder / (plain if is_file else plain.lstrip("/") or ".")
        places = [place / "application.yml", place / "application.yaml"] if place.is_dir() else [place]
        for one in places:
            if one.is_file():
                return one
    absolute = Path(plain)
    return absolute if absolute.is_absolute() and absolute.is_file() else None


def _read(file: Path, document: Document, path: str, line: int) -> Document:
    try:
        text = file.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        raise _missing(document, path, line, str(file)) from None
    return Document.load(text, str(file))


def _missing(document: Document, path: str, line: int, text: str) -> ConfigInvalid:
    expected = "an existing, readable file (put optional: in front if it may be missing)"
    return ConfigInvalid(document.file, [Problem(path, line, expected, f"'{text}'")])


def _dotted(keys: tuple[str | int, ...]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).removeprefix(".")
