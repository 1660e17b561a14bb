"""Collects the texts of the command line, and keeps the Chinese catalog in step with them.

Marked texts (`_("...")`) are found as gettext tools find them. Help of commands and options, and texts of errors, are
not marked, for one place translates all of them: they are taken from the commands and the classes themselves.
"""

import ast
import io
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from inspect import cleandoc
from pathlib import Path
from typing import Any, Final

import typer
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from jairouter_cli import errors
from jairouter_cli.cli.commands import app
from jairouter_cli.cli.language import DOMAIN, FOLDER
from jairouter_cli.cli.stand_in import StandIn
from jairouter_cli.routing.balance import STRATEGIES

PACKAGE: Final = Path(__file__).parent.parent / "jairouter_cli"
PO: Final = FOLDER / "zh" / "LC_MESSAGES" / f"{DOMAIN}.po"
MO: Final = PO.with_suffix(".mo")
# What Typer says itself.
TYPERS: Final = (
    "Arguments",
    "Options",
    "Commands",
    "Show this message and exit.",
    "default: {default}",
    "required",
    "(dynamic)",
)

HEADER: Final = rb"""msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\n"
"Plural-Forms: nplurals=1; plural=0;\n"

"""

FIRST: Final = datetime(2026, 1, 1, tzinfo=UTC)
HEAD: Final = re.compile(r"[A-Z][A-Z/ ]+")

Message = str | tuple[str, str]


def commands(group: Any, path: str = "jairouter") -> Iterator[tuple[str, Any]]:
    """Yield every command with its path, loaded."""
    command = group.loaded() if isinstance(group, StandIn) else group
    yield path, command
    for name, one in getattr(command, "commands", {}).items():
        yield from commands(one, f"{path} {name}")


def of_commands() -> Iterator[tuple[Message, str]]:
    """Yield the texts of help, each with the command that it is of."""
    yield from ((str(one.rich_help_panel), "jairouter") for one in typer.main.get_group(app).commands.values())
    for path, command in commands(typer.main.get_group(app)):
        if command.hidden:
            continue
        yield from ((one, path) for one in cleandoc(command.help or "").split("\n\n"))
        yield command.epilog or "", path
        yield from ((one.help or "", path) for one in command.params if not one.hidden)


def of_errors() -> Iterator[tuple[Message, str]]:
    """Yield the texts and hints of the errors that the command line shows."""
    for name, error in vars(errors).items():
        if isinstance(error, type) and issubclass(error, errors.JAIRouterError):
            yield error.texts["en"], name
            yield error.default_hint or "", name


def of_code() -> Iterator[tuple[Message, str]]:
    """Yield the texts that are marked, and the constant messages and hints of errors that are raised."""
    names = {"_": None, "marked": None, "ngettext": (1, 2)}
    for file, _line, text, *_ in extract_from_dir(str(PACKAGE / "cli"), [("**.py", "python")], keywords=names):
        yield text, f"cli/{file}"
    for path in (*sorted((PACKAGE / "cli").rglob("*.py")), *sorted((PACKAGE / "config").rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Tuple):  # the heads of a table
                words = [one.value for one in node.elts if isinstance(one, ast.Constant) and isinstance(one.value, str)]
                yield from ((word, f"{path.relative_to(PACKAGE)}") for word in words if HEAD.fullmatch(word))
            elif isinstance(node, ast.Call):
                given = {one.arg: one.value.value for one in node.keywords if isinstance(one.value, ast.Constant)}
                said = [str(given.get(name) or "") for name in ("message", "hint")]
                yield from ((text, f"{path.relative_to(PACKAGE)}") for text in said)


def of_the_gateway() -> Iterator[tuple[Message, str]]:
    """Yield the texts of a running gateway's answers that the command line shows in the reader's language."""
    yield from ((one.meaning, "routing/balance.py") for one in STRATEGIES.values())


def collected() -> Catalog:
    """Return every text, in the order of their places."""
    catalog = Catalog(domain=DOMAIN, charset="utf-8")
    every = [*of_commands(), *of_errors(), *of_code(), *of_the_gateway(), *((text, "typer") for text in TYPERS)]
    for text, place in sorted(every, key=lambda one: one[1]):
        if text and text != "{message}":
            catalog.add(text, locations=[(place, 0)])
    return catalog


def kept() -> Catalog:
    """Return the catalog as it is in the repository."""
    if not PO.exists():
        return Catalog(locale="zh", domain=DOMAIN, charset="utf-8")
    with PO.open("rb") as file:
        return read_po(file, locale="zh", domain=DOMAIN)


def updated() -> Catalog:
    """Return the catalog with all texts of the code, and no others; translations are kept."""
    catalog, found = kept(), collected()
    catalog.update(found, no_fuzzy_matching=True)
    catalog.obsolete.clear()
    return catalog


def untranslated(catalog: Catalog) -> list[Message]:
    """Return the texts that have no Chinese."""
    return [
        one.id for one in catalog if one.id and not (all(one.string) if isinstance(one.string, tuple) else one.string)
    ]


def compiled(catalog: Catalog) -> bytes:
    """Return the catalog in the form in which it is read."""
    catalog.creation_date = FIRST  # else it would differ each time
    stream = io.BytesIO()
    write_mo(stream, catalog)
    return stream.getvalue()


def main() -> None:
    """Update both files; exit with 1 if texts have no Chinese yet."""
    catalog = updated()
    PO.parent.mkdir(parents=True, exist_ok=True)
    stream = io.BytesIO()
    write_po(stream, catalog, width=120, omit_header=True, include_lineno=False)
    PO.write_bytes(HEADER + stream.getvalue())
    MO.write_bytes(compiled(kept()))
    missing = untranslated(catalog)
    sys.stdout.write(f"{len(catalog)} texts, {len(missing)} without Chinese\n")
    for one in missing[:10]:
        sys.stdout.write(f"  {one!r}\n")
    sys.exit(bool(missing))


if __name__ == "__main__":
    main()
