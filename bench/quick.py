"""Says in under a minute what a request costs: CPU of the gateway's processes per request, and its rate beside nginx.

vllm-router is measured in the same run if `scripts/bench` has installed it.

Every change on the way of a request quotes it, before and after: `--beside before=OTHER/.venv/bin/python` runs another
form of the gateway in turn with this one.
"""

import argparse
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path

import peers
from loading import load, press
from proxies import Proxy, backend, gateway, nginx
from run import arguments


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=32)
    options = arguments(parser, rounds=6, seconds=2)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jairouter-bench-")))
        port = backend(stack, folder).port
        measured = [nginx(stack, folder, port)]
        measured += peers.started(stack, ("vllm-router", lambda own: peers.vllm_router(own, folder, port)))
        measured.append(gateway(stack, folder, "jairouter", port))
        measured += [gateway(stack, folder, name, port, python=python) for name, python in options.beside.items()]
        for proxy in measured:
            press(proxy.port, options.connections, 1)
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
    main()
