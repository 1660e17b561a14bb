"""The Litestar application of one worker: routes over a gateway, and the tasks that keep the gateway current."""

import asyncio
import gc
import logging
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.exceptions import HTTPException

from jairouter_cli.config.last_good import LastGood
from jairouter_cli.config.store import Store
from jairouter_cli.config.token import admin_token
from jairouter_cli.errors import RequestError
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.gateway.limits import Limits
from jairouter_cli.gateway.upstream.http1 import Http1Upstream
from jairouter_cli.gateway.watcher import begin, refuse
from jairouter_cli.routing.ledger import Ledger
from jairouter_cli.routing.table import compile_table
from jairouter_cli.serve.background import background
from jairouter_cli.state.redis import RedisLevels
from jairouter_cli.state.workers import Alone
from jairouter_cli.telemetry.instruments import Observation
from jairouter_cli.telemetry.metric_catalogue import Catalogue
from jairouter_cli.telemetry.scrape import Observatory
from jairouter_cli.web.access_log import Observed
from jairouter_cli.web.actuator.routes import actuator_router
from jairouter_cli.web.auth.operators import not_too_often, operators_only, plain_only
from jairouter_cli.web.doors.asgi import endpoint_routes
from jairouter_cli.web.doors.rsgi import RsgiApplication
from jairouter_cli.web.errors import answer_bug, answer_http_exception, answer_request_error
from jairouter_cli.web.manage.editor import Door
from jairouter_cli.web.manage.envelope import Refused, answer_refusal
from jairouter_cli.web.manage.explain import explain_routes
from jairouter_cli.web.manage.instance_ids import instance_id_routes
from jairouter_cli.web.manage.instances import instance_routes
from jairouter_cli.web.manage.limit_levels import limits_routes
from jairouter_cli.web.manage.limits import service_limit_routes
from jairouter_cli.web.manage.live import live_routes
from jairouter_cli.web.manage.loadbalancer import balancing_routes
from jairouter_cli.web.manage.merge import merge_routes
from jairouter_cli.web.manage.metric_registry import metric_registry_routes
from jairouter_cli.web.manage.metrics import metric_value_routes, metric_view_routes
from jairouter_cli.web.manage.models import catalogue_routes
from jairouter_cli.web.manage.monitoring import monitoring_routes
from jairouter_cli.web.manage.monitoring_config import monitoring_config_routes
from jairouter_cli.web.manage.services import service_routes
from jairouter_cli.web.manage.usage import usage_routes
from jairouter_cli.web.manage.versions import version_routes
from jairouter_cli.web.openapi.document import openapi_config, page_routes
from jairouter_cli.web.v1.calls import OpenAI
from jairouter_cli.web.v1.models import model_routes

if TYPE_CHECKING:
    from jairouter_cli.state.shared import SharedMemory
    from jairouter_cli.state.shared_levels import SharedLevels

logger: Final = logging.getLogger("jairouter")

_LAST_S: Final = 2.0  # for requests whose connection is gone, and which have but to be put down


def create_rsgi(file: Path, folder: Path | None = None, workers: int = 1) -> RsgiApplication:
    """Build the application of a worker for Granian's own interface. Raises `ConfigError`, `StoreError`."""
    litestar = create(file, folder, workers)
    openai: OpenAI = litestar.state.openai
    return RsgiApplication(openai, litestar, _observed(litestar))


def create_asgi(file: Path, folder: Path | None = None, workers: int = 1) -> Observed:
    """Build the application of a worker for ASGI. Raises `ConfigError`, `StoreError`."""
    return _observed(create(file, folder, workers))


def _observed(litestar: Litestar) -> Observed:
    watching: Observation = litestar.state.watching
    openai: OpenAI = litestar.state.openai
    return Observed(litestar, litestar.state.gateway, openai.intake, watching.handled)


def create(file: Path, folder: Path | None = None, workers: int = 1) -> Litestar:
    """Build the application of a worker from its configuration file. Raises `ConfigError`, `StoreError`.

    While the file cannot be used it goes by what the other workers go by, of which there is a copy in the `folder`.

    With others, it holds in common with them in a `folder` what must be the same for all; what it counts is there, too.
    """
    store = Store(file)
    good = LastGood(folder)
    loaded, trouble = begin(store, good)
    shared = _share(folder, workers) if folder is not None and workers > 1 else None
    state = loaded.config.state
    limits = Limits(
        time.monotonic,
        None if shared is None or folder is None else _share_levels(folder),
        shared,
        None if state.url is None else RedisLevels(state, logger.warning),
    )
    crew = shared or Alone()
    watching = Observation(store.file, loaded.config, crew, folder, shared)
    gateway = Gateway(
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
    gateway.followers.append(watching.follow)
    gateway.use(loaded.digest, loaded.written_at)
    good.keep(loaded)
    if trouble is not None:
        refuse(gateway, trouble)
    return application(gateway, store, watching, shared)


def _share(folder: Path, workers: int) -> "SharedMemory":
    from jairouter_cli.state.shared import SharedMemory  # noqa: PLC0415 - not on every system, nor with one worker

    return SharedMemory(folder, workers)


def _share_levels(folder: Path) -> "SharedLevels":
    from jairouter_cli.state.shared_levels import SharedLevels  # noqa: PLC0415 - as above

    return SharedLevels(folder, time.monotonic)


def application(
    gateway: Gateway, store: Store, watching: Observation, shared: "SharedMemory | None" = None
) -> Litestar:
    """Build the application over a gateway that follows a store."""

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        watching.start()
        kept = background(gateway, store, watching, shared)
        tasks = [asyncio.create_task(gateway.tasks.keep(name, task)) for name, task in kept.items()]
        if (far := gateway.limits.far) is not None:
            await far.tried.wait()
        _spare_the_collector()
        serves.set()
        yield
        await openai.departures.all_gone(_LAST_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await gateway.upstream.aclose()
        gateway.limits.close()
        if shared is not None:
            shared.close()
        await asyncio.to_thread(watching.close)

    openai, door, serves = OpenAI(gateway), Door(gateway, store), asyncio.Event()
    observatory = Observatory(gateway, store, watching)
    catalogue = Catalogue(gateway, observatory)
    return Litestar(
        route_handlers=[
            *endpoint_routes(openai),
            *page_routes(),
            Router(
                "/",
                route_handlers=model_routes(gateway),
                guards=[not_too_often],
            ),
            actuator_router(gateway, store, observatory, watching.levels),
            Router(
                "/",
                route_handlers=[
                    *explain_routes(gateway),
                    *limits_routes(gateway),
                    *service_routes(door),
                    *service_limit_routes(door),
                    *balancing_routes(door),
                    *instance_routes(door, gateway),
                    *instance_id_routes(door, gateway),
                    *version_routes(door),
                    *merge_routes(door),
                    *catalogue_routes(gateway),
                    *monitoring_routes(gateway),
                    *usage_routes(gateway, watching.usage),
                    *live_routes(gateway, observatory),
                    *monitoring_config_routes(door, gateway),
                    *metric_view_routes(catalogue),
                    *metric_value_routes(catalogue, gateway, observatory),
                    *metric_registry_routes(door, gateway, catalogue),
                ],
                guards=[not_too_often, operators_only, plain_only],
            ),
        ],
        lifespan=[lifespan],
        state=State({"gateway": gateway, "openai": openai, "watching": watching, "serves": serves}),
        exception_handlers={
            Refused: answer_refusal,
            HTTPException: answer_http_exception,
            RequestError: answer_request_error,
            Exception: answer_bug,
        },
        openapi_config=openapi_config(),
        logging_config=None,
        request_max_body_size=None,  # `Intake` has the one limit
    )


def _spare_the_collector() -> None:
    """Keep the garbage collector from walking, again and again, through all that was loaded and never goes.

    Requests leave hardly any cycles behind. Measured at 32 connections: a third more requests per second, and the
    slowest percentile seven times as fast.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
