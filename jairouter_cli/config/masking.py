"""Finds the secrets of a file, and masks them in its text.

A secret is the value of a key that the model marks as one, or of an unknown key whose name suggests one. A
secret is also masked elsewhere in the text, but only if it is long: a header `0` must not mask every 0.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, get_args, get_origin

import msgspec
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from jairouter_cli.config.document import Document
from jairouter_cli.config.fields import kind_alone, kind_within
from jairouter_cli.config.kinds import MASK, Secret, Url, UrlPath
from jairouter_cli.config.layout import node_end
from jairouter_cli.config.model import Config

SEARCHED: Final = 8  # characters from which on a secret is looked for in texts

_SECRET_NAME: Final = re.compile(r"password|passwd|secret|token|key|authorization|credential|cookie", re.IGNORECASE)
_NOTED: Final = re.compile(  # in a comment
    r"(#.*?\b[\w.-]*(?:password|secret|token|key|authorization)[\w.-]*['\"]?\s*[:=]\s*)(\S.*)", re.IGNORECASE
)
_PLACEHOLDER: Final = re.compile(r"\$\{\s*([^}:\s]+)")
_QUERY: Final = re.compile(r"([?&;]([^=&;\s'\"#]+)=)([^&;\s'\"#]+)")
_USER: Final = re.compile(r"(?<=//)[^/\s'\"]+@")
_SEGMENT: Final = re.compile(r"(?<=/)(?=[^/]*\d)(?=[^/]*[A-Za-z])[A-Za-z0-9_-]{24,}(?=[/?]|$)|(?<=/)sk-[^/?\s]+")
_HARMLESS: Final = re.compile(r"(api-?)?version|v|model|deployment|stream|format|region|alt", re.IGNORECASE)
_SEEN: Final = "\0"  # which no file holds


def sounds_secret(name: str) -> bool:
    """Whether a name is like that of a secret."""
    return _SECRET_NAME.search(name) is not None


def is_secret(kind: Any, name: str) -> bool:
    """Whether a value is a secret: by its kind (None where that is not known), or by its name if it is a text."""
    if kind is None or kind is Secret:
        return True
    return kind is str and sounds_secret(name)


def shown_path(text: str) -> str:
    """Return a path or an address without what may be a key in it: a user, a query's values, a segment like a key."""
    text = _QUERY.sub(lambda match: match[0] if _HARMLESS.fullmatch(match[2]) else match[1] + MASK, text)
    return _SEGMENT.sub(MASK, _USER.sub(f"{MASK}@", text))


def shown(kind: Any, text: str) -> str:
    """Return a single value of a kind as it may be shown."""
    if kind is Secret:
        return MASK
    return shown_path(text) if kind in {Url, UrlPath} else text


def concealed(kind: Any, value: Any, name: str = "") -> Any:
    """Return plain data of a kind with a mask in the place of every secret in it."""
    if kind is Secret:
        return MASK
    if isinstance(value, Mapping):
        return {key: concealed(kind_within(kind, str(key)), item, str(key)) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        item_kind = get_args(kind)[0] if get_origin(kind) is tuple else kind
        return [concealed(item_kind, item, name) for item in value]
    alone = kind_alone(kind)
    if sounds_secret(name) if alone is None else is_secret(alone, name):
        return MASK
    return shown(alone, value) if isinstance(value, str) else value


def is_mask_of(value: Any, present: Any) -> bool:
    """Whether a value is only how another one is shown, so that whoever sends it back means the other one."""
    return value == MASK or (isinstance(value, str) and MASK in value and value == shown_path(str(present)))


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


def tells(text: str, secrets: Iterable[str]) -> bool:
    """Whether one of some secrets stands in a text; one that is short may be any word, and tells nothing."""
    return any(len(secret) >= SEARCHED and secret in text for secret in secrets)


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return a text with a mask in the place of each secret that is long enough to be told from other words."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SEARCHED:
            text = text.replace(secret, MASK)
    return text


def secret_variables(document: Document) -> frozenset[str]:
    """Return the names of the environment variables from which secrets come."""
    return frozenset(name for node in _secrets(document) for name in _PLACEHOLDER.findall(node.value))


def holds_secrets(document: Document) -> bool:
    """Whether a file has secrets in it, and not only names of environment variables that have them."""
    return bool(_lines_of_secrets(document))


def masked_text(document: Document) -> str:
    """Return a document's text without its secrets, line by line as it is."""
    text, nodes = document.text, sorted(_places(document), key=lambda place: place[0].start_mark.index, reverse=True)
    for node, kind in nodes:
        start, end = node.start_mark.index, node_end(text, node)
        inside = text[start:end]
        if kind in {Url, UrlPath}:
            inside = shown_path(inside)
        elif inside:
            inside = "\n".join([MASK] * len(inside.rstrip("\n").split("\n"))) + "\n" * inside.endswith("\n")
        text = text[:start] + inside + text[end:]
    return _NOTED.sub(rf"\g<1>{MASK}", masked(text, _lines_of_secrets(document)))


def masked_diff(before: str, after: str, names: tuple[str, str]) -> str:
    """Return what changed between two texts, as `diff -u` shows it, without the keys that stand in either.

    A key that was changed is a line that was changed, though both look the same.
    """
    old, new = (Document.load(text, name) for text, name in zip((before, after), names, strict=True))
    secrets = _lines_of_secrets(old) | _lines_of_secrets(new)
    found = difflib.unified_diff(_marked_lines(old), _marked_lines(new), *names, lineterm="")
    return "\n".join(masked(line.partition(_SEEN)[0], secrets) for line in found)


def _marked_lines(document: Document) -> list[str]:
    """Return the lines of a document as they may be shown, each with the line itself behind a mark."""
    shown_lines, lines = masked_text(document).split("\n"), document.text.removesuffix("\n").split("\n")
    return [f"{seen}{_SEEN}{line}" for seen, line in zip(shown_lines, lines, strict=False)]


def _lines_of_secrets(document: Document) -> frozenset[str]:
    values = (node.value for node in _secrets(document) if not node.value.startswith("${"))
    return frozenset(line.strip() for value in values for line in value.splitlines())


def _secrets(document: Document) -> Iterator[ScalarNode]:
    return (node for node, kind in _places(document) if kind not in {Url, UrlPath})


def _places(document: Document) -> Iterator[tuple[ScalarNode, Any]]:
    """Yield the values that are secrets, or may hold one, each once, with their kinds."""
    walked: set[int] = set()
    if document.tree is not None:
        yield from _walk(document.tree, Config, "", walked)


def _walk(node: Node, kind: Any, name: str, walked: set[int]) -> Iterator[tuple[ScalarNode, Any]]:
    if id(node) in walked:  # an alias leads here
        return
    walked.add(id(node))
    if isinstance(node, MappingNode):
        for key, value in node.value:
            word = str(key.value)
            if word == "<<":
                yield from _walk(value, kind, name, walked)
            else:
                inner = None if kind is None else kind_within(kind, word)
                yield from _walk(value, inner, name if inner is None and sounds_secret(name) else word, walked)
    elif isinstance(node, SequenceNode):
        item = get_args(kind)[0] if get_origin(kind) is tuple else kind
        for value in node.value:
            yield from _walk(value, item, name, walked)
    elif isinstance(node, ScalarNode):
        alone = kind_alone(kind)
        if alone in {Url, UrlPath} or (sounds_secret(name) if alone is None else is_secret(alone, name)):
            yield node, alone
