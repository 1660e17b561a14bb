"""Which limits a call must pass, and that it passes all of them or none."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jairouter_cli.config.document import Document
from jairouter_cli.config.model import Limiting, ServiceType
from jairouter_cli.config.parse import parse
from jairouter_cli.config.place import Place
from jairouter_cli.routing.admission import (
    Demand,
    Limit,
    Refusal,
    Shelves,
    Unit,
    charge,
    client_of,
    correct,
    demanded,
    of_tokens,
    peek,
)
from jairouter_cli.routing.buckets import BucketNumbers, LimitRule, stepper
from jairouter_cli.routing.table import Table, compile_table

CHAT = ServiceType.CHAT


def table(text: str) -> Table:
    """Compile a configuration; every service that it names has the models m and n, of m two instances."""
    return compile_table(parse(Document.load(text, "f"), {}).config)


def service(limits: str, of_first: str = "") -> str:
    """Return the YAML of a service with limits; `of_first` is added to its first instance."""
    instances = f"{{name: m, base-url: 'http://a'{of_first}}}, {{name: m, base-url: 'http://b'}}"
    return f"{{rate-limit: {limits}, instances: [{instances}, {{name: n, base-url: 'http://a'}}]}}"


def shown(limits: tuple[Limit, ...]) -> list[tuple[Any, ...]]:
    """Return what matters of some limits."""
    return [(one.name, one.scope, one.unit.value, one.per_client) for one in limits]


def test_every_place_has_its_own() -> None:
    """The client's come first, then the gateway's, the service's; an instance's are asked with it."""
    found = table(
        "model: {rate-limit: {enabled: true, client-ip-enable: true}, services: {chat: "
        + service("{enabled: true, tokens-per-minute: 600, capacity: 5}", ", rate-limit: {enabled: true, capacity: 7}")
        + "}}"
    )
    pool = found.pool(CHAT, "m")
    assert shown(pool.limits) == [
        ("gateway/clients/client:", "client-ip", "requests", True),
        ("gateway", "global", "requests", False),
        ("service:chat", "service", "requests", False),
        ("service:chat/tokens", "service", "tokens", False),
    ]
    assert [shown(one.limits) for one in pool.targets] == [
        [("instance:chat:m@http://a", "instance", "requests", False)],
        [],
    ]
    assert [one.rule.capacity for one in (*pool.limits, *pool.targets[0].limits)] == [100, 100, 5, 600, 7]
    assert pool.limits[3].rule.rate == 10
    assert pool.counts_tokens


@pytest.mark.parametrize(
    ("scope", "of_m", "of_instances"),
    [
        ("service", [("service:chat", "service")], []),
        ("model", [("service:chat/model:chat:m", "model")], []),
        ("client-ip", [("service:chat/client:", "client-ip")], []),
        ("instance", [], ["service:chat/instance:chat:m@http://a", "service:chat/instance:chat:m@http://b"]),
    ],
)
def test_scopes(scope: str, of_m: list[tuple[str, str]], of_instances: list[str]) -> None:
    """What has a bucket of its own; a model's is that of a pool, so its names are bounded."""
    pool = table(f"model: {{services: {{chat: {service(f'{{enabled: true, scope: {scope}}}')}}}}}").pool(CHAT, "m")
    assert [(one.name, one.scope) for one in pool.limits] == of_m
    assert [one.name for target in pool.targets for one in target.limits] == of_instances


def test_equal_instances_have_buckets_of_their_own_and_keys_join() -> None:
    """A second instance with the same id is another one; sections with the same key have one bucket."""
    text = (
        "model: {services: {chat: {rate-limit: {enabled: true, key: k}, instances: ["
        "{name: m, base-url: 'http://a', rate-limit: {enabled: true}}, "
        "{name: m, base-url: 'http://a', rate-limit: {enabled: true, key: k}}]}, "
        "embedding: {rate-limit: {enabled: true, key: k}, instances: [{name: m, base-url: 'http://a'}]}}}"
    )
    found = table(text)
    names = [[one.name for one in found.pool(kind, "m").limits] for kind in (CHAT, ServiceType.EMBEDDING)]
    assert names == [["key:k"], ["key:k"]]
    assert [one.name for target in found.targets for one in target.limits] == ["instance:chat:m@http://a", "key:k"]


def test_what_is_off_is_off() -> None:
    """Only `client-ip.enabled` does without the section's own switch."""
    off = table("model: {rate-limit: {capacity: 5, client-ip-enable: true}, services: {chat: " + service("{}") + "}}")
    assert off.pool(CHAT, "m").limits == ()
    on = table(
        "model: {services: {chat: " + service("{client-ip: {enabled: true, capacity: 2, max-concurrency: 3}}") + "}}"
    )
    pool = on.pool(CHAT, "m")
    assert shown(pool.limits) == [("service:chat/clients/client:", "client-ip", "requests", True)]
    assert [(one.name, one.rule.capacity) for one in pool.caps] == [("service:chat/in-flight:", 3)]
    text = "{enabled: true, client-ip-enable: true, client-ip: {max-concurrency: 4}}"
    pool = table(f"model: {{services: {{chat: {service(text)}}}}}").pool(CHAT, "m")
    assert [one.rule.capacity for one in pool.caps] == [4]


@pytest.mark.parametrize("algorithm", Limiting)
@pytest.mark.parametrize("number", ["2147483647", "1e9", "1e-320"])
def test_settings_at_the_ends_of_their_ranges_can_be_reckoned_with(algorithm: Limiting, number: str) -> None:
    """They are a lot, or hardly anything; what is told of them are numbers."""
    whole = number if number.isdecimal() else "5"
    text = f"{{enabled: true, type: {algorithm.value}, rate: {number}, window-size: 5s, capacity: {whole}, "
    text += f"max-requests: {whole}, tokens-per-minute: {whole}, cold-factor: {'1' if number == '1e-320' else number}}}"
    limits = table(f"model: {{services: {{chat: {service(text)}}}}}").pool(CHAT, "m").limits
    made, _, _ = shelves()
    for _ in range(20):
        charge(made, demanded(limits, ""), 1.0)
        assert all(math.isfinite(number) for one in peek(made, demanded(limits, ""), 1.0) for number in one)


def test_a_section_about_tokens_alone_limits_no_requests() -> None:
    """Neither does one about a client's calls at once; a client's algorithm and settings are those around it."""
    text = "{enabled: true, tokens-per-minute: 60, client-ip: {enabled: true, max-concurrency: 2}}"
    pool = table(f"model: {{services: {{chat: {service(text)}}}}}").pool(CHAT, "m")
    assert [(one.name, one.unit) for one in pool.limits] == [("service:chat/tokens", Unit.TOKENS)]
    text = "{enabled: true, type: sliding-window, windowSize: 10, maxRequests: 9, client-ip: CLIENT}"
    text = text.replace("CLIENT", "{enabled: true, max-requests: 3}")
    own, common = table(f"model: {{services: {{chat: {service(text)}}}}}").pool(CHAT, "m").limits
    assert (own.rule, common.rule) == tuple(
        LimitRule(Limiting.SLIDING_WINDOW, window_s=10, max_requests=most) for most in (3, 9)
    )


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("", ""),
        ("a socket", "a socket"),
    ],
)
def test_whom_an_address_belongs_to(address: str, client: str) -> None:
    """A client of IPv6 has a whole network of addresses, and would have as many buckets."""
    assert client_of(address) == client


def limit(name: str, capacity: float, *, per_client: bool = False, of_instance: bool = False) -> Limit:
    """Make a limit of ten a second."""
    rule = LimitRule(capacity=capacity)
    return Limit(name, name, Place(), Unit.REQUESTS, rule, stepper(rule), per_client, of_instance)


def shelves() -> tuple[Shelves, dict[str, BucketNumbers], dict[str, BucketNumbers]]:
    """Make empty buckets; return them as plain dictionaries, too."""
    fixed: dict[str, BucketNumbers] = {}
    clients: dict[str, BucketNumbers] = {}
    return Shelves(fixed, clients), fixed, clients


def test_names_of_clients() -> None:
    """Each has its own bucket, kept apart from those that the configuration names."""
    both = (limit("c:", 5, per_client=True), limit("s", 5))
    made, fixed, clients = shelves()
    assert charge(made, demanded(both, "10.0.0.1"), 1.0) == 0.0
    assert (list(fixed), list(clients)) == (["s"], ["c:10.0.0.1"])


def test_a_refusal_of_one_consumes_nothing_of_the_others() -> None:
    """All are asked before any is charged; the longest wait is told, that of an instance only if no other refuses."""
    wide, small, tiny = limit("wide", 10), limit("small", 2), limit("tiny", 1, of_instance=True)
    made, fixed, _ = shelves()
    asked = demanded((wide, small, tiny), "")
    assert charge(made, asked, 1.0) == 0.0
    before = dict(fixed)
    refusal = charge(made, asked, 1.0)
    assert isinstance(refusal, Refusal)
    assert refusal.limit is tiny
    assert refusal.decision.retry_after_s == pytest.approx(0.1)
    assert charge(made, demanded((wide, small), ""), 1.0) == 0.0
    before = dict(fixed)
    refusal = charge(made, asked, 1.0)
    assert isinstance(refusal, Refusal)
    assert refusal.limit is small
    assert fixed == before
    assert [one.remaining for one in peek(made, demanded((wide,), ""), 1.0)] == [7]
    assert fixed == before


def test_tokens_are_charged_and_put_right() -> None:
    """What was expected first; then what it was."""
    rule = LimitRule(capacity=600, rate=10)
    tokens = Limit("t", "service", Place(), Unit.TOKENS, rule, stepper(rule))
    asked = of_tokens(demanded((limit("r", 5), tokens), ""), 250.0)
    assert [one.cost for one in asked] == [1.0, 250.0]
    made, fixed, _ = shelves()
    charge(made, asked, 1.0)
    correct(made, [asked[1]._replace(cost=-200.0)])
    correct(made, [Demand(tokens, "unheard of", 5.0)])
    assert fixed == {"r": (1, 4.0, 1.0), "t": (1, 550.0, 1.0)}


def test_what_a_call_names_is_charged_up_to_a_whole_bucket() -> None:
    """A bucket is empty then, and not so far in debt that others wait for years; given back, it is as it was."""
    rule = LimitRule(capacity=600, rate=10)
    tokens = Limit("t", "service", Place(), Unit.TOKENS, rule, stepper(rule))
    (asked,) = of_tokens(demanded((tokens,), ""), 1e9)
    made, fixed, _ = shelves()
    assert charge(made, [asked], 1.0) == 0.0
    assert fixed == {"t": (1, 0.0, 1.0)}
    correct(made, [asked._replace(cost=-asked.cost)])
    assert fixed == {"t": (1, 600.0, 1.0)}


@given(
    st.lists(st.integers(1, 20), min_size=1, max_size=5),
    st.lists(st.tuples(st.floats(0, 0.3), st.sets(st.integers(0, 4), min_size=1)), max_size=60),
)
def test_all_or_nothing(capacities: list[int], calls: list[tuple[float, set[int]]]) -> None:
    """Whatever is asked together: what is refused leaves every bucket as it was, what is granted charges each."""
    limits = [limit(f"l{index}", capacity) for index, capacity in enumerate(capacities)]
    made, fixed, _ = shelves()
    now = 1000.0
    for gap, wanted in calls:
        now += gap
        chosen = tuple(limits[index] for index in sorted(wanted) if index < len(limits))
        before = {one.name: peek(made, [Demand(one, one.name, 0.0)], now)[0].remaining for one in limits}
        kept = dict(fixed)
        answer = charge(made, demanded(chosen, ""), now)
        after = {one.name: peek(made, [Demand(one, one.name, 0.0)], now)[0].remaining for one in limits}
        if isinstance(answer, Refusal):
            assert fixed == kept
            assert before[answer.limit.name] < 1
        else:
            cost = {one.name: 1.0 if one in chosen else 0.0 for one in limits}
            assert after == {
                name: pytest.approx(max(0.0, left - cost[name]), abs=1e-5) for name, left in before.items()
            }
