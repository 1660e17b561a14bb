"""Writes the pages of `docs/` that are made from the program; with `--check`, says which of them are not current."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from scripts.reference import commands, configuration, failures, json_output, routes

DOCS: Final = Path(__file__).parents[2] / "docs"
PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "cli.md": commands.page,
    "configuration.md": configuration.page,
    "api.md": routes.page,
    "errors.md": failures.page,
    "json.md": json_output.page,
}


def main(arguments: list[str]) -> int:
    """Write the pages, or check them."""
    stale = []
    for name, make in PAGES.items():
        text, file = make(), DOCS / name
        if not file.exists() or file.read_text("utf-8") != text:
            stale.append(name)
            if "--check" not in arguments:
                file.write_text(text, "utf-8")
    for name in stale:
        print(f"docs/{name} {'is not current' if '--check' in arguments else 'written'}")
    return int("--check" in arguments and bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
