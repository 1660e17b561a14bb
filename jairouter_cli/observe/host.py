"""Metrics of this server's processes and of its host, from the operating system."""

import os
import platform
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from prometheus_client import ProcessCollector

from jairouter_cli.observe.collection import Reading

_LOOK_S: Final = 1.0
_LEAST_S: Final = 0.001


def readings(workers: Mapping[str, int], folder: Path) -> Iterator[Reading]:
    """Yield what is known of processes, by the name and the id of each, of the host and of a folder's disk."""
    for name, pid in workers.items():
        yield from _process(name, pid)
    yield Reading("system_cpu_count", (), os.cpu_count() or 1)
    yield Reading("system_load_average_1m", (), os.getloadavg()[0])
    yield Reading("python_info", (platform.python_implementation(), platform.python_version()), 1.0)
    disk = shutil.disk_usage(folder)
    yield Reading("disk_free_bytes", (str(folder),), disk.free)
    yield Reading("disk_total_bytes", (str(folder),), disk.total)


def _process(name: str, pid: int) -> Iterator[Reading]:
    """Yield nothing of a process that is gone, or on a system without /proc."""
    for metric in ProcessCollector(pid=lambda: pid, registry=None).collect():
        for sample in metric.samples:
            yield Reading(metric.name, (name,), sample.value)
    tasks = Path(f"/proc/{pid}/task")
    if tasks.is_dir():
        yield Reading("process_threads", (name,), sum(1 for _ in tasks.iterdir()))


def started_at(pid: int) -> float | None:
    """Return when a process began, as Unix time; None where the system does not say."""
    return next((one.value for one in _process("", pid) if one.name == "process_start_time_seconds"), None)


def memory_bytes() -> int:
    """Return how much memory there is for this server: what its control group may have, or the host; 0 if unknown."""
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text("ascii").strip()
        if limit.isdecimal():
            return int(limit)
    except OSError:
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0


class Loads:
    """How busy processes and the host are: the share of all processors that was used between two looks.

    A call within `_LOOK_S` of the last one returns the same; the first call for a process covers its whole life.
    """

    def __init__(self) -> None:
        self._before: dict[str, tuple[float, float]] = {}
        self._last: dict[str, float] = {}

    def readings(self, of_processes: Iterable[Reading], now: float, processors: int | None = None) -> Iterator[Reading]:
        """Yield them, and how long each process has run; `now` is Unix time."""
        known = {(reading.name, reading.labels): reading.value for reading in of_processes}
        processors = processors or os.cpu_count() or 1
        for (name, labels), began in known.items():
            used_s = known.get(("process_cpu_seconds", labels))
            if name != "process_start_time_seconds" or used_s is None:
                continue
            yield Reading("process_uptime_seconds", labels, max(0.0, now - began))
            share = self._share(f"{labels[0]} {began}", now, used_s, (began, 0.0))
            yield Reading("process_cpu_usage", labels, min(1.0, share / processors))
        host = _host_times()
        if host is not None:
            total_s, busy_s = host
            yield Reading("system_cpu_usage", (), min(1.0, self._share("", total_s, busy_s, (0.0, 0.0))))

    def _share(self, what: str, at: float, used: float, first: tuple[float, float]) -> float:
        """Return what was used in a unit of time since the look before."""
        before_at, before = self._before.get(what, first)
        if what not in self._last or at - before_at >= _LOOK_S:
            self._last[what] = max(0.0, used - before) / max(at - before_at, _LEAST_S)
            self._before[what] = at, used
        return self._last[what]


def _host_times() -> tuple[float, float] | None:
    """Return the seconds that the host's processors had and those that were used; None on a system without /proc."""
    try:
        words = Path("/proc/stat").read_text("ascii").split("\n", 1)[0].split()
    except OSError:
        return None
    user, nice, system, idle, waiting, *others = (int(word) / os.sysconf("SC_CLK_TCK") for word in words[1:9])
    busy_s = user + nice + system + sum(others)
    return busy_s + idle + waiting, busy_s


def names(pids: Iterable[int]) -> Mapping[str, int]:
    """Return processes by names that stay the same when one is replaced by another: its place among them."""
    return {str(place): pid for place, pid in enumerate(pids)}
