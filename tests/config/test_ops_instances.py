"""Adding and removing instances, in whatever spelling the file uses."""

import pytest

from jairouter_cli.config.document import Document
from jairouter_cli.config.kinds import Secret, Url
from jairouter_cli.config.model import Dialect, Instance, RateLimit, ServiceType
from jairouter_cli.config.ops import instances as ops
from jairouter_cli.errors import EditImpossible, InstanceAmbiguous, InstanceExists, InstanceNotFound

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
    assert change.document.dump() == text + "      - {name: n, baseUrl: http://n, maxRetries: 1}\n"


def test_sections_are_written_like_the_rest() -> None:
    """Only what differs from their defaults, in the spelling of the file, durations with their unit."""
    text = "model:\n  services:\n    chat:\n      instances:\n      - name: a\n        baseUrl: http://a\n"
    limit = RateLimit(enabled=True, max_requests=7, window_size_s=0.25)
    headers = {"X-Team": Secret("a: b"), "1": Secret("yes")}
    added = Instance(name="n", base_url=Url("http://n"), rate_limit=limit, headers=headers)
    assert ops.add(document(text), CHAT, added).document.dump() == text + (
        "      - name: n\n        baseUrl: http://n\n        headers:\n          X-Team: 'a: b'\n          '1': 'yes'\n"
        "        rateLimit:\n          enabled: true\n          windowSize: 250ms\n          maxRequests: 7\n"
    )


@pytest.mark.parametrize("key", ["imgGen", "img-gen", "image", "IMAGE_GENERATION"])
def test_a_service_is_found_in_its_spelling(key: str) -> None:
    """No second service is made beside an alias."""
    change = ops.add(document(f"Model:\n  SERVICES:\n    {key}: {{}}\n"), ServiceType.IMG_GEN, instance())
    assert change.document.dump() == (
        f"Model:\n  SERVICES:\n    {key}:\n      instances:\n        - name: n\n          base-url: http://n\n"
    )


@pytest.mark.parametrize("text", ["model: 5\n", "model: [1]\n", "model: {services: {chat: x}}\n"])
def test_nothing_is_added_to_what_is_no_mapping(text: str) -> None:
    """The file is wrong already; it is left to be mended by hand."""
    with pytest.raises(EditImpossible):
        ops.add(document(text), CHAT, instance())


@pytest.mark.parametrize("url", ["http://a", "http://a/", "http://b"])
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
        ("a", "http://b/", "        - name: a\n          base-url: http://b\n"),
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


ODD = """\
model:
  services:
    chat:
      instances:
        - junk
        - {name: foo#1, base-url: http://x}
        - {name: c@d, base-url: http://y}
        - {name: c@d, base-url: http://y/}
        - {name: c, base-url: http://z}
        - {name: org/model/, base-url: http://z}
        - {name: 7, base-url:}
"""


@pytest.mark.parametrize(
    ("wanted", "gone"),
    [
        ("foo#1", "        - {name: foo#1, base-url: http://x}\n"),
        ("foo#1@http://x/", "        - {name: foo#1, base-url: http://x}\n"),
        ("c", "        - {name: c, base-url: http://z}\n"),
        ("c@d@http://y/#2", "        - {name: c@d, base-url: http://y/}\n"),
        ("c@d@http://y#1", "        - {name: c@d, base-url: http://y}\n"),
        ("org/model/", "        - {name: org/model/, base-url: http://z}\n"),
        ("7", "        - {name: 7, base-url:}\n"),
    ],
)
def test_removing_under_odd_names(wanted: str, gone: str) -> None:
    """Names may hold `@`, `#` and slashes; what is no instance does not shift the others."""
    assert ops.remove(document(ODD), CHAT, wanted).document.dump() == ODD.replace(gone, "")


@pytest.mark.parametrize("wanted", ["foo", "c@", "d@http://y", "junk", "", "c@d@http://y#3", "7@None"])
def test_a_part_of_a_name_is_none(wanted: str) -> None:
    """Nothing is removed because it begins or ends like what was asked for."""
    with pytest.raises(InstanceNotFound):
        ops.remove(document(ODD), CHAT, wanted)


def test_removing_the_last_leaves_an_empty_list() -> None:
    """To which the next is added as if it were the first."""
    change = ops.remove(ops.add(document(""), CHAT, instance()).document, CHAT, "n")
    assert change.document.dump() == "model:\n  services:\n    chat:\n      instances: []\n"
    assert ops.add(change.document, CHAT, instance()).document.dump() == (
        "model:\n  services:\n    chat:\n      instances:\n        - name: n\n          base-url: http://n\n"
    )


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("a", "'a' matches several instances of service chat; it can be a@http://a, a@http://b"),
        ("e", "'e' matches several instances of service chat; it can be e@http://e#1, e@http://e#2"),
        ("e@http://e", "'e@http://e' matches several instances of service chat; it can be e@http://e#1, e@http://e#2"),
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
    assert str(caught.value).startswith(
        "no instance 'a@http://bb' in service chat; closest matches: a@http://b, a@http://a"
    )
    with pytest.raises(InstanceNotFound, match="the service has no instances"):
        ops.remove(document(), ServiceType.TTS, "x")
