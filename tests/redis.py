"""A Redis server of a test's own, on a free port, without a file."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from jairouter_cli.cli.listening import bindable
from tests.process import eventually


def program() -> str:
    """Return the server's program; without it the test is skipped, but in CI it must be there."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        assert not os.environ.get("CI"), "CI must have Redis: see .ci/run"
        pytest.skip("neither redis-server nor valkey-server is installed")
    return found


class Redis:
    """A server that can be stopped and started again."""

    def __init__(self) -> None:
        self.port = bindable("127.0.0.1", 0)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, empty."""
        command = [program(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        eventually(self._listens)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def hang(self, *, on: bool) -> None:
        """Stop it from answering, or let it go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP if on else signal.SIGCONT)

    def stop(self) -> None:
        """End it the hard way."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def running() -> Iterator[Redis]:
    """Run a server until the block ends."""
    server = Redis()
    server.start()
    try:
        yield server
    finally:
        server.stop()
