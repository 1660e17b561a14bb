"""What a file says in vain, or by mistake, is named with its line; what cannot be meant is refused."""

# ruff: noqa: E501 - messages are compared whole

from pathlib import Path

import pytest

from jairouter_cli.config.document import Document
from jairouter_cli.config.effect import EFFECTS
from jairouter_cli.config.parse import parse
from jairouter_cli.errors import ConfigInvalid

SAMPLES = sorted((Path(__file__).parents[2] / "sample-configs").glob("*.y*ml"))
WINDOW = "has no effect: it needs algorithm: sliding-window"


def noticed(text: str) -> list[str]:
    """Return what is noticed about a text."""
    return [notice.message for notice in parse(Document.load(text, "x"), {}).notices]


def refused(text: str) -> str:
    """Return why a text is refused."""
    with pytest.raises(ConfigInvalid) as caught:
        parse(Document.load(text, "x"), {})
    return str(caught.value)


def chat(section: str, instance: str = "") -> str:
    """Return a file with one service and one instance."""
    return f"model: {{services: {{chat: {{{section}instances: [{{name: m, base-url: http://h{instance}}}]}}}}}}\n"


CHAT = "model.services.chat"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model: {load-balance: {type: round-robin, hash-algorithm: sha1}}", "model.load-balance.hash-algorithm has no effect: it needs type: ip-hash, consistent-hash or prefix-affinity"),
        ("model: {load-balance: {type: ip-hash, load-factor: 2}}", "model.load-balance.load-factor has no effect: it needs type: prefix-affinity"),
        ("model: {loadBalance: {healthCheck: {type: tcp, path: /x}}}", "model.loadBalance.healthCheck.path has no effect: it needs type: http"),
        (chat("load-balance: {health-check: {interval: 9s}}, "), f"{CHAT}.load-balance.health-check has no effect: it needs to be in model.load-balance, for all services"),
        ("model: {rate-limit: {enabled: true, maxRequests: 5}}", f"model.rate-limit.maxRequests {WINDOW}"),
        ("model: {rate-limit: {enabled: true, type: sliding-window, max-requests: 5, rate: 2}}", "model.rate-limit.rate has no effect: it needs a sliding-window without max-requests, or another algorithm"),
        ("model: {rate-limit: {enabled: true, type: sliding-window, rate: 5, capacity: 2}}", "model.rate-limit.capacity has no effect: it needs another algorithm; a sliding-window uses max-requests and window-size, or rate"),
        ("model: {rate-limit: {enabled: true, cold-factor: 2}}", "model.rate-limit.cold-factor has no effect: it needs algorithm: warm-up"),
        ("model: {rate-limit: {enabled: true, queue: true}}", "model.rate-limit.queue has no effect: it needs algorithm: leaky-bucket"),
        ("model: {rate-limit: {enabled: true, client-ip: {enabled: true, window-size: 2s}}}", f"model.rate-limit.client-ip.window-size {WINDOW}"),
        ("model: {rate-limit: {rate: 2}}", "model.rate-limit has no effect: it is off by default; set enabled: true"),
        ("model: {rate-limit: {enabled: true, client-ip: {rate: 2}}}", "model.rate-limit.client-ip has no effect: it is off by default; set enabled: true"),
        (chat("", ", circuit-breaker: {failure-threshold: 2}"), f"{CHAT}.instances[0].circuit-breaker has no effect: it is off by default; set enabled: true"),
        ("model: {circuit-breaker: {enabled: true, window: 2s}}", "model.circuit-breaker.window has no effect: it needs a circuit breaker with failure-ratio"),
        ("model: {circuit-breaker: {enabled: true, failure-ratio: 0.5, failure-threshold: 3}}", "model.circuit-breaker.failure-threshold has no effect: it needs a circuit breaker without failure-ratio"),
        ("model: {fallback: {message: x}}", "model.fallback has no effect: it is off by default; set enabled: true"),
        ("model: {fallback: {enabled: true, cache: {ttl: 5s}}}", "model.fallback.cache.ttl has no effect: it needs strategy: cache"),
        ("model: {fallback: {enabled: true, strategy: cache, response: x}}", "model.fallback.response has no effect: it needs strategy: default"),
        ("model: {fallback: {enabled: true, response: x, message: y}}", "model.fallback.message has no effect: it needs a fallback without response"),
        ("model: {queue: {size: 5}}", "model.queue.size has no effect: it needs max-concurrency in an instance or in model"),
        ("model: {services: {chat: {instances: [{name: m, base-url: http://a, priority: 1}, {name: m, base-url: http://b, priority: 1}]}}}", f"{CHAT}.instances[0].priority has no effect: it needs instances of one model with different priorities"),
        (chat("failover: {enabled: false}, max-retries: 2, "), f"{CHAT}.max-retries has no effect: it needs failover.enabled: true"),
        ("server: {shutdown: {mode: immediate, timeout: 5s}}", "server.shutdown.timeout has no effect: it needs mode: graceful"),
        ("server: {admin-token: t, open-management: true}", "server.open-management has no effect: it needs a gateway without admin-token"),
        ("state: {timeout: 5s}", "state.timeout has no effect: it needs state.url"),
        ("webclient: {ssl: {trust-all: true, trust-store: x}}", "webclient.ssl.trust-store has no effect: it needs trust-all: false"),
        ("tracing: {endpoint: http://h}", "tracing has no effect: it is off by default; set enabled: true"),
        (chat("", ", timeout: 60"), f"{CHAT}.instances[0].timeout: 60 is 60 milliseconds; did you mean 60s? (write 60ms if not)"),
        ("webclient: {read-timeout: 30}", "webclient.read-timeout: 30 is 30 milliseconds; did you mean 30s? (write 30ms if not)"),
        ("model: {load-balance: {health-check: {interval: 1}}}", "model.load-balance.health-check.interval: 1 is 1 milliseconds; did you mean 1s? (write 1ms if not)"),
        ("model: {rate-limit: {enabled: true, type: sliding-window, window-size: 60000}}", "model.rate-limit.window-size: 60000 is 60000 seconds; did you mean 60s? (write 60000s if not)"),
        ("server: {max-body-size: 10}", "server.max-body-size: 10 is 10 bytes; did you mean 10MB?"),
    ],
)  # fmt: skip
def test_what_is_named(text: str, said: str) -> None:
    """Whatever has no effect for what was chosen, and numbers that are likely to be meant in another unit."""
    assert said in noticed(text)


@pytest.mark.parametrize(
    "text",
    [
        "model: {rate-limit: {enabled: true, type: sliding-window, max-requests: 5, window-size: 2s}}",
        "model: {rate-limit: {enabled: true, type: sliding-window, rate: 5, client-ip: {enabled: true, rate: 1}}}",
        "model: {rate-limit: {enabled: false, rate: 5}}",
        "model: {rate-limit: {enabled: true, client-ip-enable: true, client-ip: {rate: 2}}}",
        "model: {circuit-breaker: {failure-threshold: 2}, services: {chat: {circuit-breaker: {enabled: true}}}}",
        "model: {circuit-breaker: {enabled: true, failure-ratio: 0.5}, services: {chat: {circuit-breaker: {window: 2s}}}}",
        "model: {queue: {size: 5}, max-concurrency: 2}",
        chat("", ", priority: 1, weight: 2, timeout: {connect: 60ms, read: 0.5s}"),
    ],
)
def test_what_has_its_effect_is_not_named(text: str) -> None:
    """Nor what is switched off on purpose."""
    assert noticed(text) == []


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_samples_say_nothing_in_vain(sample: Path) -> None:
    """They are what people begin with."""
    parsed = parse(Document.load(sample.read_text("utf-8"), "x"), {})
    assert [
        notice.message for notice in parsed.notices if "no effect" in notice.message or "did you mean" in notice.message
    ] == []


def test_the_table_names_fields_that_there_are() -> None:
    """A field that was renamed would never be found."""
    assert [name for effect in EFFECTS for name in effect.fields if name not in effect.section.__struct_fields__] == []


@pytest.mark.parametrize("value", ["0", "-1", ".inf", "-.inf", ".nan", "1e400", "9" * 5000, "'nan'", "'inf'", "1e300"])
@pytest.mark.parametrize(
    "text",
    [
        "server: {max-body-size: VALUE}",
        "server: {workers: VALUE}",
        "webclient: {read-timeout: VALUE}",
        "store: {max-revisions: VALUE}",
        "model: {rate-limit: {capacity: VALUE}}",
        "model: {rate-limit: {rate: VALUE}}",
        "model: {rate-limit: {tokens-per-minute: VALUE}}",
        "model: {rate-limit: {window-size: VALUE}}",
        "model: {rate-limit: {cold-factor: VALUE}}",
        "model: {circuit-breaker: {failure-threshold: VALUE}}",
        "model: {circuit-breaker: {failure-ratio: VALUE}}",
        "model: {load-balance: {load-factor: VALUE}}",
        "model: {load-balance: {health-check: {interval: VALUE}}}",
        chat("", ", weight: VALUE"),
        chat("", ", max-concurrency: VALUE"),
    ],
)
def test_numbers_that_cannot_be_meant(text: str, value: str) -> None:
    """Each is refused with its line, whatever the setting."""
    assert refused(text.replace("VALUE", value)).startswith("x:1: ")


@pytest.mark.parametrize("value", [10**12, 10**30, -(10**12)])
def test_priorities_have_bounds(value: int) -> None:
    """An integer has a range even where its field names none."""
    wanted = "at most 2147483647" if value > 0 else "at least -2147483647"
    assert f"expected a number of {wanted}" in refused(chat("", f", priority: {value}"))
