"""Serves under everything that a bad day has, and counts: nothing may be lost but what was inside workers that died.

Two workers on all addresses, asked on loopback only, by clients that want whole answers and streams, by some that vanish,
and with a backend that answers nonsense; meanwhile workers are killed and stopped, the disk of the log and the usage
is full, `/dev/shm` is full, and there are hardly any file descriptors left. Needs root, for mounts of its own.
"""

import asyncio
import contextlib
import json
import os
import random
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import cycle
from pathlib import Path
from typing import Any

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n"
EVENT = b'data: {"choices":[{"delta":{"content":" word"}}]}\n\n'
DONE = b"data: [DONE]\n\n"
EVENTS = 20
WHOLE = b'{"choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":1,"completion_tokens":1}}'
NONSENSE = (
    b"",
    b"\x00\xff" * 500,
    b"HTTP/9.9 999\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 60_000 + b"\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {" + b"x" * 100_000,
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip.",
)
TEXT = """
server: {{locale: en, worker-timeout: 3s, shutdown: {{timeout: 5s}}}}
logging: {{access: {{file: {small}/access.log}}}}
usage: {{enabled: true, file: {small}/usage.db, flush-interval: 200ms}}
model:
  circuit-breaker: {{enabled: false}}
  load-balance: {{health-check: {{interval: 1s, timeout: 1s}}}}
  services:
    chat:
      instances:
        - {{name: good, base-url: "http://127.0.0.1:{good}"}}
        - {{name: evil, base-url: "http://127.0.0.1:{evil}"}}
"""
FILES = 256
IDLE = 300
EXCUSED_S = 3.0  # around the death of a worker, what fails may have been inside it, or on its way
GIVES_UP_S = 60.0
TROUBLE_EVERY_S = 4.0


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """Return the body of a request."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
    return await reader.readexactly(int(length.split(b":")[1]))


async def be_good(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Be a backend that answers as it should."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, RuntimeError):  # uvloop's, for one closed
        while True:
            if b'"stream":true' in await read_request(reader):
                writer.write(HEAD % b"text/event-stream" + b"Transfer-Encoding: chunked\r\n\r\n")
                for piece in [EVENT] * EVENTS + [DONE]:
                    writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                    await writer.drain()
                    await asyncio.sleep(0.02)
                writer.write(b"0\r\n\r\n")
            else:
                writer.write(HEAD % b"application/json" + b"Content-Length: %d\r\n\r\n" % len(WHOLE) + WHOLE)
    writer.close()


def be_evil(rng: random.Random) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """Be a backend that answers nonsense, and is gone."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await read_request(reader)
            writer.write(rng.choice(NONSENSE))
            await writer.drain()
        if rng.random() < 0.5:
            reset(writer)
        writer.close()

    return serve


def reset(writer: asyncio.StreamWriter) -> None:
    """Be gone without a goodbye."""
    with contextlib.suppress(OSError):
        sock = writer.get_extra_info("socket")
        if sock is not None:  # the other side was first
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def request(model: str, *, stream: bool) -> bytes:
    """Return the bytes of a request."""
    body = json.dumps({"model": model, "stream": stream, "messages": []}, separators=(",", ":")).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
    return head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class Day:
    """What happened, and when."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.outcomes: Counter[str] = Counter()
        self.deaths: list[float] = []
        self.is_over = asyncio.Event()
        self.port = 0

    def is_excused(self, began: float) -> bool:
        """Whether a worker died while a request was under way, or shortly before."""
        return any(at > began - EXCUSED_S for at in self.deaths)

    async def ask(self, model: str, *, stream: bool) -> None:
        """Ask once, and note what came of it."""
        kind, began = f"{model} {'stream' if stream else 'whole'}", time.monotonic()
        try:
            async with asyncio.timeout(GIVES_UP_S):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(request(model, stream=stream))
                answer = await reader.read(-1)
                writer.close()
        except (OSError, TimeoutError) as error:
            answer, what = b"", type(error).__name__
        else:
            what = judge(answer, stream=stream)
        if model == "evil":  # what it says is passed through, whatever it is worth
            what = "answered" if answer else what
        elif what != "well":
            await asyncio.sleep(EXCUSED_S / 3)  # a death may be noticed later than what it took along
            what = f"{what} (inside a worker that died)" if self.is_excused(began) else f"LOST: {what}"
        self.outcomes[f"{kind}: {what}"] += 1

    async def keep_asking(self, model: str, *, stream: bool) -> None:
        """Ask until the day is over."""
        while not self.is_over.is_set():
            await self.ask(model, stream=stream)
            await asyncio.sleep(0.01 if model == "good" else 0.1)

    async def vanish(self) -> None:
        """Leave at every point, again and again."""
        while not self.is_over.is_set():
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(GIVES_UP_S):
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    whole = request("good", stream=True)
                    writer.write(whole[: self.rng.choice((0, 10, len(whole) - 1, len(whole)))])
                    await asyncio.sleep(self.rng.choice((0, 0.01, 0.2)))
                    reset(writer)
                    self.outcomes["vanished"] += 1
            await asyncio.sleep(0.05)


def judge(answer: bytes, *, stream: bool) -> str:
    """Say in a word what an answer is: whole, an error that is told, cut off, or one that lies."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 "):
        return "nothing"
    status = int(head.split()[1])
    if status != 200:
        return f"status {status}"
    if not stream:
        return "well" if body == WHOLE else "cut"
    if b'data: {"error"' in body:
        return "cut, and told"
    has_ended, is_whole = body.endswith(b"0\r\n\r\n"), DONE in body and body.count(EVENT) == EVENTS
    if has_ended == is_whole:
        return "well" if is_whole else "untrue" if DONE in body else "cut"
    return "untrue" if has_ended else "cut"  # without its last chunk a transfer is incomplete, whatever it held


class Served:
    """The gateway's process, with small file systems of its own."""

    def __init__(self, folder: Path, good: int, evil: int) -> None:
        self.small = folder / "small"
        self.small.mkdir()
        config = folder / "jairouter.yaml"
        config.write_text(TEXT.format(small=self.small, good=good, evil=evil))
        mounts = f"mount -t tmpfs -o size=32m tmpfs /dev/shm && mount -t tmpfs -o size=64m tmpfs {self.small}"
        files = ["prlimit", f"--nofile={FILES}:{FILES}"]
        own = [*files, "unshare", "-m", "sh", "-c", f'{mounts} && exec "$@"', "sh", sys.executable, "-m"]
        options = ["--config", str(config), "--host", "0.0.0.0", "--port", "0", "--workers", "2", "--json"]
        self.log = folder / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*own, "jairouter_cli", "serve", *options], stdout=subprocess.PIPE, stderr=log, text=True
            )
        text = ""
        while not text.endswith("\n}\n"):
            line = self.process.stdout.readline() if self.process.stdout else ""
            if not line:
                raise SystemExit(f"it did not start: {self.log.read_text()}")
            text += line
        self.port = int(json.loads(text)["url"].rpartition(":")[2])

    def workers(self) -> list[int]:
        """Return the process ids of the workers that run."""
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def fill(self, path: str) -> Path:
        """Fill a file system of its own."""
        fill = Path(f"/proc/{self.process.pid}/root{path}/fill")
        with fill.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                pass
        return fill

    def details(self, component: str) -> dict[str, Any]:
        """Return what health tells of a component."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/actuator/health", timeout=5) as answer:
            found: dict[str, Any] = json.load(answer)["components"].get(component, {}).get("details", {})
        return found

    def unrest(self) -> str:
        """Say what is not as it was at the beginning; nothing if all is."""
        try:
            states, in_flight = self.details("workers")["states"], self.details("modelRouter")["inFlight"]
            return " ".join(map(str, (states, in_flight, *self.details("tasks")))).replace("['up', 'up'] 0", "")
        except (OSError, KeyError) as error:  # a parent that has only begun has told nothing yet
            return repr(error)

    def calm_down(self, within_s: float) -> str:
        """Wait until all is as it was at the beginning; return what is not."""
        end = time.monotonic() + within_s
        while (unrest := self.unrest()) and time.monotonic() < end:
            time.sleep(0.2)
        return unrest

    def until_gone(self, pid: int, within_s: float) -> None:
        """Wait until a worker is gone."""
        end = time.monotonic() + within_s
        while pid in self.workers() and time.monotonic() < end:
            time.sleep(0.1)


class Troubles:
    """The kinds of trouble there are."""

    def __init__(self, day: Day, served: Served) -> None:
        self._day = day
        self._served = served

    async def make(self) -> None:
        """Make one kind after the other, until the day is over."""
        for name, trouble in cycle(self.kinds().items()):
            if self._day.is_over.is_set():
                return
            print(f"{name}; so far {sum(self._day.outcomes.values())} requests", flush=True)
            self._day.outcomes[f"trouble: {name}"] += 1
            await trouble()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._day.is_over.wait(), TROUBLE_EVERY_S)

    def kinds(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """Return them by name."""
        return {
            "a worker killed": self.kill,
            "a full disk": lambda: self.fill(str(self._served.small)),
            "a full /dev/shm": lambda: self.fill("/dev/shm"),
            "few descriptors": self.crowd,
            "a worker stopped": self.stop,
        }

    async def kill(self) -> None:
        """End a worker at once."""
        victim = self._day.rng.choice(self._served.workers())
        self._day.deaths.append(time.monotonic())
        os.kill(victim, signal.SIGKILL)

    async def stop(self) -> None:
        """Stop a worker, and wait until it was replaced."""
        deaths, victim = self._day.deaths, self._day.rng.choice(self._served.workers())
        os.kill(victim, signal.SIGSTOP)
        deaths.append(float("inf"))  # it takes along what comes to it for as long as it hangs
        await asyncio.to_thread(self._served.until_gone, victim, 20)
        deaths[-1] = time.monotonic()

    async def fill(self, path: str) -> None:
        """Fill a file system for a while."""
        filled = await asyncio.to_thread(self._served.fill, path)
        await asyncio.sleep(TROUBLE_EVERY_S)
        filled.unlink()

    async def crowd(self) -> None:
        """Hold more connections than there are descriptors for, for a while."""
        here = [one for one in await asyncio.gather(*(self._idle() for _ in range(IDLE))) if one is not None]
        await asyncio.sleep(TROUBLE_EVERY_S)
        for one in here:
            one.close()

    async def _idle(self) -> asyncio.StreamWriter | None:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(2):
                return (await asyncio.open_connection("127.0.0.1", self._day.port))[1]
        return None


async def spend(seconds: float, seed: int) -> int:
    """Spend such a day; return the exit code."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    day = Day(seed)
    servers = [await asyncio.start_server(one, "127.0.0.1", 0) for one in (be_good, be_evil(day.rng))]
    with tempfile.TemporaryDirectory(prefix="jairouter-soak-") as folder:
        ports = [server.sockets[0].getsockname()[1] for server in servers]
        served = await asyncio.to_thread(Served, Path(folder), *ports)
        day.port = served.port
        try:
            await asyncio.to_thread(served.calm_down, 20)
            asking = [day.keep_asking("good", stream=number % 2 == 0) for number in range(12)]
            asking += [day.keep_asking("evil", stream=number % 2 == 0) for number in range(4)]
            running = [asyncio.create_task(one) for one in (*asking, day.vanish(), Troubles(day, served).make())]
            await asyncio.sleep(seconds)
            day.is_over.set()
            await asyncio.gather(*running)
            unrest = await asyncio.to_thread(served.calm_down, 40)  # a worker that died may be but in a pause
            told = {} if unrest else await asyncio.to_thread(served.details, "workers")
        finally:
            served.process.terminate()
            code = await asyncio.to_thread(served.process.wait, 30)
        log = served.log.read_text()
    for server in servers:
        server.close()
    return report(day, told, code, log, unrest)


def report(day: Day, told: dict[str, Any], code: int, log: str, unrest: str) -> int:
    """Say what happened; return the exit code."""
    for what, number in sorted(day.outcomes.items()):
        print(f"{number:>7}  {what}")
    wrong = sum(number for what, number in day.outcomes.items() if "LOST" in what or "untrue" in what)
    print(
        f"lost or untrue: {wrong}; unrest at the end: {unrest or 'none'}; restarts: {told.get('restarts')}; exit code {code}"
    )
    if wrong or unrest or code:
        print("\n".join(line for line in log.splitlines() if " INFO " not in line)[-4000:])
        return 1
    return 0
