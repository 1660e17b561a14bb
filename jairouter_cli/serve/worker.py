"""A worker: its gateway with all that it needs, its application, and the tasks that keep it current.

Several workers of one server hold in common, in a folder, what must be the same for all.
"""

import asyncio
import gc
import logging
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from litestar import Litestar

from jairouter_cli.config.last_good import LastGood
from jairouter_cli.config.store import Store
from jairouter_cli.config.token import admin_token
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.gateway.limits import Limits
from jairouter_cli.gateway.upstream.http1 import Http1Upstream
from jairouter_cli.gateway.watcher import begin, refuse
from jairouter_cli.routing.ledger import Ledger
from jairouter_cli.routing.table import compile_table
from jairouter_cli.serve.background import background
from jairouter_cli.state.redis import RedisLevels
from jairouter_cli.state.workers import Alone
from jairouter_cli.telemetry.instruments import Instruments
from jairouter_cli.web.access_log import AccessLogged
from jairouter_cli.web.app import Parts, application
from jairouter_cli.web.doors.rsgi import RsgiApplication
from jairouter_cli.web.v1.calls import OpenAI

if TYPE_CHECKING:
    from jairouter_cli.state.shared import SharedMemory
    from jairouter_cli.state.shared_levels import SharedLevels

logger: Final = logging.getLogger("jairouter")

_LAST_S: Final = 2.0  # for requests whose connection is gone, and which have but to be put down


class Blueprint(NamedTuple):
    """What a worker is made from: its file, the folder it has in common with others, how many there are.

    `options` are the settings that the command line says over the file's.
    """

    file: Path
    folder: Path | None = None
    workers: int = 1
    options: Mapping[str, str] = {}


class Worker:
    """One worker. Raises `ConfigError`, `StoreError` if it cannot be made.

    While the file cannot be used it takes the configuration that the other workers use, of which there is a copy in the
    folder.
    """

    def __init__(self, origin: Blueprint) -> None:
        file, folder, workers, options = origin
        store, good = Store(file), LastGood(folder)
        loaded, trouble = begin(store, good)
        self._shared: Final = _share(folder, workers) if folder is not None and workers > 1 else None
        shared, state = self._shared, loaded.config.state
        limits = Limits(
            time.monotonic,
            None if shared is None or folder is None else _share_levels(folder),
            shared,
            None if state.url is None else RedisLevels(state, logger.warning),
        )
        crew = shared or Alone()
        self._watching: Final = Instruments(store.file, loaded.config, crew, folder, shared)
        watching = self._watching
        self._store: Final = store
        self.gateway: Final = Gateway(
            table=compile_table(loaded.config, admin_token(loaded.config.server, os.environ)),
            upstream=Http1Upstream(loaded.config.webclient.connection_pool, loaded.config.webclient, os.environ),
            sinks=watching.sinks,
            ledger=Ledger(shared, watching.turned),
            probed=watching.metrics.probed,
            worker=0 if shared is None else shared.worker,
            limits=limits,
            crew=crew,
            tasks=watching.tasks,
            tracer=watching.tracer,
            good=good,
        )
        self.gateway.followers.append(watching.follow)
        self.gateway.use(loaded.digest, loaded.written_at)
        good.keep(loaded)
        if trouble is not None:
            refuse(self.gateway, trouble)
        self.openai: Final = OpenAI(self.gateway)
        self.serves: Final = asyncio.Event()
        """Set when it takes requests."""
        self.litestar: Final = application(Parts(self.gateway, store, watching, self.openai, options), self._live)

    def asgi(self) -> AccessLogged:
        """Return its application for ASGI."""
        return AccessLogged(self.litestar, self.gateway, self.openai.intake, self._watching.handled)

    def rsgi(self) -> RsgiApplication:
        """Return its application for Granian's own interface."""
        return RsgiApplication(self.openai.answers(), self.litestar, self.asgi())

    @asynccontextmanager
    async def _live(self, _: Litestar) -> AsyncIterator[None]:
        """Keep its tasks going for as long as the application lives."""
        gateway, watching = self.gateway, self._watching
        watching.start()
        kept = background(gateway, self._store, watching, self._shared)
        tasks = [asyncio.create_task(gateway.tasks.keep(name, task)) for name, task in kept.items()]
        if (far := gateway.limits.far) is not None:
            await far.tried.wait()
        _spare_the_collector()
        self.serves.set()
        yield
        await self.openai.departures.all_gone(_LAST_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await gateway.upstream.aclose()
        gateway.limits.close()
        if self._shared is not None:
            self._shared.close()
        await asyncio.to_thread(watching.close)


def _share(folder: Path, workers: int) -> "SharedMemory":
    from jairouter_cli.state.shared import SharedMemory  # noqa: PLC0415 - not on every system, nor with one worker

    return SharedMemory(folder, workers)


def _share_levels(folder: Path) -> "SharedLevels":
    from jairouter_cli.state.shared_levels import SharedLevels  # noqa: PLC0415 - as above

    return SharedLevels(folder, time.monotonic)


def _spare_the_collector() -> None:
    """Keep the garbage collector from walking, again and again, through all that was loaded and never goes.

    Requests leave hardly any cycles behind. Measured at 32 connections: a third more requests per second, and the
    slowest percentile seven times as fast.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
