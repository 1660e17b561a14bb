"""What one call is charged by the limits, and what of it is given back."""

import asyncio
from collections.abc import Sequence
from typing import Final

from jairouter_cli.gateway.inbound import Inbound
from jairouter_cli.gateway.limits import Limits
from jairouter_cli.payloads.tokens import Meter
from jairouter_cli.routing.admission import Demand, Limit, Refusal, Unit, client_of, demanded, of_tokens
from jairouter_cli.routing.failover import Ask
from jairouter_cli.routing.ledger import Seat
from jairouter_cli.routing.slots import Slots
from jairouter_cli.routing.table import Pool


class Admission:
    """One call's way past the limits: of rate, of tokens, of calls that a client has under way.

    They are asked together, charge all or nothing, and are settled once: whoever opens it calls `settle` at the end.
    """

    __slots__ = (
        "_charged",
        "_client",
        "_has_entered",
        "_held",
        "_inbound",
        "_is_unused",
        "_limits",
        "_prompt_tokens",
        "decisions",
    )

    def __init__(self, limits: Limits, inbound: Inbound) -> None:
        self._limits: Final = limits
        self._inbound: Final = inbound
        self._client: Final = client_of(inbound.caller.address)
        self._charged: Sequence[Demand] = ()
        self._is_unused = False
        self._has_entered = False
        self._held: Sequence[Slots] = ()
        self._prompt_tokens = 0.0
        self.decisions: list[tuple[Limit, bool]] = []
        """Every limit that was asked, and whether it let the call pass."""

    async def ask(self, step: Seat | Ask, pool: Pool) -> Refusal | None:
        """Ask every limit that has not let the call pass yet; charge it all, or say which one refuses.

        Returns when the call may go on: it may be held back, so that all flow evenly.
        """
        if not self._has_entered and pool.caps and (refusal := self._enter(pool)) is not None:
            return refusal
        limits, demands = self._limits, self._demands(step, pool)
        if not demands:
            return None
        answer = limits.levels.charge(demands) if limits.far is None else await limits.charge(demands)
        if isinstance(answer, Refusal):
            self.decisions.append((answer.limit, False))
            return answer
        self.decisions += [(one.limit, True) for one in demands]
        self._charged = [*self._charged, *demands] if self._charged else demands
        self._is_unused = True
        if answer:
            await asyncio.sleep(answer)
        return None

    def _enter(self, pool: Pool) -> Refusal | None:
        """Count the call as one that its client has under way; its place is given back when the call is settled."""
        held = self._limits.enter(pool.caps, self._client)
        if isinstance(held, Refusal):
            self.decisions.append((held.limit, False))
            return held
        self._held, self._has_entered = held, True
        return None

    def _demands(self, step: Seat | Ask, pool: Pool) -> Sequence[Demand]:
        limits = pool.limits if isinstance(step, Ask) else pool.limits + step.target.limits
        demands = demanded(limits, self._client)
        if pool.counts_tokens:
            self._prompt_tokens, most = self._inbound.request.expected_tokens
            demands = of_tokens(demands, self._prompt_tokens + most)
        if self._is_unused:  # another request was faster to the instance that it was charged for
            self._give_back([one for one in self._charged if one.limit.of_instance])
        if self._charged:
            charged = {one.name for one in self._charged}
            return [one for one in demands if one.name not in charged]
        return demands

    def use(self) -> None:
        """Note that an attempt is made: what was charged for its instance is spent."""
        self._is_unused = False

    def _give_back(self, demands: Sequence[Demand]) -> None:
        self._limits.correct([demand._replace(cost=-demand.cost) for demand in demands])
        self._charged = [one for one in self._charged if one not in demands]
        self._is_unused = False

    def settle(self, meter: Meter | None, lasted_s: float, *, tried: bool) -> None:
        """Put right what was charged: tokens by what was answered, all of it if nobody was even tried."""
        if self._held:
            self._limits.leave(self._held, lasted_s)
        if not self._charged:
            return
        if not tried:
            self._give_back(self._charged)
            return
        charged = [one for one in self._charged if one.limit.unit is Unit.TOKENS]
        if charged:
            used = 0.0 if meter is None else meter.tokens(self._prompt_tokens)
            if used is not None:
                self._limits.correct([one._replace(cost=used - one.cost) for one in charged])
