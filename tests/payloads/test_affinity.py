"""What requests have in common."""

import codecs
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jairouter_cli.payloads.affinity import affinity


def key(fields: dict[str, Any], *, by_prefix: bool = True, session: str = "") -> str:
    """Return the key of a request with these members."""
    return affinity(session, json.dumps({"model": "m", **fields}).encode(), by_prefix=by_prefix)


def says(*contents: str, role: str = "user") -> list[dict[str, str]]:
    """Return messages."""
    return [{"role": role, "content": content} for content in contents]


def test_the_session_comes_first_then_the_user_then_the_beginning() -> None:
    """Each is used where the ones before are missing; without the wish for it the beginning is not looked at."""
    fields = {"user": "u", "messages": says("a")}
    assert key(fields, session="s") == "s"
    assert key(fields) == '"u"'
    assert key({"prompt_cache_key": "p", **fields}) == '"p"'
    assert key({"user": None, "messages": says("a")}) == key({"user": "", "messages": says("a")}) != ""
    assert key({"messages": says("a")}, by_prefix=False) == ""


@pytest.mark.parametrize("role", ["system", "developer"])
def test_a_conversation_keeps_its_key_as_it_goes_on(role: str) -> None:
    """All system messages and the first other one make it; with another of either it is another one."""
    first = key({"messages": [*says("be kind", role=role), *says("hi")]})
    assert key({"messages": [*says("be kind", role=role), *says("hi", "and then?")]}) == first
    assert key({"messages": [*says("be rude", role=role), *says("hi")]}) != first
    assert key({"messages": [*says("be kind", role=role), *says("ho")]}) != first


@pytest.mark.parametrize("name", ["prompt", "input", "system", "instructions"])
def test_other_apis_have_beginnings_too(name: str) -> None:
    """Completions, responses, messages of Anthropic's kind."""
    assert key({name: "a" * 3000 + "b"}) != ""
    assert key({name: "x"}) != key({name: "y"})


def test_a_long_prompt_counts_by_its_beginning() -> None:
    """What comes after two thousand bytes of one text is not looked at."""
    assert key({"prompt": "a" * 3000 + "b"}) == key({"prompt": "a" * 3000 + "c"})


@given(st.binary(max_size=60), st.booleans())
def test_no_body_does_harm(body: bytes, by_prefix: bool) -> None:
    """No JSON, no key."""
    assert isinstance(affinity("", body, by_prefix=by_prefix), str)


@given(st.recursive(st.none() | st.booleans() | st.text(max_size=3) | st.integers(), lambda c: st.lists(c, max_size=3)))
def test_members_of_any_form_do_no_harm(value: Any) -> None:
    """A backend will judge them."""
    for name in ("user", "messages", "system", "prompt", "input"):
        assert isinstance(key({name: value}), str)


def test_odd_text_has_an_affinity() -> None:
    """A lone surrogate in a prompt, a byte order mark before it: the session is the same."""
    body = rb'{"user":"u","messages":[{"role":"system","content":"\ud83d"},{"content":"\ud83d"}]}'
    for text in (body, codecs.BOM_UTF8 + body):
        assert affinity("", text, by_prefix=False) == '"u"'
    nameless = body.replace(b'"user":"u",', b"")
    assert affinity("", nameless, by_prefix=True) == affinity(
        "", nameless.replace(b"}]}", b'},{"a":1}]}'), by_prefix=True
    )
    assert affinity("", nameless, by_prefix=True) != affinity("", b'{"messages":[]}', by_prefix=True)
    assert affinity("", b'{"user":' + b"[" * 100_000, by_prefix=True) == ""


def test_the_line_of_claude_code_that_differs_each_time() -> None:
    """It says nothing of the prompt: two requests of one conversation go to the same instance."""

    def body(cch: str) -> bytes:
        line = {"type": "text", "text": f"x-anthropic-billing-header: cc_version=2; cch={cch};"}
        return json.dumps({"system": [line, {"type": "text", "text": "You are"}], "messages": []}).encode()

    keys = {affinity("", body(cch), by_prefix=True) for cch in ("aaa", "bbb")}
    assert len(keys) == 1
    assert keys != {affinity("", body("a").replace(b"You are", b"You were"), by_prefix=True)}
