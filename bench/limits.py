"""Measures what four limits cost: the same gateway with and without them, interleaved, with one worker and with two.

The limits, one of each kind that a request meets (its client's, the gateway's, the service's, the instance's), are never
reached. With two workers their levels are in shared memory.
"""

import argparse
import statistics
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

from run import CHUNKS, HERE, await_answer, free_port, gateway, load, running, wrk


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=3)
    asked = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jairouter-bench-")))
        program, backend = folder / "backend", free_port()
        subprocess.run(["gcc", "-O2", "-o", program, HERE / "backend.c"], check=True)
        stack.enter_context(running(program, backend, CHUNKS, 0))
        await_answer(backend)
        for workers, kept in (("1", "in the process"), ("2", "in shared memory")):
            with ExitStack() as pair:
                options = ("--workers", workers)
                without = gateway(pair, folder, "without", backend, *options)
                limited = gateway(pair, folder, "four limits", backend, *options, limits=True)
                for proxy in (without, limited):
                    wrk(proxy.port, 32, 2)
                for turn in range(asked.rounds):
                    for proxy in (without, limited) if turn % 2 else (limited, without):
                        load(proxy, "unary", 32, asked.seconds)
                ratios = [
                    one / other for one, other in zip(limited.samples["unary"], without.samples["unary"], strict=True)
                ]
                print(
                    f"{workers} worker(s), levels {kept}: {without.median('unary'):,.0f} requests/s without, "
                    f"{limited.median('unary'):,.0f} with; ratio of pairs: median {statistics.median(ratios):.3f}, "
                    f"{min(ratios):.3f} to {max(ratios):.3f}; CPU {without.median('unary cpu us'):.1f} and "
                    f"{limited.median('unary cpu us'):.1f} us per request"
                )


if __name__ == "__main__":
    main()
