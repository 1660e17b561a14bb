"""From a name to a socket: the addresses of a name are tried side by side, the first that answers wins (RFC 8305)."""

import asyncio
import socket
from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from typing import Final

from jairouter_cli.gateway.upstream.resolver import SocketAddress

_HEAD_START_S: Final = 0.25  # of an address before the next one is tried beside it (RFC 8305, 8)


async def dial(addresses: Sequence[SocketAddress]) -> socket.socket:
    """Return a connected socket. Raises `OSError`: why the first address did not do."""
    left = _alternating(addresses)
    trying: set[asyncio.Task[socket.socket]] = set()
    errors: list[OSError] = []
    has_more = True
    try:
        while True:
            if has_more and (address := next(left, None)) is not None:
                trying.add(asyncio.ensure_future(_open(address)))
            else:
                has_more = False
            if not trying:
                raise errors[0] if errors else OSError("the name has no address")
            done, trying = await asyncio.wait(
                trying, timeout=_HEAD_START_S if has_more else None, return_when=asyncio.FIRST_COMPLETED
            )
            opened = [task.result() for task in done if task.exception() is None]
            errors += [error for task in done if isinstance(error := task.exception(), OSError)]
            for spare in opened[1:]:
                spare.close()
            if opened:
                return opened[0]
    finally:
        _give_up(trying)


async def _open(address: SocketAddress) -> socket.socket:
    opened = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        opened.setblocking(False)  # noqa: FBT003 - as the standard library has it
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(opened, address.name)
    except BaseException:
        opened.close()
        raise
    return opened


def _alternating(addresses: Sequence[SocketAddress]) -> Iterator[SocketAddress]:
    """Yield addresses of both families in turn, beginning with the preferred one."""
    first = [one for one in addresses if one.family == addresses[0].family]
    other = [one for one in addresses if one.family != addresses[0].family]
    return (one for one in chain.from_iterable(zip_longest(first, other)) if one is not None)


def _give_up(trying: set[asyncio.Task[socket.socket]]) -> None:
    """Cancel what is still under way; close what came of it all the same."""
    for task in trying:
        task.cancel()
        task.add_done_callback(_close)


def _close(task: asyncio.Task[socket.socket]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()
