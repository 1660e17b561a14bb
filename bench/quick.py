"""Says in under a minute what a request costs: CPU of the gateway's processes per request, and its rate beside nginx.

Every change on the way of a request quotes it, before and after: `--beside FOLDER` runs another checkout (its `.venv`)
in the same minute, in turn with this one.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from run import CHUNKS, HERE, Proxy, await_answer, free_port, gateway, load, nginx, running, wrk

CONNECTIONS = 32


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beside", type=Path, action="append", default=[], help="another checkout, measured in turn")
    parser.add_argument("--rounds", type=int, default=10, help="rounds of two seconds for each of those measured")
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jairouter-bench-")))
        program = folder / "backend"
        subprocess.run(["gcc", "-O2", "-o", program, HERE / "backend.c"], check=True)
        port = free_port()
        stack.enter_context(running(program, port, CHUNKS, 0))
        await_answer(port)
        measured = [nginx(stack, folder, port), gateway(stack, folder, "here", port)]
        for beside in options.beside:
            python = str(beside.resolve() / ".venv/bin/python")
            measured.append(gateway(stack, folder, beside.name, port, python=python))
        for proxy in measured:
            wrk(proxy.port, options.connections, 1)
        for _ in range(options.rounds):
            for proxy in measured:
                load(proxy, "unary", options.connections, options.seconds)
        for proxy in measured:
            print(_line(proxy, measured[0]))


def _line(proxy: Proxy, reference: Proxy) -> str:
    ratios = [own / other for own, other in zip(proxy.samples["unary"], reference.samples["unary"], strict=True)]
    cpu = sorted(proxy.samples["unary cpu us"])
    return (
        f"{proxy.name:12} {statistics.median(cpu):6.1f} us a request ({cpu[0]:.0f} to {cpu[-1]:.0f}), "
        f"{proxy.median('unary'):8,.0f} a second, {statistics.median(ratios):.3f} of nginx"
    )


if __name__ == "__main__":
    sys.exit(main())
