"""`jairouter init`: writes a configuration file to start from."""

import os
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from jairouter_cli.cli import options, output
from jairouter_cli.cli.language import _, language
from jairouter_cli.cli.shared import ConfigOption, JsonOption
from jairouter_cli.config import paths
from jairouter_cli.config.store import Store


class Sample(StrEnum):
    """The files of `sample-configs/`, by name."""

    MINIMAL = "minimal"
    OLLAMA = "ollama"
    OLLAMA_VLLM = "ollama-vllm"
    OPENAI = "openai"
    TWO_GPUS = "two-gpus"
    GPUSTACK = "gpustack"
    XINFERENCE = "xinference"
    PRODUCTION = "production"
    MANY_HOSTS = "many-hosts"
    APPLICATION = "application"


def init(
    ctx: typer.Context,
    *,
    sample: Annotated[
        Sample | None, typer.Option(help=f"Sample to start from: {', '.join(Sample)}.", metavar="NAME")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create a configuration file with comments: ./jairouter.yaml, or the one that --config names.

    Comments, and the errors of the gateway, are Chinese where LC_ALL or LANG is, otherwise English. The comments
    of samples are English.

    For example: jairouter init --sample ollama-vllm
    """
    file = paths.default_target(options.named(ctx, config), os.environ, Path.cwd())
    text = template(language()) if sample is None else text_of(sample, language())
    Store(file).create(text, force=force)
    output.show({"path": str(file)}, as_json=as_json, text=lambda: str(file))
    if as_json:
        return
    if sample is None:
        output.say(_("next: `jairouter instances add URL`, then `jairouter doctor` and `jairouter serve`"))
    else:
        output.say(_("next: change addresses and models in it, then run `jairouter doctor` and `jairouter serve`"))


def template(locale: str = "en") -> str:
    """Return the text of the file that `init` writes for a reader of `en` or `zh`."""
    name = "template.zh.yaml" if locale == "zh" else "template.yaml"
    return resources.files("jairouter_cli.config").joinpath(name).read_text("utf-8")


def text_of(sample: Sample, locale: str = "en") -> str:
    """Return the text of a sample, from the package or from the checkout that runs, with the gateway's language."""
    carried = resources.files("jairouter_cli.config").joinpath("samples")
    folder = carried if carried.is_dir() else Path(__file__).parents[2] / "sample-configs"
    names = (f"{sample}.yaml", f"{sample}.yml")
    file = next(file for name in names if (file := folder.joinpath(name)).is_file())
    return file.read_text("utf-8").replace("  locale: en", f"  locale: {locale}", 1)
