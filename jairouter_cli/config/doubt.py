"""Detects a file that was emptied, or cut off while it was written.

Such a file can be valid, and would stop a gateway that works. Files written by commands and the management API
are not checked: they are always replaced as a whole.
"""

from jairouter_cli.config.document import Document
from jairouter_cli.config.model import Config


def doubt(new: tuple[Document, Config], used: tuple[Document, Config]) -> str | None:
    """Return what speaks against using a file in place of the one in use, or None."""
    (document, config), (before, config_before) = new, used
    count = instances(config_before)
    if count and not instances(config):
        return f"it has no instances, but {count} {'is' if count == 1 else 'are'} in use"
    if config != config_before and is_cut(document, before):
        return "it is cut off: it ends in the middle of a line of the configuration in use"
    return None


def is_cut(document: Document, before: Document) -> bool:
    """Whether a file is the beginning of another, and its last line is not whole."""
    text, whole = document.dump(), before.dump()
    return not text.endswith("\n") and len(text) < len(whole) and whole.startswith(text)


def may_be_unfinished(document: Document, before: Document) -> bool:
    """Whether somebody may still be writing a file: it is the beginning of another, or its last line has no end."""
    text, whole = document.dump(), before.dump()
    return (not text.endswith("\n") and whole.endswith("\n")) or (len(text) < len(whole) and whole.startswith(text))


def instances(config: Config) -> int:
    """Return how many instances there are in all services."""
    return sum(len(service.instances) for service in config.model.services.values())
