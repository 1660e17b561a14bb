"""Edits that make the instances of a backend those of its list of models, in one revision."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from jairouter_cli.config.change import Change
from jairouter_cli.config.document import Document
from jairouter_cli.config.model import ServiceType
from jairouter_cli.config.ops import instances
from jairouter_cli.config.spelling import squash

# What belongs to one model, and is not taken over for another of its backend.
_OF_THE_MODEL: Final = frozenset({"name", "upstreammodel", "path", "ratelimit", "enabled"})


class Addition(NamedTuple):
    """An instance to be added: its service, and its keys as they are written."""

    service: ServiceType
    members: Mapping[str, Any]


class Present(NamedTuple):
    """An instance that is there: its service, and its id."""

    service: ServiceType
    id: str


def follow(
    document: Document,
    base_url: str,
    new: Sequence[Addition],
    gone: Sequence[Present] = (),
    like: Present | None = None,
) -> Change:
    """Add instances of a backend, and remove others; `like` names one whose other settings the new ones get.

    Raises `InstanceExists`, `InstanceNotFound`, `EditImpossible`.
    """
    shared = _shared(document, like)
    for service, members in new:
        document = instances.add_members(document, service, {**members, **shared}).document
    for service, wanted in gone:
        document = instances.remove(document, service, wanted).document
    parts = [_counted("added", new), _counted("removed", gone)]
    return Change(document, f"{' and '.join(part for part in parts if part)} of {base_url}")


def _shared(document: Document, like: Present | None) -> dict[str, Any]:
    """Return the settings of an instance as they stand in the file, placeholders too, but those of its model."""
    if like is None:
        return {}
    path, _ = instances.place(document, like.service, like.id)
    return {key: value for key, value in document.get(path).items() if squash(str(key)) not in _OF_THE_MODEL}


def _counted(done: str, some: Sequence[Any]) -> str:
    if not some:
        return ""
    return f"{done} {len(some)} instance{'' if len(some) == 1 else 's'}"
