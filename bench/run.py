"""Measures the gateway beside nginx and others on one machine, interleaved, and prints ratios: the figures that travel.

Everything is started here on free ports of the loopback interface, bounded in time, and ended by its process handle.
"""

import argparse
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import page
import peers
from loading import load, press, settle, wrk
from paced import CROWDS, PACE_MS, PACED, PACED_CHUNKS, crowd
from proxies import CHUNKS, HERE, Proxy, await_answer, backend, free_port, gateway, nginx, running

# what other programs take from here
__all__ = [
    "CHUNKS",
    "HERE",
    "Proxy",
    "await_answer",
    "free_port",
    "gateway",
    "load",
    "nginx",
    "press",
    "running",
    "wrk",
]

LOADS = (("unary 1", 1, False), ("unary 32", 32, False), ("unary 256", 256, False), ("chunks 64", 64, True))
SLOW = {"litellm": 3}  # how many seconds those are loaded that answer less than a hundred requests per second


def under_load(beside: Mapping[str, str], rounds: int, seconds: int) -> list[Proxy]:
    """Return those measured under load; the first is the reference."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jairouter-bench-")))
        port = backend(stack, folder).port
        loaded = [nginx(stack, folder, port)]
        loaded += peers.started(
            stack,
            ("vllm-router", lambda own: peers.vllm_router(own, folder, port)),
            ("litellm", lambda own: peers.litellm(own, folder, port)),
        )
        loaded.append(gateway(stack, folder, "jairouter", port))
        loaded += [gateway(stack, folder, name, port, python=python) for name, python in beside.items()]
        loaded.append(gateway(stack, folder, "jairouter, ASGI", port, "--interface", "asgi"))
        loaded.append(gateway(stack, folder, "jairouter -2", port, "--workers", "2"))
        for proxy in loaded:
            press(proxy.port, 32, 1)
        for _ in range(rounds):
            for what, connections, stream in LOADS:
                for proxy in loaded:
                    load(proxy, what, connections, SLOW.get(proxy.name, seconds), stream=stream)
                    if proxy.name in SLOW:
                        settle(proxy)
        for proxy in loaded:
            proxy.note("memory after mb", proxy.memory_mb())
        return loaded


def unhurried(beside: Mapping[str, str], rounds: int) -> list[Proxy]:
    """Return those measured with paced streams; the first is the way without any."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jairouter-bench-")))
        direct = backend(stack, folder, PACED_CHUNKS, PACE_MS)
        measured = [direct, nginx(stack, folder, direct.port)]
        measured += peers.started(stack, ("vllm-router", lambda own: peers.vllm_router(own, folder, direct.port)))
        measured.append(gateway(stack, folder, "jairouter", direct.port))
        measured += [gateway(stack, folder, name, direct.port, python=python) for name, python in beside.items()]
        for _ in range(rounds):
            for name, count, burst in CROWDS:
                for proxy in measured:
                    crowd(proxy, name, count, burst=burst)
        return measured


def cell(proxy: Proxy, reference: Proxy, what: str) -> str:
    """Return what one load came to."""
    ratio = proxy.median(what) / reference.median(what)
    failures = sum(proxy.samples[f"{what} failures"])
    failed = f", {failures:,.0f} failed" if failures else ""
    return f"{proxy.median(what):,.0f} ({ratio:.2f}), {proxy.median(f'{what} cpu us'):.0f} us{failed}"


def load_section(loaded: list[Proxy], rounds: int, seconds: int, forms: str) -> str:
    """Return the results under load as Markdown."""
    rows = []
    for proxy in loaded:
        row = [proxy.name, *(cell(proxy, loaded[0], what) for what, _, _ in LOADS)]
        row.append(f"{proxy.median('unary 1 p50 ms'):.3f}")
        row += [f"{proxy.median(what):.0f}" for what in ("memory at rest mb", "memory after mb")]
        row.append(f"{proxy.median('start s'):.2f}")
        rows.append(["-" if value == "nan" else value for value in row])
    columns = [
        "",
        *(f"{what}: per s (of nginx), CPU" for what, _, _ in LOADS),
        "p50 ms at 1",
        "MB at rest",
        "MB after",
        "start s",
    ]
    return f"""{page.now()}. Medians of {rounds} rounds of {seconds} s, interleaved (litellm: 3 s); the number is that of the connections.
One worker where the name does not end in -2; vllm-router has a thread for each core. Backend, load generator (wrk, one
thread) and proxy share the machine's cores, so with two of them none has one to itself; the ratio to nginx in the same
run is what travels between machines.
{forms}

{page.table(columns, rows)}
"""


def paced_section(measured: list[Proxy], rounds: int, forms: str) -> str:
    """Return the results of paced streams as Markdown."""
    rows = [
        [proxy.name, *(f"{proxy.median(f'{what} {name}'):.1f}" for name, _, _ in CROWDS for what in PACED)]
        for proxy in measured
    ]
    columns = ["", *(f"{name}: {what}" for name, _, _ in CROWDS for what in PACED.values())]
    return f"""{page.now()}. Streams of {PACED_CHUNKS} events, {PACE_MS} ms apart, beginning evenly over the life of one, or all within {PACE_MS} ms (a burst);
medians of {rounds} rounds, interleaved. The CPU of the direct way is the backend's.
{forms}

{page.table(columns, rows)}
"""


def arguments(parser: argparse.ArgumentParser, rounds: int, seconds: int) -> argparse.Namespace:
    """Return what was asked for; what every program takes is added here. Raises `SystemExit` if a tool is missing."""
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--seconds", type=int, default=seconds)
    parser.add_argument("--write", action="store_true", help="replace this program's sections of bench/RESULTS.md")
    parser.add_argument(
        "--beside",
        metavar="NAME=PYTHON",
        action="append",
        default=[],
        help="measure another form of the gateway, too: the Python executable that it is installed for (repeatable)",
    )
    options = parser.parse_args()
    for tool in ("gcc", "nginx", "wrk"):
        if shutil.which(tool) is None and not Path(f"/usr/sbin/{tool}").exists():
            raise SystemExit(f"{tool} is needed: apt-get install gcc nginx-light wrk")
    for one in options.beside:
        name, _, python = one.partition("=")
        if not name or shutil.which(python) is None:
            raise SystemExit(f"--beside {one}: expected NAME=PYTHON, an executable")
    options.beside = {
        name: str(Path(python).absolute()) for name, _, python in (one.partition("=") for one in options.beside)
    }
    return options


def main() -> None:
    """Measure, print, and with --write keep."""
    options = arguments(argparse.ArgumentParser(description=__doc__), rounds=3, seconds=4)
    forms = page.told(options.beside)
    sections = {
        "Load": load_section(
            under_load(options.beside, options.rounds, options.seconds), options.rounds, options.seconds, forms
        ),
        "Paced streams": paced_section(unhurried(options.beside, options.rounds), options.rounds, forms),
    }
    print(page.facts(), *(f"## {title}\n\n{text}" for title, text in sections.items()), sep="\n\n")
    if options.write:
        page.write(sections)


if __name__ == "__main__":
    main()
