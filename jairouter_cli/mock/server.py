"""The mock model server under Granian."""

from functools import partial

from granian.constants import HTTPModes, Interfaces, Loops
from granian.log import LogLevels
from granian.server import Server

from jairouter_cli.mock.app import create
from jairouter_cli.mock.behaviour import Behaviour


def run(host: str, port: int, behaviour: Behaviour) -> None:
    """Serve until SIGINT or SIGTERM."""
    server = Server(
        "jairouter-mock",
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        websockets=False,
        log_level=LogLevels.error,
        workers_kill_timeout=1,  # nobody minds losing what a mock model says
    )
    server.serve(target_loader=partial(create, behaviour), wrap_loader=False)
