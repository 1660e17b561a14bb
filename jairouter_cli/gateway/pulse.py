"""What only a worker itself can tell of itself, noted from time to time: its event loop's lag, its pools."""

import asyncio
import gc
from typing import Final

from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.observe import families
from jairouter_cli.observe.metrics import Metrics

_LOOK_S: Final = 0.5
_AGE_S: Final = 60.0  # how long a largest value is "of late"


async def keep_pulse(gateway: Gateway, metrics: Metrics) -> None:
    """Do so until cancelled."""
    lags = metrics.histogram(families.LOOP_LAGS, ())
    noted = aged = gateway.clock()
    while True:
        due = gateway.clock() + _LOOK_S
        await asyncio.sleep(_LOOK_S)
        now = gateway.clock()
        lags.observe(max(0.0, now - due))
        if now >= noted + gateway.table.config.monitoring.metrics.collection_interval_s:
            note_pools(gateway, metrics)
            note_garbage(metrics)
            noted = now
        if now >= aged + _AGE_S:
            metrics.age()
            aged = now


def note_pools(gateway: Gateway, metrics: Metrics) -> None:
    """Note how many connections there are."""
    for pool in gateway.upstream.pools():
        for state, number in zip(("active", "idle", "waiting", "max"), pool[1:], strict=True):
            metrics.put(families.POOLS, (pool.backend, state), number)


def note_garbage(metrics: Metrics) -> None:
    """Note what the garbage collector has done since this was noted before."""
    for generation, numbers in enumerate(gc.get_stats()):
        for what, number in numbers.items():
            metrics.grow(families.GARBAGE, (str(generation), what), number)
