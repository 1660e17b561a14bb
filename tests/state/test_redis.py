"""Levels on a real server: the script decides as the steps in Python do; what is lost and found again."""

import asyncio
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jairouter_cli.config.kinds import Secret
from jairouter_cli.config.model import Limiting, State
from jairouter_cli.config.place import Place
from jairouter_cli.errors import StateUnusable
from jairouter_cli.gateway.tasks import Tasks
from jairouter_cli.routing.admission import Demand, Limit, Refusal, Unit, demanded
from jairouter_cli.routing.buckets import BucketNumbers, LimitRule, owe, step, stepper
from jairouter_cli.state.redis import RedisLevels, arguments, decisions_of
from tests.redis import Redis, running
from tests.routing.test_buckets import rules

SCRIPT = resources.files("jairouter_cli.state").joinpath("limits.lua").read_text("utf-8")


@pytest.fixture(scope="module")
def server() -> Iterator[Redis]:
    """Run a server."""
    with running() as made:
        yield made


@pytest.fixture(scope="module")
def client(server: Redis) -> Iterator[Any]:
    """Return a client of it."""
    with redis.Redis.from_url(server.url) as made:
        yield made


def limit(name: str, rule: LimitRule) -> Limit:
    """Make a limit."""
    return Limit(name, name, Place(), Unit.REQUESTS, rule, stepper(rule))


asked = st.lists(st.tuples(st.floats(-3, 8), st.integers(0, 4), st.floats(-2, 2)), max_size=25)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(rules, min_size=1, max_size=3), asked)
def test_lua_and_python_decide_alike(client: Any, told: list[LimitRule], gaps: list[tuple[float, int, float]]) -> None:
    """The same rules, times (clocks that jump, too) and costs, side by side; the settings change in the middle."""
    script = client.register_script(SCRIPT)
    client.flushall()
    now, numbers = 1000.0, BucketNumbers()
    for turn, (gap, cost, correction) in enumerate(gaps):
        now = max(1.0, now + gap)
        rule = told[turn * len(told) // len(gaps)]
        demand = Demand(limit("l", rule), "l", float(cost))
        (found,) = decisions_of(script(keys=["l"], args=["charge", now, *arguments([demand])]))
        new, expected = step(rule, numbers, now, float(cost))
        numbers = new if expected.allowed else numbers
        assert found.allowed == expected.allowed
        assert list(found) == pytest.approx(list(expected), abs=1e-6)
        if expected.allowed and correction:
            script(keys=["l"], args=["correct", now, *arguments([demand._replace(cost=correction)])])
            numbers = owe(rule, numbers, correction)


@pytest.mark.parametrize("kind", Limiting)
@pytest.mark.parametrize("cost", [float("inf"), float("-inf"), float("nan"), 1e308, -5.0])
def test_no_number_spoils_a_level_there(client: Any, kind: Limiting, cost: float) -> None:
    """Costs and corrections are bounded there as they are here."""
    script, rule = client.register_script(SCRIPT), LimitRule(kind, warm_up_s=1)
    client.flushall()
    demand = Demand(limit("l", rule), "l", cost)
    for now, mode in ((1.0, "charge"), (2.0, "correct"), (3.0, "charge")):
        script(keys=["l"], args=[mode, now, *arguments([demand])])
    (found,) = decisions_of(script(keys=["l"], args=["peek", 5e9, *arguments([demand._replace(cost=1.0)])]))
    assert (found.allowed, found.remaining > 0) == (True, True)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(rules, min_size=2, max_size=4), st.lists(st.floats(0, 1), max_size=20))
def test_the_script_charges_all_or_none(client: Any, told: list[LimitRule], gaps: list[float]) -> None:
    """As `charge` does: a bucket that refuses keeps the others as they were."""
    script = client.register_script(SCRIPT)
    client.flushall()
    demands = [Demand(limit(f"l{index}", rule), f"l{index}") for index, rule in enumerate(told)]
    keys, now = [demand.name for demand in demands], 1000.0
    numbers: list[BucketNumbers] = [() for _ in demands]
    for gap in gaps:
        now += gap
        found = decisions_of(script(keys=keys, args=["charge", now, *arguments(demands)]))
        steps = [step(one.limit.rule, kept, now, 1.0) for one, kept in zip(demands, numbers, strict=True)]
        assert [one.allowed for one in found] == [decision.allowed for _, decision in steps]
        if all(decision.allowed for _, decision in steps):
            numbers = [new for new, _ in steps]
        peeked = decisions_of(script(keys=keys, args=["peek", now, *arguments(demands)]))
        plain = [step(one.limit.rule, kept, now, 1.0)[1] for one, kept in zip(demands, numbers, strict=True)]
        assert [one.remaining for one in peeked] == pytest.approx([one.remaining for one in plain], abs=1e-6)


def test_buckets_expire_when_they_say_nothing_any_more(client: Any) -> None:
    """So that the server forgets clients by itself: as long as the level tells something, and a little longer."""
    script = client.register_script(SCRIPT)
    client.flushall()
    for name, rule in {
        "bucket": LimitRule(capacity=10, rate=1),
        "window": LimitRule(Limiting.SLIDING_WINDOW, window_s=16, max_requests=3),
        "warm": LimitRule(Limiting.WARM_UP, capacity=10, rate=1, warm_up_s=30, cold_factor=1),
    }.items():
        script(keys=[name], args=["charge", "", *arguments([Demand(limit(name, rule), name)])])
    found = {name.decode(): client.pttl(name) / 1000 for name in client.scan_iter()}
    assert found["bucket"] == pytest.approx(3, abs=0.5)
    assert found["window"] == pytest.approx(18.5, abs=1.0)
    assert found["warm"] == pytest.approx(33, abs=0.5)


def settings_for(server: Redis) -> State:
    """Return how a gateway would be told of it."""
    return State(url=Secret(server.url), timeout_s=5.0)


async def connected(levels: RedisLevels) -> asyncio.Task[None]:
    """Begin to keep in touch."""
    task = asyncio.create_task(Tasks().keep("redis", levels.run))
    await levels.tried.wait()
    return task


def test_many_at_once_are_asked_together(server: Redis, client: Any) -> None:
    """Five hundred calls on two hosts, a hundred granted: exactly, and in a few questions."""
    client.flushall()
    demands = demanded((limit("l", LimitRule(capacity=100, rate=0.001)), limit("wide", LimitRule(capacity=1e6))), "")

    async def play() -> int:
        hosts = [RedisLevels(settings_for(server), print) for _ in range(2)]
        tasks = [await connected(host) for host in hosts]
        before = client.info("stats")["total_net_input_bytes"], client.info("commandstats")["cmdstat_evalsha"]["calls"]
        answers = await asyncio.gather(*(hosts[number % 2].charge(demands) for number in range(500)))
        assert client.info("commandstats")["cmdstat_evalsha"]["calls"] - before[1] == 500
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return sum(not isinstance(answer, Refusal) and answer is not None for answer in answers)

    client.evalsha(client.script_load(SCRIPT), 0, "peek", "1")
    assert asyncio.run(play()) == 100


def test_a_server_that_is_lost_and_found() -> None:
    """Who waits is told at once that nobody answers; it says so once, and once that it is back."""
    said: list[str] = []
    demands = demanded((limit("l", LimitRule(capacity=1, rate=0.001)),), "")

    async def play(server: Redis) -> None:
        levels = RedisLevels(settings_for(server), said.append)
        task = await connected(levels)
        assert await levels.charge(demands) == 0.0
        levels.correct([demands[0]._replace(cost=-1.0)])
        assert await levels.charge(demands) == 0.0
        assert isinstance(await levels.charge(demands), Refusal)
        server.stop()
        assert await levels.charge(demands) is None
        assert not levels.is_there
        assert await levels.peek(demands) is None
        server.start()
        async with asyncio.timeout(10):
            while not levels.is_there:  # noqa: ASYNC110 - it is another process that is waited for
                await asyncio.sleep(0.02)
        assert await levels.charge(demands) == 0.0
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with running() as server:
        asyncio.run(play(server))
    assert [line.partition(":")[0] for line in said] == [
        "the Redis server of state.url is unreachable; each host applies limits on its own",
        "the Redis server of state.url is back; limits are shared by all hosts again",
    ]


def test_a_server_that_hangs() -> None:
    """It is waited for as long as is said, once; its late answers are not taken for those to later questions."""
    one, other = (
        demanded((limit(name, LimitRule(capacity=most, rate=0.001)),), "") for name, most in (("a", 2), ("b", 5))
    )

    async def play(server: Redis) -> list[float]:
        levels = RedisLevels(State(url=Secret(server.url), timeout_s=0.5), print)
        task = await connected(levels)
        assert await levels.charge(one) == 0.0
        server.hang(on=True)
        assert await levels.charge(one) is None
        assert await levels.charge(one) is None
        server.hang(on=False)
        async with asyncio.timeout(10):
            while not levels.is_there:  # noqa: ASYNC110 - it is another process that is waited for
                await asyncio.sleep(0.02)
        found = [said.remaining for demands in (other, one) for said in await levels.peek(demands) or ()]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await levels.charge(one) is None, "nobody waits for what has ended"
        return found

    with running() as server:
        b, a = asyncio.run(play(server))
    assert b == pytest.approx(4, abs=0.1)
    assert a <= 1


def test_a_server_that_is_not_there_at_first() -> None:
    """The gateway starts all the same, says so, and goes by its own levels."""
    said: list[str] = []

    async def play() -> None:
        levels = RedisLevels(State(url=Secret("redis://127.0.0.1:1"), timeout_s=0.2), said.append)
        task = await connected(levels)
        assert await levels.charge(demanded((limit("l", LimitRule()),), "")) is None
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(play())
    assert len(said) == 1


def test_a_client_that_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do about it."""
    import sys  # noqa: PLC0415

    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(StateUnusable) as found:
        RedisLevels(State(url=Secret("redis://x")), print)
    assert found.value.hint == "install it with `pip install 'jairouter[redis]'`"
