"""What the importers of other programs' configurations have in common."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from jairouter_cli.config.model import Instance
from jairouter_cli.config.parse import read_section
from jairouter_cli.config.scalars import Expected, Unset, expand
from jairouter_cli.errors import ConfigInvalid


@dataclass(slots=True)
class TakenOver:
    """A `model` section; what of the other file is in it and what is not, a sentence each."""

    section: dict[str, Any]
    imported: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def fault_of(instance: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """Return why an instance cannot be one, or nothing; what its address takes from the environment is looked up."""
    filled = dict(instance)
    with suppress(Expected, Unset):
        filled["base-url"] = expand(str(instance.get("base-url", "")), environ)
    try:
        read_section(Instance, filled)
    except ConfigInvalid as error:
        return "; ".join(map(str, error.problems))
    return ""
