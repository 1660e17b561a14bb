"""Another model's name goes in; every other byte stays."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jairouter_cli.payloads.rename import rename_form, rename_json

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.just("model"), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"model":"m"}', '{"model":"new"}'),
        ('{ "a": "model", "model" :\n"m" , "b": 1e5 }', '{ "a": "model", "model" :\n"new" , "b": 1e5 }'),
        ('{"x": {"model": "m"}, "model": "m"}', '{"x": {"model": "m"}, "model": "new"}'),
        (
            '{"x": ["model", "m", {"model": "m"}], "model": "m"}',
            '{"x": ["model", "m", {"model": "m"}], "model": "new"}',
        ),
        ('{"model": "a", "model": "b"}', '{"model": "new", "model": "new"}'),
        ('{"mo\\u0064el": "m"}', '{"mo\\u0064el": "new"}'),
        ('{"a": "\\"model\\": {[", "model": "m\\"x"}', '{"a": "\\"model\\": {[", "model": "new"}'),
        ('{"messages": [], "model": "é"}', '{"messages": [], "model": "new"}'),
        ('{"model": ["m", {"a": 1}] , "model": "m"}', '{"model": "new" , "model": "new"}'),
        ('\ufeff{"model": "m"}', '\ufeff{"model": "new"}'),
        (r'{"a": "\ud83d", "model": "\udfff", "b": "\\\ud83d"}', r'{"a": "\ud83d", "model": "new", "b": "\\\ud83d"}'),
        (r'{"\ud83d": "\ud83d\ude00", "model": "m"}', r'{"\ud83d": "\ud83d\ude00", "model": "new"}'),
        ('{"a": ' + "9" * 10_000 + ', "model": "m"}', '{"a": ' + "9" * 10_000 + ', "model": "new"}'),
        ('{"a": ' + "[" * 500 + "]" * 500 + ', "model": "m"}', '{"a": ' + "[" * 500 + "]" * 500 + ', "model": "new"}'),
    ],
)
def test_json(before: str, after: str) -> None:
    """Spaces, order, escapes, names that only look alike."""
    assert rename_json(before.encode(), "new").decode() == after


@given(st.dictionaries(st.text(), values, max_size=4), st.text(), st.text(), st.sampled_from([None, 1]), st.booleans())
def test_any_json(other: dict[str, object], old: str, new: str, indent: int | None, ascii_only: bool) -> None:
    """What is read afterwards differs in the one value."""
    before = {**other, "model": old}
    body = json.dumps(before, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert json.loads(rename_json(body, new)) == {**before, "model": new}


def test_bytes_that_are_no_text() -> None:
    """They are the backend's to judge."""
    assert rename_json(b'{"\xd6": "\xd6\xd0", "model": "m"}', "new") == b'{"\xd6": "\xd6\xd0", "model": "new"}'


def test_form() -> None:
    """Files that are called `model`, contents that look like parts, a long name for a short one."""
    form = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="model"\r\n\r\n\r\n\r\nx\r\n--\r\n'
        b'--b\r\nContent-Disposition: form-data; name="model"\r\nX-A: 1\r\n\r\nm\r\n'
        b'--b\r\nContent-Disposition: form-data; name="empty"\r\n\r\n\r\n--b--\r\n'
    )
    renamed = rename_form(form, "multipart/form-data; boundary=b", "a-longer-name")
    assert renamed == form.replace(b"\r\n\r\nm\r\n", b"\r\n\r\na-longer-name\r\n")
