"""The text of a configuration file, its content, and edits that change nothing else in it.

Why not load, change and dump: people write these files by hand, and a dump moves comments and folds lines. So an edit
is a splice: ruamel.yaml gives the positions, and the new text is inserted there. The result is read again and compared
with the intended content: what cannot be placed so is refused. Documents are immutable; an edit returns a new one.
"""

import io
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, wraps
from typing import Any, Concatenate, Final, ParamSpec

from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from jairouter_cli.config.layout import (
    column_of,
    dash_at,
    depths_of,
    is_flow,
    is_wordless,
    line_begin,
    next_line,
    node_end,
    pair_end,
    with_lines,
    with_newline,
)
from jairouter_cli.config.render import Style, block_lines, flow_text, indented_lines, is_json, item_lines, json_like
from jairouter_cli.config.roundtrip import FOREIGN_ERRORS, depth_of, expanded_size, fault_of, new_yaml, plain_copy
from jairouter_cli.errors import ConfigSyntaxError, EditImpossible

Path = tuple[str | int, ...]
_Args = ParamSpec("_Args")

_LONGEST: Final = 4 << 20  # characters; a thousand instances take a hundred thousand
_DEEPEST: Final = 200  # brackets in brackets
_MOST_NODES: Final = 1_000_000
_OTHER_FORMATS: Final = frozenset({"properties", "toml", "ini", "cfg", "conf", "env", "xml"})
_BOM: Final = "\ufeff"
_COLON: Final = re.compile(r"\s*:")
_PROPERTIES: Final = re.compile(r"(?:[ \t]+[&!][^\s,\[\]{}]*)*")  # an anchor, a tag
_BLANK_LINE: Final = re.compile(r"\n[ \t\r]*\n")
_BLANK_LINES: Final = re.compile(r"(?:[ \t\r]*\n)*")
_REST_OF_FLOW_LINE: Final = re.compile(r"[ \t]*(,?)[ \t]*(?:#[^\n]*)?\r?(?:\n|$)")
_ITEM_OUT_OF_USE: Final = re.compile(r"^ *#+ *- ", re.MULTILINE)


def _if_possible(
    edit: "Callable[Concatenate[Document, _Args], Document]",
) -> "Callable[Concatenate[Document, _Args], Document]":
    """Refuse an edit of a text that cannot be walked: an alias inside its own anchor has no end."""

    @wraps(edit)
    def attempt(document: "Document", /, *args: _Args.args, **kwargs: _Args.kwargs) -> "Document":
        try:
            return edit(document, *args, **kwargs)
        except RecursionError:
            raise EditImpossible(file=document.file) from None

    return attempt


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
        if len(body) > _LONGEST:
            raise document._bad(0, f"it is larger than the limit of {_LONGEST >> 20} MB")
        if depth_of(body) > _DEEPEST:  # the reader takes quadratic time before it gives up
            raise document._bad(0, "it is nested too deeply")
        document.root  # noqa: B018 - reads it, so that a bad text is refused here
        return document

    def dump(self) -> str:
        """Return the text as it goes into the file."""
        return self.bom + self.text.replace("\n", self.newline)

    @cached_property
    def root(self) -> CommentedMap:
        """What the text says."""
        try:
            if "*" in self.text and self.tree is not None and expanded_size(self.tree) > _MOST_NODES:
                raise self._bad(0, f"with its aliases it has more than {_MOST_NODES} values")
            root = new_yaml().load(self.text)
        except YAMLError as error:
            raise self._bad(*fault_of(error, self.text)) from None
        except tuple(FOREIGN_ERRORS) as error:
            raise self._bad(0, next(text for kind, text in FOREIGN_ERRORS.items() if isinstance(error, kind))) from None
        if root is None and (self.tree is None or not self.tree.value):
            return CommentedMap()
        if not isinstance(root, CommentedMap):
            raise self._bad(1, "the file must be a mapping, with keys like server: and model:")
        return root

    def _bad(self, line: int, problem: str) -> ConfigSyntaxError:
        ending = self.file.lower().rpartition(".")[2]
        if ending in _OTHER_FORMATS:
            problem = f"{problem} (the configuration must be YAML or JSON; .{ending} is not supported)"
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

    @cached_property
    def is_json(self) -> bool:
        """Whether it is JSON, which other programs read as such: an edit keeps it so."""
        is_named = self.file.lower().endswith(".json")
        return (is_named and not self.text.strip()) or (is_json(self.text) and (is_named or bool(self.root)))

    def as_json(self, value: Any) -> "Document":
        """Return the document with another content, as JSON in its style."""
        return replace(self, text=json_like(self.text, value))

    # --- edits ---

    @_if_possible
    def put(self, path: Path, value: Any) -> "Document":
        """Put a value where there is none, or null, or something empty; make the mappings that are missing.

        Raises `EditImpossible`, also where another value stands, there or on the way.
        """
        wanted = plain_copy(self.root)
        holder = wanted
        for step in path[:-1]:
            if _is_vacant(self._member(holder, step)):
                holder[step] = {}
            holder = holder[step]
        if not _is_vacant(self._member(holder, path[-1])):
            raise self._impossible()
        holder[path[-1]] = value
        if self.is_json and not self.root:
            return self.as_json(wanted)
        return self._spliced(self._put_at(path, value), wanted)

    @_if_possible
    def append(self, path: Path, value: dict[str, Any]) -> "Document":
        """Add an item to the end of a list that is not empty, in the style of the last. Raises `EditImpossible`."""
        wanted = plain_copy(self.root)
        _at(wanted, path).append(value)
        node = self._list(path)
        text = self._append_to_flow(node, value) if node.flow_style else self._append_to_block(node, value)
        return self._spliced(text, wanted)

    @_if_possible
    def remove(self, path: Path) -> "Document":
        """Remove an item of a list, with the comment lines right above it. Raises `EditImpossible`."""
        above, index = path[:-1], int(path[-1])
        wanted = plain_copy(self.root)
        del _at(wanted, above)[index]
        node = self._list(above)
        if not node.flow_style and len(node.value) == 1:
            return self._spliced(self._emptied(node, above), wanted)
        cuts = self._flow_cuts(node, index) if node.flow_style else [self._tidy_cut(node, index)]
        text = self.text
        for start, end in sorted(cuts, reverse=True):
            text = text[:start] + text[end:]
        return self._spliced(text, wanted)

    @_if_possible
    def assign(self, path: Path, value: Any) -> "Document":
        """Put a value at a path, in the place of one that stands there. Raises `EditImpossible`."""
        node, present = self._node(path), self.get(path)
        if node is None or _is_vacant(present):
            return self.put(path, value)
        if not isinstance(node, ScalarNode) or node.style in {"|", ">"} or isinstance(value, dict | list):
            return self.drop(path).put(path, value)
        wanted = plain_copy(self.root)
        _at(wanted, path[:-1])[path[-1]] = value
        start, end = node.start_mark.index, node_end(self.text, node)
        return self._spliced(self.text[:start] + self._flow([value])[1:-1] + self.text[end:], wanted)

    @_if_possible
    def drop(self, path: Path) -> "Document":
        """Remove a key of a mapping, with the comment lines right above it. Raises `EditImpossible`."""
        wanted = plain_copy(self.root)
        del _at(wanted, path[:-1])[path[-1]]
        holder = self._node(path[:-1])
        if not isinstance(holder, MappingNode):
            raise self._impossible()
        index = next(index for index, (key, _) in enumerate(holder.value) if key.value == str(path[-1]))
        start, end = (self._flow_pair_cut if holder.flow_style else self._pair_cut)(holder, index)
        text = self.text[:start] + self.text[end:]
        if len(holder.value) == 1 and not holder.flow_style and path[:-1]:
            _, colon, _ = self._key(path[:-1])
            text = self.text[:colon] + " {}" + self.text[colon:start] + self.text[end:]
        return self._spliced(text, wanted)

    def _impossible(self) -> EditImpossible:
        return EditImpossible(file=self.file)

    def _member(self, holder: Any, step: str | int) -> Any:
        if isinstance(holder, list) and isinstance(step, int) and step < len(holder):
            return holder[step]
        if not isinstance(holder, dict):
            raise self._impossible()
        return holder.get(step)

    def _spliced(self, text: str, wanted: Any) -> "Document":
        """Return the edited document, if it says what the edit was to achieve."""
        if self.text and not self.text.endswith("\n"):
            text = text.removesuffix("\n")
        document = Document(text, self.file, self.newline, self.bom)
        try:
            is_right = plain_copy(document.root) == wanted
        except ConfigSyntaxError:
            is_right = False
        if not is_right:
            raise self._impossible()
        return document

    # --- where things stand ---

    @cached_property
    def tree(self) -> Node | None:
        """The syntax tree, with positions."""
        tree: Node | None = new_yaml().compose(io.StringIO(self.text))
        return tree

    def _node(self, path: Path) -> Node | None:
        """Return the syntax node at a path."""
        node = self.tree
        for step in path:
            if isinstance(node, MappingNode):
                node = next((value for key, value in node.value if key.value == str(step)), None)
            elif isinstance(node, SequenceNode) and isinstance(step, int):
                node = node.value[step]
            else:
                return None
        return node

    def _list(self, path: Path) -> SequenceNode:
        node = self._node(path)
        if not isinstance(node, SequenceNode) or not node.value:
            raise self._impossible()
        return node

    def _key(self, path: Path) -> tuple[Node, int, bool]:
        """Return the node of a path's last key, where its colon ends, and whether it stands in a flow mapping."""
        holder = self._node(path[:-1])
        if not path or not isinstance(holder, MappingNode):
            raise self._impossible()
        key = next(key for key, _ in holder.value if key.value == str(path[-1]))
        colon = _COLON.match(self.text, node_end(self.text, key))
        if colon is None:
            raise self._impossible()
        return key, colon.end(), bool(holder.flow_style)

    def _after(self, offset: int, deeper_than: int) -> int:
        """Return where the line behind `offset` ends, with the comment lines below it that are indented deeper."""
        at = next_line(self.text, offset)
        while at < len(self.text):
            end = next_line(self.text, at)
            line = self.text[at:end]
            body = line.lstrip(" ")
            if not body.startswith("#") or len(line) - len(body) <= deeper_than:
                break
            at = end
        return at

    @cached_property
    def _style(self) -> "Style":
        """How the file indents, where there is something to go by."""
        depths = list(depths_of(self.tree))
        steps = Counter(depth for kind, depth in depths if kind is MappingNode)
        offsets = Counter(depth for kind, depth in depths if kind is SequenceNode)
        step = steps.most_common(1)[0][0] if steps else 2
        return Style(step, offsets.most_common(1)[0][0] if offsets else step)

    # --- cutting ---

    def _block_cut(self, node: SequenceNode, index: int) -> tuple[int, int]:
        """Return from where to where an item of a block list stands, with the comment lines right above it.

        Those stay if an item that was put out of use is among them.
        """
        dash = dash_at(self.text, node, index)
        indent = column_of(self.text, dash)
        start = above = dash - indent
        while above and self.text.startswith(" " * indent + "#", line_begin(self.text, above - 1)):
            above = line_begin(self.text, above - 1)
        if not _ITEM_OUT_OF_USE.search(self.text, above, start):
            start = above
        return start, self._after(node_end(self.text, node.value[index]), deeper_than=indent)

    def _tidy_cut(self, node: SequenceNode, index: int) -> tuple[int, int]:
        """Return a block item's cut, with the blank lines that held it apart from its neighbours."""
        start, end = self._block_cut(node, index)
        above = next_line(self.text, node_end(self.text, node.value[index - 1])) if index else start
        before = start
        while before > above and not self.text[line_begin(self.text, before - 1) : before].strip():
            before = line_begin(self.text, before - 1)
        if index + 1 == len(node.value):
            return before, end
        blanks = _BLANK_LINES.match(self.text, end)
        return start, blanks.end() if blanks and (index == 0 or before < start) else end

    def _flow_cuts(self, node: SequenceNode, index: int) -> list[tuple[int, int]]:
        """Return from where to where an item of a flow list stands, and a comma."""
        items = node.value
        start, end = items[index].start_mark.index, node_end(self.text, items[index])
        above = node_end(self.text, items[index - 1]) if index else start
        rest = _REST_OF_FLOW_LINE.match(self.text, end)
        is_last = index + 1 == len(items)
        if rest and not self.text[line_begin(self.text, start) : start].strip():
            lines = line_begin(self.text, start), rest.end()
            comma = self.text.find(",", above, start) if is_last and index and not rest[1] else -1
            return [lines, (comma, comma + 1)] if comma >= 0 else [lines]
        if not is_last:
            return [(start, items[index + 1].start_mark.index)]
        if index:
            return [(above, end)]
        comma_behind = re.compile(r"\s*,").match(self.text, end)
        return [(start, comma_behind.end() if comma_behind else end)]

    def _pair_cut(self, node: MappingNode, index: int) -> tuple[int, int]:
        """Return from where to where a key of a block mapping stands with its value, and the comment lines above it."""
        key, value = node.value[index]
        start, indent = key.start_mark.index, key.start_mark.column
        begin = line_begin(self.text, start)
        if self.text[begin:start].strip():  # behind the dash of an item
            if len(node.value) == 1:
                raise self._impossible()
            return start, node.value[1][0].start_mark.index
        while begin and self.text.startswith(" " * indent + "#", line_begin(self.text, begin - 1)):
            begin = line_begin(self.text, begin - 1)
        return begin, self._after(pair_end(self.text, key, value), deeper_than=indent)

    def _flow_pair_cut(self, node: MappingNode, index: int) -> tuple[int, int]:
        """Return from where to where a key of a flow mapping stands with its value and a comma."""
        pairs = node.value
        start, end = pairs[index][0].start_mark.index, pair_end(self.text, *pairs[index])
        if index + 1 < len(pairs):
            return start, pairs[index + 1][0].start_mark.index
        return (pair_end(self.text, *pairs[index - 1]), end) if index else (start, end)

    def _emptied(self, node: SequenceNode, path: Path) -> str:
        """Return the text with `[]` in the place of a block list's only item."""
        _, colon, _ = self._key(path)
        properties = _PROPERTIES.match(self.text, colon)
        at = properties.end() if properties else colon
        start, end = self._block_cut(node, 0)
        return self.text[:at] + " []" + self.text[at:start] + self.text[end:]

    # --- putting ---

    def _append_to_block(self, node: SequenceNode, value: dict[str, Any]) -> str:
        last = node.value[-1]
        dash = dash_at(self.text, node, len(node.value) - 1)
        indent = column_of(self.text, dash)
        gap = self.text[dash + 1 : last.start_mark.index] if not last.anchor else " "
        lines = [self._flow_like(last, value)] if is_flow(last) else block_lines(value, self._style)
        lines = item_lines(lines, gap if gap and not gap.strip(" ") else " ")
        above = node_end(self.text, node.value[-2]) if len(node.value) > 1 else dash
        if _BLANK_LINE.search(self.text, above, dash):
            lines = ["", *lines]
        at = self._after(node_end(self.text, last), deeper_than=indent)
        return with_lines(self.text, at, indented_lines(lines, indent))

    def _append_to_flow(self, node: SequenceNode, value: dict[str, Any]) -> str:
        last = node.value[-1]
        start, end = last.start_mark.index, node_end(self.text, last)
        before = self.text[line_begin(self.text, start) : start]
        rest = _REST_OF_FLOW_LINE.match(self.text, end)
        if before.strip() or not rest:
            return self.text[:end] + ", " + self._flow_like(last, value) + self.text[end:]
        comma = "" if rest[1] else ","
        added = before + self._flow_like(last, value) + rest[1] + "\n"
        return self.text[:end] + comma + with_newline(self.text[end : rest.end()]) + added + self.text[rest.end() :]

    def _flow(self, value: Any) -> str:
        """Return a value as flow YAML, or as JSON where the file is JSON."""
        return json.dumps(value, ensure_ascii=False) if self.is_json else flow_text(value)

    def _gap(self, node: MappingNode) -> str:
        """Return what stands between the last pair of a flow mapping and a new one; in JSON a line's end, perhaps."""
        key = node.value[-1][0].start_mark.index
        before = self.text[line_begin(self.text, key) : key]
        return f",\n{before}" if self.is_json and not before.strip() else ", "

    def _flow_like(self, sibling: Node, value: dict[str, Any]) -> str:
        """Return a mapping as flow YAML, with spaces inside its braces where its sibling has them."""
        text = self._flow(value)
        is_wide = self.text.startswith("{ ", sibling.start_mark.index)
        return "{ " + text[1:-1] + " }" if is_wide else text

    def _put_at(self, path: Path, value: Any) -> str:
        """Return the text with `value` at `path`."""
        depth = len(path)
        while (node := self._node(path[:depth])) is None and depth:
            depth -= 1
            value = {path[depth]: value}
        if not depth and (node is None or not node.value):
            text = "" if isinstance(node, MappingNode) else self.text  # `{}` gives way, comments stay
            return with_lines(text, len(text), block_lines(value, self._style))
        if not isinstance(node, MappingNode) or not node.value:
            return self._replace(node, path[:depth], value)
        last = pair_end(self.text, *node.value[-1])
        if node.flow_style:
            return self.text[:last] + self._gap(node) + self._flow(value)[1:-1] + self.text[last:]
        indent = node.value[-1][0].start_mark.column
        at = self._after(last, deeper_than=indent)
        return with_lines(self.text, at, indented_lines(block_lines(value, self._style), indent))

    def _replace(self, node: Node | None, path: Path, value: Any) -> str:
        """Put a value in the place of null, `[]` or `{}` behind a key."""
        key, start, in_flow = self._key(path)
        end = start if node is None or is_wordless(node) else max(start, node_end(self.text, node))
        if in_flow:
            return self.text[:start] + " " + self._flow(value) + self.text[end:]
        line_end = next_line(self.text, end)
        comment = self.text[end:line_end].rstrip()
        before = with_newline(self.text[:start] + comment)
        if isinstance(value, list):
            lines = [line for one in value for line in item_lines(block_lines(one, self._style), " ")]
            indent = key.start_mark.column + self._style.offset
        else:
            lines = block_lines(value, self._style)
            indent = key.start_mark.column + self._style.step
        return with_lines(before + self.text[line_end:], len(before), indented_lines(lines, indent))


def _is_vacant(value: Any) -> bool:
    return value is None or value in ({}, [])


def _at(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value
