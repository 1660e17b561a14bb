"""A worker's way to its end: it hears the order, serves on for a while, waits for what is under way, and ends the rest.

The order is SIGTERM, however often; only the parent knows of a second one, and passes it on as `AT_ONCE`. SIGINT is the
parent's alone: a terminal sends it to all processes at once. Granian's own way, which knows no deadline, is taken when
new connections are to be refused; its end is the worker's.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from struct import Struct
from typing import Any, Final, NamedTuple

from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.web.doors import client_socket
from jairouter_cli.web.doors.departures import Departures

logger: Final = logging.getLogger("jairouter")

AT_ONCE: Final = signal.SIGUSR1
GRACE_S: Final = 1.0  # for the last words of what was ended to reach clients, and for clients to read them
_QUEUE_S: Final = 0.02  # for Granian to take the connections that wait in the queue of the port
_ON_ITS_WAY_S: Final = 0.25  # for the first request on a connection that was made just before
_LOOK_S: Final = 0.5  # how often a worker looks whether its parent lives, and says that it does
_START_LOOK_S: Final = 0.02  # likewise, until it serves

BEAT: Final = Struct("I")
"""What a worker that is at work writes again and again: its process id."""


class Orders(NamedTuple):
    """What a worker is told about its end when it is made.

    `parent` is the process without which it does not go on; `port` the one it listens on. `report` takes the number of
    requests that it had to end, `beat` what tells that the worker is at work.
    """

    delay_s: float
    timeout_s: float
    port: int
    parent: int
    report: "Connection[Any, Any]"
    beat: "Connection[Any, Any]"


class WorkerShutdown:
    """The end of one worker."""

    def __init__(self, gateway: Gateway, departures: Departures, serves: asyncio.Event, orders: Orders) -> None:
        self._gateway = gateway
        self._serves = serves
        self._departures = departures
        self._orders = orders
        self._loop: asyncio.AbstractEventLoop
        self._refuse: Callable[[], object]

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take the orders on a loop that Granian has yet to be given."""
        self._loop = loop
        loop.add_signal_handler(signal.SIGTERM, self.begin)
        loop.add_signal_handler(AT_ONCE, self.end)
        # it is what Granian would do itself at a signal, and there is no other way to make it do so
        loop.add_signal_handler = self._keep  # type: ignore[method-assign, assignment]
        loop.call_soon(self._look)

    def _keep(self, _: int, callback: Callable[..., object], *args: Any) -> None:
        self._refuse = lambda: callback(*args)

    def _look(self) -> None:
        """See whether the parent lives: without it a worker would serve on for ever, and hold the port."""
        if os.getppid() != self._orders.parent:
            logger.error("the parent process is gone: draining")
            self.begin()
            return
        self._loop.call_later(_LOOK_S if self._serves.is_set() else _START_LOOK_S, self._look)
        if self._serves.is_set():
            with suppress(OSError):  # the parent is stopped, and has yet to read those before
                os.write(self._orders.beat.fileno(), BEAT.pack(os.getpid()))

    def begin(self) -> None:
        """Begin to drain, if that has not begun."""
        drain, delay_s, timeout_s = self._gateway.drain, self._orders.delay_s, self._orders.timeout_s
        if drain.has_begun:
            return
        drain.begin(self._gateway.clock() + delay_s + timeout_s)
        self._loop.call_later(delay_s, self._hold_off)
        self._loop.call_later(delay_s + timeout_s, self.end)

    def _hold_off(self) -> None:
        """Refuse new connections, once those that were just made have brought their first request.

        Granian closes every connection on which none has come yet, though it may be on its way.
        """
        if client_socket.hold_off(self._orders.port):
            self._loop.call_later(_QUEUE_S, self._wait_for_requests)
        else:
            self._refuse()

    def _wait_for_requests(self) -> None:
        """Wait for first requests that may be on their way, if there are any clients at all."""
        has_clients = client_socket.has_clients(self._orders.port)
        self._loop.call_later(_ON_ITS_WAY_S if has_clients else 0.0, self._refuse)

    def end(self) -> None:
        """End what is under way, if that was not done."""
        drain = self._gateway.drain
        if drain.is_over:
            return
        drain.begin(min(drain.deadline, self._gateway.clock()))
        drain.is_over = True
        ended = self._departures.end()
        if ended:
            self._orders.report.send(ended)
        self._refuse()
        self._loop.call_later(GRACE_S, client_socket.reset_all, self._orders.port)
