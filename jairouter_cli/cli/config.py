"""`jairouter config`: find, show, check and change the configuration."""

import io
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from jairouter_cli.cli import exchange, options, output, revisions, values
from jairouter_cli.cli.language import _, ngettext
from jairouter_cli.cli.shared import ConfigOption, JsonOption
from jairouter_cli.config import paths
from jairouter_cli.config.model import Config
from jairouter_cli.config.render import quoted_like_yaml_1_1
from jairouter_cli.config.store import Store
from jairouter_cli.config.view import as_yaml, plain
from jairouter_cli.errors import ConfigError

app = typer.Typer(help="Find, show, check and change the configuration.", no_args_is_help=True)


app.command("history")(revisions.history)
app.command("diff")(revisions.show_diff)
app.command("rollback")(revisions.rollback)
app.command("forget")(revisions.forget)
app.command("get")(values.get)
app.command("set")(values.set_value)
app.command("unset")(values.unset)
app.command("edit")(values.edit)
app.command("import")(exchange.import_config)
app.command("export")(exchange.export_config)


@app.command("path")
def path(ctx: typer.Context, *, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Print the path of the configuration file in use."""
    file = paths.find(options.named(ctx, config), os.environ, Path.cwd())
    output.show({"path": str(file)}, as_json=as_json, text=lambda: str(file))


@app.command("show")
def show(
    ctx: typer.Context,
    *,
    secrets: Annotated[bool, typer.Option("--secrets", help="Show API keys and headers.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the effective configuration, with defaults and environment variables resolved."""
    loaded = options.read(ctx, config)
    data = plain(loaded.config, reveal=secrets)
    if as_json:
        output.print_json(data)
    else:
        text = _yaml(as_yaml(loaded.config, reveal=secrets))
        if not output.is_writable(text):
            text = _yaml(as_yaml(loaded.config, reveal=secrets), in_ascii=True)
        sys.stdout.write(text)


def _yaml(data: Any, *, in_ascii: bool = False) -> str:
    from ruamel.yaml import YAML  # noqa: PLC0415 - loaded already with the document, named where it is used

    stream = io.StringIO()
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 4096
    yaml.allow_unicode = not in_ascii
    yaml.dump(quoted_like_yaml_1_1(data), stream)
    return stream.getvalue()


@app.command("validate")
def validate(
    ctx: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(help="File to check; by default, the one in use.", show_default=False, metavar="FILE"),
    ] = None,
    *,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a configuration file. Exits with code 2 if it cannot be used."""
    store = Store(file) if file else options.store(ctx, config)
    try:
        loaded = store.read()
    except ConfigError as error:
        if not as_json:
            raise
        problems = [asdict(problem) for problem in error.problems]
        output.print_json({"file": str(store.file), "valid": False, "problems": problems})
        raise typer.Exit(error.exit_code) from None
    options.tell(loaded.file, loaded.notices)
    counts = _counts(loaded.config)
    data = {"file": str(loaded.file), "valid": True, **counts, "notices": [n.message for n in loaded.notices]}
    output.show(data, as_json=as_json, text=lambda: _valid(loaded.file, counts))


def _valid(file: Path, counts: dict[str, int]) -> str:
    services = ngettext("{number} service", "{number} services", counts["services"]).format(number=counts["services"])
    instances = ngettext("{number} instance", "{number} instances", counts["instances"])
    return _("{file} is valid: {services}, {instances}").format(
        file=file, services=services, instances=instances.format(number=counts["instances"])
    )


def _counts(config: Config) -> dict[str, int]:
    services = config.model.services
    return {"services": len(services), "instances": sum(len(service.instances) for service in services.values())}
