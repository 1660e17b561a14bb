"""Edits touch nothing but what they are for, whatever the style of the file."""

# ruff: noqa: E501, ISC004 - whole files are compared, in as few lines as they can be read in

import io
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from jairouter_cli.config.document import Document
from jairouter_cli.config.render import quoted_like_yaml_1_1
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
        "        - {name: n, base-url: http://n}\n# end\n",
    ),
    "flow items with space": (
        "model:\n  services:\n    chat:\n      instances:\n        - { name: 'a', base-url: http://a }\n",
        "model:\n  services:\n    chat:\n      instances:\n        - { name: 'a', base-url: http://a }\n"
        "        - { name: n, base-url: http://n }\n",
    ),
    "flow list over several lines": (
        "model:\n  services:\n    chat:\n      instances: [\n        {name: a}, # a\n        {name: b}, # b\n      ] # end\n",
        "model:\n  services:\n    chat:\n      instances: [\n        {name: a}, # a\n        {name: b}, # b\n"
        "        {name: n, base-url: http://n},\n      ] # end\n",
    ),
    "JSON": (
        '{\n  "model": {\n    "services": {"chat": {"instances": [\n      {"name": "a"}\n    ]}}\n  }\n}\n',
        '{\n  "model": {\n    "services": {"chat": {"instances": [\n      {"name": "a"},\n'
        '      {"name": "n", "base-url": "http://n"}\n    ]}}\n  }\n}\n',
    ),
    "wide dashes": (
        "model:\n  services:\n    chat:\n      instances:\n        -   name: a\n            base-url: http://a\n",
        "model:\n  services:\n    chat:\n      instances:\n        -   name: a\n            base-url: http://a\n"
        "        -   name: n\n            base-url: http://n\n",
    ),
    "items apart": (
        "model:\n  services:\n    chat:\n      instances:\n      - name: a\n\n      # b's\n      - name: b\n\n    tts:\n",
        "model:\n  services:\n    chat:\n      instances:\n      - name: a\n\n      # b's\n      - name: b\n\n"
        "      - name: n\n        base-url: http://n\n\n    tts:\n",
    ),
    "comment that belongs to the last item": (
        "model:\n  services:\n    chat:\n      instances:\n        - name: a\n          # its\n        # not its\n  x: 1\n",
        "model:\n  services:\n    chat:\n      instances:\n        - name: a\n          # its\n"
        "        - name: n\n          base-url: http://n\n        # not its\n  x: 1\n",
    ),
    "no final newline": (
        "model:\n  services:\n    chat:\n      instances:\n        - name: a",
        "model:\n  services:\n    chat:\n      instances:\n        - name: a\n        - name: n\n          base-url: http://n",
    ),
    "nothing in particular, without a final newline": (
        "server:\n  port: 1 # one",
        "server:\n  port: 1 # one\nmodel:\n  services:\n    chat:\n      instances:\n        - name: n\n          base-url: http://n",
    ),
    "block scalar that keeps its end": (
        "model:\n  services:\n    chat:\n      instances:\n        - name: a\n          note: |+\n            x\n\n    z: 1\n",
        "model:\n  services:\n    chat:\n      instances:\n        - name: a\n          note: |+\n            x\n\n"
        "        - name: n\n          base-url: http://n\n    z: 1\n",
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
        "model:\n    services:\n        tts:\n            instances: []\n        chat:\n            instances:\n"
        "                - name: n\n                  base-url: http://n\nserver: {port: 1}\n",
    ),
    "empty services": (
        "# top\nmodel:\n  services: {}\n  #  chat:\n  #    x\n",
        "# top\nmodel:\n  services:\n    chat:\n      instances:\n        - name: n\n          base-url: http://n\n"
        "  #  chat:\n  #    x\n",
    ),
    "null list with a comment below": (
        "model:\n  services:\n    chat:\n      instances: # none\n        # - name: a\n\n# end\n",
        "model:\n  services:\n    chat:\n      instances: # none\n        - name: n\n          base-url: http://n\n"
        "        # - name: a\n\n# end\n",
    ),
    "null before the next section": (
        "model:\n  services:\n    tts: # soon\n\n# about the server\nserver: {port: 1}\n",
        "model:\n  services:\n    tts: # soon\n    chat:\n      instances:\n        - name: n\n          base-url: http://n\n"
        "\n# about the server\nserver: {port: 1}\n",
    ),
    "tags": (
        "model: !mine\n  services: {}\nkey: !vault |\n  x\n",
        "model: !mine\n  services:\n    chat:\n      instances:\n        - name: n\n          base-url: http://n\nkey: !vault |\n  x\n",
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
    """Where something was in the list before, the very text comes back; else the list is left, empty."""
    before, after = ADDED[name]
    document = Document.load(before, "f")
    count = len(document.get(LIST) or ())
    edited = Document.load(after, "f").remove((*LIST, count))
    if count:
        assert edited.dump() == before
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
        (2, "\n  # the third\n  - name: c\n    x: 3\n    # below\n"),
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
        ("l: [1,]\n", 0, "l: []\n"),
        ("l: [1, 2,]\n", 1, "l: [1,]\n"),
        ("l: [\n  1, # a\n  2, # b\n]\n", 0, "l: [\n  2, # b\n]\n"),
        ("l: [\n  1, # a\n  2, # b\n]\n", 1, "l: [\n  1, # a\n]\n"),
        ("l: [\n  1, # a, b\n  2 # b\n]\n", 1, "l: [\n  1 # a, b\n]\n"),
        ("l: [\n  # all\n  1 # a\n]\n", 0, "l: [\n  # all\n]\n"),
        ("l: &l # c\n  - 1\nm: 2\n", 0, "l: &l [] # c\nm: 2\n"),
        ("l:\n  # - 0\n  - 1\n  - 2\n", 0, "l:\n  # - 0\n  - 2\n"),
        ("l:\n- 1\n# about m\nm: 2\n", 0, "l: []\n# about m\nm: 2\n"),
        ("l:\n- 1\n- 2\n# about m\nm: 2\n", 1, "l:\n- 1\n# about m\nm: 2\n"),
        ("l:\n- 1\n\n- 2\n\n- 3\n\nm: 2\n", 0, "l:\n- 2\n\n- 3\n\nm: 2\n"),
        ("l:\n- 1\n\n- 2\n\n- 3\n\nm: 2\n", 1, "l:\n- 1\n\n- 3\n\nm: 2\n"),
        ("l:\n- 1\n\n- 2\n\n- 3\n\nm: 2\n", 2, "l:\n- 1\n\n- 2\n\nm: 2\n"),
        ("l:\n- 1\n- 2", 1, "l:\n- 1"),
        ("l:\n  - 1\n   \n  - 2\n", 0, "l:\n  - 2\n"),
        ("l:\n- 1\n  # one  \n \n- 2\n# end\n", 1, "l:\n- 1\n  # one  \n# end\n"),
    ],
)
def test_removing_in_small(before: str, index: int, after: str) -> None:
    """Flow lists keep their commas right; an emptied list says so."""
    assert Document.load(before, "f").remove(("l", index)).dump() == after


# Files as people write them; each has two instances of chat or more.
STYLES = {
    "a Chinese team's": """\
# 网关配置 —— 修改前请先备份！
server:
  port: 8080          # 端口

model:
  # 负载均衡：随机
  load-balance: { type: random }   # 可选：round-robin
  services:
    # ---------- 对话 ----------
    chat:
      instances:
        # 主机一
        - name: "qwen3:1.7B"       # 模型名
          base-url: 'http://192.0.2.2:30909'
          weight: 1
        # 主机二
        - name: "qwen3:1.7B"
          base-url: 'http://192.0.2.3:30909'
          weight: 2                # 两倍

    # ---------- 向量 ----------
    embedding:
      instances: []
""",
    "in camelCase, four columns a level": """\
webClient:
    connectTimeout: 5s
model:
    services:
        chat:
            loadBalance:
                type: leastConnections
            instances:
            -   name: a
                baseUrl: http://a:8000
                maxRetries: 1

            -   name: b
                baseUrl: http://b:8000
        imgGen:
            instances:
            -   {name: sd, baseUrl: 'http://sd:7860'}
""",
    "from the environment": """\
model:
  services:
    chat:
      instances:
        - {name: "${MODEL:qwen2.5:7b}", base-url: "${A_URL:http://a}", api-key: "${A_KEY:}"}
        - name: ${MODEL:qwen2.5:7b}
          base-url: ${B_URL:http://b:8000}
          headers:
            X-Team: ${TEAM}   # who pays
# end of file, no line break""",
    "with anchors and merges": """\
%YAML 1.2
---
x-defaults: &defaults
  weight: 2
  max-retries: 1
model:
  services:
    chat:
      instances:
        - <<: *defaults
          name: a
          base-url: http://a
        -
          <<: *defaults
          name: b
          base-url: >-
            http://b
...
""",
    "aligned, with lists at their keys": """\
server :
    port   : 8080
    host   : 0.0.0.0


model  :
    services :
        chat :
            instances :
            - name     : a
              base-url : http://a
            # - name     : old
            #   base-url : http://old
            - name     : b
              base-url : http://b
            load-balance : random   # after the list
            timeout      :
                read : 30s
""",
    "JSON": """\
{
    "model": {
        "services": {
            "chat": {
                "instances": [
                    {"name": "a", "base-url": "http://a", "weight": 3},
                    {
                        "name": "b",
                        "base-url": "http://b"
                    }
                ]
            }
        }
    }
}
""",
}
ROOT = Path(__file__).parent.parent.parent
SHIPPED = ["tests/config/java-application.yml", "jairouter_cli/config/template.yaml"]
SHIPPED += sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("sample-configs/*.yaml"))
FILES = STYLES | {name: (ROOT / name).read_text("utf-8") for name in SHIPPED}


@pytest.mark.parametrize("text", [*FILES.values(), *(text for pair in ADDED.values() for text in pair)])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_file_that_is_not_edited_stays_as_it_is(text: str, newline: str) -> None:
    """To the byte, whatever its style."""
    text = text.replace("\n", newline)
    assert Document.load(text, "f").dump() == text


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_adding_keeps_every_line_and_removing_restores_the_file(name: str, newline: str) -> None:
    """The old lines are all there in their order (a list's last may get its comma); then nothing of the new is left."""
    text = FILES[name].replace("\n", newline)
    document = Document.load(text, "f")
    present = document.get(LIST)
    edited = document.append(LIST, NEW) if present else document.put(LIST, [NEW])
    assert edited.get(LIST) == [*(present or ()), NEW]
    rest = iter(edited.dump().removesuffix(newline).split(newline))
    kept = [line for line in text.removesuffix(newline).split(newline) if not line.endswith("services: {}")]
    assert all(any(line in {old, f"{old},"} for line in rest) for old in kept)
    if present:
        assert edited.remove((*LIST, len(present))).dump() == text


@pytest.mark.parametrize("name", STYLES)
@pytest.mark.parametrize("index", [0, 1])
def test_removing_from_any_style(name: str, index: int) -> None:
    """The other instance is left, and everything outside of the list."""
    document = Document.load(STYLES[name], "f")
    edited = document.remove((*LIST, index))
    assert edited.get(LIST) == [document.get(LIST)[1 - index]]
    assert edited.remove((*LIST, 0)).get(LIST) == []


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
        ("null\n", "f:1: not valid YAML: the file must be a mapping, with keys like server: and model:"),
        ("k: sk-1\nk: sk-2\n", 'f:2: not valid YAML: found duplicate key "k"'),
        ("a: 1\nb: \x01\n", "f:2: not valid YAML: the character U+0001 is not allowed"),
        ("a: *nobody\n", "f:1: not valid YAML: found undefined alias 'nobody'"),
        (
            "a: 1\n---\nb: 2\n",
            "f:2: not valid YAML: expected a single document in the stream but found another document",
        ),
        ("%YAML 1.3\n---\na: 1\n", "f:0: not valid YAML: the %YAML line has an unknown version"),
        ("a: !!int x\n", "f:0: not valid YAML: a value does not fit its !!tag"),
        ("a: !!bool x\n", "f:0: not valid YAML: a value does not fit its !!tag"),
        ("a: " + "[" * 999, "f:0: not valid YAML: it is nested too deeply"),
        ("just words\n", "f:1: not valid YAML: the file must be a mapping, with keys like server: and model:"),
    ],
)
def test_a_text_that_will_not_do(text: str, message: str) -> None:
    """The error names file, line and fault."""
    with pytest.raises(ConfigSyntaxError) as caught:
        Document.load(text, "f")
    assert str(caught.value) == message


def test_lines() -> None:
    """A key's line, an item's line, and that of the holder where something is missing."""
    document = Document.load(THREE, "f")
    paths = [("list",), ("list", 1), ("list", 1, "x"), ("list", 1, "none"), ("other",), ("none",)]
    assert [document.line(path) for path in paths] == [1, 7, 9, 7, 17, 0]


SHARED = "a: &x\n  - &i {n: 1}\n  - {n: 2}\nb: *x\nc: &m {l: [1]}\nd: {<<: *m}\ne: *i\nf: &f {f: *f}\n"


@pytest.mark.parametrize("path", [("a",), ("b",), ("c", "l"), ("d", "l")])
def test_an_edit_of_what_is_shared_is_refused(path: tuple[str, ...]) -> None:
    """A list behind an alias is two lists; editing one would edit both, so a person must."""
    document = Document.load(SHARED.replace("f: &f {f: *f}\n", ""), "f")
    with pytest.raises(EditImpossible):
        document.append(path, {"n": 3})
    with pytest.raises(EditImpossible):
        document.remove((*path, 0))


def test_a_text_without_end_is_not_edited() -> None:
    """An alias inside its own anchor is YAML, but no configuration."""
    with pytest.raises(EditImpossible):
        Document.load(SHARED, "f").put(("new",), [{"n": 1}])


@pytest.mark.parametrize("value", ["x", "5", "[1]", "''", "false", "!t x"])
@pytest.mark.parametrize("form", ["a: {}\n", "a:\n  b: {}\n", "a:\n  b:\n    c: {}\n"])
def test_nothing_is_put_over_something(form: str, value: str) -> None:
    """Only null and what is empty gives way, at the place and on the way to it."""
    with pytest.raises(EditImpossible):
        Document.load(form.format(value), "f").put(("a", "b", "c"), [1])


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("yes", "'yes'"),
        ("Off", "'Off'"),
        ("1:30", "'1:30'"),
        ("0o17", "'0o17'"),
        ("2024-01-01", "'2024-01-01'"),
        ("null", "'null'"),
        ("a: b", "'a: b'"),
        ("a\nb", '"a\\nb"'),
        ("a\u2028b", '"a\\Lb"'),
        ("y", "y"),
        ("模型", "模型"),
        ("qwen2.5:7b", "qwen2.5:7b"),
        ("${A:http://b}", "${A:http://b}"),
    ],
)
def test_text_is_quoted_where_some_reader_needs_it(text: str, written: str) -> None:
    """The Java version and many tools read YAML 1.1, where yes is true and 1:30 is ninety."""
    assert Document.load("", "f").put(("a",), text).dump() == f"a: {written}\n"


def test_dates_are_text() -> None:
    """As YAML 1.2 has it; a date that there is not is no crash."""
    document = Document.load("a: 2024-01-01\nb: 2024-13-45\n", "f")
    assert document.root == {"a": "2024-01-01", "b": "2024-13-45"}


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
    yaml.dump({"before": 1, "l": quoted_like_yaml_1_1(present), "after": 2}, stream)
    document = Document.load(stream.getvalue(), "f")
    assert document.append(("l",), new).get(("l",)) == [*present, new]
    index = data.draw(st.integers(0, len(present) - 1))
    assert document.remove(("l", index)).get(("l",)) == present[:index] + present[index + 1 :]


@example("?0", "a: {b: }\n")
@example("N", "%YAML 1.1\n---\na:\n")
@given(st.text(st.characters(codec="utf-8")), st.sampled_from(["a:\n", "a: {b: }\n", "%YAML 1.1\n---\na:\n"]))
def test_any_text_is_read_back(text: str, form: str) -> None:
    """Quotes and escapes are put where they are needed, also for readers of YAML 1.1."""
    document = Document.load(form, "f").put(("a", "b"), [{"t": text}])
    assert Document.load(document.dump(), "f").get(("a", "b", 0, "t")) == text


@pytest.mark.parametrize(
    ("before", "path", "value", "after"),
    [
        ("a: 1 # one\nb: 2\n", "a", 5, "a: 5 # one\nb: 2\n"),
        ("a: {b: 'x', c: 2} # d\n", "a.b", "y", "a: {b: y, c: 2} # d\n"),
        ("a: yes\n", "a", "no", "a: 'no'\n"),
        ("a: &x 1\nb: 2\n", "b", True, "a: &x 1\nb: true\n"),
        ("a:\n  b: 1\n", "a.c", 2.5, "a:\n  b: 1\n  c: 2.5\n"),
        ("a:\n  b: 1\n", "a", 3, "a: 3\n"),
        ("a: |\n  text\nb: 2\n", "a", "x", "b: 2\na: x\n"),
        ("l:\n  - n: 1\n    m: 2\n", "l.0.m", 3, "l:\n  - n: 1\n    m: 3\n"),
        ("l:\n  - n: 1\n", "l.0.k", {"x": 1}, "l:\n  - n: 1\n    k:\n      x: 1\n"),
    ],
)
def test_assigning(before: str, path: str, value: object, after: str) -> None:
    """A value takes the place of another; everything else stays as it is."""
    steps = tuple(int(step) if step.isdigit() else step for step in path.split("."))
    assert Document.load(before, "f").assign(steps, value).dump() == after


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [
        ("a: 1\nb: 2 # two\nc: 3\n", "b", "a: 1\nc: 3\n"),
        ("a: 1\n# about b\n# and more\nb:\n  c: 2\n  # inside\n\nd: 3\n", "b", "a: 1\n\nd: 3\n"),
        ("a:\n  b: 1\nc: 2\n", "a.b", "a: {}\nc: 2\n"),
        ("a: # why\n  # below\n  b: 1\nc: 2\n", "a.b", "a: {} # why\nc: 2\n"),
        ("a: {b: 1, c: 2, d: 3}\n", "a.b", "a: {c: 2, d: 3}\n"),
        ("a: {b: 1, c: 2, d: 3}\n", "a.d", "a: {b: 1, c: 2}\n"),
        ("a: {b: 1}\n", "a.b", "a: {}\n"),
        ("l:\n  - n: 1\n    m: 2\n", "l.0.n", "l:\n  - m: 2\n"),
        ("l:\n  - n: 1\n    m: 2\n  - n: 3\n", "l.0.m", "l:\n  - n: 1\n  - n: 3\n"),
        ("a: 1\n", "a", ""),
    ],
)
def test_dropping(before: str, path: str, after: str) -> None:
    """A key goes with its value and what is said of it right above."""
    steps = tuple(int(step) if step.isdigit() else step for step in path.split("."))
    assert Document.load(before, "f").drop(steps).dump() == after


@pytest.mark.parametrize("text", ["a: &x {b: 1}\nc: *x\n", "l:\n  - b: 1\n"])
def test_dropping_what_cannot_be(text: str) -> None:
    """What is shared by name, or an item's only key: refused, and said."""
    path = ("c", "b") if text.startswith("a") else ("l", 0, "b")
    with pytest.raises(EditImpossible):
        Document.load(text, "f").drop(path)


@pytest.mark.parametrize("name", STYLES)
def test_a_section_that_comes_and_goes_leaves_nothing(name: str) -> None:
    """Put into a service and into an instance of any style, changed, and dropped: the file is as it was."""
    document = Document.load(STYLES[name], "f")
    for holder in (LIST[:-1], (*LIST, 0), (*LIST, 1)):
        edited = document.put((*holder, "x-limit"), {"enabled": True, "rate": 1})
        edited = edited.assign((*holder, "x-limit", "rate"), 7).assign((*holder, "x-limit", "more"), "a b")
        assert edited.get((*holder, "x-limit")) == {"enabled": True, "rate": 7, "more": "a b"}
        assert edited.drop((*holder, "x-limit")).dump() == document.dump()
