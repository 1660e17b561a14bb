"""Measures what watching costs: each sink for one call, and a scrape of all metrics while the gateway is fully at work."""

import argparse
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from own import ANSWER, BODY
from run import CHUNKS, HERE, await_answer, free_port, gateway, load, running

from jairouter_cli.config.model import Dialect, ServiceType
from jairouter_cli.observe.board import own_board
from jairouter_cli.observe.events import Attempt, Completed
from jairouter_cli.observe.log import log_trouble
from jairouter_cli.observe.metrics import MetricsSink
from jairouter_cli.payloads.spent import Source, Spent
from jairouter_cli.payloads.tokens import Meter
from jairouter_cli.routing.call import Call, Target, Timeouts

CALLS = 200_000
HOST = "127.0.0.1:8000"
TARGET = Target(
    (ServiceType.CHAT, f"m@http://{HOST}", 1), f"m@http://{HOST}", f"http://{HOST}", "/v1", "/v1/chat/completions", 1,
    Dialect.NORMAL, Timeouts(1, 1, 1, 1), 2, (), HOST,
)  # fmt: skip


def completed() -> Completed:
    """Return what is reported of a usual call."""
    call, path = Call(ServiceType.CHAT, "m"), "/v1/chat/completions"
    attempts, spent = [Attempt(TARGET, 200, "", 0.01)], Spent(100, 100, Source.MEASURED)
    return Completed(
        call,
        "id",
        200,
        "ok",
        attempts,
        0.011,
        0.0,
        (),
        "",
        path,
        "random",
        True,
        0.0105,
        None,
        0,
        500,
        600,
        spent,
        (),
        "k",
    )


def meter() -> None:
    listener = Meter()
    listener.add(ANSWER)
    listener.spent(BODY, cut=False)


def cost_us(work: Callable[[], object]) -> float:
    """Return the CPU time of one go, the best of five rounds."""
    best = float("inf")
    for _ in range(5):
        start = time.process_time()
        for _ in range(CALLS):
            work()
        best = min(best, (time.process_time() - start) / CALLS)
    return best * 1e6


def scrapes(port: int, number: int) -> list[float]:
    """Return how long so many scrapes took, in milliseconds."""
    took = []
    for _ in range(number):
        start = time.perf_counter()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/actuator/prometheus") as answer:
            answer.read()
        took.append(1000 * (time.perf_counter() - start))
        time.sleep(0.1)
    return took


def under_load(workers: int, seconds: int) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jairouter-bench-")))
        program, backend = folder / "backend", free_port()
        subprocess.run(["gcc", "-O2", "-o", program, HERE / "backend.c"], check=True)
        stack.enter_context(running(program, backend, CHUNKS, 0))
        await_answer(backend)
        one = gateway(stack, folder, "watched", backend, "--workers", str(workers))
        load(one, "unary", 32, 2)
        pressing = threading.Thread(target=load, args=(one, "unary", 32, seconds))
        pressing.start()
        time.sleep(0.5)
        took = scrapes(one.port, int(seconds * 4))
        pressing.join()
        said = f"median {statistics.median(took):.1f} ms, longest {max(took):.1f} ms of {len(took)}"
        print(f"scrape under full load, {workers} worker(s): {said}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    asked = parser.parse_args()
    event, metrics = completed(), MetricsSink(own_board())
    print(f"making the report: {cost_us(completed):.2f} us")
    print(f"finding out what it cost: {cost_us(meter):.2f} us")
    print(f"metrics: {cost_us(lambda: metrics(event)):.2f} us")
    print(f"log of troubles: {cost_us(lambda: log_trouble(event)):.2f} us")
    for workers in (1, 2):
        under_load(workers, asked.seconds)


if __name__ == "__main__":
    main()
