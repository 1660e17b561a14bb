"""Loads a port with wrk and keeps what came of it."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import NamedTuple

from proxies import CHUNKS, HERE, Proxy

NAN = float("nan")


class Pressed(NamedTuple):
    """What wrk says: the failures are responses without 2xx and errors of sockets, of which timeouts are one."""

    per_s: float
    p50_ms: float
    requests: int
    failures: int


def press(port: int, connections: int, seconds: int, shape: Mapping[str, str] | None = None) -> Pressed:
    """Load a port; `shape` is what `post.lua` reads of the environment. What fails is counted and said."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "--latency"]
    done = subprocess.run(
        [*command, "-s", str(HERE / "post.lua"), f"http://127.0.0.1:{port}"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(shape or {})},
    )
    shown = done.stdout + done.stderr
    errors = re.findall(r"Socket errors: (.*)|Non-2xx or 3xx responses: (\d+)", shown)
    failures = sum(int(number) for found in errors for number in re.findall(r"\d+", "".join(found)))
    rate, requests = re.findall(r"Requests/sec:\s+([\d.]+)", shown), re.findall(r"(\d+) requests in", shown)
    if not rate or not int(requests[0]):
        print(f"warning: nothing came of {connections} connections to port {port}: {shown}", file=sys.stderr)
        return Pressed(NAN, NAN, 0, max(failures, connections))
    if failures:
        print(f"warning: {failures} failures, {connections} connections to port {port}: {shown}", file=sys.stderr)
    amount, unit = re.findall(r"50%\s+([\d.]+)(us|ms|s|m)", shown)[0]
    p50_ms = float(amount) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}[unit]
    return Pressed(float(rate[0]), p50_ms, int(requests[0]), failures)


def wrk(port: int, connections: int, seconds: int, *, stream: bool = False) -> tuple[float, float]:
    """Load a port; return requests per second and the median latency in ms."""
    pressed = press(port, connections, seconds, {"STREAM": "1"} if stream else {})
    return pressed.per_s, pressed.p50_ms


def load(
    proxy: Proxy,
    what: str,
    connections: int,
    seconds: int,
    *,
    stream: bool = False,
    shape: Mapping[str, str] | None = None,
) -> None:
    """Load one of those measured and keep what came out, per request or, of streams, per chunk."""
    before = proxy.cpu_s()
    pressed = press(proxy.port, connections, seconds, {**(shape or {}), **({"STREAM": "1"} if stream else {})})
    each = CHUNKS if stream else 1
    proxy.note(f"{what} failures", pressed.failures)
    if pressed.requests:
        proxy.note(what, pressed.per_s * each)
        proxy.note(f"{what} cpu us", (proxy.cpu_s() - before) / (pressed.requests * each) * 1e6)
        proxy.note(f"{what} p50 ms", pressed.p50_ms)


def settle(proxy: Proxy, within_s: float = 20) -> None:
    """Wait until it does nothing any more: requests whose clients are gone are work to some, and would slow the next."""
    until, before = time.monotonic() + within_s, proxy.cpu_s()
    while time.monotonic() < until:
        time.sleep(0.25)
        before, last = proxy.cpu_s(), before
        if before - last < 0.05:
            return
