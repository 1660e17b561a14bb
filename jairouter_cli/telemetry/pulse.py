"""What only a worker itself can tell of itself, noted from time to time: its loop's lag, its pools, what it lost."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final

from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.observe import families
from jairouter_cli.observe.metrics import MetricsSink

_LOOK_S: Final = 0.5
_AGE_S: Final = 60.0  # how long a largest value is "of late"


Losses = Callable[[], Mapping[str, int]]


async def keep_pulse(gateway: Gateway, metrics: MetricsSink, losses: Losses) -> AsyncIterator[None]:
    """Do so, and yield after every look."""
    lags = metrics.histogram(families.LOOP_LAGS, ())
    noted = aged = gateway.clock()
    while True:
        due = gateway.clock() + _LOOK_S
        await asyncio.sleep(_LOOK_S)
        now = gateway.clock()
        if metrics.is_enabled:
            lags.observe(max(0.0, now - due))
        if now >= noted + gateway.table.config.monitoring.metrics.collection_interval_s:
            take_pulse(gateway, metrics, losses())
            noted = now
        if now >= aged + _AGE_S:
            metrics.age()
            aged = now
        yield


def take_pulse(gateway: Gateway, metrics: MetricsSink, losses: Mapping[str, int]) -> None:
    """Note how many connections there are, what was lost, and what the garbage collector has done."""
    for pool in gateway.upstream.pools():
        for state, number in zip(("active", "idle", "waiting", "max"), pool[1:], strict=True):
            metrics.put(families.POOLS, (pool.backend, state), number)
    for component, number in losses.items():
        metrics.grow(families.LOSSES, (component,), number)
    for generation, numbers in enumerate(gc.get_stats()):
        for what, number in numbers.items():
            metrics.grow(families.GARBAGE, (str(generation), what), number)
