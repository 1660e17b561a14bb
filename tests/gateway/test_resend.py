"""A request reaches a backend as often as the failover plan says, however many connections are kept to it."""

import asyncio
from collections.abc import Iterator

import pytest

from jairouter_cli.config.document import Document
from jairouter_cli.config.model import ConnectionPool
from jairouter_cli.config.parse import parse
from jairouter_cli.gateway.dispatch import dispatch
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.gateway.upstream.exchange import UpstreamRequest
from jairouter_cli.gateway.upstream.http1 import Http1Upstream
from jairouter_cli.observe.events import Completed
from jairouter_cli.request_errors import RequestError
from jairouter_cli.routing.call import Outcome, Timeouts
from jairouter_cli.routing.record import Number
from jairouter_cli.routing.table import compile_table
from tests.backend import Backend, Behaviour, Received, Wire, answer, backend, raw
from tests.inbound import inbound

BODY = b'{"model": "m"}'


@pytest.fixture(scope="module")
def behind() -> Iterator[Backend]:
    """One server for all; each test tells it what to do."""
    with backend(answer(b"{}")) as running:
        yield running


def breaks(how: str) -> Behaviour:
    """Read the whole request and say nothing."""

    async def behave(_: Received, wire: Wire) -> None:
        if how == "rst":
            wire.reset()
        else:
            wire.writer.close()

    return behave


def settings(behind: Backend, retries: int, instances: int = 1, failover: str = "") -> str:
    """Return a configuration; every instance is the same server under another path."""
    rows = "".join(f"        - {{name: m, base-url: '{behind.url}/{n}'}}\n" for n in range(instances))
    return (
        f"model:\n  max-retries: {retries}\n  load-balance: round-robin\n  circuit-breaker: {{enabled: true}}\n"
        f"{failover}  services:\n    chat:\n      instances:\n{rows}"
    )


def ask(
    behind: Backend, idle: int, text: str, then: Behaviour, *, stream: bool = False
) -> tuple[int, Completed, Gateway]:
    """Ask once with so many idle connections; return how often it was sent, what was reported, and the gateway."""
    config = parse(Document(text, "a file"), {}).config
    seen: list[Completed] = []

    async def scenario() -> Gateway:
        upstream = Http1Upstream(ConnectionPool())
        gateway = Gateway(compile_table(config), upstream, sinks=[seen.append])
        behind.behave = answer(b"{}")
        warm = UpstreamRequest(behind.url, "/warm", [], BODY, Timeouts(5, 5, 5, 5))
        exchanges = await asyncio.gather(*(upstream.send(warm) for _ in range(idle)))
        for exchange in exchanges:
            while await exchange.read():
                pass
            await exchange.aclose()
        assert [pool.idle for pool in upstream.pools()] == ([idle] if idle else [])
        behind.behave = then
        behind.requests.clear()
        try:
            reply = await dispatch(gateway, inbound(gateway.table, body=BODY, stream=stream))
            while await reply.exchange.read():
                pass
            await reply.settle(Outcome.OK, reply.exchange.status)
        except RequestError:
            pass
        finally:
            await upstream.aclose()
        return gateway

    gateway = asyncio.run(scenario())
    (completed,) = seen
    return len(behind.requests), completed, gateway


@pytest.mark.parametrize("how", ["rst", "fin"])
@pytest.mark.parametrize("idle", [0, 1, 12, 40])
@pytest.mark.parametrize("stream", [False, True])
def test_a_backend_that_breaks_gets_a_request_twice_at_most(behind: Backend, idle: int, how: str, stream: bool) -> None:
    """Once by a kept connection and once by a new one; both are told as attempts."""
    sent, completed, _ = ask(behind, idle, settings(behind, retries=2), breaks(how), stream=stream)
    expected = 1 if idle == 0 else 2
    assert (sent, len(completed.attempts), completed.status) == (expected, expected, 502)


@pytest.mark.parametrize("idle", [0, 1, 12, 40])
@pytest.mark.parametrize("retries", [0, 1, 2])
def test_max_retries_bounds_what_is_sent_again_too(behind: Backend, idle: int, retries: int) -> None:
    """Over all instances, whichever connection was used."""
    sent, completed, _ = ask(behind, idle, settings(behind, retries, instances=4), breaks("rst"))
    assert (sent, len(completed.attempts)) == (1 + retries, 1 + retries)


@pytest.mark.parametrize(
    "failover", ["  failover: {enabled: false}\n", "  failover: {budget-ratio: 0, budget-rate: 0}\n"]
)
def test_where_nothing_may_be_tried_again_nothing_is(behind: Backend, failover: str) -> None:
    """Neither with failover off nor out of the budget of retries."""
    sent, completed, _ = ask(behind, 12, settings(behind, 2, failover=failover), breaks("fin"))
    assert (sent, len(completed.attempts), completed.status) == (1, 1, 502)


def test_an_old_connection_is_no_failure_of_its_instance(behind: Backend) -> None:
    """The client gets the answer; the log tells of both attempts, breaker and health of none."""
    first = True

    async def once(received: Received, wire: Wire) -> None:
        nonlocal first
        if first:
            first = False
            wire.writer.close()
        else:
            await answer(b"{}")(received, wire)

    sent, completed, gateway = ask(behind, 3, settings(behind, 2), once)
    assert (sent, completed.status, completed.ended) == (2, 200, "ok")
    assert [attempt.status for attempt in completed.attempts] == [None, 200]
    (target,) = gateway.table.targets
    live = gateway.ledger.live(target)
    assert (live.record.numbers[Number.FAILURES], live.in_flight) == (0, 0)


def test_what_has_begun_to_be_answered_is_not_sent_again(behind: Backend) -> None:
    """A byte of an answer is an answer."""
    sent, completed, _ = ask(behind, 12, settings(behind, 2), raw(b"HTTP/1.1 2"))
    assert (sent, len(completed.attempts), completed.status) == (1, 1, 502)


def test_another_instance_comes_before_the_same_one_again(behind: Backend) -> None:
    """With three instances and two retries all three are asked."""
    sent, completed, _ = ask(behind, 12, settings(behind, 2, instances=3), breaks("fin"))
    assert (sent, len({attempt.instance for attempt in completed.attempts})) == (3, 3)
