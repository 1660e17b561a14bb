"""Runs the mock model server in a process of its own: `python -m jairouter_cli.mock --port P`."""

import argparse

from jairouter_cli.errors import UsageError
from jairouter_cli.mock.behaviour import Behaviour
from jairouter_cli.mock.server import run


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(prog="python -m jairouter_cli.mock", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, required=True, help="port to listen on")
    parser.add_argument(
        "--delay", type=float, default=0.0, dest="delay_s", help="seconds before the response to a POST"
    )
    parser.add_argument(
        "--chunk-interval",
        type=float,
        default=0.0,
        dest="chunk_interval_s",
        help="seconds between the events of a stream",
    )
    parser.add_argument("--fail-rate", type=float, default=0.0, help="share of POSTs that fail with 503")
    parser.add_argument("--name", default="mock", help="value of the response header x-mock-backend")
    parser.add_argument("--kind", help="kind of model server to answer as")
    options = vars(parser.parse_args())
    host, port = options.pop("host"), options.pop("port")
    try:
        behaviour = Behaviour(**options)
    except UsageError as error:
        parser.error(str(error))
    run(host, port, behaviour)


if __name__ == "__main__":
    main()
