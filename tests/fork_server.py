"""Forks what `tests.forked` orders, from a process that has imported all of it. Run by that: `-m tests.fork_server FD`.

An order is one message: JSON, and the descriptors on which to report and which are to be the streams. Between the
server and each process stands a keeper, its parent, which reports its id, and how it ends.
"""

import gc
import json
import os
import socket
import sys
import warnings
from contextlib import suppress
from typing import Any, NoReturn

import opentelemetry.exporter.otlp.proto.http.trace_exporter  # noqa: F401
import redis.asyncio  # noqa: F401

import jairouter_cli.cli.commands
import jairouter_cli.cli.instances
import jairouter_cli.cli.serve
import jairouter_cli.serve.server  # noqa: F401
from jairouter_cli.cli.app import main as command
from jairouter_cli.mock.__main__ import main as mock

_ORDER_BYTES = 1 << 18


def _serve(control: socket.socket) -> None:
    """Fork for every order, until nobody is left who gives any."""
    gc.collect()
    gc.freeze()  # so that it stays what the processes have in common
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, _ORDER_BYTES, 3)
        if not data:
            return
        if os.fork() == 0:
            control.close()
            _keep(json.loads(data), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        _reap()


def _reap() -> None:
    """Forget the keepers that have ended."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _keep(order: dict[str, Any], report: int, out: int, err: int) -> NoReturn:
    """Fork the process itself and report its id, and how it ends; returns in neither."""
    pid = os.fork()
    if pid == 0:
        os.close(report)
        _become(order, out, err)
    os.close(out)
    os.close(err)
    with suppress(BrokenPipeError):
        os.write(report, f"{pid}\n".encode())
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.write(report, f"{code}\n".encode())
    os._exit(0)


def _become(order: dict[str, Any], out: int, err: int) -> NoReturn:
    """Be what was ordered, to the end of the interpreter."""
    if order["own_group"]:
        os.setsid()
    for descriptor, number in ((out, 1), (err, 2)):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1, errors="backslashreplace")
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    sys.argv = [order["module"], *order["arguments"]]
    if order["module"] == "jairouter_cli.mock":
        with warnings.catch_warnings(action="error"):
            mock()
    else:
        command()
    sys.exit(0)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
