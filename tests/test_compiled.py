"""What can be compiled, by what stands in the sources; and that all of it is, or nothing."""

import ast
import importlib
import tomllib
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from jairouter_cli.form import COMPILED, form

ROOT = Path(__file__).parents[1]
HOOKS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"][
    "hooks"
]
NAMES: list[str] = HOOKS["custom"]["modules"]
FILES = {ROOT / "jairouter_cli" / f"{name}.py" for name in NAMES}


def bases(file: Path) -> Iterator[tuple[str, str]]:
    """Yield each class of a module with each class that it inherits from."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ClassDef):
            yield from ((node.name, ast.unparse(base).partition("[")[0].rpartition(".")[2]) for base in node.bases)


@pytest.mark.parametrize("name", NAMES)
def test_a_compiled_module_has_no_structs(name: str) -> None:
    """And no exceptions, which lose the attributes that their class alone sets."""
    found = list(bases(ROOT / "jairouter_cli" / f"{name}.py"))
    assert [own for own, base in found if base in {"Struct", "Exception"} or base.endswith("Error")] == [
        own
        for own, _ in found
        if own == "ClientLeft"  # it has no attributes
    ]


def test_nothing_that_is_not_compiled_inherits_from_what_is() -> None:
    """A compiled class takes no such heirs."""
    trees = [ast.parse(file.read_text("utf-8")) for file in FILES]
    made = {node.name for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)}
    protocols = {name for file in FILES for name, base in bases(file) if base in {"Protocol", "Enum", "NamedTuple"}}
    others = set((ROOT / "jairouter_cli").rglob("*.py")) - FILES
    assert [(file, name) for file in others for name, base in bases(file) if base in made - protocols] == []


@pytest.mark.parametrize("name", NAMES)
def test_all_are_of_one_form(name: str) -> None:
    """Every module of the list comes from an extension, or none does."""
    module = importlib.import_module(f"jairouter_cli.{name.replace('/', '.')}")
    assert str(module.__file__).endswith(tuple(EXTENSION_SUFFIXES)) == (form() == COMPILED)
