"""The mock model server as a real process."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from jairouter_cli.cli.listening import bindable
from tests.process import eventually

MODULE = [sys.executable, "-W", "error", "-m", "jairouter_cli.mock"]


@dataclass
class Mock:
    """A mock model server that runs."""

    url: str
    process: subprocess.Popen[bytes]
    http: httpx.Client

    def is_up(self) -> bool:
        """Whether it answers; one that has ended never will."""
        assert self.process.poll() is None, "it has ended"
        try:
            return self.http.get("/health").is_success
        except httpx.TransportError:
            return False

    def post(self, path: str, body: object) -> httpx.Response:
        """Send JSON."""
        return self.http.post(path, json=body)


@contextmanager
def running(*options: str) -> Iterator[Mock]:
    """Run the server on a free port until the block ends; its end must be clean."""
    port = bindable("127.0.0.1", 0)
    process = subprocess.Popen([*MODULE, "--port", str(port), *options])
    url = f"http://127.0.0.1:{port}"
    with httpx.Client(base_url=url, trust_env=False, timeout=10) as client:
        mock = Mock(url, process, client)
        try:
            eventually(mock.is_up, timeout_s=20)
            yield mock
        finally:
            process.terminate()
            code = process.wait(timeout=20)
    assert code == 0
