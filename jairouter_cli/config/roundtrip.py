"""Sets up ruamel.yaml for this program: options, errors, types of values."""

import re
from collections.abc import Mapping
from itertools import accumulate
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import TaggedScalar
from ruamel.yaml.constructor import DuplicateKeyError, RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.scalarint import ScalarInt

# What ruamel raises beside YAMLError: for `%YAML 1.3`, for `!!int x`, for `!!bool x`, for brackets without end.
FOREIGN_ERRORS: Final[dict[type[Exception], str]] = {
    AssertionError: "the %YAML line has an unknown version",
    RecursionError: "it is nested too deeply",
    LookupError: "a value does not fit its !!tag",
    TypeError: "a value does not fit its !!tag",
    ValueError: "a value does not fit its !!tag",
}
_INT: Final = "tag:yaml.org,2002:int"
_FLOAT: Final = "tag:yaml.org,2002:float"
_BOOL: Final = "tag:yaml.org,2002:bool"
_BRACKET: Final = re.compile(r"[\[\]{}]")
_LETTERS: Final = frozenset("yYnN")  # words for true and false by the letter of YAML 1.1, and text to its readers
_NOT_FINITE: Final = frozenset({".inf", ".nan"})
_LONGEST_NUMBER: Final = 4000  # digits; Python refuses to read 4300


class _Constructor(RoundTripConstructor):
    """Reads dates as text, as YAML 1.2 has it: no setting is a date, and 2024-13-01 may be a model's name.

    A number keeps how it is written, for it may stand where text belongs: a key that begins with zeros. One without an
    end or with more digits than Python reads is text.
    """

    def construct_number_as_written(self, node: ScalarNode) -> Any:
        """Read a number; its attribute `written` is its text."""
        if node.value.strip("+-").lower() in _NOT_FINITE:
            return self.construct_yaml_str(node)
        try:
            is_int = node.tag == _INT
            number = self.construct_yaml_int(node) if is_int else self.construct_yaml_float(node)
        except (ValueError, OverflowError):
            if node.style is None and len(node.value) > _LONGEST_NUMBER:
                return self.construct_yaml_str(node)
            raise
        if str(number) == node.value and type(number) is int:
            return number
        if ":" in node.value:  # YAML 1.1 takes 1:30 for ninety
            return self.construct_yaml_str(node)
        if type(number) is int:
            number = ScalarInt(number)
        number.written = node.value
        return number

    def construct_word(self, node: ScalarNode) -> Any:
        """Read true or false; a single letter is text."""
        return self.construct_yaml_str(node) if node.value in _LETTERS else self.construct_yaml_bool(node)

    yaml_constructors = {  # noqa: RUF012 - as its base has it
        **RoundTripConstructor.yaml_constructors,
        "tag:yaml.org,2002:timestamp": RoundTripConstructor.construct_yaml_str,
        _BOOL: construct_word,
        _INT: construct_number_as_written,
        _FLOAT: construct_number_as_written,
    }


def new_yaml() -> YAML:
    """Return a reader and writer that keeps quotes and never folds lines."""
    yaml = YAML(pure=True)
    yaml.Constructor = _Constructor
    yaml.preserve_quotes = True
    yaml.width = 1 << 20
    return yaml


def depth_of(text: str) -> int:
    """Return how deeply brackets are nested at most, those in text included."""
    steps = (1 if bracket[0] in "[{" else -1 for bracket in _BRACKET.finditer(text))
    return max(accumulate(steps), default=0)


def expanded_size(node: Node, known: dict[int, int] | None = None) -> int:
    """Return how many values a tree has where each alias counts as often as it stands; one in itself counts once."""
    known = {} if known is None else known
    if id(node) not in known:
        known[id(node)] = 1
        members = [one for pair in node.value for one in pair] if isinstance(node, MappingNode) else node.value
        inner = members if isinstance(node, CollectionNode) else ()
        known[id(node)] = 1 + sum(expanded_size(one, known) for one in inner)
    return known[id(node)]


def fault_of(error: YAMLError, text: str) -> tuple[int, str]:
    """Return the line and a description of what makes a text unreadable, without its values: they may be keys."""
    if isinstance(error, ReaderError):
        return text.count("\n", 0, error.position) + 1, f"the character U+{error.character:04X} is not allowed"
    if not isinstance(error, MarkedYAMLError):
        return 0, " ".join(str(error).split())
    mark = error.problem_mark or error.context_mark
    parts = (error.context, error.problem)
    if isinstance(error, DuplicateKeyError):
        parts = (None, re.sub(r" with value .*", "", error.problem or "", flags=re.DOTALL))
    return mark.line + 1 if mark else 0, " ".join(part for part in parts if part)


def plain_copy(value: Any) -> Any:
    """Return a copy without ruamel's classes, to compare and to edit."""
    if isinstance(value, Mapping):
        return {key: plain_copy(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_copy(item) for item in value]
    if isinstance(value, TaggedScalar):
        return str(value.tag), value.value
    return value
