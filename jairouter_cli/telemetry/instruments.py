"""Everything that watches one worker, put together: its log, its traces, what it counts, the ledger of tokens."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jairouter_cli.config.model import Config
from jairouter_cli.gateway.tasks import Tasks
from jairouter_cli.observe.events import Completed, Handled
from jairouter_cli.observe.log import log_instance, log_trouble
from jairouter_cli.observe.log_levels import LoggerLevels
from jairouter_cli.observe.logs import Logs
from jairouter_cli.observe.metrics import MetricsSink
from jairouter_cli.observe.tracing import tracer
from jairouter_cli.observe.usage import UsageLedger
from jairouter_cli.routing.call import Target, Turn
from jairouter_cli.state.roll import RollReader
from jairouter_cli.state.workers import Crew
from jairouter_cli.telemetry.boards import Boards

if TYPE_CHECKING:
    from jairouter_cli.state.shared import SharedMemory

_FLUSH_S: Final = 2.0  # how long an end waits for lines, and for traces, that nobody takes


class Instruments:
    """What watches a worker. Raises `TracingUnusable`."""

    def __init__(
        self, file: Path, config: Config, crew: Crew, folder: Path | None, shared: "SharedMemory | None"
    ) -> None:
        self.tasks: Final = Tasks()
        self.roll: Final = RollReader(folder)
        self.logs: Final = Logs(config.logging, self.tasks.tell)
        self.levels: Final = LoggerLevels(crew, config.logging.level)
        self.tracer: Final = tracer(config.tracing, self.tasks.tell)
        self.boards: Final = Boards(folder, shared)
        self.metrics: Final = MetricsSink(self.boards.own)
        self.usage: Final = UsageLedger(file, config.usage, state_dir=config.store.state_dir)
        self.metrics.follow(config.monitoring.metrics)

    @property
    def sinks(self) -> tuple[Callable[[Completed], None], ...]:
        """Those that are told of every call."""
        return log_trouble, self.logs.take, self.metrics, self.usage

    def handled(self, event: Handled) -> None:
        """Take in that the gateway itself has answered a request."""
        with self.tasks.trying("log of requests"):
            self.logs.take_other(event)
        with self.tasks.trying("metrics of requests"):
            self.metrics.handled(event)

    def turned(self, target: Target, turn: Turn, what: str) -> None:
        """Take in what became of an instance."""
        with self.tasks.trying("metrics of instances"):
            log_instance(target, turn, what)
            self.metrics.turned(target, turn)

    def losses(self) -> Mapping[str, int]:
        """Return what this worker could not keep, by what it should have been kept in."""
        return {"metrics": self.metrics.errors, "log": self.logs.dropped, "usage": self.usage.dropped}

    def follow(self, config: Config) -> None:
        """Go by a configuration."""
        self.logs.use(config.logging)
        self.levels.use(config.logging.level)
        self.metrics.follow(config.monitoring.metrics)
        self.usage.follow(config.usage, config.store.state_dir)

    def start(self) -> None:
        """Begin, once the worker's loop runs."""
        self.logs.start()

    def close(self) -> None:
        """Write what waits to be written. It takes a while: not for the event loop."""
        self.usage.close()
        if self.tracer is not None:
            self.tracer.close(_FLUSH_S)
        self.logs.close(_FLUSH_S)
