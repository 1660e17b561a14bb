"""The failover plan: which instances are tried, in which order, and when to give up.

A generator that yields leases and is sent outcomes, so that it can be tested with plain values. It settles a lease
when it is told of its failure. When the exchange succeeds the caller keeps the lease and closes the generator.
"""

from collections.abc import Generator
from random import Random

from jairouter_cli.routing.balance import STRATEGIES, Chance, Seat
from jairouter_cli.routing.call import Call, Outcome
from jairouter_cli.routing.health import State
from jairouter_cli.routing.ledger import Lease, Ledger
from jairouter_cli.routing.table import Pool

Plan = Generator[Lease, Outcome, None]


def plan(pool: Pool, ledger: Ledger, call: Call, rng: Random) -> Plan:
    """Yield a lease per attempt, each on an instance that was not tried before.

    Instances known to be down come last, not never: a probe may be older than the recovery. The `max-retries` of the
    instance tried first bounds the attempts after it.
    """
    left = [Seat(target, ledger.live(target)) for target in pool.targets]
    chance = Chance(call, rng, pool.hash_algorithm)
    retries: int | None = None
    while left:
        usable = [seat for seat in left if seat.live.health.state is not State.DOWN] or left
        seat = usable[0] if len(usable) == 1 else STRATEGIES[pool.balancing](usable, chance)
        lease = ledger.lease(seat.target)
        lease.settle((yield lease))
        left.remove(seat)
        retries = seat.target.max_retries if retries is None else retries - 1
        if retries == 0:
            return
