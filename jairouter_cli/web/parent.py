"""The process that starts the workers: it passes the order to end on to them, waits, and says what came of it."""

import logging
import os
import sys
import time
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import wait
from select import select
from typing import Any, Final

from granian.server.mp import MPServer

from jairouter_cli.config.model import Shutdown, ShutdownMode
from jairouter_cli.web.shutdown import AT_ONCE, GRACE_S, Orders

logger: Final = logging.getLogger("jairouter")

_LOOK_S: Final = 0.5  # how often the order is repeated: a worker that was but starting had no ears yet
_SAY_S: Final = 0.5  # how long a line waits for somebody who reads it
_PATIENCE_S: Final = 4.0  # beyond what a worker needs for its end; one that hangs is killed then


class Parent(MPServer):
    """Granian's server, which ends at SIGINT or SIGTERM by the rules of `server.shutdown`, and at once at a second."""

    def __init__(self, rules: Shutdown, *, port: int, **settings: Any) -> None:
        super().__init__("jairouter", port=port, **settings)
        waits = rules.mode is ShutdownMode.GRACEFUL
        self._reports, report = Pipe(duplex=False)
        self.orders = Orders(
            rules.delay_s if waits else 0.0, rules.timeout_s if waits else 0.0, port, os.getpid(), report
        )
        """For the workers."""
        self._kill_at = float("inf")
        self._is_hurried = False

    @property
    def _workers(self) -> list[Any]:
        return list(self.wrks)

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        """Pass the order on, at once; nothing else, since it may have come at any moment."""
        if os.getpid() != self.orders.parent:
            return  # a worker that was but starting has inherited this
        if self.interrupt_signal:
            self._hurry()
        else:
            self._kill_at = self._patience()
            for worker in self._workers:
                worker.terminate()
        super().signal_handler_interrupt(*args, **kwargs)  # type: ignore[no-untyped-call]

    def _patience(self) -> float:
        """Return until when workers that are told to end now are waited for."""
        return time.monotonic() + self.orders.delay_s + self.orders.timeout_s + GRACE_S + _PATIENCE_S

    def _hurry(self) -> None:
        self._is_hurried = True
        self._kill_at = min(self._kill_at, time.monotonic() + GRACE_S + _PATIENCE_S)
        for worker in self._workers:
            with suppress(ProcessLookupError):
                if worker.is_alive():
                    os.kill(worker.inner.pid, AT_ONCE)

    def _respawn_workers(self, workers: list[int], *args: Any, **kwargs: Any) -> None:
        """Replace workers, one after the other, unless all are to end."""
        for worker in workers:
            if not self.interrupt_signal:
                super()._respawn_workers([worker], *args, **kwargs)

    def _stop_workers(self) -> None:
        if self.interrupt_signal:
            _say(
                logging.INFO,
                "draining: requests under way have %g s%s; a second signal ends them at once",
                self.orders.timeout_s,
                f", new ones are taken for {self.orders.delay_s:g} s" if self.orders.delay_s else "",
            )
        else:
            self._kill_at = self._patience()
        while (alive := [one for one in self._workers if one.is_alive()]) and time.monotonic() < self._kill_at:
            for worker in alive:
                worker.terminate()
            wait([worker.inner.sentinel for worker in alive], _LOOK_S)
        for worker in alive:
            _say(logging.ERROR, "worker %d does not end: killed", worker.idx + 1)
            worker.kill()
            worker.join()
        self.wrks.clear()
        if self.interrupt_signal:
            self.interrupt_children.clear()  # one that was faster than the order is no failure
            self._tell()

    def _tell(self) -> None:
        ended = 0
        while self._reports.poll():
            ended += self._reports.recv()
        if self._is_hurried:
            _say(logging.WARNING, "forced to end at once: %d requests ended", ended)
        elif ended:
            _say(logging.WARNING, "the time is over: %d requests ended", ended)


def _say(level: int, message: str, *values: object) -> None:
    """Log something, unless nobody reads standard error: an end must not wait for that."""
    if sys.platform == "win32" or select([], [sys.stderr], [], _SAY_S)[1]:
        logger.log(level, message, *values)
