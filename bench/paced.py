"""Runs many paced streams at once: when their first token comes, how even the rest is, and what a chunk costs."""

import asyncio
import statistics
import sys
import time

import uvloop
from proxies import BODY, HEAD, Proxy

PACED_CHUNKS, PACE_MS = 40, 20
PACED = {"first token": "first token ms", "jitter": "gap error p99 ms", "paced cpu us": "CPU us per chunk"}
CROWDS = (("64", 64, False), ("200", 200, False), ("64 in a burst", 64, True))


class Stream(asyncio.Protocol):
    """One paced stream: when its request went out and when its pieces came."""

    def __init__(self) -> None:
        self.arrivals: list[float] = []
        self.sent = 0.0
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self.sent = time.monotonic()
        transport.write(HEAD % len(BODY) + BODY)  # type: ignore[attr-defined]

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


def crowd(proxy: Proxy, name: str, count: int, *, burst: bool) -> None:
    """Run paced streams through one of those measured and keep what came out; say so if a stream had no token."""
    before = proxy.cpu_s()
    try:
        first, jitter = uvloop.run(paced(proxy.port, count, burst=burst))
    except (OSError, IndexError, TimeoutError) as error:
        print(f"warning: {proxy.name} failed with {name} paced streams: {error!r}", file=sys.stderr)
        proxy.note(f"paced {name} failures", 1)
        return
    proxy.note(f"first token {name}", first)
    proxy.note(f"jitter {name}", jitter)
    proxy.note(f"paced cpu us {name}", (proxy.cpu_s() - before) / (count * PACED_CHUNKS) * 1e6)
