"""Whose request it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jairouter_cli.config.kinds import Network
from jairouter_cli.web.client_ip import client_ip

TRUSTED = (Network("10.0.0.0/8"), Network("::1/128"))


@pytest.mark.parametrize(
    ("peer", "headers", "client"),
    [
        ("192.0.2.1", {}, "192.0.2.1"),
        ("192.0.2.1", {"x-forwarded-for": "203.0.113.9"}, "192.0.2.1"),
        ("10.0.0.1", {}, "10.0.0.1"),
        ("10.0.0.1", {"x-forwarded-for": "203.0.113.9"}, "203.0.113.9"),
        ("10.0.0.1", {"x-forwarded-for": "1.2.3.4, 203.0.113.9, 10.0.0.2"}, "203.0.113.9"),
        ("10.0.0.1", {"x-forwarded-for": "10.0.0.3, 10.0.0.2"}, "10.0.0.3"),
        ("10.0.0.1", {"x-forwarded-for": "203.0.113.9, nonsense"}, "10.0.0.1"),
        ("10.0.0.1", {"x-forwarded-for": "203.0.113.9, nonsense, 10.0.0.2"}, "10.0.0.2"),
        ("10.0.0.1", {"x-forwarded-for": "203.0.113.9:4711"}, "203.0.113.9"),
        ("10.0.0.1", {"x-forwarded-for": "[2001:db8::1]:4711"}, "2001:db8::1"),
        ("10.0.0.1", {"x-forwarded-for": "2001:db8:0:0::1"}, "2001:db8::1"),
        ("::ffff:10.0.0.1", {"x-forwarded-for": "::ffff:203.0.113.9"}, "203.0.113.9"),
        ("::1", {"forwarded": 'for=1.2.3.4, for="[2001:db8::7]:80";proto=https'}, "2001:db8::7"),
        ("::1", {"forwarded": "proto=https;for=203.0.113.9;by=10.0.0.1, For=10.0.0.2"}, "203.0.113.9"),
        ("::1", {"forwarded": "for=_hidden"}, "::1"),
        ("::1", {"forwarded": "for=1.2.3.4", "x-forwarded-for": "203.0.113.9"}, "203.0.113.9"),
        ("", {"x-forwarded-for": "203.0.113.9"}, ""),
    ],
)
def test_who_asks(peer: str, headers: dict[str, str], client: str) -> None:
    """The right-most address that is not a trusted proxy's, as long as those before it are."""
    assert client_ip(peer, headers, TRUSTED) == client


@given(st.text(), st.sampled_from(["x-forwarded-for", "forwarded"]))
def test_nothing_in_a_header_does_harm(text: str, name: str) -> None:
    """Whatever is sent: an address comes out."""
    assert client_ip("10.0.0.1", {name: text}, TRUSTED).count(" ") == 0
    assert client_ip("192.0.2.1", {name: text}, TRUSTED) == "192.0.2.1"
