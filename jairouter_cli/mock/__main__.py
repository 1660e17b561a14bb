"""Runs the pretend model server in a process of its own: `python -m jairouter_cli.mock --port P`."""

import argparse

from jairouter_cli.mock.behaviour import Behaviour
from jairouter_cli.mock.server import run


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(prog="jairouter_cli.mock")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--delay", type=float, default=0.0, dest="delay_s")
    parser.add_argument("--chunk-interval", type=float, default=0.0, dest="chunk_interval_s")
    parser.add_argument("--fail-rate", type=float, default=0.0)
    parser.add_argument("--name", default="mock")
    options = vars(parser.parse_args())
    run(options.pop("host"), options.pop("port"), Behaviour(**options))


if __name__ == "__main__":
    main()
