"""The text of a configuration file, what it says, and edits that touch nothing but what they are for.

An edit is a splice: ruamel.yaml tells where things stand, and the new text is put there, so that comments, order,
quotes, indentation and line endings of everything else cannot change. What comes out is read again and compared with
what the edit was to achieve. Documents are immutable; an edit returns another one.
"""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from jairouter_cli.errors import ConfigSyntaxError, EditImpossible

Path = tuple[str | int, ...]

_BOM: Final = "\ufeff"
_DASH: Final = re.compile(r"^ *(-)(?=\s)", re.MULTILINE)


@dataclass(frozen=True)
class Document:
    """A file's text (with LF line ends, without byte order mark) and its name for messages."""

    text: str
    file: str
    newline: str = "\n"
    bom: str = ""

    @classmethod
    def load(cls, text: str, file: str) -> "Document":
        """Read a file's text. Raises `ConfigSyntaxError` if it is not one YAML mapping, or empty."""
        bom = _BOM if text.startswith(_BOM) else ""
        body = text.removeprefix(_BOM)
        only_crlf = "\r\n" in body and body.count("\r\n") == body.count("\n") == body.count("\r")
        newline = "\r\n" if only_crlf else "\n"
        document = cls(body.replace(newline, "\n"), file, newline, bom)
        document.root  # noqa: B018 - reads it, so that a bad text is refused here
        return document

    def dump(self) -> str:
        """Return the text as it goes into the file."""
        return self.bom + self.text.replace("\n", self.newline)

    @cached_property
    def root(self) -> CommentedMap:
        """What the text says."""
        try:
            root = _yaml().load(self.text)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            problem = " ".join(part for part in (error.context, error.problem) if part)
            raise self._bad(mark.line + 1 if mark else 0, problem) from None
        except YAMLError as error:
            raise self._bad(0, " ".join(str(error).split())) from None
        if root is None:
            return CommentedMap()
        if not isinstance(root, CommentedMap):
            raise self._bad(1, "the file must be a mapping, with keys like server: and model:")
        return root

    def _bad(self, line: int, problem: str) -> ConfigSyntaxError:
        return ConfigSyntaxError(file=self.file, line=line, problem=problem)

    def line(self, path: Path) -> int:
        """Return the line, from 1, of a key or list item; of what holds it where it is missing; 0 for the whole."""
        node: Any = self.root
        found = 0
        for step in path:
            try:
                found = node.lc.data[step][0] + 1
                node = node[step]
            except (AttributeError, KeyError, IndexError, TypeError):
                break
        return found

    def get(self, path: Path) -> Any:
        """Return the value at a path, None where there is none."""
        node: Any = self.root
        for step in path:
            try:
                node = node[step]
            except (KeyError, IndexError, TypeError):
                return None
        return node

    def put(self, path: Path, value: Any) -> "Document":
        """Put a value where there is none, or null, or something empty; make the mappings that are missing.

        Raises `EditImpossible`.
        """
        wanted = _plain(self.root)
        holder = wanted
        for step in path[:-1]:
            if not holder.get(step):
                holder[step] = {}
            holder = holder[step]
        holder[path[-1]] = value
        return self._spliced(self._put_at(path, value), wanted)

    def append(self, path: Path, value: dict[str, Any]) -> "Document":
        """Add an item to the end of a list that is not empty. Raises `EditImpossible`."""
        wanted = _plain(self.root)
        _at(wanted, path).append(value)
        node = self._node(path)
        if not isinstance(node, SequenceNode) or not node.value:
            raise EditImpossible(file=self.file)
        last = _end(self.text, node.value[-1])
        if node.flow_style:
            return self._spliced(self.text[:last] + ", " + _flow(value) + self.text[last:], wanted)
        indent = _column(self.text, _dash(self.text, node, len(node.value) - 1))
        at = self._after(last, deeper_than=indent)
        return self._spliced(_insert_lines(self.text, at, _item(value, indent)), wanted)

    def remove(self, path: Path) -> "Document":
        """Remove an item of a list, with the comment lines right above it. Raises `EditImpossible`."""
        above, index = path[:-1], int(path[-1])
        wanted = _plain(self.root)
        del _at(wanted, above)[index]
        node = self._node(above)
        if not isinstance(node, SequenceNode):
            raise EditImpossible(file=self.file)
        if not node.flow_style and len(node.value) == 1:
            return self._spliced(self._emptied(node, above), wanted)
        start, end = self._flow_cut(node, index) if node.flow_style else self._block_cut(node, index)
        return self._spliced(self.text[:start] + self.text[end:], wanted)

    # --- where things stand ---

    def _node(self, path: Path) -> Node | None:
        """Return the syntax node at a path."""
        node: Node | None = _yaml().compose(io.StringIO(self.text))
        for step in path:
            if isinstance(node, MappingNode):
                node = next((value for key, value in node.value if key.value == str(step)), None)
            elif isinstance(node, SequenceNode) and isinstance(step, int):
                node = node.value[step]
            else:
                return None
        return node

    def _after(self, offset: int, deeper_than: int) -> int:
        """Return where the line behind `offset` ends, with the comment lines below it that are indented deeper."""
        at = _line_end(self.text, offset)
        while at < len(self.text):
            end = _line_end(self.text, at)
            line = self.text[at:end]
            body = line.lstrip(" ")
            if not body.startswith("#") or len(line) - len(body) <= deeper_than:
                break
            at = end
        return at

    def _block_cut(self, node: SequenceNode, index: int) -> tuple[int, int]:
        """Return from where to where an item of a block list stands, with the comment lines right above it."""
        dash = _dash(self.text, node, index)
        indent = _column(self.text, dash)
        start = dash - indent
        while start and self.text.startswith(" " * indent + "#", _line_start(self.text, start - 1)):
            start = _line_start(self.text, start - 1)
        return start, self._after(_end(self.text, node.value[index]), deeper_than=indent)

    def _flow_cut(self, node: SequenceNode, index: int) -> tuple[int, int]:
        """Return from where to where an item of a flow list stands, with one comma."""
        items = node.value
        if index + 1 < len(items):
            return items[index].start_mark.index, items[index + 1].start_mark.index
        start = _end(self.text, items[index - 1]) if index else items[index].start_mark.index
        return start, _end(self.text, items[index])

    def _emptied(self, node: SequenceNode, path: Path) -> str:
        """Return the text with `[]` in the place of a block list's only item."""
        holder = self._node(path[:-1])
        if not isinstance(holder, MappingNode):
            raise EditImpossible(file=self.file)
        key = next(key for key, _ in holder.value if key.value == str(path[-1]))
        colon = self.text.index(":", _end(self.text, key)) + 1
        start, end = self._block_cut(node, 0)
        return self.text[:colon] + " []" + self.text[colon:start] + self.text[end:]

    # --- putting ---

    def _put_at(self, path: Path, value: Any) -> str:
        """Return the text with `value` at `path`."""
        depth = len(path)
        while (node := self._node(path[:depth])) is None and depth:
            depth -= 1
            value = {path[depth]: value}
        if not depth and (node is None or not node.value):
            text = "" if isinstance(node, MappingNode) else self.text  # `{}` gives way, comments stay
            return _ended(text) + _block(value, 0)
        if not isinstance(node, MappingNode) or not node.value:
            return self._replace(node, path[:depth], value)
        last_key, last_value = node.value[-1]
        last = max(_end(self.text, last_key), _end(self.text, last_value))
        if node.flow_style:
            return self.text[:last] + ", " + _flow(value)[1:-1] + self.text[last:]
        indent = last_key.start_mark.column
        return _insert_lines(self.text, self._after(last, deeper_than=indent), _block(value, indent))

    def _replace(self, node: Node | None, path: Path, value: Any) -> str:
        """Put a value in the place of null, `[]` or `{}` behind a key."""
        holder = self._node(path[:-1])
        if not isinstance(holder, MappingNode):
            raise EditImpossible(file=self.file)
        key = next(key for key, _ in holder.value if key.value == str(path[-1]))
        start = self.text.index(":", _end(self.text, key)) + 1
        end = max(start, _end(self.text, node)) if node is not None else start
        if holder.flow_style:
            return self.text[:start] + " " + _flow(value) + self.text[end:]
        line_end = _line_end(self.text, end)
        comment = self.text[end:line_end].rstrip()
        step = 2 if isinstance(value, dict) or self._indents_lists() else 0
        lines = _block(value, key.start_mark.column + step)
        return self.text[:start] + comment + "\n" + lines + self.text[line_end:]

    def _indents_lists(self) -> bool:
        """Whether the file's lists stand further in than their keys; true where there are none to go by."""
        return not re.search(r"^( *)[^\s#-][^\n]*:[ ]*(?:#[^\n]*)?\n(?:\s*#[^\n]*\n)*\1- ", self.text, re.MULTILINE)

    def _spliced(self, text: str, wanted: Any) -> "Document":
        """Return the edited document, if it says what the edit was to achieve."""
        document = Document(text, self.file, self.newline, self.bom)
        try:
            is_right = _plain(document.root) == wanted
        except ConfigSyntaxError:
            is_right = False
        if not is_right:
            raise EditImpossible(file=self.file)
        return document


def _yaml() -> YAML:
    yaml = YAML(pure=True)
    yaml.preserve_quotes = True
    yaml.width = 1 << 20
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _plain(value: Any) -> Any:
    """Return a copy without ruamel's classes, to compare and to edit."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _at(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


# --- positions in a text ---


def _line_start(text: str, offset: int) -> int:
    return text.rfind("\n", 0, offset) + 1


def _line_end(text: str, offset: int) -> int:
    """Return where the next line begins."""
    end = text.find("\n", offset)
    return len(text) if end < 0 else end + 1


def _end(text: str, node: Node) -> int:
    """Return where a node's own text ends. A block collection ends with its last child, before comments and blanks."""
    if isinstance(node, CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        children = last if isinstance(last, tuple) else (last,)
        return max(_end(text, child) for child in children)
    if isinstance(node, ScalarNode) and node.style in {"|", ">"}:
        return len(text[: node.end_mark.index].rstrip("\n"))
    if node.start_mark.index == node.end_mark.index:  # null without a word: nothing stands there
        return len(text[: node.start_mark.index].rstrip())
    return int(node.end_mark.index)


def _dash(text: str, node: SequenceNode, index: int) -> int:
    """Return where the dash of an item of a block list stands."""
    above = node.value[index - 1] if index else None
    begin = _line_start(text, node.start_mark.index) if above is None else _line_end(text, _end(text, above))
    found = _DASH.search(text, begin)
    return found.start(1) if found else begin


def _column(text: str, offset: int) -> int:
    return offset - _line_start(text, offset)


def _insert_lines(text: str, at: int, lines: str) -> str:
    return _ended(text[:at]) + lines + text[at:]


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"


# --- new text ---


def _block(value: Any, indent: int) -> str:
    """Return a value as block YAML, each line indented; what is in a list stands at the indentation itself."""
    stream = io.StringIO()
    yaml = _yaml()
    yaml.dump(value, stream)
    text = stream.getvalue()
    if isinstance(value, list):
        text = "\n".join(line.removeprefix("  ") for line in text.split("\n"))
    return "".join(" " * indent + line if line.strip() else line for line in text.splitlines(keepends=True))


def _item(value: dict[str, Any], indent: int) -> str:
    """Return a mapping as an item of a block list."""
    return _block([value], indent)


def _flow(value: Any) -> str:
    """Return a value as flow YAML on one line."""
    stream = io.StringIO()
    yaml = _yaml()
    yaml.default_flow_style = True
    yaml.dump(value, stream)
    return stream.getvalue().strip()
