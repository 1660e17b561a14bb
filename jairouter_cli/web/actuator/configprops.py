"""`/actuator/configprops`: the sections of the configuration in force, with where their values stand.

For operators only, as the management API is. What is a secret is never shown, whatever `show-values` says.
"""

import asyncio
from collections.abc import Mapping
from operator import attrgetter
from typing import Any, Final

from litestar import Response, get

from jairouter_cli.config.masking import sounds_secret
from jairouter_cli.config.properties import Property, Tree
from jairouter_cli.config.spelling import camel, find_key
from jairouter_cli.config.view import plain
from jairouter_cli.web.actuator.conventions import BASE, answer, nothing, shows
from jairouter_cli.web.actuator.env import Mask, Origins
from jairouter_cli.web.actuator.shown import of_actuator
from jairouter_cli.web.auth.operators import operators_only
from jairouter_cli.web.errors import AnyRequest
from jairouter_cli.web.openapi import samples
from jairouter_cli.web.views.node import Node

SECTIONS: Final = (
    *("server", "model", "webclient", "state", "store", "monitoring.metrics", "logging", "usage", "tracing"),
    "management",
)


def configprops_routes(origins: Origins) -> list[Any]:
    """Return the routes."""

    async def beans(request: AnyRequest, first: str) -> Response[Node]:
        found = await asyncio.to_thread(origins.tree)
        config = origins.config
        visible = shows(request, config.management.endpoint.configprops.show_values)
        mask = Mask(origins.secrets(), visible=visible)
        given = {} if found is None else found
        chosen = {name: attrgetter(name)(config) for name in SECTIONS if name.startswith(first)}
        if not chosen:
            nothing()
        shown = {
            name: {
                "prefix": name,
                "properties": _masked(_effective(name, section, origins.options), mask),
                "inputs": _inputs(_at(given, name), str(origins.file), mask),
            }
            for name, section in chosen.items()
        }
        return answer(request, {"contexts": {"application": {"beans": shown}}})

    @get(
        f"{BASE}/configprops",
        summary="Show the effective configuration",
        guards=[operators_only],
        operation_class=of_actuator(samples.ACTUATOR_BEANS, guarded=True),
    )
    async def configprops(request: AnyRequest) -> Response[Node]:
        """By section: all values (`properties`), and those that the file gives (`inputs`); secrets are masked."""
        return await beans(request, "")

    @get(
        f"{BASE}/configprops/{{prefix:str}}",
        summary="Show sections of the effective configuration",
        guards=[operators_only],
        operation_class=of_actuator(samples.ACTUATOR_BEANS, guarded=True),
    )
    async def configprops_of(request: AnyRequest, prefix: str) -> Response[Node]:
        """Those whose name begins so."""
        return await beans(request, prefix)

    return [configprops, configprops_of]


def _effective(name: str, section: Any, options: Mapping[str, str]) -> Node:
    """Return a section as plain data, the command line's words in it."""
    node: Node = plain(section)
    for key, value in options.items():
        first, _, last = key.rpartition(".")
        if first == name:
            node[camel(last)] = int(value) if value.isdecimal() else value
    return node


def _masked(value: Any, mask: Mask, name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {key: _masked(one, mask, key) for key, one in value.items()}
    if isinstance(value, list):
        return [_masked(one, mask, name) for one in value]
    return mask(Property(name, value, 0, isinstance(value, str) and sounds_secret(name)))


def _inputs(node: Tree, file: str, mask: Mask) -> Any:
    if isinstance(node, Property):
        return {"value": mask(node), "origin": f"{file}:{node.line}"}
    if isinstance(node, list):
        return [_inputs(one, file, mask) for one in node]
    return {key: _inputs(one, file, mask) for key, one in node.items()}


def _at(given: Tree, name: str) -> Tree:
    """Return what a file says of a section; nothing if that is nothing."""
    for step in name.split("."):
        key = find_key(given, step) if isinstance(given, dict) else None
        if not isinstance(given, dict) or key is None:
            return {}
        given = given[key]
    return given
