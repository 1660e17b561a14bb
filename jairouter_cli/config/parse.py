"""The one parser: turns a document into a `Config`, or reports every problem with its line and path.

The structs of `model` drive the walk; there is no second list of keys. Spellings, aliases and placeholders are
resolved here and in `scalars` only, so that CLI, API and editors accept the same.
"""

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path as FilePath
from typing import Any, Final, get_args, get_origin

import msgspec

from jairouter_cli.config import scalars
from jairouter_cli.config.bounds import out_of_bounds, out_of_form, unlikely
from jairouter_cli.config.document import Document, Path
from jairouter_cli.config.effect import in_vain
from jairouter_cli.config.fields import Field, described, fields_of
from jairouter_cli.config.imports import whole_of
from jairouter_cli.config.judgement import FRAMING_HEADERS, faults
from jairouter_cli.config.kinds import Secret, Url, UrlPath
from jairouter_cli.config.masking import shown_path
from jairouter_cli.config.model import (
    Config,
    Instance,
    Service,
    ServiceType,
    WebClient,
)
from jairouter_cli.config.monitoring import Category
from jairouter_cli.config.spelling import find_key, service_type, squash
from jairouter_cli.errors import ConfigInvalid, Problem

# Sections of the Java version's file that belong to its framework, or to features that this version does not have.
FOREIGN_SECTIONS: Final = frozenset({"spring", "springdoc", "info", "debug", "jairouter"})

_CATEGORIES: Final = frozenset(squash(category) for category in Category)
_DEEPEST: Final = 64  # keys on the way to a value; an alias inside its own anchor has no end
_HIDDEN: Final = "a value"  # what is said of one that may be a key
_FOUND_LENGTH: Final = 60  # characters of a wrong value that are shown


@dataclass(frozen=True, slots=True)
class Notice:
    """Something worth saying about a file that is usable; `line` is 0 where it concerns several."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """A usable configuration and what was noticed while reading it."""

    config: Config
    notices: tuple[Notice, ...] = ()
    imports: tuple[FilePath, ...] = ()
    """The files that belong to it."""


def parse(document: Document, environ: Mapping[str, str] | None = None) -> Parsed:
    """Read the whole document; `environ` fills its placeholders (the process's own by default).

    Raises `ConfigInvalid` with every problem found.
    """
    environ = os.environ if environ is None else environ
    whole = whole_of(document, environ)
    notices = [Notice(line, text) for line, text in whole.remarks]
    for one in whole.documents if whole.files else ():
        alone, _ = _walked(one, one.root, environ)  # so that what is wrong is said with its own file and line
        notices += (notice if one is document else _elsewhere(notice, one) for notice in alone.own_notices())
    walk, config = _walked(document, whole.root() if whole.files else document.root, environ)
    notices += walk.remarks if whole.files else walk.notices()
    if whole.files:
        listed = ", ".join(map(str, whole.files))
        notices.append(Notice(0, f"imported files are read at start and whenever this file changes: {listed}"))
    return Parsed(config, tuple(notices), whole.files)


def _walked(document: Document, root: Mapping[Any, Any], environ: Mapping[str, str]) -> tuple["_Walk", Config]:
    walk = _Walk(document, environ, is_whole=root is document.root)
    config = walk.struct(Config, root, ())
    if walk.problems:
        raise ConfigInvalid(document.file, sorted(walk.problems, key=lambda problem: problem.line))
    walk.check_instances(config)
    walk.check_effects(config)
    return walk, config


def _elsewhere(notice: Notice, document: Document) -> Notice:
    """Return a notice about an imported file."""
    place = f"{document.file}:{notice.line}" if notice.line else document.file
    return Notice(0, f"{place}: {notice.message}")


def read_section(struct: type[msgspec.Struct], members: Mapping[str, Any]) -> Any:
    """Read a section that came as JSON; placeholders stay what they are. Raises `ConfigInvalid`."""
    walk = _Walk(Document("", "the request"), None)
    made = walk.struct(struct, members, ())
    if walk.problems or made is None:
        raise ConfigInvalid("the request", walk.problems)
    return made


@dataclass(slots=True)
class _Walk:
    """One reading of one document; collects what it meets on its way. Without `environ` placeholders stay."""

    document: Document
    environ: Mapping[str, str] | None
    is_whole: bool = True
    """Whether what is read is the document itself, so that all lines are its own."""
    problems: list[Problem] = field(default_factory=list)
    consumed: set[Path] = field(default_factory=set)
    foreign: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    remarks: list[Notice] = field(default_factory=list)
    said: dict[int, dict[str, Path]] = field(default_factory=dict)

    # --- the walk ---

    def struct(self, struct: type[msgspec.Struct], node: Any, path: Path) -> Any:
        """Read a mapping into `struct`; where it is unusable, note why and return None."""
        if not isinstance(node, Mapping):
            return self._wrong(path, "a mapping", node)
        fields = fields_of(struct)
        values, places = {}, {}
        for spec in fields:
            at, value = self._field(spec, node, path)
            if value is not None:
                values[spec.name], places[spec.name] = value, at
        self._unknown_keys(struct, fields, node, path)
        if any(spec.required and spec.name not in values for spec in fields):
            return None
        made = self._checked(struct(**values), path)
        self.said[id(made)] = places
        return made

    def _checked(self, made: Any, path: Path) -> Any:
        """Note what is wrong with a section as a whole; return it."""
        for where, expected in faults(made):
            self._problem((*path, *where), expected)
        if isinstance(made, Instance | WebClient) and made.proxy is not None and made.proxy.value == "none":
            return msgspec.structs.replace(made, proxy=Secret(""))  # it is no secret, and empty from here on
        return made

    def _field(self, spec: Field, node: Mapping[Any, Any], path: Path) -> tuple[Path, Any]:
        """Return where a field stands, and its value; None if it has none that can be used."""
        found = list(self._spelled(spec, node, path))
        if not found:
            if spec.required:
                self._problem(path, f"a value for {spec.key}")
            return path, None
        keys, value = found[0]
        at = (*path, *keys)
        for other, _ in found[1:]:
            self._problem((*path, *other), f"one spelling of {spec.key}", f"another at line {self._line(at)}")
        if value is None:
            if spec.required:
                self._wrong(at, f"a value for {spec.key}", None)
            return at, None
        return at, self._value(spec, value, at)

    def _spelled(self, spec: Field, node: Mapping[Any, Any], path: Path) -> Iterator[tuple[tuple[str, ...], Any]]:
        """Find a field under all its names; yield the keys as written and the value."""
        wanted = {squash(spec.key), *(squash(alias) for alias in spec.aliases if "." not in alias)}
        for key, value in node.items():
            if isinstance(key, str) and squash(key) in wanted:
                yield (key,), value
        for alias in spec.aliases:
            outer, dot, inner = alias.partition(".")
            key = find_key(node, outer) if dot else None
            if key is None or not isinstance(node[key], Mapping):
                continue
            inner_key = find_key(node[key], inner)
            if inner_key is not None:
                self.consumed.add((*path, key, inner_key))
                yield (key, inner_key), node[key][inner_key]

    def _value(self, spec: Field, value: Any, path: Path) -> Any:
        kind, origin = spec.kind, get_origin(spec.kind)
        if origin is tuple:
            item = get_args(kind)[0]
            is_struct = isinstance(item, type) and issubclass(item, msgspec.Struct)
            return self._list(item, value, path) if is_struct else self._scalars(spec, value, path)
        if origin is dict:
            return self._mapping(kind, value, path)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind is not Secret:
            shorthand = getattr(kind, "SHORTHAND", None)
            if shorthand is not None and isinstance(value, str | int | float):
                (short,) = (one for one in fields_of(kind) if one.key == shorthand)
                read = self._scalar(short, value, path)
                return None if read is None else self._checked(kind(**{short.name: read}), path)
            return self.struct(kind, value, path)
        return self._scalar(spec, value, path)

    def _list(self, struct: type[msgspec.Struct], node: Any, path: Path) -> Any:
        if not isinstance(node, Sequence) or isinstance(node, str):
            return self._wrong(path, "a list", node)
        items = (self.struct(struct, item, (*path, index)) for index, item in enumerate(node))
        return tuple(item for item in items if item is not None)

    def _scalars(self, spec: Field, node: Any, path: Path) -> Any:
        """Read a list of single values; one alone, or several with commas between them, will do (Spring's way)."""
        one = described(spec.name, get_args(spec.kind)[0], required=True)
        if isinstance(node, str):
            node = [part.strip() for part in node.split(",") if part.strip()]
        if not isinstance(node, Sequence):
            node = [node]
        if one.kind is Category:
            node = self._known_categories(node, path)
        return tuple(self._scalar(one, item, (*path, index)) for index, item in enumerate(node))

    def _known_categories(self, node: Sequence[Any], path: Path) -> list[Any]:
        """Return the categories that there are here; the Java version has more, and its files name them."""
        foreign = [one for one in node if isinstance(one, str) and "${" not in one and squash(one) not in _CATEGORIES]
        if foreign:
            text = f"{self._dotted(path)}: ignored, not supported: {', '.join(map(str, foreign))}"
            self.remarks.append(Notice(self._line(path), f"{text} (supported: {', '.join(Category)})"))
        return [one for one in node if one not in foreign]

    def _services(self, node: Any, path: Path) -> Any:
        if not isinstance(node, Mapping):
            return self._wrong(path, "a mapping of services", node)
        services: dict[ServiceType, Service] = {}
        for key, value in node.items():
            at = (*path, key)
            if at in self.consumed:
                continue
            kind = service_type(str(key))
            if kind is None:
                self._problem(at, "one of the services " + ", ".join(ServiceType), f"'{key}'")
            elif kind in services:
                self._problem(at, f"each service once; {kind} is already set above in another spelling")
            else:
                service = self.struct(Service, value, at) if value is not None else Service()
                services[kind] = service or Service()
        return services

    def _mapping(self, kind: Any, node: Any, path: Path) -> Any:
        key, item = get_args(kind)
        if key is ServiceType:
            return self._services(node, path)
        return self._headers(node, path) if item is Secret else self._words(item, node, path)

    def _words(self, kind: Any, node: Any, path: Path) -> Any:
        """Read values by name; a mapping in it is a name with dots, as loggers have them."""
        if not isinstance(node, Mapping):
            return self._wrong(path, "a mapping of names to values", node)
        if len(path) > _DEEPEST:
            return self._problem(path, "names with fewer levels")
        spec = Field("word", "word", kind)
        found: dict[str, Any] = {}
        for key, value in node.items():
            at = (*path, key)
            if isinstance(value, Mapping):
                inner = self._words(kind, value, at) or {}
                found |= {f"{key}.{name}": read for name, read in inner.items()}
            elif (read := self._scalar(spec, value, at)) is not None:
                found[scalars.text_of(key) or str(key)] = read
        return found

    def _headers(self, node: Any, path: Path) -> Any:
        if not isinstance(node, Mapping):
            shown = _HIDDEN if isinstance(node, str | int | float) else node  # one header's value, it may be a key
            return self._wrong(path, "a mapping of header names to values", shown)
        spec = Field("header", "header", Secret)
        headers: dict[str, Secret] = {}
        for key, value in node.items():
            at = (*path, key)
            if not isinstance(key, str) or not scalars.HEADER_NAME.fullmatch(key):
                self._wrong(at, "a header name", key)
            elif key.lower() in FRAMING_HEADERS:
                self._wrong(at, "a header that the gateway does not set itself", key)
            elif key.lower() in {name.lower() for name in headers}:
                self._wrong(at, "each header once; header names are not case-sensitive", key)
            elif isinstance(secret := self._scalar(spec, value, at), Secret):
                headers[str(key)] = secret
        return headers

    def _scalar(self, spec: Field, value: Any, path: Path) -> object:
        # an address may hold a password, which is one of the things that can be wrong with it
        shown = _HIDDEN if spec.kind is Secret else value
        if spec.kind in {Url, UrlPath} and isinstance(value, str):
            shown = _HIDDEN if "@" in value else shown_path(value)
        if not isinstance(value, str | int | float):
            return self._wrong(path, "a single value", value)
        try:
            if isinstance(value, str) and self.environ is not None:
                value = scalars.expand(value, self.environ)
            read = _convert(spec, value)
        except scalars.Unset as unset:
            return self._problem(
                path, f"the environment variable {unset} to be set, or a default: ${{{unset}:default}}"
            )
        except scalars.Expected as expected:
            return self._wrong(path, str(expected), shown)
        wanted = out_of_bounds(spec, read) or out_of_form(spec, read)
        if wanted:
            return self._wrong(path, wanted, shown)
        if doubt := unlikely(spec, value, read):
            self.remarks.append(Notice(self._line(path), f"{self._dotted(path)}: {doubt}"))
        return read

    # --- what is noted on the way ---

    def _unknown_keys(self, struct: type, fields: tuple[Field, ...], node: Mapping[Any, Any], path: Path) -> None:
        known = {squash(spec.key): spec.key for spec in fields}
        known |= {squash(alias.split(".")[0]): alias.split(".")[0] for spec in fields for alias in spec.aliases}
        for key in node:
            if squash(str(key)) in known or (*path, key) in self.consumed:
                continue
            close = difflib.get_close_matches(squash(str(key)), known, 1, cutoff=0.75)
            at = (*path, key)
            if struct is Config and squash(str(key)) in FOREIGN_SECTIONS:
                self.foreign.append(str(key))
            elif close:
                text = f"{self._dotted(at)}: unknown key, ignored; did you mean {known[close[0]]}?"
                self.remarks.append(Notice(self._line(at), text))
            else:
                self.unused.append(self._dotted(at))

    def check_effects(self, config: Config) -> None:
        """Note settings without effect."""
        for path, why in in_vain(config, self.said):
            self.remarks.append(Notice(self._line(path), f"{self._dotted(path)} has no effect: {why}"))

    def check_instances(self, config: Config) -> None:
        """Note instances that are listed twice, as in the file that the Java version ships."""
        for kind, service in config.model.services.items():
            ids = [instance.id for instance in service.instances]
            for twice in sorted({name for name in ids if ids.count(name) > 1}):
                self.remarks.append(Notice(0, f"service {kind} has {ids.count(twice)} instances with the id {twice}"))

    def notices(self) -> Iterator[Notice]:
        """Yield what was noticed, grouped so that each kind is said once."""
        yield from self.remarks
        yield from self.own_notices()

    def own_notices(self) -> Iterator[Notice]:
        """Yield what was noticed about keys that this program does not know."""
        if self.foreign:
            yield Notice(0, f"unknown sections, ignored: {', '.join(self.foreign)}")
        if self.unused:
            yield Notice(0, f"unknown keys, ignored: {', '.join(self.unused)}")

    def _wrong(self, path: Path, expected: str, found: Any) -> Any:
        """Note a wrong value; return None, which stands for it in what is read."""
        return self._problem(path, expected, _shown(found))

    def _problem(self, path: Path, expected: str, found: str = "") -> Any:
        self.problems.append(Problem(self._dotted(path), self._line(path), expected, found))

    def _line(self, path: Path) -> int:
        found = self.document.line(path)
        return found if self.is_whole or self.document.get(path) is not None else 0

    @staticmethod
    def _dotted(path: Path) -> str:
        text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
        return text.removeprefix(".") or "the file"


def _convert(spec: Field, value: scalars.Scalar) -> object:
    if spec.unit is not None:
        return scalars.read_duration(value, spec.unit)
    if issubclass(spec.kind, StrEnum):
        return scalars.read_choice(value, spec.kind)
    return scalars.READERS[spec.kind](value)


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        text = f"'{value}'" if value != _HIDDEN else value
        return text if len(text) <= _FOUND_LENGTH else text[:_FOUND_LENGTH] + "…'"
    return "a list" if isinstance(value, Sequence) else str(value)[:_FOUND_LENGTH]
