"""Runs ten thousand streams, many cut by the backend or left by the client, and looks for anything left over.

Connections, leases and memory must be back where they were. Exits with 1 if they are not. With `--reloads N` it edits
the configuration of a gateway with two workers every second, N times, while clients ask as fast as they can: none of
their requests may fail, and every edit must be in force in both workers when it is answered. With `--hostile` it spends
a bad day instead: see `hostile.py`.
"""

import argparse
import asyncio
import contextlib
import json
import random
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path

import hostile
import uvloop

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = b'data: {"choices":[{"delta":{"content":" word"}}]}\n\n'
CHUNK = b"%x\r\n%b\r\n" % (len(EVENT), EVENT)
DONE = b"data: [DONE]\n\n"
TAIL = b"%x\r\n%b\r\n0\r\n\r\n" % (len(DONE), DONE)
BODY = b'{"model":"m","stream":true,"messages":[]}'
REQUEST = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
)
AT_ONCE = 100


class Backend:
    """Answers streams, and cuts a fifth of them short."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.open = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.open += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
                await reader.readexactly(int(length.split(b":")[1]))
                if not await self.answer(writer):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except (RuntimeError, AttributeError):
            if not writer.transport.is_closing():  # uvloop's way to say that the gateway has let go
                raise
        finally:
            self.open -= 1
            writer.close()

    async def answer(self, writer: asyncio.StreamWriter) -> bool:
        """Stream an answer; return whether the connection can be used again."""
        writer.write(HEAD)
        for _ in range(self.rng.randrange(1, 30)):
            writer.write(CHUNK)
            await writer.drain()
            await asyncio.sleep(self.rng.choice((0, 0, 0.002)))
        fate = self.rng.random()
        if fate < 0.1:
            writer.write(CHUNK[: self.rng.randrange(1, len(CHUNK))])
            return False
        if fate < 0.2:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return False
        writer.write(TAIL)
        await writer.drain()
        return True


async def client(port: int, rng: random.Random, outcomes: Counter[str]) -> None:
    """Ask for one stream; leave a third of them at some point."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(REQUEST % (len(BODY), BODY))
        if rng.random() < 0.33:
            async with asyncio.timeout(rng.choice((0, 0.001, 0.01, 0.05))):
                await reader.read()
            outcomes["complete before leaving"] += 1
            return
        got = b""
        while b"0\r\n\r\n" not in got[-64:]:
            piece = await reader.read(65536)
            if not piece:
                break
            got += piece
        is_done, is_error = b"data: [DONE]" in got, b'data: {"error"' in got
        outcomes[
            "complete" if is_done and not is_error else "cut, and told" if is_error and not is_done else "UNTRUE"
        ] += 1
    except TimeoutError:
        outcomes["left"] += 1
    except ConnectionError:
        outcomes["reset"] += 1
    finally:
        writer.transport.abort()


class Gateway:
    """The gateway's process, seen from outside."""

    def __init__(self, folder: Path, backend: int, *options: str) -> None:
        config = folder / "jairouter.yaml"
        config.write_text(
            f"model: {{services: {{chat: {{instances: [{{name: m, base-url: 'http://127.0.0.1:{backend}'}}]}}}}}}\n"
        )
        command = [
            sys.executable,
            "-m",
            "jairouter_cli",
            "serve",
            "--config",
            str(config),
            "--port",
            "0",
            "--json",
            *options,
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        text = ""
        while not text.endswith("\n}\n"):
            text += self.process.stdout.readline() if self.process.stdout else ""
        self.url: str = json.loads(text)["url"]
        while not self.is_up(options.count("2") + 1):
            time.sleep(0.1)
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        self.worker = int(children[-1])

    def is_up(self, workers: int) -> bool:
        """Whether so many workers answer."""
        try:
            with urllib.request.urlopen(f"{self.url}/api/config/store/status") as answer:
                return len(json.load(answer)["data"]["workers"]) == workers
        except OSError:
            return False

    def look(self) -> dict[str, float]:
        """Return what could be left over."""
        files = [path.readlink() for path in Path(f"/proc/{self.worker}/fd").iterdir() if path.is_symlink()]
        status = Path(f"/proc/{self.worker}/status").read_text()
        with urllib.request.urlopen(f"{self.url}/actuator/health") as answer:
            details = json.load(answer)["components"]["modelRouter"]["details"]
        return {
            "sockets": sum(str(file).startswith("socket:") for file in files),
            "in flight": details["inFlight"],
            "memory MB": int(status.split("VmRSS:")[1].split()[0]) / 1024,
        }


async def soak(count: int, seed: int) -> int:
    """Run the streams; return the exit code."""
    rng = random.Random(seed)
    backend = Backend(rng)
    server = await asyncio.start_server(backend.serve, "127.0.0.1", 0)
    with tempfile.TemporaryDirectory(prefix="jairouter-soak-") as folder:
        gateway = await asyncio.to_thread(Gateway, Path(folder), server.sockets[0].getsockname()[1])
        try:
            outcomes: Counter[str] = Counter()
            port = int(gateway.url.rpartition(":")[2])
            looks = []
            # the first tenth warms everything up, the halves of the rest are compared
            for part in (count // 10, count * 45 // 100, count * 45 // 100):
                todo = iter(range(part))

                async def some(todo: object = todo) -> None:
                    for _ in todo:  # type: ignore[attr-defined]
                        await client(port, rng, outcomes)

                await asyncio.gather(*(some() for _ in range(AT_ONCE)))
                await asyncio.sleep(25)  # kept connections to the backend close after 20 s of idleness
                looks.append(await asyncio.to_thread(gateway.look))
                print(
                    f"after {sum(outcomes.values())} streams: {looks[-1]}, backend's connections: {backend.open}",
                    flush=True,
                )
        finally:
            gateway.process.terminate()
            await asyncio.to_thread(gateway.process.wait)
    server.close()
    print(dict(outcomes))
    _, early, late = looks
    grown = late["memory MB"] - early["memory MB"]
    is_clean = not late["in flight"] and late["sockets"] <= early["sockets"] and backend.open == 0 and grown < 5
    is_true = not outcomes["UNTRUE"]
    print(f"nothing left over: {is_clean}; every end was true: {is_true}; exit code {gateway.process.returncode}")
    return 0 if is_clean and is_true and gateway.process.returncode == 0 else 1


CHAT = b'{"model":"m","messages":[]}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
ASKING = 16


async def answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Be a backend that answers `{}`."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
            await reader.readexactly(int(length.split(b":")[1]))
            writer.write(ANSWER)
    writer.close()


async def ask_until(over: asyncio.Event, port: int, statuses: Counter[str]) -> None:
    """Send one request after the other over a connection that is kept."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while not over.is_set():
        try:
            writer.write(REQUEST % (len(CHAT), CHAT))
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.split(b":")[1]))
            statuses[head.split()[1].decode()] += 1
        except (asyncio.IncompleteReadError, OSError) as error:
            statuses[type(error).__name__] += 1
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()


def edit(url: str, number: int) -> tuple[bool, float]:
    """Change the service; return whether the answer says that it is in force everywhere, and how long it took."""
    body = json.dumps({"maxRetries": number % 5, "loadBalance": {"type": ("random", "round-robin")[number % 2]}})
    request = urllib.request.Request(f"{url}/api/config/type/services/chat", body.encode(), method="PUT")
    begin = time.monotonic()
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["data"]["inForce"], time.monotonic() - begin


async def reload(times: int) -> int:
    """Edit the configuration every second under load; return the exit code."""
    server = await asyncio.start_server(answer_all, "127.0.0.1", 0)
    with tempfile.TemporaryDirectory(prefix="jairouter-soak-") as folder:
        port = server.sockets[0].getsockname()[1]
        gateway = await asyncio.to_thread(Gateway, Path(folder), port, "--workers", "2")
        over, statuses, edits = asyncio.Event(), Counter[str](), list[tuple[bool, float]]()
        try:
            place = int(gateway.url.rpartition(":")[2])
            clients = [asyncio.create_task(ask_until(over, place, statuses)) for _ in range(ASKING)]
            for number in range(times):
                edits.append(await asyncio.to_thread(edit, gateway.url, number))
                await asyncio.sleep(max(0.0, 1 - edits[-1][1]))
            over.set()
            await asyncio.gather(*clients)
        finally:
            gateway.process.terminate()
            await asyncio.to_thread(gateway.process.wait)
    server.close()
    slowest = max(took for _, took in edits)
    in_force = sum(is_in_force for is_in_force, _ in edits)
    print(f"{times} edits, {in_force} in force everywhere when answered, the slowest after {slowest * 1000:.0f} ms")
    print(f"requests meanwhile, by status: {dict(statuses)}")
    return 0 if set(statuses) == {"200"} and in_force == times and gateway.process.returncode == 0 else 1


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--reloads", type=int, help="edit the configuration so often, once a second, under load")
    parser.add_argument("--hostile", action="store_true", help="everything that a bad day has; needs root")
    parser.add_argument("--seconds", type=float, default=120.0, help="how long a hostile day lasts")
    options = parser.parse_args()
    if options.hostile:
        sys.exit(uvloop.run(hostile.spend(options.seconds, options.seed)))
    sys.exit(uvloop.run(reload(options.reloads) if options.reloads else soak(options.streams, options.seed)))


if __name__ == "__main__":
    main()
