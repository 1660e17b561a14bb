"""Many clients at once, each with an address of its own on the loopback interface."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Crowd:
    """What a crowd was answered."""

    statuses: Counter[int | None] = field(default_factory=Counter)
    """None for a connection that broke."""
    by_client: dict[str, Counter[int | None]] = field(default_factory=dict)


def address(number: int) -> str:
    """Return the address of a client."""
    return f"127.1.{number // 250}.{number % 250 + 1}"


async def _request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, body: bytes) -> int:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    lines = answer.decode("latin-1").lower().split("\r\n")
    length = next(int(line.partition(":")[2]) for line in lines if line.startswith("content-length:"))
    await reader.readexactly(length)
    return int(lines[0].split()[1])


async def _client(crowd: Crowd, url: str, path: str, body: bytes, number: int, times: int) -> None:
    place = urlsplit(url)
    seen = crowd.by_client.setdefault(address(number), Counter())
    left = times
    while left:
        try:
            reader, writer = await asyncio.open_connection(place.hostname, place.port, local_addr=(address(number), 0))
        except OSError:
            seen[None] += 1
            left -= 1
            await asyncio.sleep(0.05)
            continue
        try:
            while left:
                left -= 1
                seen[await _request(reader, writer, path, body)] += 1
        except (OSError, asyncio.IncompleteReadError):
            seen[None] += 1
        finally:
            writer.close()


async def _play(url: str, path: str, fields: dict[str, Any], clients: int, times: int) -> Crowd:
    crowd, body = Crowd(), json.dumps(fields).encode()
    async with asyncio.timeout(60):
        await asyncio.gather(*(_client(crowd, url, path, body, number, times) for number in range(clients)))
    for seen in crowd.by_client.values():
        crowd.statuses.update(seen)
    return crowd


def crowd(url: str, path: str, fields: dict[str, Any], clients: int, times: int) -> Crowd:
    """Let so many clients send so many requests each, all at once."""
    return asyncio.run(_play(url, path, fields, clients, times))
