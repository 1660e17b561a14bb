"""The real commands, and the gateway as a real process."""

import io
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, chdir, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, TypeVar
from unittest.mock import patch

import httpx
import openai

from jairouter_cli.cli import language
from jairouter_cli.cli.app import main
from jairouter_cli.cli.listening import bindable
from tests.forked import Forked

# No request here goes over TLS, and to load the certificates for each would take longer than most of them.
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
JAIROUTER = [sys.executable, "-m", "jairouter_cli"]
Process = subprocess.Popen[Any] | Forked
Found = TypeVar("Found")


def run(
    *arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, in this process: through its one `main`, with streams, folder and variables of its own.

    `stdin` is piped in. From a thread it is a process, as those belong to the whole process, and so is a server.
    """
    if threading.current_thread() is not threading.main_thread() or "serve" in arguments:
        return _run_forked(*arguments, cwd=cwd, env=env)
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with ExitStack() as stack:
        stack.callback(language.prepare)  # the language is that of this process again
        for replaced in (
            patch.object(sys, "argv", ["jairouter", *arguments]),
            patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()))),
            patch.dict(os.environ, env or {}),
            chdir(cwd or Path.cwd()),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            stack.enter_context(replaced)
        stack.callback(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT))  # the command's end ignores it
        code = _code_of(main)
    said, told = (stream.buffer.getvalue().decode() for stream in (out, err))
    return subprocess.CompletedProcess([*JAIROUTER, *arguments], code, said, told)


def _code_of(command: Callable[[], None]) -> int:
    """Return the exit code that a command ends with."""
    try:
        command()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _run_forked(
    *arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in a process that has been forked."""
    with TemporaryFile("w+", encoding="utf-8") as out, TemporaryFile("w+", encoding="utf-8") as err:
        process = Forked("jairouter_cli", *arguments, stdout=out, stderr=err, cwd=cwd, env=env)
        try:
            code = process.wait(60)
        finally:
            process.kill()
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess([*JAIROUTER, *arguments], code, out.read(), err.read())


def run_apart(
    *arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end as a process with an interpreter of its own: twenty times slower, for what that does."""
    environ = {**os.environ, **(env or {})}
    return subprocess.run(
        [*JAIROUTER, *arguments], capture_output=True, text=True, cwd=cwd, env=environ, check=False, timeout=60
    )


@dataclass
class Served:
    """A gateway that runs."""

    process: Process
    url: str
    announced: dict[str, Any]

    def client(self) -> httpx.Client:
        """Return a client that keeps its connection."""
        return httpx.Client(base_url=self.url, trust_env=False, verify=PLAIN, timeout=10)

    def request(self, method: str, path: str) -> httpx.Response:
        """Send a request without a body."""
        return httpx.request(method, self.url + path, trust_env=False, verify=PLAIN, timeout=10)

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Send a GET."""
        return httpx.get(self.url + path, trust_env=False, verify=PLAIN, timeout=10, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        """Send a POST."""
        return httpx.post(self.url + path, trust_env=False, verify=PLAIN, timeout=10, **options)


@contextmanager
def serving(
    *arguments: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stderr: Path | None = None,
    code: int = 0,
    apart: bool = False,
) -> Iterator[Served]:
    """Run `jairouter serve` on a free port, in a process group of its own, until the block ends with this exit code.

    It is forked from a process that has imported the program already, unless it is to have an interpreter of its own.
    """
    command = ["serve", "--port", "0", "--json", *arguments]
    reader, writer = os.pipe()
    with os.fdopen(reader) as said, ExitStack() as stack:
        with os.fdopen(writer, "w") as out:
            errors = stack.enter_context(stderr.open("w")) if stderr else None
            process: Process
            if apart:
                environ = {**os.environ, **(env or {})}
                process = subprocess.Popen(
                    [*JAIROUTER, *command], stdout=out, stderr=errors, cwd=cwd, env=environ, start_new_session=True
                )
            else:
                process = Forked("jairouter_cli", *command, stdout=out, stderr=errors, cwd=cwd, env=env, own_group=True)
        try:
            announced = _announced(process, said)
            served = Served(process, announced["url"], announced)
            eventually(lambda: _answers(served))
            yield served
        finally:
            ended = stop(process)
    assert ended == code


def worker_pids(served: Served) -> list[int]:
    """Return the ids of the workers."""
    children = Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children").read_text().split()
    found = []
    for pid in children:
        with suppress(FileNotFoundError):  # it has just ended
            if b"resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(int(pid))
    return found


def shared_folder(served: Served) -> Path:
    """Return what the workers of a server have in common."""
    mine = f"/proc/{served.process.pid}/"
    links = Path("/dev/shm").glob("jairouter-*/roll")
    [roll] = [link for link in links if str(link.readlink()).startswith(mine)]
    return roll.parent


def stop(process: Process) -> int:
    """End a process as a service manager does; return its exit code."""
    process.terminate()
    try:
        return process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def _announced(process: Process, said: IO[str]) -> dict[str, Any]:
    text = ""
    for line in said:
        text += line
        if line.rstrip() == "}":
            found: dict[str, Any] = json.loads(text)
            return found
    raise AssertionError(f"it never listened: exit code {process.wait()}, {text}")


def _answers(served: Served) -> bool:
    try:
        return served.get("/v1/models").is_success
    except httpx.TransportError:
        return False


def eventually(condition: Callable[[], Found], timeout_s: float = 10) -> Found:
    """Wait until something holds, and return it; the deadline only ends a test that has failed."""
    end = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)
    return found


@contextmanager
def mock(name: str, *options: str) -> Iterator[tuple[Forked, str]]:
    """Run a mock model server; yield its process and address."""
    port = bindable("127.0.0.1", 0)
    process = Forked("jairouter_cli.mock", "--port", str(port), "--name", name, *options)
    url = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: _is_up(url))
        yield process, url
    finally:
        process.terminate()
        process.wait()


def _is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", trust_env=False, verify=PLAIN).is_success
    except httpx.TransportError:
        return False


def kill(process: Forked) -> None:
    """End a mock and its worker the hard way: no goodbye to anybody."""
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for pid in (process.pid, *map(int, workers)):
        subprocess.run(["kill", "-9", str(pid)], check=True)
    process.wait()


def sdk(served: Served) -> openai.OpenAI:
    """Return an SDK that is pointed at a gateway and gives up at once."""
    http = openai.DefaultHttpxClient(trust_env=False, verify=PLAIN)
    return openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0, http_client=http)


def config(folder: Path, text: str, name: str = "jairouter.yaml") -> Path:
    """Write a configuration file."""
    file = folder / name
    file.write_text(text, "utf-8")
    return file


def services(**urls: Sequence[str]) -> str:
    """Return a configuration with services whose instances are all called `m`."""
    lines = ["server:", "  locale: en", "model:", "  load-balance: round-robin", "  services:"]
    for service, places in urls.items():
        lines += [f"    {service}:", "      instances:"]
        lines += [f"        - name: m\n          base-url: {place}" for place in places]
    return "\n".join(lines) + "\n"
