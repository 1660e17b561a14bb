"""Edits that register and remove custom metrics, and hide or show any metric."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from jairouter_cli.config.change import Change
from jairouter_cli.config.document import Document, Path
from jairouter_cli.config.fields import names_of
from jairouter_cli.config.monitoring import CustomMetric
from jairouter_cli.config.ops.sections import key_in
from jairouter_cli.config.ops.values import path_of, set_value

_SECTION: Final = "monitoring.metrics"


def register(document: Document, metrics: Sequence[CustomMetric]) -> Change:
    """Add metrics; one that is there keeps its place and when it was created. Raises `EditImpossible`."""
    for metric in metrics:
        path = path_of(document, f"{_SECTION}.custom")
        index = _index(document, path, metric.name)
        if index is not None:
            document = _rewritten(document, (*path, index), metric)
        elif document.get(path):
            document = document.append(path, _written(metric))
        else:
            document = document.put(path, [_written(metric)])
    return Change(document, f"registered {_listed(metric.name for metric in metrics)}")


def unregister(document: Document, names: Sequence[str]) -> Change:
    """Take metrics back, and what is said of them elsewhere. Raises `EditImpossible`."""
    path = path_of(document, f"{_SECTION}.custom")
    for name in names:
        index = _index(document, path, name)
        if index is not None:
            document = document.remove((*path, index))
        document = _switched(document, name, is_shown=True)
    return Change(document, f"unregistered {_listed(names)}")


def switch(document: Document, names: Sequence[str], *, is_shown: bool) -> Change:
    """Show metrics, or do not; they are counted in any case. Raises `EditImpossible`."""
    for name in names:
        document = _switched(document, name, is_shown=is_shown)
    return Change(document, f"switched {_listed(names)} {'on' if is_shown else 'off'}")


def _switched(document: Document, name: str, *, is_shown: bool) -> Document:
    key = f"{_SECTION}.disabled"
    present = document.get(path_of(document, key))
    before = [present] if isinstance(present, str) else list(present or ())
    names = [one for one in before if one != name] + ([] if is_shown else [str(name)])
    return document if set(names) == set(before) else set_value(document, key, names).document


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    return f"metric{'s' if len(listed) != 1 else ''} {', '.join(listed)}"


def _index(document: Document, path: Path, name: str) -> int | None:
    items = document.get(path)
    for index, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, Mapping) and item.get(key_in(document, (*path, index), ["name"])) == name:
            return index
    return None


def _written(metric: CustomMetric) -> dict[str, Any]:
    """Return a metric as it is written: what it must have, and what differs from the defaults."""
    found = {}
    for spec in msgspec.structs.fields(CustomMetric):
        value = getattr(metric, spec.name)
        if spec.required or spec.name == "type" or (value and value != spec.default):
            found[names_of(CustomMetric, spec.name)[0]] = dict(value) if isinstance(value, Mapping) else str(value)
    return found


def _rewritten(document: Document, path: Path, metric: CustomMetric) -> Document:
    """Return a document with a metric as it is to be now; what stays as it was is not touched."""
    written = _written(metric)
    for field in metric.__struct_fields__:
        if field in {"name", "created_at"}:
            continue
        key = key_in(document, path, names_of(CustomMetric, field))
        before, now = document.get((*path, key)), written.get(names_of(CustomMetric, field)[0])
        if now is None and before is not None:
            document = document.drop((*path, key))
        elif now is not None and before != now:
            document = document.assign((*path, key), now)
    return document
