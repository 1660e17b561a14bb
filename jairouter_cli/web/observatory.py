"""All metrics of the server, whichever worker is asked: what every worker has counted, and how things stand."""

import asyncio
import os
from collections.abc import Iterator, Mapping
from typing import Final

from jairouter_cli.config.store import Store
from jairouter_cli.errors import JAIRouterError
from jairouter_cli.gateway import gauges
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.gateway.pulse import take_pulse
from jairouter_cli.observe import host
from jairouter_cli.observe.collection import Metric, Reading, Rows, add_up, collect
from jairouter_cli.observe.custom import custom_families, last_fed
from jairouter_cli.observe.exposition import exposition
from jairouter_cli.observe.families import ALIASES, FAMILIES, Family
from jairouter_cli.observe.metrics import Metrics
from jairouter_cli.web.observation import Observation


class Observatory:
    """What can be asked for metrics."""

    def __init__(self, gateway: Gateway, store: Store, watching: Observation) -> None:
        self._gateway: Final = gateway
        self._store: Final = store
        self._watching: Final = watching

    @property
    def metrics(self) -> Metrics:
        """What this worker counts."""
        return self._watching.metrics

    @property
    def era(self) -> str:
        """The same for as long as counts only grow."""
        return self._watching.boards.era

    @property
    def families(self) -> Iterator[Family]:
        """The families that are shown, as the configuration has it."""
        settings = self._gateway.table.config.monitoring.metrics
        for family in (*FAMILIES, *(ALIASES if settings.aliases else ())):
            if family.category in settings.enabled_categories and family.name not in settings.disabled:
                yield family

    async def rows(self) -> Mapping[str, Rows]:
        """Return what all workers have counted, whether the configuration shows it or not."""
        return await asyncio.to_thread(add_up, self._watching.boards)

    async def collect(self) -> list[Metric]:
        """Return all metrics that have any series, as they are now."""
        take_pulse(self._gateway, self._watching.metrics, self._watching.losses())
        readings = await gauges.readings(self._gateway)
        return await asyncio.to_thread(self._collect, readings)

    async def exposition(self, accept: str) -> tuple[bytes, str]:
        """Return them in Prometheus's format, and its media type."""
        metrics = await self.collect()
        settings = self._gateway.table.config.monitoring.metrics
        return await asyncio.to_thread(exposition, metrics, settings.prefix, settings.custom_tags, accept)

    def _collect(self, readings: list[Reading]) -> list[Metric]:
        if not self._gateway.table.config.monitoring.metrics.enabled:
            return []
        workers = host.names(worker.pid for worker in self._gateway.crew.workers())
        revision = Reading("config_revision", (), self.revision())
        processes = host.readings({**workers, "parent": os.getppid()}, self._store.file.resolve().parent)
        rows = add_up(self._watching.boards)
        custom = custom_families(self._gateway.table.config.monitoring.metrics, rows)
        return collect([*self.families, *custom], rows, [*readings, revision, *processes])

    def last_fed(self) -> dict[str, float]:
        """Return when custom metrics were fed last, by any worker. To be called beside the event loop."""
        return last_fed(self._watching.boards, self._gateway.table.config.monitoring.metrics.custom)

    def revision(self) -> float:
        """Return the number of the revision in force; 0 if it was not noted, or cannot be looked up."""
        try:
            last = self._store.history.last
        except JAIRouterError:
            return 0
        return last.number if last is not None and last.digest == self._gateway.digest else 0
