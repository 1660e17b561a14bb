"""`jairouter mock`: a pretend model server, for trying things out."""

from typing import Annotated

import typer

from jairouter_cli.cli import output
from jairouter_cli.cli.client import finite


def mock(
    *,
    port: Annotated[int, typer.Option(help="The port to listen on.", min=1, max=65535)] = 9000,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    delay: Annotated[float, typer.Option(help="Seconds before an answer.", min=0, max=3600, callback=finite)] = 0.0,
    chunk_interval: Annotated[
        float, typer.Option(help="Seconds between the pieces of a stream.", min=0, max=3600, callback=finite)
    ] = 0.0,
    fail_rate: Annotated[float, typer.Option(help="The share of requests that fail with 503.", min=0, max=1)] = 0.0,
    name: Annotated[str, typer.Option(help="What it calls itself in the header x-mock-backend.")] = "mock",
    as_json: Annotated[bool, typer.Option("--json", help="Print the address as JSON.")] = False,
) -> None:
    """Run a pretend model server: chat, completions, embeddings, rerank, speech, transcription, images."""
    from jairouter_cli.cli.client import base_url  # noqa: PLC0415 - as below
    from jairouter_cli.cli.listening import place  # noqa: PLC0415
    from jairouter_cli.config.model import Server  # noqa: PLC0415
    from jairouter_cli.mock.behaviour import Behaviour  # noqa: PLC0415 - heavy: it brings the server along
    from jairouter_cli.mock.server import run  # noqa: PLC0415

    address, port = place(host, port)
    url = base_url(Server(host=address, port=port))
    if as_json:
        output.print_json({"url": url})
    else:
        output.say(f"a pretend model server listens on {url}; end it with Ctrl-C")
    run(address, port, Behaviour(delay_s=delay, chunk_interval_s=chunk_interval, fail_rate=fail_rate, name=name))
