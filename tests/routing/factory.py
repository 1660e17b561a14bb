"""Short ways to make targets, pools and ledgers for the tests of pure policy."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from jairouter_cli.config.model import Balancing, Dialect, HashAlgorithm, ServiceType
from jairouter_cli.routing.balance import Chance
from jairouter_cli.routing.call import Call, Target, Timeouts
from jairouter_cli.routing.failover import Circumstances
from jairouter_cli.routing.ledger import Lease, Ledger, Seat
from jairouter_cli.routing.retry_budget import RetryBudget
from jairouter_cli.routing.table import Pool

CALL = Call(ServiceType.CHAT, "m", client_ip="203.0.113.5")


@dataclass
class Clock:
    """Time that a test moves."""

    now: float = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def target(name: str, weight: int = 1, max_retries: int = 9, **more: Any) -> Target:
    """Make a target that goes by `name`, on a machine of its own unless `machine` names another."""
    return Target(
        key=(ServiceType.CHAT, name, 1),
        id=name,
        origin=f"http://{name}",
        prefix="/v1",
        path="/v1/chat/completions",
        weight=weight,
        dialect=Dialect.NORMAL,
        timeouts=Timeouts(1, 1, 1, 1),
        max_retries=max_retries,
        headers=(),
        **{"machine": f"{name}:80", **more},
    )


def pool(targets: Sequence[Target], balancing: Balancing = Balancing.ROUND_ROBIN, **more: Any) -> Pool:
    """Make a pool of targets."""
    return Pool(ServiceType.CHAT, "m", tuple(targets), balancing, **more)


def ledger(targets: Sequence[Target]) -> Ledger:
    """Make a ledger that knows the targets."""
    made = Ledger()
    made.reconcile(targets)
    return made


def around(book: Ledger, clock: Clock | None = None, seed: int = 1) -> Circumstances:
    """Make what a plan works with."""
    return Circumstances(book, Random(seed), clock or Clock(), RetryBudget())


def leased(book: Ledger, one: Target, now: float = 1000.0) -> Lease:
    """Take a lease that nothing speaks against."""
    lease = book.lease(one, now)
    assert lease is not None
    return lease


def seats(book: Ledger, targets: Sequence[Target]) -> list[Seat]:
    """Return the candidates."""
    return [Seat(one, book.live(one)) for one in targets]


def chance(
    call: Call = CALL, seed: int = 1, now: float = 1000.0, algorithm: HashAlgorithm = HashAlgorithm.MD5
) -> Chance:
    """Make a chance with a seeded generator."""
    return Chance(call, Random(seed), now, algorithm, 1.25)
