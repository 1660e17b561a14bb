"""Keeps a gateway in step with its file: notices an edit by whoever makes it, and takes it over if it is good.

Polling `stat` costs microseconds, works on every file system, through symlinks and for files that editors replace.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from jairouter_cli.config.at_start import waiting_for_start
from jairouter_cli.config.doubt import doubt, may_be_unfinished
from jairouter_cli.config.last_good import LastGood
from jairouter_cli.config.store import Loaded, Store
from jairouter_cli.errors import ConfigDoubtful, ConfigUnreadable, JAIRouterError, RevisionsUnreadable
from jairouter_cli.gateway.aside import bounded
from jairouter_cli.gateway.gateway import Gateway

logger: Final = logging.getLogger("jairouter")

INTERVAL_S: Final = 0.2  # two looks and a parse stay well under the second within which an edit is in force

_HANGS_S: Final = 5.0  # a file system that takes longer for one file does not answer
_NOTING_S: Final = 20.0  # it waits for the lock
_SETTLED: Final = 5  # looks for which a file stands still that somebody may still be writing

Signature = tuple[int, ...] | None


def signature(file: Path) -> Signature:
    """Return what changes when the file is edited or replaced, or may be read by others; None where there is none."""
    try:
        stat = os.stat(file)  # noqa: PTH116 - the cheapest call there is, five times a second
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino, stat.st_dev


async def watch(
    gateway: Gateway, store: Store, leads: Callable[[], bool], edited: asyncio.Event
) -> AsyncIterator[None]:
    """Follow the file, and yield after every look; the worker that leads notes as a revision what nobody else has.

    An edit is taken over once the file has stood still for one look, so that half a write is not judged; at once when
    `edited` says that the edit is one of ours, which are never half.
    """
    watcher = Watcher(gateway, store, leads)
    while True:
        with suppress(TimeoutError):
            await asyncio.wait_for(edited.wait(), INTERVAL_S)
        is_ours = edited.is_set()
        edited.clear()
        await watcher.look(is_ours=is_ours)
        yield


class Watcher:
    """What is known of the file from the looks before."""

    def __init__(self, gateway: Gateway, store: Store, leads: Callable[[], bool]) -> None:
        self._gateway: Final = gateway
        self._store: Final = store
        self._leads: Final = leads
        self._aside: Final = gateway.aside
        # None, not the present signature: an edit between the first read and now must not be missed
        self._judged: Signature = None
        self._before: Signature = None
        self._still = 0  # looks for which it has not changed
        self._doubtful: str | None = None  # the digest of a file that is not used, for what it looks like

    async def look(self, *, is_ours: bool = False) -> None:
        """Look once, and do what is to be done."""
        try:
            now = await self._aside.run(lambda: signature(self._store.file), _HANGS_S)
        except TimeoutError:
            refuse(self._gateway, _silent(self._store))
            self._judged = self._before = None
            return
        self._still = self._still + 1 if now == self._before else 0
        self._before = now
        if now is None:
            if self._judged is not None:
                await take_over(self._gateway, self._store)
                self._judged = None
        elif now != self._judged:
            if is_ours or self._still:
                await self._judge(now, is_ours=is_ours)
        elif self._doubtful is not None and await self._was_noted(self._doubtful):
            await self._judge(now, is_ours=True)

    async def _judge(self, now: Signature, *, is_ours: bool) -> None:
        settled = is_ours or self._still >= _SETTLED
        if not await take_over(self._gateway, self._store, is_ours=is_ours, is_settled=settled):
            return  # looked at again when it has stood still for longer
        rejection = self._gateway.rejection
        error = None if rejection is None else rejection.error
        self._doubtful = str(error.params["digest"]) if isinstance(error, ConfigDoubtful) else None
        if self._leads():
            await self._note()
        self._judged = now

    async def _was_noted(self, digest: str) -> bool:
        """Whether a doubtful file turns out to be ours: it stands there a moment before its revision does."""
        try:
            return await self._aside.run(lambda: self._store.wrote(digest), _HANGS_S)
        except (JAIRouterError, TimeoutError):
            return False

    async def _note(self) -> None:
        """Note what is in the file, if nobody has; where there can be no revisions there are none."""
        try:
            await self._aside.run(self._store.note, _NOTING_S)
        except (JAIRouterError, TimeoutError) as error:
            logger.debug("cannot save a revision: %s", error)


async def take_over(gateway: Gateway, store: Store, *, is_ours: bool = False, is_settled: bool = True) -> bool:
    """Read the file and put it into force if it is good and new; one that is not `is_ours` if it is not in doubt, too.

    Return whether it was judged: one that is not settled is not while somebody may still be writing it.
    """
    async with gateway.taking_over:
        used = gateway.good.loaded
        try:
            loaded, doubtful, is_open = await gateway.aside.run(lambda: _read(store, used, is_ours=is_ours), _HANGS_S)
            if loaded.digest == gateway.digest:
                gateway.rejection = None
                gateway.use(loaded.digest, loaded.written_at)
                return True
            if doubtful is not None:
                raise doubtful
            if is_open and not is_settled:
                return False
            waiting = waiting_for_start(gateway.table.config, loaded.config)
            gateway.swap(loaded.config, loaded.digest, loaded.written_at)
        except JAIRouterError as error:
            _catch_up(gateway, store)
            refuse(gateway, error)
            return True
        except TimeoutError:
            refuse(gateway, _silent(store))
            return True
        gateway.good.keep(loaded)
    logger.info("configuration loaded: %s", loaded.file)
    for key in waiting:
        logger.warning("%s has changed: it takes effect when the gateway is restarted", key)
    return True


def _catch_up(gateway: Gateway, store: Store) -> None:
    """Go by what another worker has taken over before the file was spoilt, if this one was too slow for that."""
    if gateway.good.digest() in {None, gateway.digest}:
        return
    with suppress(JAIRouterError):
        loaded = gateway.good.recall(store)
        if loaded is not None:
            gateway.swap(loaded.config, loaded.digest, loaded.written_at)
            gateway.good.loaded = loaded


def refuse(gateway: Gateway, error: JAIRouterError) -> None:
    """Note that the file cannot be used; say so once, however often it is looked at."""
    before = gateway.rejection
    if before is None or str(before.error) != str(error):
        logger.error("configuration rejected, keeping the previous one: %s", error)
        gateway.reject(error)


def begin(store: Store, good: LastGood) -> tuple[Loaded, JAIRouterError | None]:
    """Return what a worker begins with, and what is wrong with the file if it is not that.

    Without anything that was good before, raises what is wrong.
    """
    try:
        loaded = bounded(store.read, _HANGS_S)
    except TimeoutError:
        error: JAIRouterError = _silent(store)
    except JAIRouterError as found:
        error = found
    else:
        if good.digest() in {None, loaded.digest}:
            return loaded, None
        used = good.recall(store)
        doubtful = doubted(store, loaded, used)
        return (loaded, None) if doubtful is None or used is None else (used, doubtful)
    used = good.recall(store)
    if used is None:
        raise error
    return used, error


def doubted(store: Store, loaded: Loaded, used: Loaded | None) -> ConfigDoubtful | None:
    """Return what speaks against a file that could be used, unless a command or the API made it so."""
    if used is None or loaded.digest == used.digest:
        return None
    reason = doubt((loaded.document, loaded.config), (used.document, used.config))
    if reason is None or _is_ours(store, loaded):
        return None
    return ConfigDoubtful(file=str(loaded.file), reason=reason, digest=loaded.digest)


def _read(store: Store, used: Loaded | None, *, is_ours: bool) -> tuple[Loaded, ConfigDoubtful | None, bool]:
    """Return the file, what speaks against it, and whether somebody may still be writing it."""
    loaded = store.read()
    if is_ours or used is None:
        return loaded, None, False
    is_open = may_be_unfinished(loaded.document, used.document) and not _is_ours(store, loaded)
    return loaded, doubted(store, loaded, used), is_open


def _is_ours(store: Store, loaded: Loaded) -> bool:
    with suppress(RevisionsUnreadable):
        return store.wrote(loaded.digest)
    return False


def _silent(store: Store) -> ConfigUnreadable:
    return ConfigUnreadable(file=str(store.file), reason=f"its file system has not responded for {_HANGS_S:g} s")
