"""The edit that restores a revision."""

from jairouter_cli.config.change import Change
from jairouter_cli.config.document import Document
from jairouter_cli.config.history import Revision


def roll_back(document: Document, revision: Revision) -> Change:
    """Put a revision's text in the place of the file's. Raises `ConfigSyntaxError` if it is none."""
    return Change(Document.load(revision.text, document.file), f"rolled back to revision {revision.number}")
