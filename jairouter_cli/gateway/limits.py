"""The limits of a worker: it asks the levels, those of this host or of several, and turns a refusal into an answer."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from jairouter_cli.config.model import Limiting
from jairouter_cli.errors import StateFull
from jairouter_cli.request_errors import InstancesLimited, RateLimitExceeded
from jairouter_cli.routing.admission import Demand, Limit, Refusal, Unit, client_of, demanded
from jairouter_cli.routing.buckets import Decision
from jairouter_cli.routing.record import Memory, OwnMemory, Record
from jairouter_cli.routing.slots import Slots
from jairouter_cli.routing.table import Pool, Table
from jairouter_cli.state.levels import Levels, OwnLevels

if TYPE_CHECKING:
    from jairouter_cli.state.redis import RedisLevels


class Limits:
    """The levels, and who of the clients is being served. `far` are those that several hosts have in common."""

    __slots__ = ("_clients", "_memory", "far", "levels")

    def __init__(
        self,
        clock: Callable[[], float],
        levels: Levels | None = None,
        memory: Memory | None = None,
        far: "RedisLevels | None" = None,
    ) -> None:
        self._memory: Final = memory or OwnMemory()
        self._clients: dict[str, Slots] = {}
        self.levels: Final = levels or OwnLevels(clock)
        self.far: Final = far

    def reconcile(self, table: Table) -> None:
        """Fit the memory of clients to a new configuration; levels stay, for they go by names."""
        self.levels.retune(table.most_clients, table.client_memory_s)

    async def charge(self, demands: Sequence[Demand]) -> float | Refusal:
        """Take what is demanded from every bucket, or nothing; return how long to hold the call back, or why not."""
        if self.far is not None:
            answer = await self.far.charge(demands)
            if answer is not None:
                return answer
        return self.levels.charge(demands)

    def correct(self, corrections: Sequence[Demand]) -> None:
        """Take what costs turned out to be more than was demanded, or give back what they were less."""
        if self.far is not None and self.far.is_there:
            self.far.correct(corrections)
        else:
            self.levels.correct(corrections)

    async def peek(self, demands: Sequence[Demand]) -> list[Decision]:
        """Return what would be decided, and change nothing."""
        if self.far is not None:
            answer = await self.far.peek(demands)
            if answer is not None:
                return answer
        return self.levels.peek(demands)

    async def reached(self, pool: Pool, client: str) -> frozenset[str]:
        """Return the ids of the instances that a client's call could not go to now because of a limit."""
        asked = [(target.id, one) for target in pool.targets for one in demanded(target.limits, client_of(client))]
        decisions = await self.peek([demand for _, demand in asked])
        return frozenset(name for (name, _), said in zip(asked, decisions, strict=True) if not said.allowed)

    def enter(self, caps: Sequence[Limit], client: str) -> list[Slots] | Refusal:
        """Let a client have one more call under way, or say why not."""
        held: list[Slots] = []
        for cap in caps:
            name = cap.name + client
            slots = self._clients.get(name)
            if slots is None:
                slots = self._clients[name] = Slots(name, self._record(name))
            slots.limit = int(cap.rule.capacity)
            if not slots.take():
                wait_s = slots.expected_wait_s()
                self.leave(held, None)
                self._sweep(slots)
                return Refusal(cap, Decision(allowed=False, remaining=0.0, retry_after_s=wait_s, reset_s=wait_s))
            held.append(slots)
        return held

    def leave(self, held: Sequence[Slots], held_s: float | None) -> None:
        """Note that a call of a client has ended, after so long; None if it never began."""
        for slots in held:
            if held_s is None:
                slots.return_unused()
            else:
                slots.give(held_s)
            self._sweep(slots)

    def under_way(self, cap: Limit, client: str) -> int:
        """Return how many calls a client has under way that count for a limit."""
        name = cap.name + client
        slots = self._clients.get(name)
        if slots is not None:
            return slots.taken
        taken = Slots(name, self._record(name)).taken
        self._memory.release(name)
        return taken

    def _record(self, name: str) -> Record:
        """Return what the workers know of a client in common; where they know too many, this one counts for itself."""
        try:
            return self._memory.record(name)
        except StateFull:
            return Record()

    def close(self) -> None:
        """Let go of the levels."""
        self.levels.close()

    def _sweep(self, slots: Slots) -> None:
        if slots.is_idle:
            self._clients.pop(slots.name, None)
            self._memory.release(slots.name)


async def standing(limits: Limits, table: Table, client: str) -> dict[str, Any]:
    """Return how every limit stands, as plain data; those of clients for the one that is named."""
    shown = [limit for limit in table.limits if client or not limit.per_client]
    asked = tuple(one for one in shown if one.unit is not Unit.IN_FLIGHT)
    demands = [demand._replace(cost=0.0) for demand in demanded(asked, client_of(client))]
    decisions = {demand.limit.name: said for demand, said in zip(demands, await limits.peek(demands), strict=True)}
    far = limits.far
    return {
        "levels": "redis" if far is not None and far.is_there else "host",
        "redis": None if far is None else {"connected": far.is_there, "losses": far.losses},
        "limits": [_stands(limits, limit, decisions.get(limit.name), client) for limit in table.limits],
    }


def _stands(limits: Limits, limit: Limit, decision: Decision | None, client: str) -> dict[str, Any]:
    rule, most, remaining = limit.rule, limit.rule.limit, None if decision is None else round(decision.remaining, 3)
    if limit.unit is Unit.IN_FLIGHT and client:
        remaining = most - limits.under_way(limit, client_of(client))
    has_window = rule.algorithm is Limiting.SLIDING_WINDOW
    return {
        "place": str(limit.place),
        "scope": limit.scope,
        "unit": limit.unit.value,
        "bucket": limit.name,
        "perClient": limit.per_client,
        "algorithm": None if limit.unit is Unit.IN_FLIGHT else rule.algorithm.value,
        "limit": int(most),
        "ratePerS": None if has_window or limit.unit is Unit.IN_FLIGHT else rule.rate,
        "windowS": rule.window_s if has_window else None,
        "remaining": remaining,
        "resetS": None if decision is None else round(max(0.0, decision.reset_s), 3),
    }


def refused(refusal: Refusal, **details: Any) -> RateLimitExceeded:
    """Return what a client is told that has reached a limit."""
    limit, decision = refusal
    shown = {
        "scope": limit.scope,
        "unit": limit.unit.value,
        "limit": int(limit.rule.limit),
        "remaining": int(decision.remaining),
        "retry_after_s": math.ceil(decision.retry_after_s * 1000) / 1000,
    }
    kind = InstancesLimited if limit.of_instance else RateLimitExceeded
    error = kind(details={**shown, **details}, retry_after_s=decision.retry_after_s)
    error.headers["ratelimit-limit"] = str(shown["limit"])
    error.headers["ratelimit-remaining"] = str(shown["remaining"])
    error.headers["ratelimit-reset"] = str(max(1, math.ceil(decision.reset_s)))
    return error
