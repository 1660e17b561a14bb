"""The application under Granian: settings that differ from its defaults, each with its reason."""

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from granian.constants import HTTPModes, Interfaces, Loops
from granian.log import LogLevels

from jairouter_cli.config.last_good import LastGood
from jairouter_cli.config.monitoring import AccessLog
from jairouter_cli.config.store import Loaded
from jairouter_cli.errors import JAIRouterError, LogUnwritable
from jairouter_cli.gateway.upstream.http1 import tls_context
from jairouter_cli.observe.logs import dict_config
from jairouter_cli.observe.tracing import require
from jairouter_cli.observe.writer import RotatedFile
from jairouter_cli.serve.descriptors import Room, Watch, make_room, warn_if_small
from jairouter_cli.serve.early_body import ask_early
from jairouter_cli.serve.parent import Parent
from jairouter_cli.serve.shutdown import Orders, WorkerShutdown
from jairouter_cli.serve.worker import Blueprint, Worker
from jairouter_cli.state.redis import RedisLevels
from jairouter_cli.web.doors.rsgi import RsgiApplication

logger: Final = logging.getLogger("jairouter")

_BACKLOG: Final = 4096

# What Granian's own interface lacks is mended with the help of /proc; elsewhere the application speaks ASGI.
DEFAULT_INTERFACE: Final = Interfaces.RSGI if sys.platform == "linux" else Interfaces.ASGI

_APPLICATIONS: Final[Mapping[Interfaces, Callable[[Worker], Any]]] = {
    Interfaces.RSGI: Worker.rsgi,
    Interfaces.ASGI: Worker.asgi,
}


class Listening(NamedTuple):
    """Where to listen, and with how many workers."""

    host: str
    port: int
    workers: int


def run(
    loaded: Loaded,
    where: Listening,
    announce: Callable[[], None],
    options: Mapping[str, str],
    interface: str | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM, then drain; `announce` is called once when the port is open.

    `options` are the settings that the command line says over the file's.

    Raises `ConfigUnreadable`.
    """
    tls_context(loaded.config.webclient.ssl)  # so that what is wrong with it is said once, here
    if loaded.config.state.url is not None:
        RedisLevels(loaded.config.state, logger.warning)  # likewise
    if loaded.config.tracing.enabled:
        require()
    _try_access_log(loaded.config.logging.access)
    chosen = Interfaces(interface) if interface else DEFAULT_INTERFACE
    room = make_room()
    with ExitStack() as stack:
        shared = None
        if sys.platform != "win32":
            from jairouter_cli.state.folder import folder  # noqa: PLC0415 - not on every system

            shared = stack.enter_context(folder(where.workers))
            LastGood(shared.path).keep(loaded)  # what a worker begins with if the file is spoilt by then
        server = Parent(
            loaded.config.server.shutdown,
            loaded.config.server.worker_timeout_s,
            shared,
            address=where.host,
            port=where.port,
            interface=chosen,
            workers=where.workers,
            loop=Loops.uvloop,
            http=HTTPModes.http1,
            websockets=False,
            backlog=_BACKLOG,
            backpressure=room.clients,  # connections, not requests
            log_level=LogLevels.warning,
            log_dictconfig=dict_config(loaded.config.logging),
        )
        warn_if_small(room)  # its settings of the log are in force now
        server.on_startup(announce)
        place = None if shared is None else shared.path
        origin = Blueprint(loaded.file, place, where.workers, options)
        load = partial(_load, chosen, origin, server.orders, room)
        gc.freeze()  # what was imported never goes: no collection is to walk through it, least of all at the end
        server.serve(target_loader=load, wrap_loader=False)


def _try_access_log(settings: AccessLog) -> None:
    if settings.enabled and settings.file is not None:
        try:
            RotatedFile(Path(settings.file)).try_it()
        except OSError as error:
            raise LogUnwritable(file=settings.file, reason=error.strerror or str(error)) from None


def _load(interface: Interfaces, origin: Blueprint, orders: Orders, room: Room) -> Any:
    """Build the application, in the worker.

    Until it listens for orders, a worker has its parent's handlers, which would take an order to stop and do nothing:
    it is to end then.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent gets it, too
    try:
        worker = Worker(origin)
    except (JAIRouterError, OSError) as error:
        logger.error("this worker cannot start: %s", error)
        raise SystemExit(1) from None
    loop = asyncio.get_event_loop()
    WorkerShutdown(worker.gateway, worker.openai.departures, worker.serves, orders).listen(loop)
    Watch(room, orders.port).begin(loop)
    application = _APPLICATIONS[interface](worker)
    if isinstance(application, RsgiApplication):
        ask_early(application)
    return application
