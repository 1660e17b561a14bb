"""The buckets of limits that several hosts share, on a Redis or Valkey server.

Calls that arrive during a round trip share the next one: a call costs at most one round trip. If the server does not
respond, no call waits for it: it is tried again from time to time, and each host uses its own buckets until it is back.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from importlib import resources
from typing import Any, Final

from jairouter_cli.config.model import State
from jairouter_cli.errors import StateUnusable
from jairouter_cli.routing.admission import Demand, Refusal, gravest
from jairouter_cli.routing.buckets import Decision, fair_correction

_PREFIX: Final = "{jairouter}:limit:"  # in braces, so that all are on the same shard of a cluster
_RETRY_S: Final = 1.0
_MOST_AT_ONCE: Final = 256  # calls in one exchange

Query = tuple[str, Sequence[Demand], "asyncio.Future[list[Decision] | None] | None"]


class RedisLevels:
    """The levels on the server. `tell` gets a sentence when it is lost, and when it is found again.

    Raises `StateUnusable` if the client library is missing or the address is wrong.
    """

    def __init__(self, settings: State, tell: Callable[[str], None]) -> None:
        try:
            from redis.asyncio import Redis  # noqa: PLC0415 - optional, and slow to import
            from redis.exceptions import RedisError  # noqa: PLC0415
        except ImportError:
            raise StateUnusable(
                problem="the Python package redis is not installed",
                hint="install it with `pip install 'jairouter[redis]'`",
            ) from None
        self._settings: Final = settings
        self._tell: Final = tell
        self._lost: Final = (RedisError, OSError, TimeoutError)
        self._script: Final = resources.files("jairouter_cli.state").joinpath("limits.lua").read_text("utf-8")
        self._digest = ""
        self._questions: list[Query] = []
        self._asked = asyncio.Event()
        self.is_there = False
        """Whether it answers."""
        self.tried = asyncio.Event()
        """Set as soon as it is known whether it does."""
        self.losses = 0
        """How often it was lost."""
        try:
            self._client: Any = Redis.from_url(
                settings.url.value if settings.url else "",
                socket_connect_timeout=settings.timeout_s,
                single_connection_client=True,
                retry=None,
            )
        except ValueError as error:
            raise StateUnusable(problem=str(error)) from None

    async def charge(self, demands: Sequence[Demand]) -> float | Refusal | None:
        """Take what is demanded from every bucket, or nothing; None if the server does not answer."""
        decisions = await self._ask("charge", demands)
        if decisions is None:
            return None
        refusals = [Refusal(one.limit, said) for one, said in zip(demands, decisions, strict=True) if not said.allowed]
        return gravest(refusals) if refusals else max(said.wait_s for said in decisions)

    async def peek(self, demands: Sequence[Demand]) -> list[Decision] | None:
        """Return what would be decided; None if the server does not answer."""
        return await self._ask("peek", demands) if demands else []

    def correct(self, corrections: Sequence[Demand]) -> None:
        """Take what costs turned out to be more, or give back what they were less; nobody waits for it."""
        if self.is_there and corrections:
            self._questions.append(("correct", corrections, None))
            self._asked.set()

    async def _ask(self, mode: str, demands: Sequence[Demand]) -> list[Decision] | None:
        if not self.is_there:
            return None
        answer: asyncio.Future[list[Decision] | None] = asyncio.get_running_loop().create_future()
        self._questions.append((mode, demands, answer))
        self._asked.set()
        return await answer

    async def run(self) -> AsyncIterator[None]:
        """Keep in touch with the server, and yield whenever it has answered, or is known to be lost."""
        try:
            while True:
                try:
                    async for _ in self._serve():
                        yield
                except self._lost as error:
                    self._lose(error)
                    yield
                await asyncio.sleep(_RETRY_S)
        finally:
            self.is_there = False  # nobody is to wait for an answer that does not come any more
            self.tried.set()
            self._answer_nobody(self._questions)
            self._questions = []
            await self._client.aclose()

    async def _serve(self) -> AsyncIterator[None]:
        """Connect, and ask what is to be asked, until the server is lost. Raises what it is lost by."""
        async with asyncio.timeout(self._settings.timeout_s):
            self._digest = await self._client.script_load(self._script)
        if self.losses:
            self._tell("the Redis server of state.url is back; limits are shared by all hosts again")
        self.is_there = True
        self.tried.set()
        while True:
            yield
            await self._asked.wait()
            batch, self._questions = self._questions[:_MOST_AT_ONCE], self._questions[_MOST_AT_ONCE:]
            if not self._questions:
                self._asked.clear()
            try:
                async with asyncio.timeout(self._settings.timeout_s):
                    await self._exchange(batch)
            finally:
                self._answer_nobody(batch)

    async def _exchange(self, batch: Sequence[Query]) -> None:
        pipe = self._client.pipeline(transaction=False)
        for mode, demands, _ in batch:
            keys = [_PREFIX + demand.name for demand in demands]
            pipe.evalsha(self._digest, len(keys), *keys, mode, "", *arguments(demands))
        answers = await pipe.execute()
        for (_, _, waiting), found in zip(batch, answers, strict=True):
            if waiting is not None and not waiting.done():
                waiting.set_result(decisions_of(found))

    def _lose(self, error: BaseException) -> None:
        if self.is_there or not self.losses:
            self.losses += 1
            why = str(error) or type(error).__name__
            self._tell(f"the Redis server of state.url is unreachable; each host applies limits on its own: {why}")
        self.is_there = False
        self.tried.set()
        self._answer_nobody(self._questions)
        self._questions = []

    @staticmethod
    def _answer_nobody(questions: Sequence[Query]) -> None:
        """Let waiting calls use the host's own buckets."""
        for _, _, waiting in questions:
            if waiting is not None and not waiting.done():
                waiting.set_result(None)


def arguments(demands: Sequence[Demand]) -> list[float]:
    """Return what the script needs to know of each bucket."""
    found: list[float] = []
    for demand in demands:
        rule = demand.limit.rule
        found += [rule.kind, fair_correction(demand.cost), rule.capacity, rule.rate]
        found += [rule.window_s, rule.max_requests, rule.warm_up_s, rule.cold_factor]
    return found


def decisions_of(answers: Sequence[Sequence[Any]]) -> list[Decision]:
    """Return what the script answered."""
    return [Decision(one[0] == 1, *(float(number) for number in one[1:])) for one in answers]
