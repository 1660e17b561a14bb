"""What a worker does beside its requests goes on whatever happens, and what fails is known."""

import ast
import asyncio
import errno
import logging
import time
from collections.abc import AsyncIterator
from itertools import product
from pathlib import Path
from random import Random

import pytest

from jairouter_cli.config.store import Store
from jairouter_cli.gateway import tasks as module
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.gateway.prober import probe_all
from jairouter_cli.gateway.tasks import Tasks
from jairouter_cli.gateway.upstream.http1 import Http1Upstream
from jairouter_cli.routing.health import HealthState
from jairouter_cli.routing.table import compile_table
from jairouter_cli.serve.background import background
from jairouter_cli.state.folder import folder
from jairouter_cli.state.shared import SharedMemory
from jairouter_cli.state.workers import Alone
from jairouter_cli.telemetry.instruments import Instruments
from tests.backend import answer, backend
from tests.process import config

ROOT = Path(module.__file__).parent.parent
TEXT = "model: {services: {chat: {}}}\n"
# Where tasks and threads may be begun, and why nothing that goes on for ever is among them but what is kept.
MAY_BEGIN = {
    "serve/worker.py": "those of `background`, which are kept",
    "web/doors/departures.py": "one for each request that lasts",
    "web/doors/rsgi.py": "the application's life",
    "gateway/prober.py": "one for each question",
    "gateway/aside.py": "the thread that a hanging file system may keep; another takes its place",
    "gateway/upstream/dial.py": "the race to a backend's addresses, which ends with the connection",
    "gateway/upstream/resolver.py": "a thread for each look-up, which ends with it",
    "observe/writer.py": "the thread of a log, which catches everything itself",
    "observe/spans.py": "the last of what a tracer does",
    "cli/top/poller.py": "the command line's own",
}

FAILURES = [
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EMFILE, "Too many open files"),
    UnicodeError("label empty or too long"),
    ValueError("x"),
    MemoryError(),
    RecursionError(),
    KeyError("x"),
    AssertionError(),
    RuntimeError("can't start new thread"),
    asyncio.CancelledError(),
    ExceptionGroup("several", [OSError(), ValueError()]),
    StopAsyncIteration(),
]


def gateway_of(file: Path, shared: SharedMemory | None = None) -> tuple[Gateway, Instruments]:
    """Return what a worker is made of, without its surface."""
    loaded = Store(file).read()
    webclient, crew = loaded.config.webclient, shared or Alone()
    watching = Instruments(file, loaded.config, crew, None, shared)
    upstream = Http1Upstream(webclient.connection_pool, webclient)
    return Gateway(compile_table(loaded.config), upstream, crew=crew, tasks=watching.tasks), watching


async def until(condition: object, seconds: float = 10.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it never came true"
        await asyncio.sleep(0.001)


async def ended(*kept: "asyncio.Task[None]") -> None:
    """Cancel tasks, and see that they end by that."""
    for task in kept:
        task.cancel()
    results = await asyncio.gather(*kept, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)


@pytest.mark.parametrize("failure", FAILURES, ids=repr)
def test_a_task_survives(failure: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    """It is begun anew, said once with its traceback, shown as long as it fails, and said once when it is well."""
    tasks, begun, goes_on = Tasks(), 0, asyncio.Event()

    async def fails() -> AsyncIterator[None]:
        nonlocal begun
        begun += 1
        if begun <= 2:
            raise failure
        await goes_on.wait()
        yield
        await asyncio.Event().wait()

    async def play() -> None:
        kept = asyncio.create_task(tasks.keep("one", fails))
        await until(lambda: begun == 3)
        trouble = tasks.troubles["one"]
        assert trouble.error.startswith(
            type(failure).__name__ if not isinstance(failure, StopAsyncIteration) else "Runtime"
        )
        assert trouble.failures == 2
        goes_on.set()
        await until(lambda: not tasks.troubles)
        await ended(kept)

    with caplog.at_level(logging.WARNING):
        asyncio.run(play())
    said = [(record.levelno, record.exc_info is not None, record.message) for record in caplog.records]
    assert [one[:2] for one in said] == [(logging.ERROR, True), (logging.WARNING, False)]
    assert said[0][2].startswith("background task one failed; retrying: ")
    assert said[1][2] == "background task one recovered after 2 failures"


def test_one_that_comes_to_its_end_is_begun_anew() -> None:
    """It was to go on for ever."""
    tasks, begun = Tasks(), 0

    async def task() -> AsyncIterator[None]:
        nonlocal begun
        begun += 1
        if begun == 1:
            return
        while True:
            yield
            await asyncio.sleep(0)

    async def play() -> None:
        kept = asyncio.create_task(tasks.keep("one", task))
        await until(lambda: begun == 2 and not tasks.troubles)
        await ended(kept)

    asyncio.run(play())


def test_every_task_of_a_worker_survives_its_surroundings(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each of them fails when it begins, as with no file left to open; a little later, all are well."""
    caplog.set_level(logging.CRITICAL)
    text = "usage: {enabled: true, flush-interval: 10ms}\n" + TEXT
    with folder(2) as made:
        shared = SharedMemory(made.path, 2)
        gateway, watching = gateway_of(config(tmp_path, text), shared)
        kept = background(gateway, Store(tmp_path / "jairouter.yaml"), watching, shared)
        assert set(kept) == {"configuration", "health-checks", "model-lists", "pulse", "usage", "workers"}

        async def play() -> None:
            running = []
            for name, task in kept.items():

                async def broken_at_first(task: module.Task = task, name: str = name) -> AsyncIterator[None]:
                    if gateway.tasks.troubles.get(name) is None:
                        raise OSError(errno.EMFILE, "Too many open files")
                    async for _ in task():
                        yield

                running.append(asyncio.create_task(gateway.tasks.keep(name, broken_at_first)))
            await until(lambda: set(gateway.tasks.troubles) == set(kept))
            await until(lambda: not gateway.tasks.troubles)
            await ended(*running)

        asyncio.run(play())
        watching.usage.close()
        shared.close()


def test_nothing_else_is_begun_that_goes_on_for_ever() -> None:
    """Whoever begins a task or a thread elsewhere has to say here why nobody has to look after it."""
    found = set()
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
                if name in {"create_task", "ensure_future", "Thread", "start_soon", "Timer"}:
                    found.add(str(path.relative_to(ROOT)))
    assert found == set(MAY_BEGIN)


def test_a_sink_or_a_follower_that_fails_harms_nobody(tmp_path: Path) -> None:
    """The others are told, and the configuration is in force."""
    gateway, _ = gateway_of(config(tmp_path, TEXT))
    told: list[object] = []

    def fail(_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    gateway.followers[:] = [fail, told.append]
    before = gateway.table
    gateway.swap(gateway.table.config, "digest")
    assert gateway.table is not before
    gateway.sinks = (fail, told.append)
    gateway.report("event")  # type: ignore[arg-type]
    assert told == [gateway.table.config, "event"]
    names = set(gateway.tasks.troubles)
    assert len(names) == 2
    assert all("fail" in name for name in names)


BAD = """
model:
  load-balance: {{health-check: {{interval: 50ms, timeout: 200ms, failure-threshold: 1, success-threshold: 1}}}}
  services:
    chat:
      instances:
        - {{name: good, base-url: "{good}"}}
        - {{name: other, base-url: "http://127.0.0.1:9"}}
"""


def test_a_machine_that_cannot_be_asked_is_down_and_no_other_suffers(tmp_path: Path) -> None:
    """Whatever is wrong with its name; the next round asks all of them again."""
    with backend(answer({})) as behind:
        gateway, _ = gateway_of(config(tmp_path, BAD.format(good=behind.url)))
        good, bad = gateway.table.targets
        healths = [gateway.ledger.live(target).health for target in (good, bad)]

        async def rounds() -> None:
            kept = asyncio.create_task(
                gateway.tasks.keep("health-checks", lambda: probe_all(gateway, Random(1), lambda: True))
            )
            before = [health.at or 0.0 for health in healths]
            await until(lambda: all((health.at or 0.0) > at for health, at in zip(healths, before, strict=True)))
            await ended(kept)
            await gateway.upstream.aclose()

        for host, path in product(("gpu..lan", "x" * 64, "a\0b", "\udcff", "ü" * 64), (None, "/")):
            object.__setattr__(bad, "machine", f"{host}:80")
            object.__setattr__(bad, "origin", f"http://{host}")
            object.__setattr__(bad, "probe", bad.probe._replace(path=path))
            asyncio.run(rounds())
            assert [health.state for health in healths] == [HealthState.UP, HealthState.DOWN], host
            assert not gateway.tasks.troubles
