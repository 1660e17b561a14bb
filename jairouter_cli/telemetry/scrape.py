"""All metrics of the server, whichever worker is asked: what every worker has counted, and how things stand."""

import asyncio
import os
from collections.abc import Collection, Iterator, Mapping
from threading import Lock
from typing import Final

from jairouter_cli.config.store import Store
from jairouter_cli.errors import JAIRouterError
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.observe import host
from jairouter_cli.observe.collection import Metric, Reading, Rows, add_up, collect
from jairouter_cli.observe.custom import custom_families, last_fed
from jairouter_cli.observe.exposition import exposition, labels_of
from jairouter_cli.observe.families import ALIASES, FAMILIES, Family
from jairouter_cli.observe.metrics import MetricsSink
from jairouter_cli.state.roll import RollCall
from jairouter_cli.telemetry import gauges
from jairouter_cli.telemetry.instruments import Instruments
from jairouter_cli.telemetry.pulse import take_pulse

_HANGS_S: Final = 1.0


class Scrape:
    """What can be asked for metrics."""

    def __init__(self, gateway: Gateway, store: Store, watching: Instruments) -> None:
        self._gateway: Final = gateway
        self._store: Final = store
        self._watching: Final = watching
        self._loads: Final = host.Loads()
        self._looking: Final = Lock()
        self._revision = 0

    @property
    def metrics(self) -> MetricsSink:
        """What this worker counts."""
        return self._watching.metrics

    @property
    def era(self) -> str:
        """The same for as long as counts only grow."""
        return self._watching.boards.era

    @property
    def families(self) -> Iterator[Family]:
        """The families that are shown, as the configuration has it."""
        return self._families(with_aliases=self._gateway.table.config.monitoring.metrics.aliases)

    def _families(self, *, with_aliases: bool) -> Iterator[Family]:
        settings = self._gateway.table.config.monitoring.metrics
        for family in (*FAMILIES, *(ALIASES if with_aliases else ())):
            if family.category in settings.enabled_categories and family.name not in settings.disabled:
                yield family

    async def rows(self) -> Mapping[str, Rows]:
        """Return what all workers have counted, whether the configuration shows it or not."""
        return await asyncio.to_thread(add_up, self._watching.boards)

    @property
    def tags(self) -> Mapping[str, str]:
        """The labels that every series carries."""
        config = self._gateway.table.config
        return labels_of({**config.management.metrics.tags, **config.monitoring.metrics.custom_tags})

    async def collect(self) -> list[Metric]:
        """Return all metrics that have any series, as they are now."""
        return await self._collect(list(self.families))

    async def everything(self) -> tuple[list[Family], list[Metric]]:
        """Return all families, those of the Java version's documents too, and those metrics that have any series."""
        if not self._gateway.table.config.monitoring.metrics.enabled:
            return [], []
        families = list(self._families(with_aliases=True))
        return families, await self._collect(families)

    async def exposition(self, accept: str, included: Collection[str] = ()) -> tuple[bytes, str]:
        """Return them in Prometheus's format, and its media type; those only with one of the names, if any is given."""
        metrics = await self.collect()
        prefix = self._gateway.table.config.monitoring.metrics.prefix
        return await asyncio.to_thread(exposition, metrics, prefix, self.tags, accept, included)

    async def _collect(self, families: list[Family]) -> list[Metric]:
        if not self._gateway.table.config.monitoring.metrics.enabled:
            return []
        take_pulse(self._gateway, self._watching.metrics, self._watching.losses())
        readings = await gauges.readings(self._gateway)
        return await asyncio.to_thread(self._added_up, families, readings)

    def _added_up(self, families: list[Family], readings: list[Reading]) -> list[Metric]:
        workers = host.names(worker.pid for worker in self._gateway.crew.workers())
        pids = {**workers, "parent": os.getppid()}
        processes = [*host.readings(pids, self._store.file.resolve().parent)]
        own = [
            Reading("config_revision", (), self.revision()),
            *(() if (told := self.told_of_workers()) is None else (Reading("worker_restarts", (), told.restarts),)),
            Reading("tasks_failing", (), len(self._gateway.tasks.troubles)),
            *processes,
            *self._loads.readings(processes, self._gateway.wall_clock()),
        ]
        rows = add_up(self._watching.boards)
        custom = custom_families(self._gateway.table.config.monitoring.metrics, rows)
        return collect([*families, *custom], rows, [*readings, *own])

    def last_fed(self) -> dict[str, float]:
        """Return when custom metrics were fed last, by any worker. To be called beside the event loop."""
        return last_fed(self._watching.boards, self._gateway.table.config.monitoring.metrics.custom)

    def told_of_workers(self) -> RollCall | None:
        """Return what the parent tells of all workers; None if there is none."""
        return self._watching.roll.read()

    def revision(self) -> int:
        """Return the number of the revision in force; 0 if it was not noted, or cannot be looked up."""
        if not self._looking.acquire(timeout=_HANGS_S):
            return self._revision  # one thread waits for a file system that hangs, and no others
        try:
            last = self._store.history.last
            self._revision = last.number if last is not None and last.digest == self._gateway.digest else 0
        except JAIRouterError:
            self._revision = 0
        finally:
            self._looking.release()
        return self._revision
