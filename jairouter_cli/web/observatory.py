"""All metrics of the server, whichever worker is asked: what every worker has counted, and how things stand."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jairouter_cli.config.store import Store
from jairouter_cli.errors import JAIRouterError
from jairouter_cli.gateway import gauges
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.gateway.pulse import note_pools
from jairouter_cli.observe import host
from jairouter_cli.observe.board import BOARD_BYTES, Board, own_board
from jairouter_cli.observe.collection import Metric, Reading, add_up, collect
from jairouter_cli.observe.custom import custom_families, last_fed
from jairouter_cli.observe.exposition import exposition
from jairouter_cli.observe.families import ALIASES, FAMILIES, Family
from jairouter_cli.observe.metrics import Metrics
from jairouter_cli.state.boards import BoardFiles

if TYPE_CHECKING:
    from jairouter_cli.state.shared import SharedMemory


class Boards:
    """The boards of all workers; that of this one is `own`."""

    def __init__(self, folder: Path | None, shared: "SharedMemory | None") -> None:
        self._shared: Final = shared
        self._files = (
            None if folder is None else BoardFiles(folder, 0 if shared is None else shared.worker, BOARD_BYTES)
        )
        self.own: Final = own_board() if self._files is None else Board(self._files.own)
        self._others: dict[int, Board] = {}

    def __iter__(self) -> Iterator[tuple[Board, bool]]:
        """Yield every board, and whether its worker lives."""
        yield self.own, True
        if self._files is None or self._shared is None:
            return
        living = set(self._shared.living())
        for place, memory in self._files.others().items():
            board = self._others.get(place)
            if board is None:
                board = self._others[place] = Board(memory)
            yield board, place in living


class Observatory:
    """What can be asked for metrics."""

    def __init__(self, gateway: Gateway, store: Store, boards: Boards, metrics: Metrics) -> None:
        self._gateway: Final = gateway
        self._store: Final = store
        self._boards: Final = boards
        self.metrics: Final = metrics

    @property
    def families(self) -> Iterator[Family]:
        """The families that are shown, as the configuration has it."""
        settings = self._gateway.table.config.monitoring.metrics
        for family in (*FAMILIES, *(ALIASES if settings.aliases else ())):
            if family.category in settings.enabled_categories and family.name not in settings.disabled:
                yield family

    async def collect(self) -> list[Metric]:
        """Return all metrics that have any series, as they are now."""
        note_pools(self._gateway, self.metrics)
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
        own = [
            Reading("config_revision", (), self._revision()),
            Reading("metrics_errors", ("rows",), self.metrics.errors),
        ]
        processes = host.readings({**workers, "parent": os.getppid()}, self._store.file.resolve().parent)
        rows = add_up(self._boards)
        custom = custom_families(self._gateway.table.config.monitoring.metrics, rows)
        return collect([*self.families, *custom], rows, [*readings, *own, *processes])

    def last_fed(self) -> dict[str, float]:
        """Return when custom metrics were fed last, by any worker. To be called beside the event loop."""
        return last_fed(self._boards, self._gateway.table.config.monitoring.metrics.custom)

    def _revision(self) -> float:
        """Return the number of the revision in force; 0 if it was not noted, or cannot be looked up."""
        try:
            last = self._store.history.last
        except JAIRouterError:
            return 0
        return last.number if last is not None and last.digest == self._gateway.digest else 0
