"""Runs the pretend model server in a process of its own: `python -m jairouter_cli.mock --port P`."""

import argparse

from jairouter_cli.errors import UsageError
from jairouter_cli.mock.behaviour import Behaviour
from jairouter_cli.mock.server import run


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(prog="python -m jairouter_cli.mock", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=int, required=True, help="the port to listen on")
    parser.add_argument("--delay", type=float, default=0.0, dest="delay_s", help="seconds before a POST is answered")
    parser.add_argument(
        "--chunk-interval", type=float, default=0.0, dest="chunk_interval_s", help="seconds between a stream's pieces"
    )
    parser.add_argument("--fail-rate", type=float, default=0.0, help="the share of POSTs that are answered 503")
    parser.add_argument("--name", default="mock", help="what it calls itself in the header x-mock-backend")
    options = vars(parser.parse_args())
    host, port = options.pop("host"), options.pop("port")
    try:
        behaviour = Behaviour(**options)
    except UsageError as error:
        parser.error(str(error))
    run(host, port, behaviour)


if __name__ == "__main__":
    main()
