"""Starts what is measured, on free ports of the loopback interface, samples it, and ends it by its process handle."""

import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
CHUNKS = 64  # of a stream flat out
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
BODY = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"' + b"x" * 400 + b'"}]}'
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
LIMIT_KINDS = ("instance", "service", "gateway", "client")  # in the order in which `configuration` adds them


@dataclass
class Proxy:
    """One of those measured: its name, port, and the process that does the work together with its descendants."""

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
        """Return the process and its descendants."""
        found = [self.process.pid]
        for pid in found:
            with suppress(OSError):
                found += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return found

    def cpu_s(self) -> float:
        """Return the CPU time used so far."""
        ticks = 0
        for pid in self.pids():
            with suppress(OSError):
                ticks += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))
        return ticks / TICKS_PER_S

    def memory_mb(self) -> float:
        """Return the memory in use; what processes share counts once (the proportional set size)."""
        kb = 0
        for pid in self.pids():
            with suppress(OSError, IndexError):
                kb += int(Path(f"/proc/{pid}/smaps_rollup").read_text().split("Pss:")[1].split()[0])
        return kb / 1024


def free_port() -> int:
    """Return a port that is free now, none of those from which the system takes the ports of clients."""
    while True:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def running(
    *command: object, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process for as long as the context lasts; what it started and left behind ends with it."""
    process = subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=cwd,
        env=env,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process, and its group with it."""
    if process.returncode is None:
        os.kill(process.pid, signal.SIGTERM)
        until = time.monotonic() + 10
        while not has_ended(process) and time.monotonic() < until:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether a process has ended; as it is not waited for, its group's number is given to no others."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def answers(port: int) -> bool:
    """Whether a chat request is answered with 200."""
    body = BODY.replace(b'"stream":true,', b"")
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as client:
            client.sendall(HEAD % len(body) + body)
            return client.recv(100).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def await_answer(port: int, within_s: float = 60, process: subprocess.Popen[bytes] | None = None) -> float:
    """Wait for the first answer, unless the process that is to give it has ended; return how long it took."""
    start = time.monotonic()
    while not answers(port):
        if time.monotonic() - start > within_s or (process is not None and has_ended(process)):
            raise SystemExit(f"nothing answers on port {port}" + (f": {process.args!r}"[:200] if process else ""))
        time.sleep(0.005)
    return time.monotonic() - start


def backend(stack: ExitStack, folder: Path, chunks: int = CHUNKS, pace_ms: int = 0) -> Proxy:
    """Start the backend, compiled if it has not been."""
    program, port = folder / "backend", free_port()
    if not program.exists():
        subprocess.run(["gcc", "-O2", "-o", program, HERE / "backend.c"], check=True)
    proxy = Proxy("direct", port, stack.enter_context(running(program, port, chunks, pace_ms)))
    await_answer(port, process=proxy.process)
    return proxy


def hosts(count: int, port: int) -> list[str]:
    """Return the addresses of so many backends, which are one."""
    return [f"127.0.{number // 250}.{number % 250 + 1}:{port}" for number in range(count)]


def configuration(instances: Sequence[tuple[str, str]], balancing: str = "random", limits: int = 0) -> str:
    """Return a configuration: models and base URLs, and how many kinds of limits there are, never reached."""
    wide: dict[str, object] = {"enabled": True, "capacity": 10**9, "rate": 10**9}
    of_one, of_service, of_all = ({"rate-limit": wide} if limits > number else {} for number in range(3))
    if limits > 3:
        of_all = {"rate-limit": {**wide, "client-ip-enable": True}}
    listed = [{"name": model, "base-url": url, **of_one} for model, url in instances]
    services = {"chat": {"instances": listed, **of_service}}
    return json.dumps({"model": {"load-balance": balancing, "services": services, **of_all}})  # JSON is YAML


def gateway(
    stack: ExitStack,
    folder: Path,
    name: str,
    backend: int,
    *options: str,
    limits: bool = False,
    python: str = sys.executable,
    config: str = "",
) -> Proxy:
    """Start the gateway, with four limits that are never reached if so wanted; note its time to the first answer.

    `python` is the one that has it installed; `config` takes the place of the usual configuration.
    """
    port = free_port()
    file = folder / f"{port}.yaml"
    file.write_text(config or configuration([("m", f"http://127.0.0.1:{backend}")], limits=4 if limits else 0))
    command = (python, "-m", "jairouter_cli", "serve", "--config", file, "--port", port, *options)
    start = time.monotonic()
    # in a folder of no project: with -m, Python looks for the package in the current folder first
    proxy = Proxy(name, port, stack.enter_context(running(*command, cwd=folder)))
    await_answer(port, process=proxy.process)
    proxy.note("start s", time.monotonic() - start)
    time.sleep(1)
    proxy.note("memory at rest mb", proxy.memory_mb())
    return proxy


def nginx(stack: ExitStack, folder: Path, backend: int, instances: int = 1) -> Proxy:
    """Start the reference."""
    port = free_port()
    prefix = folder / f"nginx-{port}"
    (prefix / "tmp").mkdir(parents=True)
    servers = " ".join(f"server {host};" for host in hosts(instances, backend))
    text = (HERE / "nginx.conf").read_text().replace("PORT", str(port)).replace("SERVERS", servers)
    (prefix / "nginx.conf").write_text(text)
    program = nginx_program()
    proxy = Proxy("nginx", port, stack.enter_context(running(program, "-p", prefix, "-c", prefix / "nginx.conf")))
    await_answer(port, process=proxy.process)
    return proxy


def nginx_program() -> str:
    """Return where nginx is."""
    return shutil.which("nginx") or "/usr/sbin/nginx"
