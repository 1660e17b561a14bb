"""Looks whether instances can be reached: a TCP connection, opened and closed. Free for the backend, loads no model."""

import asyncio
import logging
import os
from random import Random
from typing import Final

from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.routing.call import Target
from jairouter_cli.routing.health import State

logger: Final = logging.getLogger("jairouter")

_LOOK_S: Final = 0.5  # how soon a new instance is probed
_AT_ONCE: Final = 64  # probes under way together


async def probe_all(gateway: Gateway, rng: Random) -> None:
    """Probe every target when it is due, until cancelled. Instances that nobody has heard of yet are due at once."""
    due: dict[object, float] = {}
    places = asyncio.Semaphore(_AT_ONCE)
    while True:
        targets = gateway.table.targets
        check = gateway.table.config.model.load_balance.health_check
        now = gateway.clock()
        if check.enabled:
            ready = [target for target in targets if due.get(target.key, 0.0) <= now]
            # spread by a tenth, so that many gateways do not knock in step
            due |= {target.key: now + check.interval_s * rng.uniform(0.9, 1.1) for target in ready}
            await asyncio.gather(*(_probe(gateway, target, places) for target in ready))
        keys = {target.key for target in targets}
        due = {key: at for key, at in due.items() if key in keys}
        await asyncio.sleep(_LOOK_S)


async def _probe(gateway: Gateway, target: Target, places: asyncio.Semaphore) -> None:
    check = gateway.table.config.model.load_balance.health_check
    async with places:
        reason = await _knock(target.address, check.timeout_s)
    health = gateway.ledger.live(target).health
    before = health.state
    health.saw(check, ok=not reason, at=gateway.wall_clock(), reason=reason)
    if health.state is not before and before is not State.UNKNOWN:
        logger.warning("instance %s of %s is %s %s", target.id, target.key[0], health.state, reason)


async def _knock(address: tuple[str, int], timeout_s: float) -> str:
    """Open a connection and close it; return why that failed, or nothing."""
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(*address)
    except TimeoutError:
        return "connect_timeout"
    except OSError as error:
        return os.strerror(error.errno) if error.errno else error.strerror or str(error)
    writer.transport.abort()  # nothing was said; no need to say goodbye
    return ""
