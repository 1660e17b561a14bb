"""Asks backends what they are, and shows it: as tables for people, as mappings for programs."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from jairouter_cli.cli import output
from jairouter_cli.cli.language import _, ngettext
from jairouter_cli.config.kinds import Secret, Url
from jairouter_cli.config.model import Config, Instance
from jairouter_cli.config.scalars import Unset, expand
from jairouter_cli.discovery.difference import ModelDifference
from jairouter_cli.discovery.kinds import FoundBackend
from jairouter_cli.discovery.models import FoundModel
from jairouter_cli.discovery.probe import TIMEOUT_S, probe, question_for
from jairouter_cli.errors import JAIRouterError, UsageError
from jairouter_cli.gateway.upstream.http1 import Http1Upstream

ProbeOutcome = FoundBackend | JAIRouterError


def find(
    config: Config,
    addresses: Sequence[str],
    key: str | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> list[ProbeOutcome]:
    """Return what is at each address, or why that is not known; all are asked side by side, as the gateway would.

    A key and headers are sent to all; placeholders in them are filled from the environment. Raises `UsageError` for
    one that is not set, `ServeError` for certificates that cannot be read.
    """
    sent = {name: Secret(_filled(value)) for name, value in (headers or {}).items()}
    instances = [
        Instance(name="-", base_url=Url(one), api_key=Secret(_filled(key)) if key else None, headers=sent)
        for one in addresses
    ]
    return asyncio.run(_find(config, instances, timeout_s))


async def _find(config: Config, instances: Sequence[Instance], timeout_s: float) -> list[ProbeOutcome]:
    client = config.webclient
    upstream = Http1Upstream(client.connection_pool, client, os.environ)

    async def one(instance: Instance) -> ProbeOutcome:
        try:
            return await probe(upstream, question_for(config, instance), timeout_s)
        except JAIRouterError as error:
            return error

    try:
        return await asyncio.gather(*map(one, instances))
    finally:
        await upstream.aclose()


def _filled(text: str) -> str:
    try:
        return expand(text, os.environ)
    except Unset as error:
        raise UsageError(message=_("'{text}': {reason}").format(text=text, reason=error)) from None


# --- what is shown ---


def headline(base: str, backend: FoundBackend) -> str:
    """Return one line on a backend."""
    version = f" {backend.version}" if backend.version else ""
    count = len(backend.models)
    models = ngettext("{count} model", "{count} models", count).format(count=count)
    return _("{kind}{version} at {url}: {models}, speaks {apis}").format(
        kind=backend.kind, version=version, url=base, models=models, apis=", ".join(backend.apis)
    )


def shown(base: str, backend: FoundBackend, difference: ModelDifference, *, refresh: bool) -> RenderableType:
    """Return the models of a backend as a table, with what a configuration has of them."""
    rows = [_row(model, _state(model, difference)) for model in backend.models]
    rows += [(one.name, kind.value, "-", "-", _("gone")) for kind, one in difference.gone if refresh]
    parts: list[RenderableType] = [Text(headline(base, backend))]
    if rows:
        parts.append(output.table((_("MODEL"), _("SERVICE"), _("CONTEXT"), _("CAPABILITIES"), _("STATE")), rows))
    if any(model.is_guess for model in difference.new):
        parts.append(Text(_("? the backend does not say what the model is for; this is a guess from its name")))
    return Group(*parts)


def _state(model: FoundModel, difference: ModelDifference) -> str:
    return _("new") if model in difference.new else _("configured")


def _row(model: FoundModel, state: str) -> tuple[object, ...]:
    service = f"{model.service}{'?' if model.is_guess else ''}"
    return model.name, service, model.context or "-", ", ".join(model.capabilities) or "-", state


def backend_view(base: str, backend: FoundBackend) -> dict[str, Any]:
    """Return a backend for programs."""
    return {"url": base, "kind": backend.kind.value, "version": backend.version, "apis": list(backend.apis)}


def model_views(backend: FoundBackend, difference: ModelDifference) -> list[dict[str, Any]]:
    """Return the models of a backend for programs."""
    return [
        {
            "model": model.name,
            "service": model.service.value,
            "isGuess": model.is_guess,
            "context": model.context,
            "capabilities": list(model.capabilities),
            "isConfigured": model in difference.present,
        }
        for model in backend.models
    ]
