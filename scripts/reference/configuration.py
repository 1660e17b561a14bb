"""`docs/configuration.md`: every key of the configuration file, from the structs that read it."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Final, NamedTuple, get_args, get_origin

import msgspec

from jairouter_cli.config import kinds
from jairouter_cli.config.at_start import read_at_start
from jairouter_cli.config.descriptions import description
from jairouter_cli.config.effect import EFFECTS
from jairouter_cli.config.fields import Field, described, fields_of
from jairouter_cli.config.model import BREAKER_DEFAULTS, LIMIT_DEFAULTS, CircuitBreaker, Config, RateLimit, ServiceType
from scripts.reference.markdown import cell, made_by, slug, table

INTRO: Final = """\
# Configuration reference

Every key of the configuration file `jairouter.yaml`, with its type, default and meaning. `jairouter init` writes a file
to start from, and `jairouter config get KEY` prints the value in use.

- The file is the first of `--config FILE`, `$JAIROUTER_CONFIG`, `./jairouter.yaml`, and `jairouter.yaml` in the user's
  or the system's configuration folder. `jairouter config path` prints which one is used.
- Keys can be written `base-url`, `baseUrl` or `base_url`. An unknown key is ignored with a warning; an invalid value is
  an error with its line. `jairouter config validate` checks a file.
- `${NAME}` reads an environment variable, and `${NAME:default}` has a default.
- A duration is `500ms`, `10s`, `5m`, `2h` or `PT10S`. A plain number has the unit in parentheses, for example (ms).
- A size is `512KB`, `10MB` or a plain number of bytes.
- A running gateway uses a changed file within a second. Keys marked "yes" under *restart* are read at start only.
- Commands that change the file: [`jairouter config set`](cli.md#jairouter-config-set) and the others in
  [the command line reference](cli.md). [Managing the configuration](management.md) describes revisions and rollback.
"""
_TYPES: Final[dict[Any, str]] = {
    kinds.Secret: "text, secret",
    kinds.Bytes: "size",
    kinds.Url: "URL",
    kinds.UrlPath: "path, like `/v1/rerank`",
    kinds.Network: "address or network, like `10.0.0.0/8`",
    kinds.Origin: "origin",
    kinds.MetricPrefix: "letters, digits and `_`",
    kinds.MetricName: "name",
    kinds.Moment: "time in ISO 8601",
    str: "text",
    bool: "`true` or `false`",
    int: "whole number",
    float: "number",
}
# What holds where no section sets a key.
_DEFAULTS: Final[dict[type[msgspec.Struct], msgspec.Struct]] = {
    RateLimit: LIMIT_DEFAULTS,
    CircuitBreaker: BREAKER_DEFAULTS,
}


class Place(NamedTuple):
    """A section: its struct, where it is in the file, and what it is for."""

    struct: type[msgspec.Struct]
    path: str
    text: str


def page() -> str:
    """Return the page."""
    places = list(_places(Config, "", "The sections at the top level of the file."))
    titles = _titles(places)
    parts = [made_by(INTRO)]
    for struct, title in titles.items():
        found = [place for place in places if place.struct is struct]
        parts.append(f"## {title}\n\n{_lead(found)}\n\n{_rows(struct, titles)}")
    return "\n".join(parts)


def _places(struct: type[msgspec.Struct], path: str, text: str) -> Iterator[Place]:
    yield Place(struct, path, text)
    for field in fields_of(struct):
        inner, tail = _section(field)
        if inner is not None:
            yield from _places(inner, f"{path}.{field.key}{tail}".lstrip("."), description(struct, field.key))


def _section(field: Field) -> tuple[type[msgspec.Struct] | None, str]:
    """Return the struct of a field that is a section, or has some, and what is between its key and theirs."""
    kind, tail = field.kind, ""
    if get_origin(kind) is tuple:
        kind, tail = get_args(kind)[0], "[]"
    elif get_origin(kind) is dict:
        kind, tail = get_args(kind)[1], ".SERVICE" if get_args(kind)[0] is ServiceType else ".NAME"
    is_struct = isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind is not kinds.Secret
    return (kind, tail) if is_struct else (None, "")


def _titles(places: list[Place]) -> dict[type[msgspec.Struct], str]:
    """Return each struct's heading; those that are in several places come last."""
    paths: dict[type[msgspec.Struct], list[str]] = {}
    for place in places:
        paths.setdefault(place.struct, []).append(place.path)
    ordered = sorted(paths.items(), key=lambda item: len(set(item[1])) > 1)
    return {struct: _title(found) for struct, found in ordered}


def _title(paths: list[str]) -> str:
    if paths == [""]:
        return "Sections"
    last = {path.rpartition(".")[2] for path in paths}
    if len(paths) > 1 and len(last) == 1:
        return last.pop()
    parent = paths[0].rpartition(".")[0]
    return paths[0] if len(paths) == 1 else f"{parent}: " + ", ".join(path.rpartition(".")[2] for path in paths)


def _lead(found: list[Place]) -> str:
    if len(found) == 1:
        return found[0].text
    return "\n".join(f"- `{place.path}`: {place.text}" for place in found)


def _rows(struct: type[msgspec.Struct], titles: dict[type[msgspec.Struct], str]) -> str:
    rows = []
    for field in fields_of(struct):
        restart = "yes" if read_at_start(struct, field.key) else "no"
        rows.append((f"`{field.key}`", _type(field, titles), _default(struct, field), restart, _text(struct, field)))
    return table(("key", "type", "default", "restart", "meaning"), rows)


def _text(struct: type[msgspec.Struct], field: Field) -> str:
    needs = [effect.words for effect in EFFECTS if issubclass(struct, effect.section) and field.name in effect.fields]
    also = [f"`{alias}`" for alias in field.aliases]
    parts = [description(struct, field.key), *(f"Needs {words}." for words in needs)]
    return " ".join([*parts, f"Also read as {', '.join(also)}."] if also else parts)


def _type(field: Field, titles: dict[type[msgspec.Struct], str]) -> str:
    struct, tail = _section(field)
    if struct is not None:
        link = f"[{_plural(tail)}](#{slug(titles[struct])})"
        short = getattr(struct, "SHORTHAND", None)
        return link if short is None else f"{link}, or the value of `{short}`"
    kind = field.kind
    if get_origin(kind) is tuple:
        return f"list: {_choice(get_args(kind)[0])}"
    if get_origin(kind) is dict:
        return f"mapping of names to {_choice(get_args(kind)[1])}"
    if field.unit is not None:
        return f"duration ({'ms' if field.unit is kinds.MILLISECONDS else 's'}){_range(field)}"
    return f"{_choice(kind)}{_range(field)}" + (" (required)" if field.required else "")


def _plural(tail: str) -> str:
    return {"": "section", "[]": "list of sections"}.get(tail, "sections by name")


def _choice(kind: Any) -> str:
    kind = described("item", kind, required=True).kind  # without what is annotated to it
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return ", ".join(f"`{one}`" for one in kind)
    return _TYPES[kind]


def _range(field: Field) -> str:
    bounds = field.bounds
    if bounds is None or field.kind is bool:
        return ""
    if bounds.le is not None:
        least = f"above {bounds.gt}" if bounds.gt is not None and field.kind is float else None
        lowest = bounds.ge if bounds.ge is not None else (bounds.gt or 0) + 1
        return f", {least or f'from {lowest}'} to {bounds.le}"
    if bounds.ge is not None:
        return f", at least {bounds.ge}"
    if bounds.gt is not None:
        return ", at least 1" if field.kind is int else f", above {bounds.gt}"
    return ""


def _default(struct: type[msgspec.Struct], field: Field) -> str:
    if field.required:
        return "-"
    if struct in _DEFAULTS:
        value = getattr(_DEFAULTS[struct], field.name)
    else:
        (info,) = (one for one in msgspec.structs.fields(struct) if one.name == field.name)
        value = info.default if info.default is not msgspec.NODEFAULT else info.default_factory()  # type: ignore[operator]
    return _shown(field, value)


def _shown(field: Field, value: Any) -> str:
    if value is None or isinstance(value, msgspec.Struct) or value in ((), {}, ""):
        return "-"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return cell(", ".join(f"`{one}`" for one in value))
    if isinstance(value, kinds.Bytes):
        return f"`{value >> 20}MB`"
    if field.unit is not None:
        return f"`{value:g}s`" if value >= 1 or not value else f"`{value * 1000:g}ms`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"
