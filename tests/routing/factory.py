"""Short ways to make targets, pools and ledgers for the tests of pure policy."""

from collections.abc import Sequence

from jairouter_cli.config.model import Balancing, Dialect, HashAlgorithm, ServiceType
from jairouter_cli.routing.call import Call, Target, Timeouts
from jairouter_cli.routing.ledger import Ledger
from jairouter_cli.routing.table import Pool

CALL = Call(ServiceType.CHAT, "m", client_ip="203.0.113.5")


def target(name: str, weight: int = 1, max_retries: int = 9) -> Target:
    """Make a target that goes by `name`."""
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
    )


def pool(targets: Sequence[Target], balancing: Balancing = Balancing.ROUND_ROBIN) -> Pool:
    """Make a pool of targets."""
    return Pool(ServiceType.CHAT, "m", tuple(targets), balancing, HashAlgorithm.MD5)


def ledger(targets: Sequence[Target]) -> Ledger:
    """Make a ledger that knows the targets."""
    made = Ledger()
    made.reconcile(targets)
    return made
