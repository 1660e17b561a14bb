"""The process that starts the workers: it replaces those that end or hang, and passes the order to end on to them."""

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
from jairouter_cli.serve.roster import Silence, WorkerPlace, manner
from jairouter_cli.serve.shutdown import AT_ONCE, BEAT, GRACE_S, Orders
from jairouter_cli.state.folder import Folder
from jairouter_cli.state.roll import Roll

logger: Final = logging.getLogger("jairouter")

_LOOK_S: Final = (
    0.5  # how often it looks at all; the order to end is repeated as often: a worker may have had no ears yet
)
_SAY_S: Final = 0.5  # how long a line waits for somebody who reads it
_PATIENCE_S: Final = 4.0  # beyond what a worker needs for its end; one that hangs is killed then
_READ_BYTES: Final = 1 << 16


class Parent(MPServer):
    """Granian's server, which ends at SIGINT or SIGTERM by the rules of `server.shutdown`, and at once at a second.

    A worker that ends is replaced after a pause, the others stay. It gives up only where none could ever be started.
    """

    def __init__(
        self, rules: Shutdown, timeout_s: float, folder: Folder | None, *, port: int, workers: int, **settings: Any
    ) -> None:
        waits = rules.mode is ShutdownMode.GRACEFUL
        self._reports, report = Pipe(duplex=False)
        self._beats, beat = Pipe(duplex=False)
        self._calls, self._call = Pipe(duplex=False)
        for end in (self._beats, beat, self._calls, self._call):
            os.set_blocking(end.fileno(), False)
        self.orders = Orders(
            rules.delay_s if waits else 0.0, rules.timeout_s if waits else 0.0, port, os.getpid(), report, beat
        )
        """For the workers."""
        bound_s = self.orders.delay_s + self.orders.timeout_s + GRACE_S + _PATIENCE_S
        super().__init__("jairouter", port=port, workers=workers, workers_kill_timeout=int(bound_s) + 1, **settings)
        self._timeout_s = timeout_s
        self._folder = folder
        self._roll = None if folder is None else Roll(folder.path)
        self._places = [WorkerPlace(number + 1) for number in range(workers)]
        self._has_served = False
        self._kill_at = float("inf")
        self._is_hurried = False

    @property
    def _workers(self) -> list[Any]:
        """Those that were started."""
        return [one for one in self.wrks if one.inner.pid is not None]

    # --- as long as it serves ---

    def _spawn_worker(self, *args: Any, **kwargs: Any) -> Any:
        worker: Any = super()._spawn_worker(*args, **kwargs)
        worker._watch = lambda: None  # noqa: SLF001 - Granian's thread; we look ourselves
        return worker

    def _spawn_workers(self, spawn_target: Any, target_loader: Any) -> None:
        for place in self._places:
            worker = self._spawn_worker(idx=place.number - 1, target=spawn_target, callback_loader=target_loader)
            self.wrks.append(worker)
            self._start(place, worker)

    def _start(self, place: WorkerPlace, worker: Any) -> None:
        place.begin(time.monotonic())
        try:
            worker.start()
        except OSError as error:  # no memory, no descriptors: there may be some later
            _say(logging.ERROR, "cannot start worker %d: %s", place.number, error)
            self._mourn(place, None)

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:
        """Serve until told to end, or until it is clear that no worker can be started."""
        looked_at = time.monotonic()
        while not self.interrupt_signal:
            self._rest()
            now = time.monotonic()
            passed_s, looked_at = now - looked_at, now
            if passed_s > 2 * _LOOK_S:  # this process was stopped, or the whole machine, and workers with it
                passed_s = 0.0
            self._hear()
            self._bury()
            if not self._has_served and all(place.has_failed for place in self._places):
                _say(logging.ERROR, "no worker could be started; see the errors above")
                self.interrupt_children.append(0)
                return
            self._watch_over(passed_s)
            self._replace(spawn_target, target_loader)
            if self.reload_signal:
                self._reload(spawn_target, target_loader)  # type: ignore[no-untyped-call]
            self._keep_folder()
            self._tell_workers()

    def _rest(self) -> None:
        """Wait until there is something to do."""
        due = [place.due_at for place in self._places if place.due_at is not None]
        left_s = max(0.0, min((at - time.monotonic() for at in due), default=_LOOK_S))
        running = [one.inner.sentinel for one, place in self._pairs() if place.due_at is None]
        wait([self._calls, *running], min(_LOOK_S, left_s))
        _emptied(self._calls.fileno())

    def _pairs(self) -> list[tuple[Any, WorkerPlace]]:
        return [(one, self._places[one.idx]) for one in self.wrks]

    def _hear(self) -> None:
        """Take in which workers are at work."""
        pids = {pid for (pid,) in BEAT.iter_unpack(_emptied(self._beats.fileno()))}
        for worker, place in self._pairs():
            if worker.inner.pid in pids and place.due_at is None:
                self._has_served = True
                if silent_s := place.hear():
                    _say(logging.INFO, "worker %d responds again after %.0f s", place.number, silent_s)

    def _bury(self) -> None:
        """Notice who has ended."""
        for worker, place in self._pairs():
            if place.due_at is None and not worker.is_alive():
                worker.join()
                self._mourn(place, worker.inner.exitcode)

    def _mourn(self, place: WorkerPlace, code: int | None) -> None:
        pause_s = place.end(time.monotonic(), code)
        how = manner(code)
        if self._roll is not None:
            self._roll.restarting(place.number, how)
        _say(logging.ERROR, "worker %d ended: %s; restarting in %g s", place.number, how, pause_s)

    def _watch_over(self, passed_s: float) -> None:
        """End workers that hang."""
        for worker, place in self._pairs():
            match place.listen(passed_s, self._timeout_s) if place.due_at is None else None:
                case Silence.NEW:
                    then = f"killing it after {self._timeout_s:g} s" if self._timeout_s else "it is not killed"
                    _say(
                        logging.WARNING,
                        "worker %d does not respond: silent for %.0f s; %s",
                        place.number,
                        place.silent_s,
                        then,
                    )
                case Silence.TOO_LONG:
                    _say(logging.ERROR, "worker %d does not respond: killed after %.0f s", place.number, place.silent_s)
                    worker.kill()
                    worker.join(_PATIENCE_S)
                    place.silent_s = 0.0  # should even that take its time

    def _replace(self, spawn_target: Any, target_loader: Any) -> None:
        """Start workers whose turn it is."""
        for place in self._places:
            if place.due_at is not None and time.monotonic() >= place.due_at and not self.interrupt_signal:
                idx = place.number - 1
                worker = self._spawn_worker(idx=idx, target=spawn_target, callback_loader=target_loader)
                self.wrks[idx] = worker
                self._start(place, worker)

    def _respawn_workers(self, workers: list[int], *args: Any, **kwargs: Any) -> None:
        """Replace workers that live, one after the other, unless all are to end."""
        for worker in workers:
            if not self.interrupt_signal:
                super()._respawn_workers([worker], *args, **kwargs)
                self._places[worker].begin(time.monotonic())

    def _keep_folder(self) -> None:
        with suppress(OSError):  # somebody has put another there
            if self._folder is not None and self._folder.mend():
                _say(logging.WARNING, "%s was removed: creating it again", self._folder.path)

    def _tell_workers(self) -> None:
        if self._roll is not None:
            self._roll.tell([place.state for place in self._places])

    # --- the end ---

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
        self._wake()

    def signal_handler_reload(self, *args: Any, **kwargs: Any) -> None:
        """Have all workers replaced."""
        super().signal_handler_reload(*args, **kwargs)  # type: ignore[no-untyped-call]
        self._wake()

    def _wake(self) -> None:
        with suppress(BlockingIOError):
            os.write(self._call.fileno(), b"!")

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

    def _stop_workers(self) -> None:
        if self.interrupt_signal:
            _say(
                logging.INFO,
                "draining: requests in flight have %g s%s; a second signal ends them now",
                self.orders.timeout_s,
                f", new ones are accepted for {self.orders.delay_s:g} s" if self.orders.delay_s else "",
            )
        else:
            self._kill_at = self._patience()
        while (alive := [one for one in self._workers if one.is_alive()]) and time.monotonic() < self._kill_at:
            for worker in alive:
                worker.terminate()
            wait([worker.inner.sentinel for worker in alive], _LOOK_S)
        for worker in alive:
            _say(logging.ERROR, "worker %d does not stop: killed", worker.idx + 1)
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
            _say(logging.WARNING, "stopped by a second signal: %d requests ended", ended)
        elif ended:
            _say(logging.WARNING, "drain timeout: %d requests ended", ended)


def _say(level: int, message: str, *values: object) -> None:
    """Log something, unless nobody reads standard error: nothing here must wait for that."""
    with suppress(OSError, ValueError):  # it is closed
        if sys.platform == "win32" or select([], [sys.stderr], [], _SAY_S)[1]:
            logger.log(level, message, *values)


def _emptied(descriptor: int) -> bytes:
    """Return all that waits in a pipe."""
    found = b""
    with suppress(BlockingIOError):
        while piece := os.read(descriptor, _READ_BYTES):
            found += piece
    return found
