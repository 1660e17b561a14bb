"""`jairouter init`: writes a configuration file to start from."""

import os
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from jairouter_cli.cli import options, output
from jairouter_cli.cli.language import _, language
from jairouter_cli.cli.shared import ConfigOption, JsonOption
from jairouter_cli.config import paths
from jairouter_cli.config.store import Store


def init(
    ctx: typer.Context,
    *,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create a configuration file with comments: ./jairouter.yaml, or the one that --config names.

    Comments, and the errors of the gateway, are Chinese where LC_ALL or LANG is, otherwise English.
    """
    file = paths.default_target(options.named(ctx, config), os.environ, Path.cwd())
    Store(file).create(template(language()), force=force)
    output.show({"path": str(file)}, as_json=as_json, text=lambda: str(file))
    if not as_json:
        output.say(_("next: `jairouter instances add URL`, then `jairouter serve`"))


def template(locale: str = "en") -> str:
    """Return the text of the file that `init` writes for a reader of `en` or `zh`."""
    name = "template.zh.yaml" if locale == "zh" else "template.yaml"
    return resources.files("jairouter_cli.config").joinpath(name).read_text("utf-8")
