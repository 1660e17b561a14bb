"""Pieces of a page."""

import re
from collections.abc import Iterable, Sequence


def made_by(text: str) -> str:
    """Return the beginning of a page with a remark, which readers do not see, below its title."""
    title, _, rest = text.partition("\n")
    return f"{title}\n\n<!-- Made by scripts/references from the program: edit the source and run it again. -->\n{rest}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; its cells are Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join("| " + " | ".join(cell(one) for one in line) + " |\n" for line in lines)


def cell(text: str) -> str:
    """Return text as it is written within a table."""
    return re.sub(r"(?<!\\)\|", r"\\|", " ".join(text.split()))


def slug(heading: str) -> str:
    """Return the anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def code(text: str, language: str = "text") -> str:
    """Return a block of code."""
    return f"```{language}\n{text.rstrip()}\n```\n"
