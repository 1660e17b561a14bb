"""The reference pages of `docs/` are what `scripts/references` makes of the program."""

import re
from typing import Any

import msgspec
import pytest
import typer
from typer.core import TyperGroup

from jairouter_cli.cli.commands import app
from jairouter_cli.cli.stand_in import StandIn
from jairouter_cli.config.descriptions import DESCRIPTIONS
from jairouter_cli.config.fields import fields_of
from scripts.reference.__main__ import DOCS, PAGES
from scripts.reference.json_output import WITHOUT


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_current(name: str) -> None:
    """Run `scripts/references` after a change of a command, a key, a route or an error."""
    assert PAGES[name]() == (DOCS / name).read_text("utf-8")


@pytest.mark.parametrize("struct", DESCRIPTIONS, ids=lambda struct: struct.__name__)
def test_each_description_belongs_to_a_key(struct: type[msgspec.Struct]) -> None:
    """And is a sentence."""
    texts = DESCRIPTIONS[struct]
    assert set(texts) <= {field.key for field in fields_of(struct)}
    assert [text for text in texts.values() if not re.fullmatch(r"[A-Z`].*\.", text)] == []


def commands_with_json(command: Any, path: tuple[str, ...] = ()) -> set[str]:
    """Return the names of the commands that have `--json`."""
    command = command.loaded() if isinstance(command, StandIn) else command
    if isinstance(command, TyperGroup):
        return {name for key, one in command.commands.items() for name in commands_with_json(one, (*path, key))}
    has_json = any("--json" in parameter.opts for parameter in command.params)
    return {" ".join(path)} if has_json and not command.hidden else set()


def test_every_command_with_json_has_an_example() -> None:
    """Or a reason why not, in `scripts/reference/json_output.py`."""
    shown = set(re.findall(r"^## (.*)$", (DOCS / "json.md").read_text("utf-8"), re.MULTILINE))
    assert shown | set(WITHOUT) == commands_with_json(typer.main.get_command(app))
    assert shown & set(WITHOUT) == set()
