"""Adding and removing instances, in whatever spelling the file uses."""

import pytest

from jairouter_cli.config.document import Document
from jairouter_cli.config.model import Dialect, Instance, Secret, ServiceType, Url
from jairouter_cli.config.ops import instances as ops
from jairouter_cli.errors import InstanceAmbiguous, InstanceExists, InstanceNotFound

CHAT = ServiceType.CHAT
FILE = """\
model:
  services:
    chat:
      instances:
        - name: a
          base-url: http://a/
        - name: a
          base-url: http://b
        - name: c@d
          base-url: ${C:http://c}
        - name: e
          base-url: http://e
        - name: e
          base-url: http://e
"""


def document(text: str = FILE) -> Document:
    """Load a text."""
    return Document.load(text, "f")


def instance(name: str = "n", url: str = "http://n") -> Instance:
    """Make an instance with defaults."""
    return Instance(name=name, base_url=Url(url))


def test_only_what_differs_from_the_defaults_is_written() -> None:
    """Secrets as they are."""
    added = Instance(
        name="n", base_url=Url("http://n"), weight=2, adapter=Dialect.VLLM, api_key=Secret("${K}"), max_retries=3
    )
    change = ops.add(document(), CHAT, added)
    assert change.document.dump() == FILE + (
        "        - name: n\n          base-url: http://n\n          weight: 2\n          adapter: vllm\n"
        "          api-key: ${K}\n          max-retries: 3\n"
    )
    assert change.summary == "added instance n@http://n to service chat"


def test_camel_case_files_stay_camel_case() -> None:
    """What is added is spelled as what is there."""
    text = "model:\n  services:\n    imgGen:\n      instances:\n      - {name: a, baseUrl: http://a}\n"
    added = Instance(name="n", base_url=Url("http://n"), max_retries=1)
    change = ops.add(document(text), ServiceType.IMG_GEN, added)
    assert change.document.dump() == text + "      - name: n\n        baseUrl: http://n\n        maxRetries: 1\n"


@pytest.mark.parametrize("key", ["imgGen", "img-gen", "image", "IMAGE_GENERATION"])
def test_a_service_is_found_in_its_spelling(key: str) -> None:
    """No second service is made beside an alias."""
    change = ops.add(document(f"Model:\n  SERVICES:\n    {key}: {{}}\n"), ServiceType.IMG_GEN, instance())
    assert change.document.dump() == (
        f"Model:\n  SERVICES:\n    {key}:\n      instances:\n        - name: n\n          base-url: http://n\n"
    )


@pytest.mark.parametrize("url", ["http://a", "http://b"])
def test_what_is_there_is_not_added_again(url: str) -> None:
    """With or without a trailing slash."""
    with pytest.raises(InstanceExists):
        ops.add(document(), CHAT, instance("a", url))


@pytest.mark.parametrize(
    ("wanted", "base_url", "gone"),
    [
        ("a@http://a", None, "        - name: a\n          base-url: http://a/\n"),
        ("a@http://a/", None, "        - name: a\n          base-url: http://a/\n"),
        ("a", "http://b", "        - name: a\n          base-url: http://b\n"),
        ("c@d", None, "        - name: c@d\n          base-url: ${C:http://c}\n"),
        ("c@d@${C:http://c}", None, "        - name: c@d\n          base-url: ${C:http://c}\n"),
    ],
)
def test_removing(wanted: str, base_url: str | None, gone: str) -> None:
    """By id, by name and address, by name alone where that is enough."""
    assert ops.remove(document(), CHAT, wanted, base_url).document.dump() == FILE.replace(gone, "")


def test_removing_one_of_two_equals() -> None:
    """They are told apart by their number."""
    change = ops.remove(document(), CHAT, "e@http://e#2")
    assert change.document.dump() == FILE.removesuffix("        - name: e\n          base-url: http://e\n")
    assert change.summary == "removed instance e@http://e#2 from service chat"


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("a", "'a' fits several instances of chat; it may be a@http://a, a@http://b"),
        ("e", "'e' fits several instances of chat; it may be e@http://e#1, e@http://e#2"),
        ("e@http://e", "'e@http://e' fits several instances of chat; it may be e@http://e#1, e@http://e#2"),
    ],
)
def test_an_ambiguous_name_lists_the_candidates(wanted: str, message: str) -> None:
    """Nothing is removed on a guess."""
    with pytest.raises(InstanceAmbiguous) as caught:
        ops.remove(document(), CHAT, wanted)
    assert str(caught.value) == message


def test_an_unknown_name_lists_the_closest() -> None:
    """What was probably meant comes first."""
    with pytest.raises(InstanceNotFound) as caught:
        ops.remove(document(), CHAT, "a@http://bb")
    assert str(caught.value).startswith("no instance 'a@http://bb' in service chat; there is a@http://b, a@http://a")
    with pytest.raises(InstanceNotFound, match="the service has no instances"):
        ops.remove(document(), ServiceType.TTS, "x")
