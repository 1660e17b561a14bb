"""Runs the mock model server of `serve --demo` and writes a configuration for it; removes both at the end."""

import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Final

from jairouter_cli.cli import again
from jairouter_cli.cli.language import _, language
from jairouter_cli.cli.listening import bindable
from jairouter_cli.errors import ServeError

_START_S: Final = 20.0  # on a slow machine it takes two
_STOP_S: Final = 5.0


@contextmanager
def demo() -> Iterator[Path]:
    """Run the mock model server for as long as the context lasts; yield a configuration file that uses it."""
    port = bindable("127.0.0.1", 0)
    with tempfile.TemporaryDirectory(prefix="jairouter-demo-") as folder:
        file = Path(folder) / "jairouter.yaml"
        text = resources.files("jairouter_cli.cli").joinpath("demo.yaml").read_text("utf-8")
        file.write_text(text.replace("@MOCK@", f"http://127.0.0.1:{port}").replace("@LOCALE@", language()), "utf-8")
        command = again.command("mock", "--host", "127.0.0.1", "--port", str(port), "--json")
        # until Granian takes the signal over, it would end this process and leave the other one behind
        orders: list[int] = []
        signal.signal(signal.SIGTERM, lambda signum, _: orders.append(signum))
        # Ctrl-C is not for it: it is needed until the gateway has drained
        backend = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)  # noqa: S603 - our own program
        try:
            signal.signal(signal.SIGTERM, _leave)
            if orders:  # it came while the other one was being started
                _leave(orders[0], None)
            _await_port(port)
            yield file
        finally:
            backend.terminate()
            try:
                backend.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                backend.kill()
                backend.wait()


def _leave(signum: int, _: object) -> None:
    """End in an orderly way, with the exit code that the signal would have given."""
    raise SystemExit(128 + signum)


def _await_port(port: int) -> None:
    """Wait until the mock model server listens. Raises `ServeError` if it does not begin to."""
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise ServeError(message=_("the mock model server did not start within {seconds:g} s").format(seconds=_START_S))
