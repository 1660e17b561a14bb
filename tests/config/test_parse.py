"""The one judge: every spelling is read, every fault is named with its line."""

# ruff: noqa: E501 - messages are compared whole

import re
from pathlib import Path

import pytest

from jairouter_cli.config.document import Document
from jairouter_cli.config.kinds import Secret, Url, UrlPath
from jairouter_cli.config.model import (
    SERVICE_SPELLINGS,
    Balancing,
    Config,
    Dialect,
    FallbackStrategy,
    HashAlgorithm,
    Instance,
    Limiting,
    Locale,
    ServiceType,
    Shutdown,
    ShutdownMode,
    TimeoutSettings,
)
from jairouter_cli.config.parse import Parsed, parse
from jairouter_cli.errors import ConfigInvalid

HERE = Path(__file__).parent


def read(text: str, **environ: str) -> Parsed:
    """Parse a text."""
    return parse(Document.load(text, "f"), environ)


def instance(fields: str, **environ: str) -> Instance:
    """Parse one instance, its fields in flow style."""
    text = f"model: {{services: {{chat: {{instances: [{{name: m, base-url: http://h, {fields}}}]}}}}}}"
    return read(text, **environ).config.model.services[ServiceType.CHAT].instances[0]


def problems(text: str, **environ: str) -> list[str]:
    """Return what is wrong with a text."""
    with pytest.raises(ConfigInvalid) as caught:
        read(text, **environ)
    return str(caught.value).split("\n")


def test_the_java_versions_own_file_loads() -> None:
    """Everything in it has its effect or is named in a notice."""
    parsed = read((HERE / "java-application.yml").read_text("utf-8"))
    model = parsed.config.model
    assert list(model.services) == list(ServiceType)
    assert (model.adapter, model.services[ServiceType.IMG_GEN].adapter) == (Dialect.GPUSTACK, Dialect.LOCALAI)
    chat, rerank = model.services[ServiceType.CHAT], model.services[ServiceType.RERANK]
    assert chat.load_balance is not None
    assert chat.load_balance.type is Balancing.LEAST_CONNECTIONS
    assert [(one.id, one.weight, one.path) for one in chat.instances] == [
        ("qwen3:1.7B@http://192.0.2.2:30909", 1, "/v1-openai/chat/completions"),
        ("qwen3:1.7B@http://192.0.2.3:30909", 2, "/v1-openai/chat/completions"),
    ]
    assert rerank.load_balance is not None
    assert rerank.load_balance.hash_algorithm is HashAlgorithm.SHA256
    assert rerank.fallback is not None
    assert (rerank.fallback.strategy, rerank.fallback.cache_ttl_s) == (FallbackStrategy.CACHE, 60)
    assert model.circuit_breaker is not None
    assert (parsed.config.webclient.read_timeout_s, model.circuit_breaker.timeout_s) == (30, 60)
    assert [notice.message for notice in parsed.notices] == [
        "service tts has 2 instances with the id cosyvoice-300m@http://192.0.2.6:9090",
        "model.load-balance.hash-algorithm has no effect: it needs type: ip-hash, consistent-hash or prefix-affinity",
        "unknown sections, ignored: spring",
        "unknown keys, ignored: webclient.max-in-memory-size, store.type",
    ]


def test_the_older_place_of_load_balance() -> None:
    """Earlier files of the Java version have it among the services."""
    parsed = read("model: {services: {load-balance: {type: ip-hash}, chat: {}}}")
    assert (parsed.config.model.load_balance.type, parsed.notices) == (Balancing.IP_HASH, ())


@pytest.mark.parametrize("key", ["base-url", "baseUrl", "base_url", "BASE_URL", "baseurl"])
def test_keys_in_any_spelling(key: str) -> None:
    """Kebab-case, camelCase, snake_case, upper case."""
    parsed = read(f"model: {{services: {{chat: {{instances: [{{name: m, {key}: http://h}}]}}}}}}")
    assert parsed.config.model.services[ServiceType.CHAT].instances[0].base_url == "http://h"
    assert parsed.notices == ()


@pytest.mark.parametrize("key", [*SERVICE_SPELLINGS, "imgGen", "img-gen", "IMG_EDIT", "Image-Edit", "speech_to_text"])
def test_services_in_any_spelling(key: str) -> None:
    """Each alias of the documents and of the code."""
    (found,) = read(f"model: {{services: {{{key}: {{}}}}}}").config.model.services
    assert isinstance(found, ServiceType)


def test_an_instance_with_every_field() -> None:
    """All that the documents name."""
    found = instance(
        "path: /p, weight: 3, enabled: false, adapter: vLLM, api-key: k, headers: {X-A: b}, timeout: 90s, "
        "max-retries: 0, priority: -1, rate-limit: {enabled: true, type: sliding_window, windowSize: 5, "
        "refillRate: 7}, circuit-breaker: {recoveryTimeout: 500}"
    )
    assert (found.path, found.weight, found.enabled, found.adapter) == (UrlPath("/p"), 3, False, Dialect.VLLM)
    assert (found.api_key, found.headers) == (Secret("k"), {"X-A": Secret("b")})
    assert found.timeout == TimeoutSettings(read_s=90)
    assert (found.max_retries, found.priority) == (0, -1)
    assert found.rate_limit is not None
    limit = found.rate_limit
    assert (limit.algorithm, limit.window_size_s, limit.rate) == (Limiting.SLIDING_WINDOW, 5, 7)
    assert found.circuit_breaker is not None
    assert found.circuit_breaker.timeout_s == 0.5


def test_an_empty_file_is_a_good_one() -> None:
    """All defaults."""
    assert read("") == Parsed(Config())
    assert read("model:\nserver:\nwebclient:\n").config == Config()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 0.005),
        ("250", 0.25),
        ("10s", 10),
        ("500ms", 0.5),
        ("2m", 120),
        ("1h", 3600),
        ("PT1M30S", 90),
        ("PT0.5S", 0.5),
        ("1.5s", 1.5),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    """Spring's forms; a plain number is milliseconds."""
    assert instance(f"timeout: {text}").timeout == TimeoutSettings(read_s=seconds)
    assert instance(f"timeout: {{first-byte: {text}}}").timeout == TimeoutSettings(first_byte_s=seconds)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${K}", "v"),
        ("${K:d}", "v"),
        ("${N:d}", "d"),
        ("${N:}x", "x"),
        ("a-${K}-${N:b}", "a-v-b"),
        ("${N:${K}}", "v"),
        ("${N:${M:z}}", "z"),
        ("${N:a:b}", "a:b"),
        ("$K", "$K"),
    ],
)
def test_placeholders(text: str, value: str) -> None:
    """`${NAME:default}`; what a variable holds is not expanded again."""
    assert instance(f'api-key: "{text}"', K="v").api_key == Secret(value)
    assert instance('api-key: "${K}"', K="${K}").api_key == Secret("${K}")


def test_a_placeholder_may_hold_a_number() -> None:
    """What comes from the environment is text, and read like any other."""
    config = read("server: {port: '${P:81}', host: '${H}'}", P="9000", H="::1").config
    assert (config.server.port, config.server.host) == (9000, "::1")


URLS = ["http://localhost:8000", "http://gpu-server:8080", "https://api.openai.com/v1", "http://[::1]:1/a/b"]


@pytest.mark.parametrize("url", URLS)
def test_addresses_that_the_java_version_refuses(url: str) -> None:
    """Names without a dot, IPv6, paths."""
    parsed = read(f"model: {{services: {{chat: {{instances: [{{name: m, base-url: '{url}/'}}]}}}}}}")
    assert parsed.config.model.services[ServiceType.CHAT].instances[0].base_url == Url(url)


BAD = """\
server: {locale: fr, port: 99999}
model:
  load-balance: fastest
  services:
    chatt: {}
    chat:
      instances:
        - name: m
          base-url: ftp://x
          weight: 0
          timeout: soon
          api-key: ${NOPE}
          enabled: perhaps
          path: v1/chat
          headers: {"bad name": x}
        - base-url: http://user:pw@h
          name: ""
        - [1]
        - name: m
          base-url: http://h
          baseUrl: http://h
      rate-limit: 5
    image: {}
    imgGen: {}
"""

EXPECTED = """\
f:1: server.port: expected a number of at most 65535, found 99999
f:1: server.locale: expected one of zh, en, found 'fr'
f:3: model.load-balance: expected one of random, round-robin, least-connections, ip-hash, consistent-hash, latency, prefix-affinity, found 'fastest'
f:5: model.services.chatt: expected one of the services chat, embedding, rerank, tts, stt, imgGen, imgEdit, found 'chatt'
f:9: model.services.chat.instances[0].base-url: expected an http:// or https:// URL with a host, like http://10.0.0.7:8000, found 'ftp://x'
f:10: model.services.chat.instances[0].weight: expected a number greater than 0, found 0
f:11: model.services.chat.instances[0].timeout: expected a duration like 10s, 500ms or PT10S, found 'soon'
f:12: model.services.chat.instances[0].api-key: expected the environment variable NOPE to be set, or a default: ${NOPE:default}
f:13: model.services.chat.instances[0].enabled: expected true or false, found 'perhaps'
f:14: model.services.chat.instances[0].path: expected a path that begins with /, like /v1/chat/completions, found 'v1/chat'
f:15: model.services.chat.instances[0].headers.bad name: expected a header name, found 'bad name'
f:16: model.services.chat.instances[1].base-url: expected a URL without user and password (use api-key or headers), found a value
f:17: model.services.chat.instances[1].name: expected non-empty text, found ''
f:18: model.services.chat.instances[2]: expected a mapping, found a list
f:21: model.services.chat.instances[3].baseUrl: expected one spelling of base-url, found another at line 20
f:22: model.services.chat.rate-limit: expected a mapping, found 5
f:24: model.services.imgGen: expected each service once; imgGen is already set above in another spelling"""


def test_everything_that_is_wrong_is_said_at_once() -> None:
    """File, line, path, what was expected, what was found."""
    assert problems(BAD) == EXPECTED.split("\n")


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("weight: 1.5", "a whole number, found 1.5"),
        ("weight: true", "a whole number, found true"),
        ("weight: [1]", "a single value, found a list"),
        ("weight: '2x'", "a whole number, found '2x'"),
        ("api-key: [s3cret]", "a single value, found a list"),
        ("api-key: {a: s3cret}", "a single value, found a mapping"),
        ('api-key: "s3cret\\r\\nX: 1"', "text without line breaks, found a value"),
        ("headers: [1]", "a mapping of header names to values, found a list"),
        ("adapter: gpt", "one of normal, gpustack, ollama, vllm, xinference, localai, found 'gpt'"),
        ("max-retries: -1", "a number of at least 0, found -1"),
        ("path: '${X'", "a closing } for ${, found '${X'"),
        ("path: true", "text (put it in quotes), found true"),
        ("timeout: PT1.2.3S", "a duration like 10s, 500ms or PT10S, found 'PT1.2.3S'"),
    ],
)
def test_wrong_values(field: str, found: str) -> None:
    """Secrets are never shown."""
    text = f"model: {{services: {{chat: {{instances: [{{name: m, base-url: http://h, {field}}}]}}}}}}"
    (problem,) = problems(text)
    assert problem.endswith(f": expected {found}")
    assert "s3cret" not in problem


@pytest.mark.parametrize(
    ("metric", "problem"),
    [
        ("{type: COUNTER}", "[0]: expected a value for name"),
        ("{name: a-b}", "[0].name: expected letters, digits, _ and ., not beginning with a digit, found 'a-b'"),
        ("{name: a, type: GAUGE}", "[0].type: expected one of COUNTER, TIMER, found 'GAUGE'"),
        (
            "{name: a, tags: {le: b}}",
            "[0].tags.le: expected a label name: letters, digits and _, but not le or quantile",
        ),
        (
            "{name: a, created-at: soon}",
            "[0].created-at: expected a time in quotes, like '2026-11-24T08:00:00Z', found 'soon'",
        ),
        ("{name: a.b}, {name: a_b_total}", ": expected each metric once; 2 of them have the name a_b"),
    ],
)
def test_metrics_of_ones_own(metric: str, problem: str) -> None:
    """What would be no metric, or a second one of the same name, is refused before it is in force."""
    (said,) = problems(f"monitoring: {{metrics: {{custom: [{metric}]}}}}")
    assert said == f"f:1: monitoring.metrics.custom{problem}"


def test_a_slip_of_the_pen_is_noticed() -> None:
    """An unknown key that is close to a known one is named with it; others are listed."""
    parsed = read("model:\n  services:\n    chat: {loadbalanse: random, colour: red}\n")
    assert [(notice.line, notice.message) for notice in parsed.notices] == [
        (3, "model.services.chat.loadbalanse: unknown key, ignored; did you mean load-balance?"),
        (0, "unknown keys, ignored: model.services.chat.colour"),
    ]


def test_secrets_have_no_face() -> None:
    """Neither `str` nor `repr` of a configuration shows them."""
    config = read("model: {services: {chat: {instances: [{name: m, base-url: http://h, api-key: s3cret}]}}}").config
    assert not re.search("s3cret", f"{config} {config!r}")


def test_shutdown() -> None:
    """Spring's word, or how long what takes; plain numbers are milliseconds, and none is a time, too."""
    assert read("server: {shutdown: immediate}").config.server.shutdown == Shutdown(mode=ShutdownMode.IMMEDIATE)
    found = read("server: {shutdown: {timeout: 1500, delay: 0s}}").config.server.shutdown
    assert found == Shutdown(timeout_s=1.5, delay_s=0.0)


def test_locale_is_chinese_by_default() -> None:
    """As the Java version's messages are."""
    assert read("").config.server.locale is Locale.ZH
