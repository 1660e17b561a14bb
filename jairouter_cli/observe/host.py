"""What the system says of this server's processes and of its host."""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from prometheus_client import ProcessCollector

from jairouter_cli.observe.collection import Reading


def readings(workers: Mapping[str, int], folder: Path) -> Iterator[Reading]:
    """Yield what is known of processes, by the name and the id of each, of the host and of a folder's disk."""
    for name, pid in workers.items():
        yield from _process(name, pid)
    yield Reading("system_cpu_count", (), os.cpu_count() or 1)
    yield Reading("system_load_average_1m", (), os.getloadavg()[0])
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


def names(pids: Iterable[int]) -> Mapping[str, int]:
    """Return processes by names that stay the same when one is replaced by another: its place among them."""
    return {str(place): pid for place, pid in enumerate(pids)}
