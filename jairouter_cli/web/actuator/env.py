"""`/actuator/env`: where settings come from, the source that wins first.

For operators only, as the management API is. What is a secret is never shown, whatever `show-values` says.
"""

import asyncio
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

from litestar import Response, get
from litestar.params import QueryParameter

from jairouter_cli.config.document import Document
from jairouter_cli.config.kinds import MASK
from jairouter_cli.config.masking import secret_variables, secrets_in, sounds_secret, tells
from jairouter_cli.config.model import Config
from jairouter_cli.config.properties import (
    Property,
    Tree,
    flat,
    properties_of,
    tree,
)
from jairouter_cli.config.spelling import squash
from jairouter_cli.config.store import Store
from jairouter_cli.config.token import admin_token
from jairouter_cli.config.view import as_yaml
from jairouter_cli.errors import JAIRouterError
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.telemetry.expressions import compiled
from jairouter_cli.web.actuator.conventions import BASE, answer, bad_parameter, nothing, shows
from jairouter_cli.web.actuator.shown import of_actuator
from jairouter_cli.web.auth.operators import operators_only
from jairouter_cli.web.errors import AnyRequest
from jairouter_cli.web.openapi import samples
from jairouter_cli.web.views.node import Node

Pattern = Annotated[str, QueryParameter(name="pattern", description="Only keys in which this expression is found.")]

_OURS: Final = "JAIROUTER_"
_PLACEHOLDER: Final = re.compile(r"\$\{\s*([^}:\s]+)")
_PROFILES: Final[Mapping[str, list[str]]] = {"activeProfiles": [], "defaultProfiles": ["default"]}


class PropertySource(NamedTuple):
    """A source of settings, and the file in which they stand, if it is one."""

    name: str
    properties: Sequence[Property]
    file: str = ""


class Mask:
    """Shows values, where they may be seen, and never a secret."""

    def __init__(self, secrets: frozenset[str], *, visible: bool) -> None:
        self._secrets: Final = secrets
        self._visible: Final = visible

    def __call__(self, one: Property) -> Any:
        """Return a value, or a mask."""
        return one.value if self._visible and not one.is_secret and not tells(str(one.value), self._secrets) else MASK


class Origins:
    """What is in force, and where it comes from."""

    def __init__(self, gateway: Gateway, store: Store, options: Mapping[str, str]) -> None:
        self._gateway: Final = gateway
        self._store: Final = store
        self.options: Final = options
        """What the command line says, by the keys that it says it over."""

    @property
    def file(self) -> Path:
        """The configuration file."""
        return self._store.file

    @property
    def config(self) -> Config:
        """What the file said that is in force."""
        return self._gateway.table.config

    def secrets(self) -> frozenset[str]:
        """Return the secrets that are known."""
        token = admin_token(self.config.server, os.environ)
        return secrets_in(self.config) | (frozenset({token}) if token else frozenset())

    def tree(self) -> dict[str, Tree] | None:
        """Return what the file says, if that is what is in force. To be called beside the event loop."""
        try:
            loaded = self._store.read()
        except JAIRouterError:
            return None
        return tree(loaded.document, os.environ) if loaded.digest == self._gateway.digest else None

    def sources(self) -> list[PropertySource]:
        """Return all sources, the one that wins first. To be called beside the event loop."""
        found, file = self.tree(), str(self._store.file)
        if found is None:
            plain = list(properties_of(as_yaml(self.config)))
            in_file = PropertySource(f"Config resource '{file}' as it is in force: it was edited since", plain)
        else:
            in_file = PropertySource(f"Config resource '{file}'", list(flat(found)), file)
        return [
            PropertySource("commandLineArgs", [Property(*pair) for pair in self.options.items()]),
            PropertySource("systemEnvironment", list(self._environment())),
            in_file,
            PropertySource("defaults", list(properties_of(as_yaml(Config())))),
        ]

    def _environment(self) -> Iterator[Property]:
        """Yield the variables that are about this program: its own, and those that the file names."""
        try:
            text = self._store.text()
            named = set(_PLACEHOLDER.findall(text))
            secret = secret_variables(Document.load(text, ""))
        except JAIRouterError:
            named, secret = set(), frozenset()
        for name, value in sorted(os.environ.items()):
            if name.startswith(_OURS) or name in named:
                yield Property(name, value, 0, name in secret or sounds_secret(name))


def env_routes(origins: Origins) -> list[Any]:
    """Return the routes."""

    def mask(request: AnyRequest) -> Mask:
        settings = origins.config.management.endpoint.env
        return Mask(origins.secrets(), visible=shows(request, settings.show_values))

    @get(
        f"{BASE}/env",
        summary="List the sources of settings",
        guards=[operators_only],
        operation_class=of_actuator(
            {**samples.ACTUATOR_PROFILES, "propertySources": [{"name": "commandLineArgs", "properties": {}}]},
            guarded=True,
        ),
    )
    async def env(request: AnyRequest, pattern: Pattern = "") -> Response[Node]:
        """Command line, environment (what concerns this program), file with lines, defaults; secrets are masked."""
        wanted, over = _compiled(pattern), mask(request)
        sources = await asyncio.to_thread(origins.sources)
        found = [
            {
                "name": source.name,
                "properties": {
                    one.key: _shown(source, one, over) for one in source.properties if wanted.search(one.key)
                },
            }
            for source in sources
        ]
        return answer(request, {**_PROFILES, "propertySources": found})

    @get(
        f"{BASE}/env/{{key:str}}",
        summary="Show the sources of one setting",
        guards=[operators_only],
        operation_class=of_actuator(
            {
                "property": {"source": "defaults", "value": "******"},
                **samples.ACTUATOR_PROFILES,
                "propertySources": [{"name": "defaults", "property": {"value": "******"}}],
            },
            guarded=True,
        ),
    )
    async def env_of(request: AnyRequest, key: str) -> Response[Node]:
        """Its value in each source that has it, and the one that wins."""
        sources, over = await asyncio.to_thread(origins.sources), mask(request)
        entries = [(source, _find(source.properties, key)) for source in sources]
        first = next(((source, one) for source, one in entries if one is not None), None)
        if first is None:
            nothing()
        winner, value = first
        node: Node = {"property": {"source": winner.name, "value": over(value)}, **_PROFILES}
        node["propertySources"] = [
            {"name": source.name} if one is None else {"name": source.name, "property": _shown(source, one, over)}
            for source, one in entries
        ]
        return answer(request, node)

    return [env, env_of]


def _shown(source: PropertySource, one: Property, mask: Mask) -> Node:
    origin = {"origin": f"{source.file}:{one.line}"} if source.file and one.line else {}
    return {"value": mask(one), **origin}


def _find(properties: Sequence[Property], key: str) -> Property | None:
    """Return a property by its key, in any spelling."""
    wanted = squash(key)
    return next((one for one in properties if squash(one.key) == wanted), None)


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        expression = compiled(pattern)
    except ValueError as error:
        bad_parameter(f"pattern: {error}")
    if expression is None:
        bad_parameter("pattern: this is no regular expression")
    return expression
