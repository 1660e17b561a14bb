"""Positions in a YAML text: lines, ends of nodes, dashes. Offsets count characters."""

import re
from collections.abc import Iterator
from typing import Final

from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

_DASH: Final = re.compile(r"^ *(-)(?=\s)", re.MULTILINE)
_COLON: Final = re.compile(r"\s*:")


def line_begin(text: str, offset: int) -> int:
    """Return where the line of an offset begins."""
    return text.rfind("\n", 0, offset) + 1


def next_line(text: str, offset: int) -> int:
    """Return where the next line begins."""
    end = text.find("\n", offset)
    return len(text) if end < 0 else end + 1


def node_end(text: str, node: Node) -> int:
    """Return where a node's own text ends. A block collection ends with its last child, before comments and blanks."""
    if isinstance(node, CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        return pair_end(text, *last) if isinstance(last, tuple) else node_end(text, last)
    if isinstance(node, ScalarNode) and node.style in {"|", ">"}:
        block = text[: node.end_mark.index]
        return len(block.removesuffix("\n") if node.value.endswith("\n\n") else block.rstrip("\n"))
    if is_wordless(node):
        return len(text[: node.start_mark.index].rstrip())
    return int(node.end_mark.index)


def pair_end(text: str, key: Node, value: Node) -> int:
    """Return where a key with its value ends."""
    end = node_end(text, key)
    colon = _COLON.match(text, end)
    return max(colon.end() if colon else end, 0 if is_wordless(value) else node_end(text, value))


def is_wordless(node: Node) -> bool:
    """Whether a node is null by saying nothing; ruamel then places it behind the comments that follow."""
    return bool(node.start_mark.index == node.end_mark.index)


def dash_at(text: str, node: SequenceNode, index: int) -> int:
    """Return where the dash of an item of a block list stands."""
    above = node.value[index - 1] if index else None
    begin = line_begin(text, node.start_mark.index) if above is None else next_line(text, node_end(text, above))
    found = _DASH.search(text, begin)
    return found.start(1) if found else begin


def column_of(text: str, offset: int) -> int:
    """Return how far in an offset stands on its line."""
    return offset - line_begin(text, offset)


def is_flow(node: Node) -> bool:
    """Whether a node is a mapping or a list in braces or brackets."""
    return isinstance(node, CollectionNode) and bool(node.flow_style)


def depths_of(node: Node | None) -> Iterator[tuple[type[Node], int]]:
    """Yield the kind of each block collection under a key, and how much further in than the key it stands."""
    if isinstance(node, MappingNode):
        for key, value in node.value:
            child = value.value[0] if isinstance(value, CollectionNode) and value.value else None
            if child is not None and not value.flow_style and value.start_mark.line > key.start_mark.line:
                first = child[0] if isinstance(child, tuple) else value
                yield type(value), first.start_mark.column - key.start_mark.column
            yield from depths_of(value)
    elif isinstance(node, SequenceNode):
        for item in node.value:
            yield from depths_of(item)


def with_lines(text: str, at: int, lines: list[str]) -> str:
    """Return the text with lines inserted where a line begins."""
    return with_newline(text[:at]) + "".join(f"{line}\n" for line in lines) + text[at:]


def with_newline(text: str) -> str:
    """Return the text with a newline at its end, unless it is empty."""
    return text if not text or text.endswith("\n") else text + "\n"
