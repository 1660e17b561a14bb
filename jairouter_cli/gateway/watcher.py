"""Keeps a gateway in step with its file: notices an edit by whoever makes it, and takes it over if it is good.

Polling `stat` costs microseconds, works on every file system, through symlinks and for files that editors replace.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from jairouter_cli.config.store import Store
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


async def watch(gateway: Gateway, store: Store, leads: Callable[[], bool], edited: asyncio.Event) -> None:
    """Follow the file until cancelled; the worker that leads notes as a revision what nobody else has.

    An edit is taken over once the file has stood still for one look, so that half a write is not judged; at once when
    `edited` says that the edit is one of ours, which are never half.
    """
    # None, not the present signature: an edit between the first read and now must not be missed
    judged: Signature = None
    before = signature(store.file)
    while True:
        with suppress(TimeoutError):
            await asyncio.wait_for(edited.wait(), INTERVAL_S)
        now = signature(store.file)
        if (edited.is_set() or now == before) and now is not None and now != judged:
            await take_over(gateway, store)
            if leads():
                await _note(store)
            judged = now
        elif now is None and judged is not None:
            await take_over(gateway, store)
            judged = None
        before = now
        edited.clear()


async def take_over(gateway: Gateway, store: Store) -> None:
    """Read the file and put it into force if it is good and new."""
    async with gateway.taking_over:
        try:
            loaded = await asyncio.to_thread(store.read)
            if loaded.digest == gateway.digest:
                gateway.rejection = None
                gateway.use(loaded.digest, loaded.written_at)
                return
            gateway.swap(loaded.config, loaded.digest, loaded.written_at)
        except JAIRouterError as error:
            logger.error("configuration not taken over, the one before stays in force: %s", error)
            gateway.reject(error)
            return
    logger.info("configuration taken over: %s", loaded.file)


async def _note(store: Store) -> None:
    """Note what is in the file, if nobody has; a file that may only be read has no revisions."""
    try:
        await asyncio.to_thread(store.note)
    except JAIRouterError as error:
        logger.debug("not noted as a revision: %s", error)
