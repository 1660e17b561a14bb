"""What of a client's request goes on to an instance."""

import pytest

from jairouter_cli.auth.caller import Caller, Callers
from jairouter_cli.auth.credentials import without
from jairouter_cli.config.document import Document
from jairouter_cli.config.model import Config, ServiceType
from jairouter_cli.config.parse import parse
from jairouter_cli.gateway.outbound import outbound
from jairouter_cli.payloads.headers import Headers, RequestHeaders
from jairouter_cli.routing.call import Target
from jairouter_cli.routing.table import compile_table
from tests.inbound import inbound


def instance(more: str = "") -> Target:
    """Return the one instance of a configuration."""
    text = f"model: {{services: {{chat: {{instances: [{{name: m, base-url: 'http://h:1'{more}}}]}}}}}}"
    table = compile_table(parse(Document.load(text, "f"), {}).config)
    return table.pool(ServiceType.CHAT, "m").targets[0]


def forwarded(headers: Headers, target: Target) -> list[tuple[str, str]]:
    """Return the headers that the instance gets."""
    return list(outbound(inbound(compile_table(Config()), headers), target, float("inf"), 1.0).headers)


KEPT = [
    ("authorization", "Bearer mine"),
    ("x-api-key", "mine"),
    ("api-key", "mine"),
    ("x-goog-api-key", "mine"),
    ("user-agent", "sdk"),
    ("accept", "a"),
    ("accept", "b"),
    ("accept-encoding", "gzip"),
    ("content-type", "application/json"),
    ("openai-organization", "o"),
    ("anthropic-version", "1"),
    ("http-referer", "https://app"),
    ("x-request-id", "r"),
    ("traceparent", "t"),
    ("x-session-id", "s"),
    ("x-openwebui-user-name", "Jos\xc3\xa9"),
]
NOT_SENT_ON = [
    (name, "x")
    for name in (
        *("connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer"),
        *("transfer-encoding", "upgrade", "host", "content-length", "content-encoding", "expect"),
        *("cookie", "origin", "referer", "sec-fetch-site", "sec-fetch-mode", "sec-ch-ua", "sec-websocket-key"),
        *("access-control-request-method", "access-control-request-private-network"),
        *("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-prefix", "x-real-ip"),
        *("x-client-ip", "x-cluster-client-ip", "true-client-ip", "cf-connecting-ip", "x-original-forwarded-for"),
        *("x-admin-token", "x-jairouter-route", "x-jairouter-anything"),
    )
]


def test_what_goes_on_and_what_does_not() -> None:
    """All that is not of the connection, of the browser's page, of the way to the gateway, or the gateway's own."""
    both = [pair for pairs in zip(KEPT, NOT_SENT_ON, strict=False) for pair in pairs] + NOT_SENT_ON[len(KEPT) :]
    assert forwarded(both, instance()) == KEPT


def test_what_connection_names_stays_there() -> None:
    """In any of its lines."""
    headers = [
        ("connection", "keep-alive, X-Hop"),
        ("x-hop", "1"),
        ("connection", "x-two"),
        ("x-two", "2"),
        ("x-on", "3"),
    ]
    assert forwarded(headers, instance()) == [("x-on", "3")]


@pytest.mark.parametrize(
    ("own", "name", "value"),
    [
        (", api-key: k", "authorization", "Bearer k"),
        (", headers: {X-Api-Key: k}", "x-api-key", "k"),
        (", headers: {api-key: k}", "api-key", "k"),
        (", headers: {x-goog-api-key: k}", "x-goog-api-key", "k"),
        (", headers: {Authorization: Basic k}", "authorization", "Basic k"),
    ],
)
def test_an_instance_with_a_key_gets_no_other(own: str, name: str, value: str) -> None:
    """Whatever header it stands in, and whatever header the client's stand in."""
    assert forwarded(KEPT, instance(own)) == [*KEPT[4:], (name, value)]


def test_an_instance_with_other_headers_gets_the_clients_key() -> None:
    """They are no credentials; a client's header of the same name makes place."""
    assert forwarded(KEPT, instance(", headers: {User-Agent: ours}")) == [
        *(pair for pair in KEPT if pair[0] != "user-agent"),
        ("user-agent", "ours"),
    ]


def test_a_secret_is_left_out_wherever_it_stands() -> None:
    """As a whole value or as a word of one; what merely resembles it stays."""
    told = [
        "s3cr3t-token",
        "Bearer s3cr3t-token",
        "bearer  s3cr3t-token ",
        'token="s3cr3t-token"',
        "a:s3cr3t-token",
        "x, s3cr3t-token",
    ]
    kept = ["s3cr3t", "s3cr3t-tokenx", "Bearer xs3cr3t-token", "", "S3CR3T-TOKEN"]
    headers = [("x-any", value) for value in (*told, *kept)]
    assert without(headers, "s3cr3t-token") == [("x-any", value) for value in kept]
    assert without([("x", "ö".encode().decode("latin-1"))], "ö") == []


KEYS = ("authorization", "x-api-key", "api-key", "x-goog-api-key", "x-auth-token")


@pytest.mark.parametrize("own", ["", "api-key: k", *(f"headers: {{{name.title()}: k}}" for name in KEYS)])
@pytest.mark.parametrize("on_service", [None, True, False])
@pytest.mark.parametrize("on_instance", [None, True, False])
def test_whether_an_instance_sees_the_keys_of_clients(own: str, on_service: object, on_instance: object) -> None:
    """One with a key of its own never; one that says no, or whose service does, not either."""

    def line(name: str, value: object) -> str:
        return "" if value is None else f"{name}: {str(value).lower()}, "

    said = line("forward-authorization", on_instance) + (own and f"{own}, ")
    service = line("forwardAuthorization", on_service)
    text = f"model: {{services: {{chat: {{{service}instances: [{{name: m, {said}base-url: 'http://h:1'}}]}}}}}}"
    (target,) = compile_table(parse(Document.load(text, "f"), {}).config).targets
    client = [(name, "of the client") for name in KEYS]
    seen = [name for name, value in forwarded(client, target) if value == "of the client"]
    forwards = on_service is not False if on_instance is None else bool(on_instance)
    assert seen == (list(KEYS) if forwards and not own else [])
    assert target.sees_credentials is bool(seen)


@pytest.mark.parametrize("header", [*KEYS, "x-admin-token", "cookie", "x-any"])
@pytest.mark.parametrize("value", ["s3cret-token", "Bearer s3cret-token", "a=b; token=s3cret-token"])
def test_the_admin_token_reaches_no_backend(header: str, value: str) -> None:
    """Whatever header it comes in; nor does the caller have it for a credential."""
    callers = Callers((), "s3cret-token")
    cleared = callers.cleared(RequestHeaders([(header, value), ("x-kept", "1")]))
    assert cleared.lines == [("x-kept", "1")]
    assert callers.resolve("10.0.0.1", cleared) == Caller("10.0.0.1")
