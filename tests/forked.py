"""Real processes without the second that imports take: a server that has imported the program forks them.

What a forked gateway or command has of its own is all that a process has: its id, group, folder, variables, streams,
signals, workers and end. What it lacks is the interpreter's own start; `run_apart` and `serving(..., apart=True)` try
that. One server runs beside each process of pytest, and ends with it.
"""

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[1]


class Forked:
    """A process that the server has forked, as `subprocess.Popen` shows one. `arguments` are those of a module."""

    def __init__(
        self,
        module: str,
        *arguments: str,
        stdout: IO[Any] | None = None,
        stderr: IO[Any] | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        own_group: bool = False,
    ) -> None:
        order = {
            "module": module,
            "arguments": arguments,
            "cwd": str(cwd or Path.cwd()),
            "env": {**os.environ, **(env or {})},
            "own_group": own_group,
        }
        self._reports, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        out, err = (stream.fileno() if stream else number for number, stream in ((1, stdout), (2, stderr)))
        with theirs:
            socket.send_fds(_server(), [json.dumps(order).encode()], [theirs.fileno(), out, err])
        self._lines = self._reports.makefile("r")
        self.pid = int(self._lines.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, or minus the signal that ended it; None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; return the exit code. Raises `subprocess.TimeoutExpired`."""
        if self.returncode is None:
            if not select.select([self._reports], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            self.returncode = int(self._lines.readline())
            self._lines.close()
            self._reports.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


@cache
def _server() -> socket.socket:
    """Return the connection to the server of this process, which is started when it is first needed."""
    mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-m", "tests.fork_server", str(its.fileno())]
    with its:
        server = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, pass_fds=[its.fileno()], start_new_session=True
        )

    def end() -> None:
        mine.close()  # which it takes for the end
        server.wait(20)

    atexit.register(end)
    return mine
