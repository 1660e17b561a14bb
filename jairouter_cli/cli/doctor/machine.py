"""Checks the machine: open files, processors, the kernel's queue of connections, disks, and what `serve` needs."""

import os
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

from jairouter_cli.cli.doctor.finding import Finding, failed, ok, warning
from jairouter_cli.cli.doctor.setup import Setup
from jairouter_cli.cli.language import _
from jairouter_cli.config import keeping
from jairouter_cli.errors import JAIRouterError
from jairouter_cli.form import form
from jairouter_cli.gateway.upstream.http1 import tls_context
from jairouter_cli.observe.tracing import require
from jairouter_cli.serve.descriptors import FEW_CLIENTS, make_room

ROOT: Final = Path("/")
_SOMAXCONN: Final = "proc/sys/net/core/somaxconn"
_CGROUP_2: Final = "sys/fs/cgroup/cpu.max"
_CGROUP_1: Final = ("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "sys/fs/cgroup/cpu/cpu.cfs_period_us")
_SHORT_QUEUE: Final = 1024
_NEARLY_FULL: Final = 10 << 20  # bytes; health is DOWN below
_LITTLE: Final = 200 << 20


def machine(setup: Setup, root: Path = ROOT) -> Iterator[Finding]:
    """Yield the state of this machine; `root` is where its /proc and /sys are."""
    yield ok("program", f"jairouter {metadata.version('jairouter')} ({form()}), Granian {metadata.version('granian')}")
    yield _open_files()
    yield from _processors(setup, root)
    yield from _queue(root)
    yield from _disks(setup)
    yield from _start(setup)


def _open_files() -> Finding:
    room = make_room()
    text = _("this user may open {files} files: {clients} clients for each worker").format(
        files=room.files, clients=room.clients
    )
    if room.clients >= FEW_CLIENTS:
        return ok("open-files", text)
    return warning(
        "open-files",
        text,
        why=_("every connection is an open file; more clients have to wait"),
        fix=_("ulimit -n 65536 before `jairouter serve`; with systemd: LimitNOFILE=65536"),
    )


def processors(root: Path = ROOT) -> float:
    """Return how many processors this process can use: those of the machine, or less if its cgroup allows less."""
    own = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    quota = _text(root / _CGROUP_2).split() or [_text(root / name) for name in _CGROUP_1]
    try:
        allowed = float(quota[0]) / float(quota[1])
    except (ValueError, IndexError, ZeroDivisionError):  # "max", or no such file
        return own
    return min(own, allowed) if allowed > 0 else own


def _processors(setup: Setup, root: Path) -> Iterator[Finding]:
    workers, number = setup.config.server.workers, processors(root)
    text = _("server.workers is {workers}; this process can use {number:g} processors")
    found = text.format(workers=workers, number=number)
    if workers <= max(1.0, number):
        yield ok("processors", found)
        return
    yield warning(
        "processors",
        found,
        why=_("more workers than processors take memory and make each other slower"),
        fix=setup.command("config", "set", "server.workers", max(1, int(number))),
    )


def _queue(root: Path) -> Iterator[Finding]:
    text = _text(root / _SOMAXCONN)
    if not text.isdecimal():  # not Linux
        return
    found = _("the kernel lets {number} connections wait for a port (net.core.somaxconn)").format(number=text)
    if int(text) >= _SHORT_QUEUE:
        yield ok("kernel", found)
        return
    why = _("when many clients connect at once, the others are dropped and try again a second later")
    yield warning("kernel", found, why=why, fix="sudo sysctl -w net.core.somaxconn=4096")


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii")[:100].strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _disks(setup: Setup) -> Iterator[Finding]:
    """Yield the free space of each file system that the gateway writes to."""
    seen: set[int] = set()
    for what, folder in _written(setup):
        place = next((one for one in (folder, *folder.parents) if one.is_dir()), ROOT)
        try:
            device, free = place.stat().st_dev, shutil.disk_usage(place).free
        except OSError as error:
            reason = error.strerror or str(error)
            text = _("cannot look at {folder}: {reason}").format(folder=place, reason=reason)
            why = _("the gateway writes there: {what}").format(what=what)
            yield warning("disk", text, why=why, fix=f"ls -ld {place}")
            continue
        if device in seen:
            continue
        seen.add(device)
        found = _("{free} MB free in {folder} ({what})").format(free=free >> 20, folder=place, what=what)
        if free >= _LITTLE:
            yield ok("disk", found)
            continue
        judge = warning if free >= _NEARLY_FULL else failed
        why = _("edits of the configuration, usage and logs cannot be written when it is full")
        yield judge("disk", found, why=why, fix=f"df -h {place}")


def _written(setup: Setup) -> Iterator[tuple[str, Path]]:
    """Yield what the gateway writes, and in which folder."""
    if setup.file is not None:
        config, beside = setup.config, setup.file.resolve().parent
        kept = keeping.folder(setup.file, config.store.state_dir, setup.environ)
        yield _("configuration"), beside
        yield _("revisions"), kept
        if config.usage.enabled:
            yield _("usage"), beside / Path(config.usage.file).parent if config.usage.file else kept
        if config.logging.access.enabled and config.logging.access.file:
            yield _("access log"), Path(config.logging.access.file).absolute().parent
    shared = Path("/dev/shm")  # noqa: S108 - where the workers of a server share memory
    if shared.is_dir():
        yield _("shared memory of the workers"), shared


def _start(setup: Setup) -> Iterator[Finding]:
    """Yield what `serve` would refuse to start with, besides the port."""
    config, why = setup.config, _("the gateway does not start")
    access = config.logging.access
    if access.enabled and access.file and not os.access(Path(access.file).absolute().parent, os.W_OK | os.X_OK):
        folder = Path(access.file).absolute().parent
        text = _("logging.access.file: {folder} does not exist, or this user cannot write to it").format(folder=folder)
        yield failed("start", text, why=why, fix=f"mkdir -p {folder}")
    try:
        tls_context(config.webclient.ssl)
    except JAIRouterError as error:
        fix = setup.command("config", "unset", "webclient.ssl.trust-store")
        yield failed("start", f"webclient.ssl.trust-store: {error}", why=why, fix=fix)
    if config.webclient.ssl.trust_all:
        yield warning(
            "tls",
            _("webclient.ssl.trust-all is true: certificates of backends are not checked"),
            why=_("anyone between here and a backend can read keys and prompts"),
            fix=setup.command("config", "set", "webclient.ssl.trust-store", "CA.pem"),
        )
    try:
        if config.tracing.enabled:
            require()
    except JAIRouterError as error:
        yield failed("start", str(error), why=why, fix="pip install 'jairouter[tracing]'")
