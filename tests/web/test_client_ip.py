"""Whose request it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jairouter_cli.auth.client_ip import UNKNOWN, client_in, client_ip, forwarded, is_loopback, pairs
from jairouter_cli.config.kinds import Network

TRUSTED = (Network("10.0.0.0/8"), Network("::1/128"), Network("127.0.0.1/32"))


def xff(*lines: str) -> list[tuple[str, str]]:
    """Return lines of `X-Forwarded-For`."""
    return [("x-forwarded-for", line) for line in lines]


def fwd(*lines: str) -> list[tuple[str, str]]:
    """Return lines of `Forwarded`."""
    return [("forwarded", line) for line in lines]


@pytest.mark.parametrize(
    ("peer", "headers", "client"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", xff("203.0.113.9"), "192.0.2.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", xff("203.0.113.9"), "203.0.113.9"),
        ("10.0.0.1", xff("1.2.3.4, 203.0.113.9, 10.0.0.2"), "203.0.113.9"),
        ("10.0.0.1", xff("10.0.0.3, 10.0.0.2"), "10.0.0.3"),
        ("10.0.0.1", xff("203.0.113.9:4711"), "203.0.113.9"),
        ("10.0.0.1", xff("[2001:db8::1]:4711"), "2001:db8::1"),
        ("10.0.0.1", xff("[2001:db8::1]"), "2001:db8::1"),
        ("10.0.0.1", xff("2001:db8:0:0::1"), "2001:db8::1"),
        ("10.0.0.1", xff("fe80::1%eth0"), "fe80::1"),
        ("::ffff:10.0.0.1", xff("::ffff:203.0.113.9"), "203.0.113.9"),
        ("::ffff:192.0.2.1", xff("203.0.113.9"), "192.0.2.1"),
        ("::1", fwd('for=1.2.3.4, for="[2001:db8::7]:80";proto=https'), "2001:db8::7"),
        ("::1", fwd("proto=https;for=203.0.113.9;by=10.0.0.1, For=10.0.0.2"), "203.0.113.9"),
        ("::1", fwd('for="203.0.113.9:_port"'), "203.0.113.9"),
        ("", xff("203.0.113.9"), ""),
    ],
)
def test_who_asks(peer: str, headers: list[tuple[str, str]], client: str) -> None:
    """The right-most address that is not a trusted proxy's, as long as those before it are."""
    assert client_ip(peer, headers, TRUSTED) == client


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        (xff("127.0.0.1", "203.0.113.9"), "203.0.113.9"),
        (xff("203.0.113.9", "10.0.0.2"), "203.0.113.9"),
        (fwd("for=127.0.0.1", "for=203.0.113.9"), "203.0.113.9"),
        ([*xff("203.0.113.9"), *fwd("for=203.0.113.9")], "203.0.113.9"),
        ([*xff("203.0.113.9"), *fwd("for=1.2.3.4")], UNKNOWN),
        ([*fwd("for=203.0.113.9"), *xff("127.0.0.1")], UNKNOWN),
    ],
)
@pytest.mark.parametrize("peer", ["127.0.0.1", "10.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_of_several_lines_all_count(peer: str, headers: list[tuple[str, str]], client: str) -> None:
    """In their order; what a client sends of another kind must agree with what the proxy says."""
    assert client_ip(peer, headers, TRUSTED) == client


NOTHING_TO_GO_BY = [
    *(xff(f"203.0.113.9, {bad}") for bad in ("unix:", "garbage", "_hidden", "unknown", "", "1.2.3", "127.1", "0x7f.1")),
    *(
        xff(bad)
        for bad in ("", ",", "127.0.0.1,", "127.0.0.1:x", "[::1", "[::1]x", "::1]", "127.0.0.1 10.0.0.1", "\xff")
    ),
    *(
        fwd(f"for=127.0.0.1, {bad}")
        for bad in ("for=_hidden", "for=unknown", "for=", "for", "", "by=10.0.0.1", "x=y;z")
    ),
    fwd('for="127.0.0.1', 'for="[2001:db8::9]:80"'),
    fwd('for="127.0.0.1, for=203.0.113.9'),
    fwd("for=203.0.113.9;for=127.0.0.1"),
    fwd('for="127.0.0.1\\"'),
    fwd('for="127.0.0.1,for=10.0.0.1"'),
    xff("127.0.0.1, " * 10_000 + "127.0.0.1"),
    fwd("for=127.0.0.1, " * 10_000 + "for=127.0.0.1"),
]


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1"])
@pytest.mark.parametrize("headers", NOTHING_TO_GO_BY)
def test_whom_a_proxy_does_not_name_is_nobody(peer: str, headers: list[tuple[str, str]]) -> None:
    """What is no address, up to the first hop that is not trusted, makes the client unknown: not the proxy itself."""
    assert client_ip(peer, headers, TRUSTED) == UNKNOWN
    assert not is_loopback(UNKNOWN)


@pytest.mark.parametrize(
    ("peer", "said", "client"),
    [
        ("10.0.0.1", "127.0.0.1", UNKNOWN),
        ("10.0.0.1", "::1", UNKNOWN),
        ("10.0.0.1", "::ffff:127.0.0.1", UNKNOWN),
        ("10.0.0.1", "127.0.0.9", UNKNOWN),
        ("127.0.0.1", "127.0.0.1, 10.0.0.2", UNKNOWN),
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("::1", "::ffff:127.0.0.1", "127.0.0.1"),
    ],
)
def test_a_loopback_address_is_the_machines_that_names_it(peer: str, said: str, client: str) -> None:
    """Only a proxy on this machine can mean this machine by it."""
    assert client_ip(peer, xff(said), TRUSTED) == client
    assert client_ip(peer, fwd(", ".join(f'for="{hop.strip()}"' for hop in said.split(","))), TRUSTED) == client


@pytest.mark.parametrize("network", ["::ffff:10.0.0.0/104", "::ffff:10.0.0.1/128", "10.0.0.1/32"])
@pytest.mark.parametrize("peer", ["10.0.0.1", "::ffff:10.0.0.1"])
def test_an_address_of_ipv4_is_one_in_either_spelling(network: str, peer: str) -> None:
    """As a peer, and among the trusted."""
    assert client_ip(peer, xff("203.0.113.9"), (Network(network),)) == "203.0.113.9"
    assert client_ip(peer, [], ()) == "10.0.0.1"
    assert client_in({"client": (peer, 1), "headers": []}, ()) == "10.0.0.1"


@given(st.text(st.characters(max_codepoint=255)), st.sampled_from(["x-forwarded-for", "forwarded"]))
def test_nothing_in_a_header_does_harm(text: str, name: str) -> None:
    """Whatever is sent: a client comes out, and it is this machine only if a loopback address was named."""
    client = client_ip("127.0.0.1", [(name, text)], TRUSTED)
    assert client.count(" ") == 0
    assert not is_loopback(client) or "127." in text or ":1" in text
    assert client_ip("192.0.2.1", [(name, text)], TRUSTED) == "192.0.2.1"


def test_what_forwarded_says_of_each_hop() -> None:
    """Names in lower case, values without their quotes; a hop that cannot be read says nothing."""
    assert [pairs(hop) for hop in forwarded(['For="[::1]:80" ; proto=https,host=a;host=b', "by=x"])] == [
        {"for": "[::1]:80", "proto": "https"},
        {},
        {"by": "x"},
    ]
