"""The gateway of one worker: the table in force, the live state, and what calls the backends.

A reload is `swap`: requests under way keep the table they took.
"""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from jairouter_cli.config.last_good import LastGood
from jairouter_cli.config.model import Config
from jairouter_cli.config.token import admin_token
from jairouter_cli.errors import JAIRouterError
from jairouter_cli.gateway.aside import Aside
from jairouter_cli.gateway.drain import Drain
from jairouter_cli.gateway.fallback import AnswerCache
from jairouter_cli.gateway.limits import Limits
from jairouter_cli.gateway.tasks import Tasks
from jairouter_cli.gateway.translation import Spoken
from jairouter_cli.gateway.upstream.exchange import Upstream
from jairouter_cli.gateway.waiting_room import WaitingRoom
from jairouter_cli.observe.events import Completed, Sink
from jairouter_cli.observe.tracing import Tracer
from jairouter_cli.routing.call import Target
from jairouter_cli.routing.failover import Circumstances
from jairouter_cli.routing.ledger import Ledger
from jairouter_cli.routing.retry_budget import RetryBudget
from jairouter_cli.routing.table import Table, compile_table
from jairouter_cli.state.workers import Alone, Crew

_CALM_S: Final = 60.0  # without a failure, until a sink counts as well again: it may fail at some calls only


@dataclass(frozen=True, slots=True)
class Rejection:
    """An edit of the file that could not be taken over; the configuration before it stays in force."""

    error: JAIRouterError
    at: float
    """Wall clock."""


def _name(listener: Callable[..., None]) -> str:
    """Return how health calls one that is told of calls, or of configurations."""
    return getattr(listener, "__qualname__", type(listener).__name__)


def _nothing(target: Target, duration_s: float) -> None:
    """Tell nobody."""


@dataclass(slots=True)
class Gateway:
    """What a worker holds. One per process; everything in it has one owner, the event loop."""

    table: Table
    upstream: Upstream
    sinks: Sequence[Sink] = ()
    ledger: Ledger = field(default_factory=Ledger)
    rng: Random = field(default_factory=Random)
    clock: Callable[[], float] = time.monotonic
    wall_clock: Callable[[], float] = time.time
    worker: int = 0
    rejection: Rejection | None = None
    answers: AnswerCache = field(default_factory=AnswerCache)
    crew: Crew = field(default_factory=Alone)
    digest: str = ""
    """Of the configuration in force."""
    good: LastGood = field(default_factory=LastGood)
    """The file that it was read from."""
    aside: Aside = field(default_factory=Aside)
    """For reading that file."""
    taking_over: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held from reading the file until it is in force, so that an older one never follows a newer one."""
    limits: Limits = field(default_factory=lambda: Limits(time.monotonic))
    drain: Drain = field(default_factory=Drain)
    tasks: Tasks = field(default_factory=Tasks)
    tracer: Tracer | None = None
    followers: list[Callable[[Config], None]] = field(default_factory=list)
    """Told of every configuration that comes into force."""
    probed: Callable[[Target, float], None] = _nothing
    """Told of every health check and how long it took."""
    spoken: Spoken = field(default_factory=Spoken)
    """Which instances speak the dialects of clients."""
    waiting: WaitingRoom = field(init=False)
    around: Circumstances = field(init=False)

    def __post_init__(self) -> None:
        self.ledger.reconcile(self.table.targets)
        self.limits.reconcile(self.table)
        self.waiting = WaitingRoom(self.ledger, self.worker)
        self.around = Circumstances(self.ledger, self.rng, self.clock, RetryBudget())

    def swap(self, config: Config, digest: str = "", written_at: int = 0) -> None:
        """Put a new configuration into force, for all requests that begin from now on."""
        table = compile_table(config, admin_token(config.server, os.environ))
        self.ledger.reconcile(table.targets)
        self.limits.reconcile(table)
        self.table, self.rejection = table, None
        self.use(digest, written_at)
        for follower in self.followers:
            with self.tasks.trying(f"follower {_name(follower)}"):
                follower(config)

    def use(self, digest: str, written_at: int) -> None:
        """Note which configuration is in force, and tell the other workers."""
        self.digest = digest
        self.crew.report(digest, written_at)

    def reject(self, error: JAIRouterError) -> None:
        """Note that the file cannot be used as it is now; what is in force stays."""
        self.rejection = Rejection(error, self.wall_clock())

    def report(self, event: Completed) -> None:
        """Tell every sink."""
        for sink in self.sinks:
            try:
                sink(event)
            except Exception as error:  # noqa: BLE001 - what is noted of a call must not harm it, nor the other sinks
                self.tasks.failed(_name(sink), error)
            else:
                if self.tasks.is_troubled:
                    self.tasks.went_well(_name(sink), _CALM_S)
