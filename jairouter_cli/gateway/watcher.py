"""Keeps a gateway in step with its file: notices an edit by whoever makes it, and takes it over if it is good.

Polling `stat` costs microseconds, works on every file system, through symlinks and for files that editors replace.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from jairouter_cli.config.store import Loaded
from jairouter_cli.errors import JAIRouterError
from jairouter_cli.gateway.gateway import Gateway

logger: Final = logging.getLogger("jairouter")

INTERVAL_S: Final = 0.2  # two looks and a parse stay well under the second within which an edit is in force

Signature = tuple[int, int, int] | None


def signature(file: Path) -> Signature:
    """Return what changes when the file is edited or replaced; None where there is none."""
    try:
        stat = os.stat(file)  # noqa: PTH116 - the cheapest call there is, five times a second
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


async def watch(gateway: Gateway, file: Path, read: Callable[[], Loaded], current: str) -> None:
    """Follow the file until cancelled; `current` is the digest of what is in force.

    An edit is taken over once the file has stood still for one look, so that half a write is not judged.
    """
    # None, not the present signature: an edit between the first read and now must not be missed
    judged: Signature = None
    before = signature(file)
    while True:
        await asyncio.sleep(INTERVAL_S)
        now = signature(file)
        if now == before and now != judged:
            current = await _take_over(gateway, read, current)
            judged = now
        elif now is None and judged is not None:
            current = await _take_over(gateway, read, current)
            judged = None
        before = now


async def _take_over(gateway: Gateway, read: Callable[[], Loaded], current: str) -> str:
    """Read the file and put it into force if it is good and new; return the digest of what is in force."""
    try:
        loaded = await asyncio.to_thread(read)
        if loaded.digest == current:
            gateway.rejection = None
            return current
        gateway.swap(loaded.config)
    except JAIRouterError as error:
        logger.error("configuration not taken over, the one before stays in force: %s", error)
        gateway.reject(error)
        return current
    logger.info("configuration taken over: %s", loaded.file)
    return loaded.digest
