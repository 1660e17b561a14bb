"""`jairouter mock`: a mock model server, for trying things out."""

from typing import Annotated

import typer

from jairouter_cli.cli import output
from jairouter_cli.cli.client import finite
from jairouter_cli.cli.language import _


def mock(
    *,
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535, metavar="PORT")] = 9000,
    host: Annotated[str, typer.Option(help="Address to listen on.", metavar="HOST")] = "127.0.0.1",
    delay: Annotated[
        float, typer.Option(help="Seconds before a response.", min=0, max=3600, callback=finite, metavar="SECONDS")
    ] = 0.0,
    chunk_interval: Annotated[
        float,
        typer.Option(
            help="Seconds between the events of a stream.", min=0, max=3600, callback=finite, metavar="SECONDS"
        ),
    ] = 0.0,
    fail_rate: Annotated[
        float, typer.Option(help="Share of requests that fail with 503, from 0 to 1.", min=0, max=1, metavar="SHARE")
    ] = 0.0,
    name: Annotated[str, typer.Option(help="Value of the response header x-mock-backend.", metavar="NAME")] = "mock",
    kind: Annotated[
        str | None,
        typer.Option(
            help="Kind of model server to list its models as: ollama, vllm, llama.cpp, lmstudio, localai, xinference, "
            "gpustack, sglang, tgi or llama-swap.",
            show_default=False,
            metavar="KIND",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the address as JSON.")] = False,
) -> None:
    """Run a mock model server: chat, completions, embeddings, rerank, speech, transcription, images."""
    from jairouter_cli.cli.client import base_url  # noqa: PLC0415 - as below
    from jairouter_cli.cli.listening import place  # noqa: PLC0415
    from jairouter_cli.config.model import Server  # noqa: PLC0415
    from jairouter_cli.mock.behaviour import Behaviour  # noqa: PLC0415 - heavy: it brings the server along
    from jairouter_cli.mock.server import run  # noqa: PLC0415

    behaviour = Behaviour(delay_s=delay, chunk_interval_s=chunk_interval, fail_rate=fail_rate, name=name, kind=kind)
    address, port = place(host, port)
    url = base_url(Server(host=address, port=port))
    if as_json:
        output.print_json({"url": url})
    else:
        output.say(_("mock model server listening on {url}; press Ctrl-C to stop").format(url=url))
    run(address, port, behaviour)
