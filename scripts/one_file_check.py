"""Tries a form of the program where the project is not installed: `python scripts/one_file_check.py COMMAND...`.

It makes a configuration, serves with two workers in front of a mock, sends a chat request, and ends the gateway with
SIGTERM; then it serves the demo. Only the standard library is used, so any Python can run it. Linux only.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

_PATIENCE_S: Final = 60.0
_WORKERS: Final = 2
_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def main(command: list[str]) -> None:
    """Try a command. Raises `AssertionError`, `OSError`, `subprocess.SubprocessError`."""
    command = [str(Path(command[0]).resolve()) if os.sep in command[0] else command[0], *command[1:]]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environ = {"HOME": name, "PATH": os.environ["PATH"], "SHIV_ROOT": f"{name}/shiv", "LC_ALL": "C.UTF-8"}

        def once(*arguments: str) -> str:
            done = subprocess.run(  # noqa: S603 - what is to be tried
                [*command, *arguments],
                cwd=folder,
                env=environ,
                check=False,
                capture_output=True,
                text=True,
                timeout=_PATIENCE_S,
            )
            assert done.returncode == 0, (arguments, done.stdout, done.stderr)
            return done.stdout

        version = json.loads(once("version", "--json"))
        print(f"{version['version']} ({version['form']}), Python {version['python']}")
        once("init")
        assert "jairouter" in once("completion", "bash")
        port = _free_port()
        with _running([*command, "mock", "--port", str(port), "--json"], folder, environ) as (mock, _):
            _await(mock)
            once("instances", "add", "chat", "m", mock["url"])
            serve = [*command, "serve", "--port", "0", "--workers", str(_WORKERS), "--json"]
            with _running(serve, folder, environ) as (served, process):
                assert _chat(served["url"], "m").startswith("You said: Hello")
                pids = {worker["pid"] for worker in _get(served["url"], "/api/config/store/status")["data"]["workers"]}
                assert len(pids) == _WORKERS, pids
                assert process.poll() is None
        with _running([*command, "serve", "--demo", "--port", "0", "--json"], folder, environ) as (demo, _):
            assert _chat(demo["url"], "demo-chat").startswith("You said: Hello")
    print(f"{' '.join(command)}: served with {_WORKERS} workers, and the demo")


@contextmanager
def _running(
    command: list[str], folder: Path, environ: dict[str, str]
) -> Iterator[tuple[dict[str, Any], "subprocess.Popen[str]"]]:
    """Run a server until the block ends; yield what it announces, and its process. It has to end well on SIGTERM."""
    process = subprocess.Popen(  # noqa: S603 - as above
        command, cwd=folder, env=environ, stdout=subprocess.PIPE, text=True
    )
    try:
        text = ""
        assert process.stdout is not None
        for line in process.stdout:
            text += line
            if line.rstrip() == "}":
                break
        yield json.loads(text), process
        process.send_signal(signal.SIGTERM)
        code = process.wait(_PATIENCE_S)
        assert code == 0, f"{command} ended with {code}"
    finally:
        process.kill()
        process.wait()


def _await(announced: dict[str, Any]) -> None:
    """Wait until a server listens."""
    host, port = announced["url"].removeprefix("http://").split(":")
    end = time.monotonic() + _PATIENCE_S
    while True:
        try:
            socket.create_connection((host, int(port)), 1).close()
        except OSError:
            assert time.monotonic() < end, f"nothing listens at {announced['url']}"
            time.sleep(0.05)
        else:
            return


def _chat(url: str, model: str) -> str:
    """Return the answer of a model, as soon as the gateway responds."""
    _await({"url": url})
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello"}]}).encode()
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"{url}/v1/chat/completions", body, headers)  # noqa: S310 - the gateway's own
    with _DIRECT.open(request, timeout=_PATIENCE_S) as response:
        return str(json.load(response)["choices"][0]["message"]["content"])


def _get(url: str, path: str) -> Any:
    with _DIRECT.open(f"{url}{path}", timeout=_PATIENCE_S) as response:
        return json.load(response)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


if __name__ == "__main__":
    main(sys.argv[1:])
