"""What a worker does beside its requests, by name: the tasks that `gateway.tasks` keeps going."""

import asyncio
from collections.abc import Mapping
from random import Random
from typing import TYPE_CHECKING

from jairouter_cli.config.store import Store
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.gateway.peers import stay_in_touch
from jairouter_cli.gateway.prober import probe_all
from jairouter_cli.gateway.tasks import Task
from jairouter_cli.gateway.watcher import watch
from jairouter_cli.serve.model_lists import follow_lists
from jairouter_cli.telemetry.instruments import Instruments
from jairouter_cli.telemetry.pulse import keep_pulse

if TYPE_CHECKING:
    from jairouter_cli.state.shared import SharedMemory


def background(
    gateway: Gateway, store: Store, watching: Instruments, shared: "SharedMemory | None"
) -> Mapping[str, Task]:
    """Return the tasks of a worker; with `shared` it is one of several."""
    edited = asyncio.Event()
    leads = _alone if shared is None else shared.leads
    tasks: dict[str, Task] = {
        "configuration": lambda: watch(gateway, store, leads, edited),
        "health-checks": lambda: probe_all(gateway, Random(), leads),
        "model-lists": lambda: follow_lists(gateway, store, leads),
        "pulse": lambda: keep_pulse(gateway, watching.metrics, watching.losses),
        "usage": watching.usage.run,
    }
    if shared is not None:
        tasks["workers"] = lambda: stay_in_touch(shared, gateway, edited, watching.levels.follow)
    if (far := gateway.limits.far) is not None:
        tasks["shared-limits"] = far.run
    return tasks


def _alone() -> bool:
    """Whether this worker leads; the only one does."""
    return True
