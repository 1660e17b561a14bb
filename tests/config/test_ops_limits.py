"""Setting and clearing limits, in whatever spelling the file uses."""

from typing import Any

import pytest

from jairouter_cli.config.document import Document
from jairouter_cli.config.model import RateLimit, ServiceType
from jairouter_cli.config.ops.limits import LimitPlace, clear_limit, set_limit
from jairouter_cli.config.parse import parse
from jairouter_cli.errors import InstanceNotFound, LimitNotFound

CHAT = ServiceType.CHAT
FILE = """\
model:
  services:
    chat: # the talkers
      instances:
        - name: a
          base-url: http://a
        - name: b # the other
          base-url: http://b
"""
A = "          base-url: http://a\n"
CAMEL = """\
model:
  rateLimit: {enabled: false, type: leaky-bucket, leakRate: 3, clientIpEnable: true}
  services:
    imgGen:
      instances:
        - {name: a, baseUrl: http://a}
"""


def changed(text: str, place: LimitPlace, **values: Any) -> str:
    """Return a text after a limit was set in it; it must still be good."""
    edited = set_limit(Document.load(text, "f"), place, values).document
    parse(edited, {})
    return edited.dump()


@pytest.mark.parametrize(
    ("place", "values", "added"),
    [
        (LimitPlace(), {"capacity": 5}, ("", "  rate-limit:\n    enabled: true\n    capacity: 5\n")),
        (
            LimitPlace(CHAT),
            {"algorithm": "warm-up", "warm_up_period_s": "60s"},
            ("", "      rate-limit:\n        enabled: true\n        algorithm: warm-up\n        warm-up-period: 60s\n"),
        ),
        (
            LimitPlace(CHAT, "a"),
            {"rate": 2.5},
            (A, A + "          rate-limit:\n            enabled: true\n            rate: 2.5\n"),
        ),
        (
            LimitPlace(CHAT, None, per_client=True),
            {"max_concurrency": 2},
            ("", "      rate-limit:\n        client-ip:\n          enabled: true\n          max-concurrency: 2\n"),
        ),
    ],
)
def test_a_limit_that_comes_and_goes(place: LimitPlace, values: dict[str, Any], added: tuple[str, str]) -> None:
    """Nothing else is touched, and when it is cleared nothing is left."""
    before, after = added
    expected = FILE.replace(before, after) if before else FILE + after
    text = changed(FILE, place, **values)
    assert text == expected
    cleared = clear_limit(Document.load(text, "f"), place).document.dump()
    leftover = {"rate-limit: {}"} if place.per_client else set()
    assert {line.strip() for line in cleared.splitlines()} - {line.strip() for line in FILE.splitlines()} == leftover


def test_what_is_there_keeps_its_spelling() -> None:
    """Aliases, camelCase; what is not named stays."""
    text = changed(CAMEL, LimitPlace(), algorithm="token-bucket", rate=9, max_requests=4)
    assert text == CAMEL.replace(
        "{enabled: false, type: leaky-bucket, leakRate: 3, clientIpEnable: true}",
        "{enabled: true, type: token-bucket, leakRate: 9, clientIpEnable: true, maxRequests: 4}",
    )
    text = changed(CAMEL, LimitPlace(ServiceType.IMG_GEN, "a", per_client=True), tokens_per_minute=60)
    assert "{name: a, baseUrl: http://a, rateLimit: {clientIp: {enabled: true, tokensPerMinute: 60}}}" in text


def test_clearing_what_each_client_has_clears_its_switch_too() -> None:
    """Else it would still be on."""
    text = changed(CAMEL, LimitPlace(None, None, per_client=True), capacity=3)
    cleared = clear_limit(Document.load(text, "f"), LimitPlace(None, None, per_client=True))
    limit = parse(cleared.document, {}).config.model.rate_limit
    assert limit is not None
    assert (limit.client_ip_enable, limit.client_ip) == (False, RateLimit().client_ip)
    assert cleared.summary == "removed the limit of each client of the gateway"


def test_what_is_not_there() -> None:
    """Is said, with what there is."""
    document = Document.load(FILE, "f")
    with pytest.raises(LimitNotFound, match="no limit is set for service chat"):
        clear_limit(document, LimitPlace(CHAT))
    with pytest.raises(LimitNotFound, match="no limit is set for a@http://a"):
        clear_limit(document, LimitPlace(CHAT, "a"))
    with pytest.raises(InstanceNotFound, match="no instance 'c'"):
        set_limit(document, LimitPlace(CHAT, "c"), {"rate": 1})


def test_a_summary_names_the_whole_id() -> None:
    """And the values."""
    change = set_limit(Document.load(FILE, "f"), LimitPlace(CHAT, "b"), {"capacity": 5, "window_size_s": "9s"})
    assert change.summary == "set the limit of b@http://b: capacity 5, window-size 9s"
    assert (change.service, change.instance) == ("chat", "b@http://b")
