"""Where a server listens, what is said where it cannot, and at which address it is then found."""

import socket
from typing import Any

import pytest

from jairouter_cli.cli.client import base_url
from jairouter_cli.cli.listening import is_loopback, place, resolved
from jairouter_cli.config.model import Server
from jairouter_cli.errors import ServeError
from tests.process import run

WHERE = "use --host: 127.0.0.1 for this machine only, 0.0.0.0 for all IPv4 addresses, :: for all addresses"


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "127.0.0.1"),
        (" localhost ", "127.0.0.1"),
        ("0.0.0.0", "0.0.0.0"),
        ("0", "0.0.0.0"),
        ("127.1", "127.0.0.1"),
        ("::", "::"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1"),
    ],
)
def test_what_is_listened_on(host: str, address: str) -> None:
    """Addresses in every form, and names; of a name's addresses IPv4 comes first."""
    found, port = place(host, 0)
    assert (found, port > 0) == (address, True)


@pytest.mark.parametrize(
    ("host", "message", "hint"),
    [
        ("", "the address to listen on is empty", WHERE),
        ("[]", "the address to listen on is empty", WHERE),
        ("no.such.name.invalid", "cannot listen on no.such.name.invalid: ", WHERE),
        ("localhost:8080", "cannot listen on localhost:8080: ", WHERE),
        ("http://localhost", "cannot listen on http://localhost: ", WHERE),
        ("a..b", "cannot listen on a..b: it is neither a host name nor an address", WHERE),
        ("192.0.2.1", "cannot listen on 192.0.2.1: this machine does not have that address", WHERE),
        (
            "fe80::1%lo",
            "cannot listen on fe80::1%lo: addresses with a zone are not supported",
            "listen on :: instead",
        ),
    ],
)
def test_what_cannot_be_listened_on(host: str, message: str, hint: str) -> None:
    """One line says why, a hint what to do."""
    with pytest.raises(ServeError) as refused:
        place(host, 0)
    assert str(refused.value).startswith(message)
    assert str(refused.value.hint).startswith(hint)


@pytest.mark.parametrize(("host", "other"), [("127.0.0.1", "0.0.0.0"), ("0.0.0.0", "127.0.0.1"), ("::", "0.0.0.0")])
def test_a_port_that_is_taken(host: str, other: str) -> None:
    """By whoever listens on the same address, or on all."""
    with socket.create_server((other, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServeError, match=f"^port {port} on {host} is in use$"):
            place(host, port)


def test_an_address_that_only_the_kernel_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several addresses of a name the first of IPv4 is taken, of IPv6 alone the first."""
    v6: Any = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fd00::1", 0, 0, 0))
    v4: Any = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 0))
    for found, address in (([v6, v4], "10.0.0.1"), ([v6], "fd00::1")):
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, found=found, **__: found)
        assert resolved("gateway.example") == address


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("localhost", "http://localhost:8080"),
        ("10.0.0.7", "http://10.0.0.7:8080"),
        ("0.0.0.0", "http://127.0.0.1:8080"),
        ("0", "http://127.0.0.1:8080"),
        ("::", "http://[::1]:8080"),
        ("[::]", "http://[::1]:8080"),
        ("::1", "http://[::1]:8080"),
        ("[::1]", "http://[::1]:8080"),
        ("0:0:0:0:0:0:0:0", "http://[::1]:8080"),
        ("::ffff:0.0.0.0", "http://127.0.0.1:8080"),
    ],
)
def test_where_it_is_found(host: str, url: str) -> None:
    """A browser or curl can open what is printed, also where all addresses are listened on."""
    assert base_url(Server(host=host)) == url


def test_what_is_this_machine_only() -> None:
    """IPv4, IPv6 and one within the other."""
    hosts = ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::", "10.0.0.1"]
    assert [is_loopback(host) for host in hosts] == [True, True, True, True, False, False, False]


@pytest.mark.parametrize("command", ["serve", "mock"])
def test_a_command_that_cannot_listen(command: str, tmp_path: Any) -> None:
    """Two lines, no traceback."""
    (tmp_path / "jairouter.yaml").write_text("server: {locale: en}\n")
    ended = run(command, "--host", "192.0.2.1", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert [line for line in ended.stderr.splitlines() if line and not line.startswith("notice")] == [
        "error: cannot listen on 192.0.2.1: this machine does not have that address",
        f"hint: {WHERE}",
    ]
