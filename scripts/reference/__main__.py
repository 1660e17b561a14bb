"""Writes the pages of `docs/` and the scripts of `completions/` that are made from the program.

With `--check`, it says which of them are not current.
"""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from jairouter_cli.cli.completion.shells import Shell, file_name, script
from scripts.reference import commands, configuration, failures, json_output, routes

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "cli.md": commands.page,
    "configuration.md": configuration.page,
    "api.md": routes.page,
    "errors.md": failures.page,
    "json.md": json_output.page,
}
FILES: Final[Mapping[Path, Callable[[], str]]] = {
    **{DOCS / name: make for name, make in PAGES.items()},
    **{ROOT / "completions" / file_name(shell): partial(script, shell) for shell in Shell},
}


def main(arguments: list[str]) -> int:
    """Write the files, or check them."""
    stale = []
    for file, make in FILES.items():
        text = make()
        if not file.exists() or file.read_text("utf-8") != text:
            stale.append(file.relative_to(ROOT))
            if "--check" not in arguments:
                file.write_text(text, "utf-8")
    for name in stale:
        print(f"{name} {'is not current' if '--check' in arguments else 'written'}")
    return int("--check" in arguments and bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
