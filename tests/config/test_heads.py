"""What ends in the head of a request can neither split it nor change its framing: it is refused where it is written."""

import json

import pytest

from jairouter_cli.config.document import Document
from jairouter_cli.config.judgement import FRAMING_HEADERS
from jairouter_cli.config.kinds import Secret
from jairouter_cli.config.model import Config, Instance, ServiceType, Tls
from jairouter_cli.config.parse import parse
from jairouter_cli.errors import ConfigInvalid
from jairouter_cli.gateway.outbound import outbound
from jairouter_cli.gateway.upstream.exchange import UpstreamFailure
from jairouter_cli.gateway.upstream.head import written
from jairouter_cli.gateway.upstream.http1 import tls_context
from jairouter_cli.gateway.upstream.proxies import Proxies
from jairouter_cli.gateway.upstream.resolver import Resolver
from jairouter_cli.gateway.upstream.way import Way
from jairouter_cli.routing.table import compile_table
from tests.inbound import inbound


def config(**fields: object) -> Config:
    """Parse a configuration with one instance."""
    instance = {"name": "m", "base-url": "http://h", **fields}
    text = json.dumps({"model": {"services": {"chat": {"instances": [instance]}}}})
    return parse(Document.load(text, "f"), {}).config


def problem(**fields: object) -> str:
    """Return what is wrong with an instance."""
    with pytest.raises(ConfigInvalid) as caught:
        config(**fields)
    return str(caught.value).partition("instances[0].")[2]


def head(read: Config, *headers: tuple[str, str], query: str = "") -> bytes:
    """Return what the backend gets of a client's request."""
    table = compile_table(read)
    (target,) = table.targets
    way = Way(target.origin, Resolver(0), Proxies(None, {}), target.proxy, lambda: tls_context(Tls()))
    return written(outbound(inbound(table, headers, query=query), target, 0, 5), way)


@pytest.mark.parametrize("name", [*sorted(FRAMING_HEADERS), "Transfer-Encoding", "CONTENT-LENGTH"])
def test_headers_that_frame_a_request_are_refused(name: str) -> None:
    """In any letters."""
    expected = "a header that the gateway does not set itself"
    assert problem(headers={name: "x"}) == f"headers.{name}: expected {expected}, found '{name}'"


@pytest.mark.parametrize("name", ["", "a b", "a:b", "é", "a\r\nb", "a\0"])
def test_a_header_has_a_name_of_its_kind(name: str) -> None:
    """A token of RFC 9110."""
    assert problem(headers={name: "x"}).endswith(f"expected a header name, found '{name}'")


def test_a_header_stands_once() -> None:
    """Capital letters make no difference."""
    assert problem(headers={"X-A": "1", "x-a": "2"}).endswith(
        "expected each header once; header names are not case-sensitive, found 'x-a'"
    )


@pytest.mark.parametrize("value", ["a\r\nx-b: c", "a\nb", "a\rb", "a\0b", "a\x0bb", "a\x7fb"])
@pytest.mark.parametrize("field", ["headers", "api-key", "upstream-model", "path", "base-url", "health-path"])
def test_no_value_breaks_a_line(field: str, value: str) -> None:
    """Nor does it hold other control characters; a secret is not shown."""
    prefix = {"path": "/", "health-path": "/", "base-url": "http://h/"}.get(field, "")
    found = problem(**{field: {"X-A": value} if field == "headers" else prefix + value})
    assert ": expected " in found
    if field in {"headers", "api-key"}:
        assert found.endswith("found a value")


@pytest.mark.parametrize("key", ["schlüssel", "密钥", "two words", " sk-1"])
def test_a_key_is_ascii_without_spaces(key: str) -> None:
    """It is one word of the header `Authorization`."""
    wanted = "a key of printable ASCII characters without spaces"
    assert problem(**{"api-key": key}) == f"api-key: expected {wanted}, found a value"


@pytest.mark.parametrize(
    "host", ["gpu..lan", ".lan", "a" * 64 + ".lan", "-a.lan", "a b", "gp$u", "é" * 60 + ".lan", "a." * 127 + "lan"]
)
def test_a_host_name_that_cannot_exist_is_refused(host: str) -> None:
    """Where it is written, and not when it is called."""
    assert ": expected " in problem(**{"base-url": f"http://{host}:8000"})


@pytest.mark.parametrize(
    "host", ["gpu", "gpu.lan.", "my_service", "10.0.0.7", "[::1]", "[fe80::1%25eth0]", "bücher.de"]
)
def test_a_host_name_that_can_exist_is_taken(host: str) -> None:
    """Names of DNS, of a hosts file, of Docker, and addresses."""
    assert config(**{"base-url": f"http://{host}:8000"}).model.services[ServiceType.CHAT].instances[0].base_url


def test_headers_of_an_instance_stand_in_the_place_of_others() -> None:
    """The client's and ours, `Host` among them, whatever letters they are written in."""
    read = config(headers={"HOST": "gpu.internal", "X-Team": "ours", "Authorization": "Bearer own"})
    got = head(read, ("x-team", "theirs"), ("authorization", "Bearer theirs"), ("x-kept", "é"))
    assert got.decode("latin-1") == (
        "POST /v1/chat/completions HTTP/1.1\r\nx-kept: é\r\nhost: gpu.internal\r\nx-team: ours\r\n"
        "authorization: Bearer own\r\ncontent-length: 2\r\n\r\n"
    )


def test_a_path_goes_out_in_ascii() -> None:
    """What is not ASCII is percent-encoded; what is encoded already stays."""
    got = head(config(**{"base-url": "http://bücher.de/模", "path": "/é%20/chat/completions?v=ü"}))
    assert got == (
        b"POST /%E6%A8%A1/%C3%A9%20/chat/completions?v=%C3%BC HTTP/1.1\r\nhost: xn--bcher-kva.de\r\n"
        b"content-length: 2\r\n\r\n"
    )


@pytest.mark.parametrize("headers", [[("x-a", "1\r\nx-b: 2")], [("x-a", "1\n")], [("x-a\r", "1")], [("x-a", "\0")]])
def test_a_head_that_has_come_apart_is_not_sent(headers: list[tuple[str, str]]) -> None:
    """Whoever let such a value through."""
    with pytest.raises(UpstreamFailure, match="the request was not sent"):
        head(config(), *headers)
    with pytest.raises(UpstreamFailure, match="the request was not sent"):
        head(config(), query="a\r\nb: c")


@pytest.mark.parametrize(
    ("proxy", "read"),
    [("none", ""), ("", ""), ("http://p:3128", "http://p:3128"), ("http://u:p@[::1]:1/", "http://u:p@[::1]:1/")],
)
def test_a_proxy(proxy: str, read: str) -> None:
    """By its URL, or none."""
    instance = config(proxy=proxy).model.services[ServiceType.CHAT].instances[0]
    assert instance == Instance(name="m", base_url=instance.base_url, proxy=Secret(read))
    assert "u:p" not in repr(instance)


@pytest.mark.parametrize(
    ("proxy", "more"),
    [
        ("socks5://u:secret@p:1", "; SOCKS proxies are not supported"),
        ("https://u:secret@p:1", "; https:// proxies are not supported"),
        ("p:3128", ""),
        ("http://", ""),
        ("http://p:99999", ""),
        ("http://p/path", ""),
        ("http://p..q", ""),
        ("ftp://p", ""),
        ("http://p q", ""),
    ],
)
def test_a_proxy_that_cannot_be_used(proxy: str, more: str) -> None:
    """What is wrong with it is said, and the URL is not shown: it may hold a password."""
    assert problem(proxy=proxy) == f"proxy: expected the URL of a proxy, like http://10.0.0.1:3128, or none{more}"
