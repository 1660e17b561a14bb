"""How a call found its instance, for those who ask: `jairouter explain` and the header `X-JAiRouter-Route`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.observe.events import Attempt
from jairouter_cli.routing.balance import STRATEGIES, Chance
from jairouter_cli.routing.call import Call
from jairouter_cli.routing.explain import Candidate, explain
from jairouter_cli.routing.table import Pool

ROUTE_HEADER: Final = "x-jairouter-route"

_MS: Final = 1000.0


async def candidates(gateway: Gateway, pool: Pool, call: Call) -> tuple[Candidate, ...]:
    """Return how the instances of a pool stand for a call, at this moment."""
    limited = await gateway.limits.reached(pool, call.client_ip)
    chance = Chance(call, Random(0), gateway.clock(), pool.hash_algorithm, pool.load_factor)
    return explain(pool, gateway.ledger.seats(pool.targets), gateway.ledger.seats(pool.disabled), chance, limited)


async def explanation(gateway: Gateway, pool: Pool, call: Call) -> dict[str, Any]:
    """Return the same as plain data, with what the scores mean."""
    rows = [row._asdict() for row in await candidates(gateway, pool, call)]
    for row in rows:
        row["state"] = row["state"].value
        row["breaker"] = None if row["breaker"] is None else row["breaker"].name
        row["obstacle"] = None if row["obstacle"] is None else row["obstacle"].value
        row["score"] = None if row["score"] == float("inf") else row["score"]
    return {
        "service": pool.service.value,
        "model": pool.model,
        "strategy": pool.balancing.value,
        "scoreMeans": STRATEGIES[pool.balancing].meaning,
        "affinity": call.affinity,
        "clientIp": call.client_ip,
        "candidates": [{_camel(name): value for name, value in row.items()} for row in rows],
    }


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


@dataclass(frozen=True, slots=True)
class Route:
    """How things stood before the first attempt: each candidate, its score, and what stood against it."""

    strategy: str
    scores: dict[str, Any]

    @classmethod
    async def begin(cls, gateway: Gateway, pool: Pool, call: Call) -> "Route":
        """Note how things stand."""
        scores: dict[str, Any] = {}
        for row in await candidates(gateway, pool, call):
            against = None if row.obstacle is None else row.obstacle.value
            score = row.score if row.score is None else round(min(row.score, 1e9), 4)
            scores[row.instance] = against or score
        return cls(pool.balancing.value, scores)

    def header(
        self, attempts: Sequence[Attempt], passed_over: Sequence[tuple[str, str]], queued_s: float, total_s: float
    ) -> str:
        """Return the header's value, JSON in ASCII: candidates with score or obstacle, attempts, times up to here."""
        upstream_s = sum(attempt.duration_s for attempt in attempts)
        value = {
            "strategy": self.strategy,
            "candidates": self.scores,
            "attempts": [
                {"instance": one.instance, "result": one.failure or one.status, "ms": round(one.duration_s * _MS, 3)}
                for one in attempts
            ],
            "passedOver": dict(passed_over),
            "ms": {
                "gateway": round(max(0.0, total_s - upstream_s - queued_s) * _MS, 3),
                "queue": round(queued_s * _MS, 3),
                "upstream": round(upstream_s * _MS, 3),
            },
        }
        return json.dumps(value, separators=(",", ":"))
