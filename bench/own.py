"""Measures what a request costs without sockets: `OpenAI.answer` with a door and an upstream that do nothing."""

import asyncio
import sys
import time
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from jairouter_cli.config.document import Document
from jairouter_cli.config.parse import parse
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.gateway.limits import Limits
from jairouter_cli.observe.log import log_trouble
from jairouter_cli.payloads.headers import RequestHeaders
from jairouter_cli.routing.table import compile_table
from jairouter_cli.state.shared_levels import SharedLevels
from jairouter_cli.web.v1.calls import OpenAI
from jairouter_cli.web.v1.endpoints import BY_PATH

CONFIG = """
model:
  load-balance: {type: BALANCING, health-check: {enabled: true}}
LIMITS
  circuit-breaker: {enabled: BREAKER}
  services:
    chat:
      SERVICELIMIT
      instances:
        - {name: m, base-url: "http://a"SLOTS}
        - {name: m, base-url: "http://b"SLOTS}
"""
# one of each kind that a request meets: its client's, the gateway's, the service's, the instance's
WIDE = "enabled: true, capacity: 1000000, rate: 1000000"
LIMITS = f"  rate-limit: {{{WIDE}, client-ip-enable: true}}"
BODY = b'{"model":"m","messages":[{"role":"user","content":"' + b"x" * 400 + b'"}]}'
HEADERS = [
    ("host", "x"),
    ("content-type", "application/json"),
    ("content-length", "500"),
    ("accept", "*/*"),
    ("user-agent", "wrk"),
    ("authorization", "Bearer k"),
]


ANSWER = (
    b'{"id":"x","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"CONTENT"}}],'
)
ANSWER += b'"usage":{"prompt_tokens":100,"completion_tokens":100,"total_tokens":200}}'
ANSWER = ANSWER.replace(b"CONTENT", b"x" * (607 - len(ANSWER)))


class Exchange:
    """An answer of 600 bytes."""

    status = 200
    headers = (("content-type", "application/json"), ("content-length", "600"), ("server", "x"))

    def __init__(self) -> None:
        self.left = [ANSWER]

    async def read(self) -> bytes:
        return self.left.pop() if self.left else b""

    def expect_content(self, within_s: float | None) -> None:
        pass

    async def aclose(self) -> None:
        pass


class Upstream:
    async def send(self, request: Any) -> Exchange:
        return Exchange()

    def pools(self) -> tuple[Any, ...]:
        return ()

    async def aclose(self) -> None:
        pass


class Door:
    method, path, query, client_ip, started = "POST", "/v1/chat/completions", "", "127.0.0.1", False
    headers, lost = RequestHeaders(HEADERS), ()

    async def body(self, intake: Any, task: Any) -> bytes:
        return BODY

    async def left(self) -> None:
        await asyncio.Event().wait()

    async def whole(self, status: int, headers: Any, body: bytes) -> None:
        assert status == 200


async def measure(balancing: str, breaker: bool, slots: bool, limits: str = "", number: int = 20_000) -> float:
    text = CONFIG.replace("BALANCING", balancing).replace("BREAKER", str(breaker).lower())
    of_instance = f", rate-limit: {{{WIDE}}}" if limits else ""
    text = text.replace("SLOTS", (", max-concurrency: 64" if slots else "") + of_instance)
    text = text.replace("SERVICELIMIT", f"rate-limit: {{{WIDE}}}" if limits else "")
    text = text.replace("LIMITS", LIMITS if limits else "")
    table = compile_table(parse(Document.load(text, "bench")).config)
    with TemporaryDirectory(dir="/dev/shm") as folder:
        levels = SharedLevels(Path(folder), time.monotonic) if limits == "shared" else None
        gateway = Gateway(table, Upstream(), (log_trouble,), rng=Random(1), limits=Limits(time.monotonic, levels))
        return await best_of(OpenAI(gateway), number)


async def best_of(openai: OpenAI, number: int) -> float:
    endpoint, best = BY_PATH["/v1/chat/completions"], float("inf")
    for _ in range(5):
        start = time.process_time()
        for _ in range(number):
            await openai.answer(endpoint, Door())
        best = min(best, (time.process_time() - start) / number)
    return best * 1e6


def main() -> None:
    rows: list[tuple[Any, ...]] = [("random", False, False), ("round-robin", False, False)]
    rows += [("round-robin", False, False, "own"), ("round-robin", False, False, "shared")]
    if "--all" in sys.argv:
        rows += [
            ("least-connections", False, False),
            ("round-robin", True, False),
            ("round-robin", True, True),
            ("latency", True, True),
            ("ip-hash", True, True),
            ("prefix-affinity", True, True),
        ]
    for balancing, breaker, slots, *limits in rows:
        cost = asyncio.run(measure(balancing, breaker, slots, *limits))
        said = f", four limits ({limits[0]})" if limits else ""
        print(f"{balancing}{', breaker' * breaker}{', slots' * slots}{said}: {cost:.1f} us")


if __name__ == "__main__":
    main()
