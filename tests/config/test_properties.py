"""What a file says, value by value: keys, lines, and above all what is a secret."""

import pytest

from jairouter_cli.config.document import Document
from jairouter_cli.config.masking import secrets_in, tells
from jairouter_cli.config.model import Config
from jairouter_cli.config.parse import parse
from jairouter_cli.config.properties import Property, flat, properties_of, tree
from jairouter_cli.config.view import as_yaml

FILE = """\
server: {port: 8080, adminToken: "${TOKEN}", trusted-proxies: [10.0.0.0/8]}
spring: {datasource: {password: p}}
state: ${REDIS:redis://:pw@h}
monitoring: {metrics: {custom-tags: {team.key: t, team: a}}}
model:
  load-balance: random
  rate-limit: {enabled: yes, tokens-per-minute: 600, key: shared}
  services:
    load-balance: {type: random}
    chat:
      adapter:
      instances:
        - name: m
          base-url: http://h
          headers: {X-Team: x}
          typo: [1, 2]
        - {name: n, base-url: http://h, api-key: "${NOWHERE}"}
loop: &loop {again: *loop}
"""


def test_every_value() -> None:
    """With its line; secrets by kind, by name, and for being unknown; other programs' sections are left out."""
    found = list(flat(tree(Document.load(FILE, "x"), {"TOKEN": "t0k"})))
    services = "model.services"
    assert found == [
        Property("server.port", 8080, 1),
        Property("server.adminToken", "t0k", 1, is_secret=True),
        Property("server.trusted-proxies[0]", "10.0.0.0/8", 1),
        Property("state", "redis://:pw@h", 3, is_secret=True),
        Property("monitoring.metrics.custom-tags.team.key", "t", 4, is_secret=True),
        Property("monitoring.metrics.custom-tags.team", "a", 4),
        Property("model.load-balance", "random", 6),
        Property("model.rate-limit.enabled", "yes", 7),
        Property("model.rate-limit.tokens-per-minute", 600, 7),
        Property("model.rate-limit.key", "shared", 7, is_secret=True),
        Property(f"{services}.load-balance.type", "random", 9),
        Property(f"{services}.chat.adapter", "", 11),
        Property(f"{services}.chat.instances[0].name", "m", 13),
        Property(f"{services}.chat.instances[0].base-url", "http://h", 14),
        Property(f"{services}.chat.instances[0].headers.X-Team", "x", 15, is_secret=True),
        Property(f"{services}.chat.instances[0].typo", "", 16, is_secret=True),
        Property(f"{services}.chat.instances[1].name", "n", 17),
        Property(f"{services}.chat.instances[1].base-url", "http://h", 17),
        Property(f"{services}.chat.instances[1].api-key", "${NOWHERE}", 17, is_secret=True),
        Property("loop", "", 18, is_secret=True),
    ]


def test_secrets_of_a_configuration() -> None:
    """All of them, wherever they stand."""
    text = FILE.replace("loop: &loop {again: *loop}\n", "tracing: {headers: {a: trace}}\n")
    text = text.replace("  load-balance: random\n", "")
    config = parse(Document.load(text, "x"), {"TOKEN": "t0k", "NOWHERE": "now"}).config
    assert secrets_in(config) == {"t0k", "redis://:pw@h", "x", "now", "trace"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("k", False),
        ("Bearer=k;", False),
        ("8080", False),
        ("long-enough-secret", True),
        ("xlong-enough-secretx", True),
        ("long-enough", False),
    ],
)
def test_what_tells_a_secret(text: str, told: bool) -> None:
    """A long one, wherever it stands; a short one may be any word."""
    assert tells(text, frozenset({"k", "long-enough-secret"})) is told


def test_defaults_hold_no_secret() -> None:
    """As plain data they are properties, too."""
    found = list(properties_of(as_yaml(Config())))
    assert Property("server.port", 8080) in found
    assert Property("model.failover.retry-on[0]", 429) in found
    assert not [one for one in found if one.is_secret]
