"""Edits touch nothing but what they are for, whatever the style of the file."""

# ruff: noqa: E501, ISC004 - whole files are compared, in as few lines as they can be read in

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from jairouter_cli.config.document import Document
from jairouter_cli.errors import ConfigSyntaxError, EditImpossible

LIST = ("model", "services", "chat", "instances")
NEW = {"name": "n", "base-url": "http://n"}

# name: text, text after `append` or `put` of NEW
ADDED = {
    "indented list": (
        """\
model:
  services:
    chat:
      instances:
        - name: a   # why a
          base-url: 'http://a'

    # about embeddings
    embedding: {}
""",
        """\
model:
  services:
    chat:
      instances:
        - name: a   # why a
          base-url: 'http://a'
        - name: n
          base-url: http://n

    # about embeddings
    embedding: {}
""",
    ),
    "list at its key's column": (
        'model:\n  services:\n    chat:\n      instances:\n      - base-url: http://a\n        name: "a"\n',
        'model:\n  services:\n    chat:\n      instances:\n      - base-url: http://a\n        name: "a"\n'
        "      - name: n\n        base-url: http://n\n",
    ),
    "items in flow style": (
        "model: {services: {chat: {instances: [{name: a, base-url: http://a}]}}} # 一行\n",
        "model: {services: {chat: {instances: [{name: a, base-url: http://a}, {name: n, base-url: http://n}]}}} # 一行\n",
    ),
    "flow items in a block list": (
        "model:\n  services:\n    chat:\n      instances:\n        - {name: a, base-url: http://a} # eol\n# end\n",
        "model:\n  services:\n    chat:\n      instances:\n        - {name: a, base-url: http://a} # eol\n"
        "        - name: n\n          base-url: http://n\n# end\n",
    ),
    "comment that belongs to the last item": (
        "model:\n  services:\n    chat:\n      instances:\n        - name: a\n          # its\n        # not its\n  x: 1\n",
        "model:\n  services:\n    chat:\n      instances:\n        - name: a\n          # its\n"
        "        - name: n\n          base-url: http://n\n        # not its\n  x: 1\n",
    ),
    "no final newline": (
        "model:\n  services:\n    chat:\n      instances:\n        - name: a",
        "model:\n  services:\n    chat:\n      instances:\n        - name: a\n        - name: n\n          base-url: http://n\n",
    ),
    "block scalar last": (
        "model:\n  services:\n    chat:\n      instances:\n        - name: a\n          note: |\n            x\n\n            y\n\n    z: 1\n",
        "model:\n  services:\n    chat:\n      instances:\n        - name: a\n          note: |\n            x\n\n            y\n"
        "        - name: n\n          base-url: http://n\n\n    z: 1\n",
    ),
    "empty list": (
        "model:\n  services:\n    chat:\n      instances: [] # none yet\n    # next\n    tts: {}\n",
        "model:\n  services:\n    chat:\n      instances: # none yet\n        - name: n\n          base-url: http://n\n"
        "    # next\n    tts: {}\n",
    ),
    "null list": (
        "model:\n  services:\n    chat:\n      load-balance: random\n      instances:\n    tts: {}\n",
        "model:\n  services:\n    chat:\n      load-balance: random\n      instances:\n        - name: n\n"
        "          base-url: http://n\n    tts: {}\n",
    ),
    "empty service": (
        "model:\n  services:\n    chat: {}\n    tts: {}\n",
        "model:\n  services:\n    chat:\n      instances:\n        - name: n\n          base-url: http://n\n    tts: {}\n",
    ),
    "null service": (
        "model:\n  services:\n    chat: # soon\n    tts: {}\n",
        "model:\n  services:\n    chat: # soon\n      instances:\n        - name: n\n          base-url: http://n\n    tts: {}\n",
    ),
    "service without the key": (
        "model:\n  services:\n    chat:\n      load-balance: random # lb\n\n# end\n",
        "model:\n  services:\n    chat:\n      load-balance: random # lb\n      instances:\n        - name: n\n"
        "          base-url: http://n\n\n# end\n",
    ),
    "no such service": (
        "model:\n    services:\n        tts:\n            instances: []\nserver: {port: 1}\n",
        "model:\n    services:\n        tts:\n            instances: []\n        chat:\n          instances:\n"
        "            - name: n\n              base-url: http://n\nserver: {port: 1}\n",
    ),
    "empty services": (
        "# top\nmodel:\n  services: {}\n  #  chat:\n  #    x\n",
        "# top\nmodel:\n  services:\n    chat:\n      instances:\n        - name: n\n          base-url: http://n\n"
        "  #  chat:\n  #    x\n",
    ),
    "only comments": (
        "# mine\n\n# all mine\n",
        "# mine\n\n# all mine\nmodel:\n  services:\n    chat:\n      instances:\n        - name: n\n          base-url: http://n\n",
    ),
    "nothing": (
        "",
        "model:\n  services:\n    chat:\n      instances:\n        - name: n\n          base-url: http://n\n",
    ),
    "braces": (
        "{}\n",
        "model:\n  services:\n    chat:\n      instances:\n        - name: n\n          base-url: http://n\n",
    ),
    "document start": (
        "%YAML 1.2\n---\nmodel:\n  services: {}\n",
        "%YAML 1.2\n---\nmodel:\n  services:\n    chat:\n      instances:\n        - name: n\n          base-url: http://n\n",
    ),
    "anchors": (
        "x: &lb {type: random}\nmodel:\n  services:\n    chat:\n      load-balance: *lb\n      instances:\n      - &a\n        name: a\n",
        "x: &lb {type: random}\nmodel:\n  services:\n    chat:\n      load-balance: *lb\n      instances:\n      - &a\n        name: a\n"
        "      - name: n\n        base-url: http://n\n",
    ),
}


@pytest.mark.parametrize("name", ADDED)
def test_adding(name: str) -> None:
    """Every line that was there is there still, as it was."""
    before, after = ADDED[name]
    document = Document.load(before, "f")
    edited = document.append(LIST, NEW) if document.get(LIST) else document.put(LIST, [NEW])
    assert edited.dump() == after


@pytest.mark.parametrize("name", ADDED)
def test_removing_undoes_adding(name: str) -> None:
    """What says the same is left; where something was in the list before, the very text."""
    before, after = ADDED[name]
    document = Document.load(before, "f")
    count = len(document.get(LIST) or ())
    edited = Document.load(after, "f").remove((*LIST, count))
    if count:
        assert edited.dump() == (before if before.endswith("\n") else before + "\n")
    else:
        assert edited.get(LIST) == []


THREE = """\
list:
  # the first
  - name: a
    x: 1 # eol
  # the second
  # in two lines
  - name: b
    # inside
    x: 2

  # the third
  - name: c
    x: 3
    # below

# the next section
other: 1
"""


@pytest.mark.parametrize(
    ("index", "gone"),
    [
        (0, "  # the first\n  - name: a\n    x: 1 # eol\n"),
        (1, "  # the second\n  # in two lines\n  - name: b\n    # inside\n    x: 2\n"),
        (2, "  # the third\n  - name: c\n    x: 3\n    # below\n"),
    ],
)
def test_removing_takes_the_item_and_what_is_said_of_it(index: int, gone: str) -> None:
    """The comment right above goes along; those of the neighbours and of the next section stay."""
    assert Document.load(THREE, "f").remove(("list", index)).dump() == THREE.replace(gone, "")


@pytest.mark.parametrize(
    ("before", "index", "after"),
    [
        ("l: [1, 2, 3] # c\n", 0, "l: [2, 3] # c\n"),
        ("l: [1, 2, 3] # c\n", 2, "l: [1, 2] # c\n"),
        ("l: [1]\n", 0, "l: []\n"),
        ("l: # c\n  # d\n  - 1\nm: 2\n", 0, "l: [] # c\nm: 2\n"),
    ],
)
def test_removing_in_small(before: str, index: int, after: str) -> None:
    """Flow lists keep their commas right; an emptied list says so."""
    assert Document.load(before, "f").remove(("l", index)).dump() == after


@pytest.mark.parametrize("text", ["\ufeffa: 1\n", "a: 1\r\nb: 2\r\n", "a: 1\r\nb: 2\n", "a: 1", "", "---\na: 1\n...\n"])
def test_what_is_not_edited_comes_out_as_it_went_in(text: str) -> None:
    """Byte order mark, line ends, a missing last newline."""
    assert Document.load(text, "f").dump() == text


def test_an_edit_keeps_line_ends_and_mark() -> None:
    """What is added has the line ends of the file."""
    document = Document.load("\ufeffl:\r\n- a: 1\r\n", "f").append(("l",), {"a": 2})
    assert document.dump() == "\ufeffl:\r\n- a: 1\r\n- a: 2\r\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1\n", "f:2: not valid YAML: while parsing a flow sequence expected ',' or ']', but got '<stream end>'"),
        ("a: 1\n b: 2\n", "f:2: not valid YAML: mapping values are not allowed here"),
        ("- 1\n", "f:1: not valid YAML: the file must be a mapping, with keys like server: and model:"),
        ("just words\n", "f:1: not valid YAML: the file must be a mapping, with keys like server: and model:"),
    ],
)
def test_a_text_that_will_not_do(text: str, message: str) -> None:
    """The error names file, line and fault."""
    with pytest.raises(ConfigSyntaxError) as caught:
        Document.load(text, "f")
    assert str(caught.value) == message


@pytest.mark.parametrize("text", ["a: 1\na: 2\n", "a: 1\n---\nb: 2\n", "a: \x01\n", "a: *nobody\n"])
def test_other_texts_that_will_not_do(text: str) -> None:
    """A key twice, two documents, control characters, an alias without an anchor."""
    with pytest.raises(ConfigSyntaxError):
        Document.load(text, "f")


def test_lines() -> None:
    """A key's line, an item's line, and that of the holder where something is missing."""
    document = Document.load(THREE, "f")
    paths = [("list",), ("list", 1), ("list", 1, "x"), ("list", 1, "none"), ("other",), ("none",)]
    assert [document.line(path) for path in paths] == [1, 7, 9, 7, 17, 0]


def test_an_edit_that_does_not_fit_changes_nothing() -> None:
    """A list behind an alias is two lists; editing one would edit both, so a person must."""
    document = Document.load("a: &x\n  - 1\nb: *x\n", "f")
    with pytest.raises(EditImpossible):
        document.append(("b",), {"name": "n"})


scalars = st.one_of(st.integers(), st.booleans(), st.text(st.characters(codec="utf-8", exclude_categories=["C"])))
names = st.text("abcxyz-_", min_size=1)
items = st.dictionaries(names, scalars, min_size=1, max_size=4)


@given(st.lists(items, min_size=1, max_size=4), items, st.booleans(), st.data())
def test_any_list_takes_and_loses_items(
    present: list[dict[str, object]], new: dict[str, object], flow: bool, data: st.DataObject
) -> None:
    """Whatever is in the items: what is read afterwards is what the edit was to achieve."""
    yaml, stream = YAML(), io.StringIO()
    yaml.default_flow_style = flow
    yaml.dump({"before": 1, "l": present, "after": 2}, stream)
    document = Document.load(stream.getvalue(), "f")
    assert document.append(("l",), new).get(("l",)) == [*present, new]
    index = data.draw(st.integers(0, len(present) - 1))
    assert document.remove(("l", index)).get(("l",)) == present[:index] + present[index + 1 :]
