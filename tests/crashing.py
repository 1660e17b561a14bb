"""Runs the real command in processes of its own that die, or may not write, at an exact point. Run by `test_crash`.

Reads lines `kill N` or `bytes N` and the command's arguments (as JSON) from its input, and writes how the command
ended: `kill` ends it without a word before the Nth thing that it does to the file system in the folder of the
configuration, `bytes` lets no file grow beyond N bytes, as a full disk does.
"""

import json
import os
import resource
import signal
import sys
from collections.abc import Callable

from jairouter_cli.cli.app import main

_TOUCHES = frozenset({"open", "os.rename", "os.remove", "os.mkdir", "os.chmod", "os.chown"})


def kill_at(count: int, folder: str) -> None:
    """Die before the Nth touch of the folder; a flush to the disk is one too."""
    left = count

    def touched() -> None:
        nonlocal left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if event in _TOUCHES and (isinstance(arguments[0], int) or str(arguments[0]).startswith(folder)):
            touched()

    flush: Callable[[int], None] = os.fsync

    def flushed(descriptor: int) -> None:
        touched()
        flush(descriptor)

    os.fsync = flushed  # type: ignore[assignment]
    sys.addaudithook(hear)


def at_most(size: int) -> None:
    """Let no file grow beyond this."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def run_one(kind: str, number: int, arguments: list[str], folder: str) -> tuple[int, str]:
    """Run the command in a child; return its exit code, or minus the signal that ended it, and its stderr."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(writer, 2)
        sys.argv = ["jairouter", *arguments]
        kill_at(number, folder) if kind == "kill" else at_most(number)
        code = 70
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader) as stream:
        said = stream.read()
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), said


if __name__ == "__main__":
    for line in sys.stdin:
        what, times, words = line.split(maxsplit=2)
        sys.stdout.write(json.dumps(run_one(what, int(times), json.loads(words), sys.argv[1])) + "\n")
        sys.stdout.flush()
