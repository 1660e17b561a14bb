"""Measures the gateway beside nginx on one machine, interleaved, and prints ratios: the figures that travel.

Everything is started here on free ports of the loopback interface, bounded in time, and ended by its process handle.
"""

import argparse
import asyncio
import os
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import uvloop

HERE = Path(__file__).parent
CHUNKS = 64  # of a stream flat out
PACED_CHUNKS, PACE_MS = 40, 20
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
BODY = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"' + b"x" * 400 + b'"}]}'


@dataclass
class Proxy:
    """One of those measured: its name, port, and the process whose children do the work."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    samples: dict[str, list[float]] = field(default_factory=dict)

    def note(self, what: str, value: float) -> None:
        """Keep a sample."""
        self.samples.setdefault(what, []).append(value)

    def median(self, what: str) -> float:
        """Return the median of what was kept, or nan."""
        return statistics.median(self.samples.get(what, [float("nan")]))

    def pids(self) -> list[int]:
        """Return the process and its children."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *map(int, children)]

    def cpu_s(self) -> float:
        """Return the CPU time used so far."""
        return (
            sum(
                sum(map(int, Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))
                for pid in self.pids()
            )
            / TICKS_PER_S
        )

    def memory_mb(self) -> float:
        """Return the memory in use; what processes share counts once (the proportional set size)."""
        texts = (Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in self.pids())
        return sum(int(text.split("Pss:")[1].split()[0]) for text in texts) / 1024


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(*command: object, cwd: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process for as long as the context lasts."""
    process = subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=cwd
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(port: int) -> bool:
    """Whether a chat request is answered with 200."""
    body = BODY.replace(b'"stream":true,', b"")
    head = (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    )
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as client:
            client.sendall(head % len(body) + body)
            return client.recv(100).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def await_answer(port: int) -> float:
    """Wait for the first answer; return how long it took."""
    start = time.monotonic()
    while not answers(port):
        if time.monotonic() - start > 30:
            raise SystemExit(f"nothing answers on port {port}")
        time.sleep(0.005)
    return time.monotonic() - start


def wrk(port: int, connections: int, seconds: int, *, stream: bool = False) -> tuple[float, float]:
    """Load a port; return requests per second and the median latency in ms."""
    environ = {**os.environ, **({"STREAM": "1"} if stream else {})}
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(HERE / "post.lua")]
    shown = subprocess.run(
        [*command, f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=True, env=environ
    ).stdout
    if "Non-2xx" in shown or "Socket errors" in shown:
        print(f"warning: not every request was answered: {shown}", file=sys.stderr)
    rate = float(re.findall(r"Requests/sec:\s+([\d.]+)", shown)[0])
    amount, unit = re.findall(r"50%\s+([\d.]+)(us|ms|s)", shown)[0]
    return rate, float(amount) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def load(proxy: Proxy, what: str, connections: int, seconds: int, *, stream: bool = False) -> None:
    """Load one of those measured and keep what came out."""
    before = proxy.cpu_s()
    rate, p50_ms = wrk(proxy.port, connections, seconds, stream=stream)
    per_s = rate * (CHUNKS if stream else 1)
    proxy.note(what, per_s)
    proxy.note(f"{what} cpu us", (proxy.cpu_s() - before) / (per_s * seconds) * 1e6)
    proxy.note(f"{what} p50 ms", p50_ms)


class Stream(asyncio.Protocol):
    """One paced stream: when its request went out and when its pieces came."""

    def __init__(self) -> None:
        self.arrivals: list[float] = []
        self.sent = 0.0
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self.sent = time.monotonic()
        transport.write(head % len(BODY) + BODY)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """Note when an event came; the head alone is none."""
        if b"data: " in data:
            self.arrivals.append(time.monotonic())
        if b"[DONE]" in data and not self.done.done():
            self.done.set_result(None)

    def connection_lost(self, _: Exception | None) -> None:
        """End."""
        if not self.done.done():
            self.done.set_result(None)


async def paced(port: int, count: int, *, burst: bool) -> tuple[float, float]:
    """Run paced streams; return the median first token in ms and the 99th percentile of the gaps' error.

    They begin evenly over the life of one, as in steady use, or, in a burst, within one pace.
    """
    over_s = PACE_MS / 1000 * (1 if burst else PACED_CHUNKS)
    loop = asyncio.get_running_loop()
    streams = []
    for _ in range(count):
        transport, stream = await loop.create_connection(Stream, "127.0.0.1", port)
        streams.append((transport, stream))
        await asyncio.sleep(over_s / count)
    await asyncio.wait_for(asyncio.gather(*(stream.done for _, stream in streams)), 30)
    for transport, _ in streams:
        transport.close()
    first = statistics.median(stream.arrivals[0] - stream.sent for _, stream in streams) * 1000
    gaps = [
        abs(b - a - PACE_MS / 1000) * 1000 for _, s in streams for a, b in zip(s.arrivals, s.arrivals[1:], strict=False)
    ]
    return first, sorted(gaps)[int(len(gaps) * 0.99)]


def gateway(
    stack: ExitStack,
    folder: Path,
    name: str,
    backend: int,
    *options: str,
    limits: bool = False,
    python: str = sys.executable,
) -> Proxy:
    """Start the gateway, with four limits that are never reached if so wanted; note its time to the first answer.

    It is the one that is installed for `python`.
    """
    port = free_port()
    config = folder / f"{port}.yaml"
    wide = "rate-limit: {enabled: true, capacity: 1000000000, rate: 1000000000, client-ip-enable: CLIENTS}, "
    of_all, of_one = (wide.replace("CLIENTS", clients) if limits else "" for clients in ("true", "false"))
    instance = f"{{{of_one}name: m, base-url: 'http://127.0.0.1:{backend}'}}"
    config.write_text(f"model: {{{of_all}services: {{chat: {{{of_one}instances: [{instance}]}}}}}}\n")
    command = (python, "-P", "-m", "jairouter_cli", "serve", "--config", config, "--port", port, *options)
    start = time.monotonic()
    proxy = Proxy(name, port, stack.enter_context(running(*command)))
    await_answer(port)
    proxy.note("start s", time.monotonic() - start)
    time.sleep(1)
    proxy.note("memory at rest mb", proxy.memory_mb())
    return proxy


def nginx(stack: ExitStack, folder: Path, backend: int) -> Proxy:
    """Start the reference."""
    port = free_port()
    prefix = folder / f"nginx-{port}"
    (prefix / "tmp").mkdir(parents=True)
    text = (HERE / "nginx.conf").read_text().replace("PORT", str(port)).replace("BACKEND", str(backend))
    (prefix / "nginx.conf").write_text(text)
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    proxy = Proxy("nginx", port, stack.enter_context(running(program, "-p", prefix, "-c", prefix / "nginx.conf")))
    await_answer(port)
    return proxy


PACED = {"first token": "first token ms", "jitter": "gap error p99 ms", "paced cpu us": "CPU us per chunk"}
CROWDS = (("64", 64, False), ("200", 200, False), ("64 in a burst", 64, True))
LOADS = (("unary 1", 1, False), ("unary 32", 32, False), ("unary 256", 256, False), ("chunks 64", 64, True))


def measure(rounds: int, seconds: int) -> tuple[list[Proxy], list[Proxy], Proxy]:
    """Run everything; return those measured under load, those measured paced, and the direct way."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jairouter-bench-")))
        program = folder / "backend"
        subprocess.run(["gcc", "-O2", "-o", program, HERE / "backend.c"], check=True)
        fast, slow = free_port(), free_port()
        backend = stack.enter_context(running(program, fast, CHUNKS, 0))
        stack.enter_context(running(program, slow, PACED_CHUNKS, PACE_MS))
        await_answer(fast)
        loaded = [nginx(stack, folder, fast), gateway(stack, folder, "jairouter", fast)]
        loaded.append(gateway(stack, folder, "jairouter, ASGI", fast, "--interface", "asgi"))
        loaded.append(gateway(stack, folder, "jairouter -2", fast, "--workers", "2"))
        for proxy in loaded:
            wrk(proxy.port, 32, 1)
        for _ in range(rounds):
            for what, connections, stream in LOADS:
                for proxy in loaded:
                    load(proxy, what, connections, seconds, stream=stream)
        for proxy in loaded:
            proxy.note("memory after mb", proxy.memory_mb())
        direct = Proxy("direct", slow, backend)
        unhurried = [direct, nginx(stack, folder, slow), gateway(stack, folder, "jairouter", slow)]
        for _ in range(rounds):
            for name, count, burst in CROWDS:
                for proxy in unhurried:
                    before = proxy.cpu_s()
                    first, jitter = uvloop.run(paced(proxy.port, count, burst=burst))
                    proxy.note(f"first token {name}", first)
                    proxy.note(f"jitter {name}", jitter)
                    proxy.note(f"paced cpu us {name}", (proxy.cpu_s() - before) / (count * PACED_CHUNKS) * 1e6)
        return loaded, unhurried, direct


def table(columns: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    return "\n".join("| " + " | ".join(row) + " |" for row in (columns, ["---"] * len(columns), *rows))


def report(loaded: list[Proxy], unhurried: list[Proxy], rounds: int, seconds: int) -> str:
    """Return the results as Markdown."""
    reference = loaded[0]
    rows = []
    for proxy in loaded:
        row = [proxy.name]
        for what, _, _ in LOADS:
            ratio = proxy.median(what) / reference.median(what)
            row.append(f"{proxy.median(what):,.0f} ({ratio:.2f}), {proxy.median(f'{what} cpu us'):.0f} us")
        row.append(f"{proxy.median('unary 1 p50 ms'):.3f}")
        row += [f"{proxy.median(what):.0f}" for what in ("memory at rest mb", "memory after mb")]
        row.append(f"{proxy.median('start s'):.2f}")
        rows.append(row)
    columns = [
        "",
        *(f"{what}: per s (of nginx), CPU" for what, _, _ in LOADS),
        "p50 ms at 1",
        "MB at rest",
        "MB after",
        "start s",
    ]
    paced_rows = [
        [proxy.name, *(f"{proxy.median(f'{what} {name}'):.1f}" for name, _, _ in CROWDS for what in PACED)]
        for proxy in unhurried
    ]
    paced_columns = ["", *(f"{name}: {what}" for name, _, _ in CROWDS for what in PACED.values())]
    packages = ", ".join(
        f"{name} {metadata.version(name)}" for name in ("jairouter", "granian", "litestar", "uvloop", "httptools")
    )
    version = subprocess.run(
        [shutil.which("nginx") or "/usr/sbin/nginx", "-v"], capture_output=True, text=True, check=True
    ).stderr
    return f"""# Results

{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {platform.python_version()}, {packages}; {version.strip()}.
Medians of {rounds} rounds of {seconds:g} s, interleaved; one worker where the name does not end in -2. Backend, load
generator (wrk, one thread) and proxy share the machine's cores, so with two of them none has one to itself; the ratio to
nginx in the same run is what travels between machines.

{table(columns, rows)}

Streams of {PACED_CHUNKS} events, {PACE_MS} ms apart, beginning evenly over the life of one, or all within {PACE_MS} ms (a burst):

{table(paced_columns, paced_rows)}
"""


def main() -> None:
    """Measure, print, and with --write keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--write", action="store_true", help="write bench/RESULTS.md")
    options = parser.parse_args()
    for tool in ("gcc", "nginx", "wrk"):
        if shutil.which(tool) is None and not Path(f"/usr/sbin/{tool}").exists():
            raise SystemExit(f"{tool} is needed: apt-get install gcc nginx-light wrk")
    loaded, unhurried, _ = measure(options.rounds, options.seconds)
    text = report(loaded, unhurried, options.rounds, options.seconds)
    print(text)
    if options.write:
        (HERE / "RESULTS.md").write_text(text)


if __name__ == "__main__":
    main()
