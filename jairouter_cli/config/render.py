"""Renders new text in the style of the file it goes into: YAML, or JSON if the file is JSON."""

import io
import json
import re
from dataclasses import dataclass
from typing import Any, Final

from ruamel.yaml.resolver import implicit_resolvers
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, SingleQuotedScalarString

from jairouter_cli.config.roundtrip import new_yaml

_INDENT: Final = re.compile(r"\s*\{\n([ \t]+)\S")


@dataclass(frozen=True, slots=True)
class Style:
    """How far a file indents: a mapping in a mapping, and the dash of a list under its key, in columns."""

    step: int
    offset: int


def block_lines(value: Any, style: Style) -> list[str]:
    """Return a value as the lines of block YAML."""
    stream = io.StringIO()
    yaml = new_yaml()
    yaml.indent(mapping=style.step, sequence=style.offset + 2, offset=style.offset)
    yaml.dump(quoted_like_yaml_1_1(value), stream)
    return stream.getvalue().removesuffix("\n").removesuffix("\n...").split("\n")  # an end mark follows bare scalars


def item_lines(lines: list[str], gap: str) -> list[str]:
    """Return the lines of a list's item from those of its value; `gap` stands behind the dash."""
    return [(" " + " " * len(gap) if index else "-" + gap) + line for index, line in enumerate(lines)]


def indented_lines(lines: list[str], indent: int) -> list[str]:
    """Return lines further in; empty ones stay empty."""
    return [" " * indent + line if line else line for line in lines]


def flow_text(value: Any) -> str:
    """Return a value as flow YAML on one line."""
    stream = io.StringIO()
    yaml = new_yaml()
    yaml.default_flow_style = True
    yaml.dump(quoted_like_yaml_1_1(value), stream)
    return stream.getvalue().strip()


def quoted_like_yaml_1_1(value: Any) -> Any:
    """Put in quotes what readers of YAML 1.1 take for something else than text, and what holds line breaks."""
    if isinstance(value, dict):
        return {quoted_like_yaml_1_1(key): quoted_like_yaml_1_1(item) for key, item in value.items()}
    if isinstance(value, list):
        return [quoted_like_yaml_1_1(item) for item in value]
    if not isinstance(value, str):
        return value
    if not value.isprintable():
        return DoubleQuotedScalarString(value)
    if value.startswith("?"):  # ruamel writes it bare into flow style, where it is the sign of a key
        return SingleQuotedScalarString(value)
    # a single y or n is text to all readers in use, whatever the letter of YAML 1.1
    is_ambiguous = len(value) > 1 and any(pattern.match(value) for _, _, pattern, _ in implicit_resolvers)
    return SingleQuotedScalarString(value) if is_ambiguous else value


def is_json(text: str) -> bool:
    """Whether a text is an object of JSON, and not only YAML in its flow style."""
    if not text.lstrip().startswith("{"):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def json_like(text: str, value: Any) -> str:
    """Return a value as JSON, indented as a text is, on one line if that is."""
    indent = _INDENT.match(text)
    if indent is None and text.strip() not in {"", "{}"}:
        separators = (", ", ": ") if '": ' in text else (",", ":")
        return json.dumps(value, ensure_ascii=False, separators=separators) + "\n" * text.endswith("\n")
    depth = indent[1] if indent else "  "
    return json.dumps(value, ensure_ascii=False, indent=depth) + "\n" * (text.endswith("\n") or not text.strip())
