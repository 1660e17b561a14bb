"""`jairouter instances add URL`: the models of a backend become instances, in one revision."""

import difflib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import typer

from jairouter_cli.cli import editing, options, output
from jairouter_cli.cli.client import base_url
from jairouter_cli.cli.discover import finding
from jairouter_cli.cli.language import _, is_for_programs, ngettext
from jairouter_cli.config.addresses import backend_of, fault_of_url, without_endpoint
from jairouter_cli.config.model import Config, Dialect
from jairouter_cli.config.ops.discovered import Addition, Present, follow
from jairouter_cli.discovery.difference import ModelDifference, difference
from jairouter_cli.discovery.kinds import BackendKind, FoundBackend
from jairouter_cli.discovery.models import FoundModel
from jairouter_cli.errors import JAIRouterError, UsageError

_SHOWN: Final = 10  # names that an error lists


@dataclass(frozen=True, slots=True)
class AddRequest:
    """What is wanted of a backend: some of its `models` (all, if none is named); with `refresh`, gone ones removed.

    `key` and `headers` are sent when it is asked.
    """

    models: Sequence[str] = ()
    refresh: bool = False
    yes: bool = False
    dry_run: bool = False
    key: str | None = None
    headers: Mapping[str, str] | None = None


def add_backend(
    ctx: typer.Context,
    config: Path | None,
    url: str,
    members: Mapping[str, Any],
    wanted: AddRequest,
    *,
    expect: str | None,
    wait: bool,
    as_json: bool,
) -> None:
    """Show what a backend has, and add it when told; `members` are the settings that all new instances get."""
    loaded = options.read(ctx, config).config
    base = address(url)
    backend = _found(loaded, base, wanted)
    found = difference(loaded, base, backend.models)
    new = _chosen(backend, found, wanted.models)
    gone = found.gone if wanted.refresh else ()
    data = {"backend": finding.backend_view(base, backend), "models": finding.model_views(backend, found)}
    if not as_json:
        output.stdout().print(
            finding.shown(base, backend, found, refresh=wanted.refresh), soft_wrap=not sys.stdout.isatty()
        )
    if not new and not gone:
        if as_json:
            output.print_json({"summary": None, "revision": None, **data})
        else:
            output.say(_("nothing to add") if backend.models else _("it lists no models; load one there first"))
        return
    if wanted.dry_run or not (wanted.yes or _agreed(len(new), len(gone))):
        if as_json:
            output.print_json({"summary": None, "revision": None, **data})
        return
    additions = [Addition(model.service, {**_members(loaded, backend, base, model), **members}) for model in new]
    removals = [Present(kind, one.id) for kind, one in gone]
    editing.edit(
        ctx,
        config,
        lambda document: follow(document, base, additions, removals),
        expect=expect,
        wait=wait,
        as_json=as_json,
        more=data,
        secret=wanted.key,
    )


def address(url: str) -> str:
    """Return a backend's address without `/v1` and the path of an endpoint. Raises `UsageError`."""
    base, _path = without_endpoint(url)
    if fault := fault_of_url(base):
        raise UsageError(message=_("'{url}': expected {wanted}").format(url=url, wanted=fault))
    return base.rstrip("/").removesuffix("/v1").rstrip("/")


def _found(config: Config, base: str, wanted: AddRequest) -> FoundBackend:
    [outcome] = finding.find(config, [base], wanted.key, wanted.headers)
    if isinstance(outcome, JAIRouterError):
        raise outcome
    if outcome.kind is BackendKind.JAIROUTER and backend_of(base_url(config.server)) == backend_of(base):
        message = _("{url} is the gateway of this configuration").format(url=base)
        raise UsageError(message=message, hint="name the address of a backend")
    return outcome


def _chosen(backend: FoundBackend, found: ModelDifference, names: Sequence[str]) -> tuple[FoundModel, ...]:
    """Return the new models that are wanted. Raises `UsageError` for a name that the backend does not list."""
    listed = [model.name for model in backend.models]
    for name in names:
        if name not in listed:
            close = difflib.get_close_matches(name, listed, 1) or listed[:_SHOWN]
            hint = _("did you mean {names}?").format(names=", ".join(close)) if close else None
            raise UsageError(message=_("the backend has no model '{name}'").format(name=name), hint=hint)
    return tuple(model for model in found.new if not names or model.name in names)


def _agreed(new: int, gone: int) -> bool:
    """Ask whether to go on. Raises `UsageError` where nobody can be asked."""
    if is_for_programs() or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(message="nothing was changed, because nobody can be asked", hint="use --yes or --dry-run")
    question = ngettext("Add {count} instance?", "Add {count} instances?", new).format(count=new)
    if gone and new:
        question = _("Add {new}, and remove {gone} that are gone?").format(new=new, gone=gone)
    elif gone:
        question = ngettext("Remove {count} instance?", "Remove {count} instances?", gone).format(count=gone)
    return typer.confirm(question, default=True, err=True)


def _members(config: Config, backend: FoundBackend, base: str, model: FoundModel) -> dict[str, Any]:
    """Return the keys of a new instance; what the file says of its service anyway is left out."""
    service = config.model.services.get(model.service)
    usual = (service and service.adapter) or config.model.adapter
    adapter = backend.adapter or Dialect.NORMAL
    path = backend.path_of(model.service)
    return {
        "name": model.name,
        "base-url": base,
        **({} if path is None else {"path": path}),
        **({} if adapter is usual else {"adapter": adapter.value}),
    }
