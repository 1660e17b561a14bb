"""The retry budget: limits retries, so that failures do not multiply the load on the remaining instances."""

import math
from typing import Final

from jairouter_cli.config.model import Failover

_KEPT_S: Final = 10.0  # for about how long what is not spent is kept (as in Finagle and Linkerd)


class RetryBudget:
    """An account into which every request pays a share of a retry, and time pays some more; savings fade."""

    __slots__ = ("_at", "_requests", "_savings")

    def __init__(self) -> None:
        self._requests = 0  # since `_at`
        self._savings = 0.0
        self._at = -math.inf

    def earn(self) -> None:
        """Take in that a request has begun."""
        self._requests += 1

    def spend(self, rules: Failover, now: float) -> bool:
        """Pay for a retry; return whether there was enough."""
        faded = max(0.0, now - self._at) / _KEPT_S
        kept = math.exp(-faded)
        # what came in evenly since then has faded evenly, too
        share = (1 - kept) / faded if faded else 1.0
        requests = min(self._requests, 1e9)
        self._savings = self._savings * kept + requests * rules.budget_ratio * (share if math.isfinite(faded) else 1.0)
        self._savings += rules.budget_rate * _KEPT_S * (1 - kept)
        self._requests, self._at = 0, max(now, self._at)
        if self._savings < 1:
            return False
        self._savings -= 1
        return True
