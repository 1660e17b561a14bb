"""`/actuator/loggers`: how much each logger says, and orders to say more or less, for all workers."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from litestar import Response, get, post

from jairouter_cli.config.monitoring import Level
from jairouter_cli.observe.log_levels import LoggerLevels, canonical
from jairouter_cli.web.actuator.conventions import BASE, answer, bad_parameter, nothing
from jairouter_cli.web.actuator.shown import of_actuator
from jairouter_cli.web.auth.operators import operators_only
from jairouter_cli.web.errors import AnyRequest
from jairouter_cli.web.openapi import samples
from jairouter_cli.web.views.node import Node

# Several loggers by one name, as Spring has them.
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {"web": ("_granian", "jairouter.access")}

_PATH: Final = f"{BASE}/loggers"


def loggers_routes(levels: LoggerLevels) -> list[Any]:
    """Return the routes."""

    @get(
        _PATH,
        summary="List the loggers and their levels",
        operation_class=of_actuator(
            {"levels": ["OFF", "ERROR", "WARN", "INFO"], "loggers": {"ROOT": samples.ACTUATOR_ENTRY}, "groups": {}}
        ),
    )
    async def loggers(request: AnyRequest) -> Response[Node]:
        """Each with the level that it was given, if it was, and the one that it goes by; and groups of them."""
        return answer(
            request,
            {
                "levels": list(Level),
                "loggers": {name: _logger(levels, name) for name in levels.names()},
                "groups": {name: _group(levels, name) for name in GROUPS},
            },
        )

    @get(
        f"{_PATH}/{{name:str}}",
        summary="Show the level of a logger",
        operation_class=of_actuator(samples.ACTUATOR_ENTRY),
    )
    async def logger(request: AnyRequest, name: str) -> Response[Node]:
        """A logger, or a group of them."""
        if name in GROUPS:
            return answer(request, _group(levels, name))
        if canonical(name) not in levels.names():
            nothing()
        return answer(request, _logger(levels, name))

    @post(
        f"{_PATH}/{{name:str}}",
        summary="Set the level of a logger",
        status_code=204,
        guards=[operators_only],
        operation_class=of_actuator(None, body={"configuredLevel": "DEBUG"}, guarded=True),
    )
    async def set_level(request: AnyRequest, name: str) -> None:
        """In all workers at once, until the gateway ends; null, or no level, takes it back."""
        level = _level(await request.body())
        for one in GROUPS.get(name, (name,)):
            try:
                levels.set(one, level)
            except ValueError:
                bad_parameter(f"'{name}' cannot be the name of a logger")

    return [loggers, logger, set_level]


def _logger(levels: LoggerLevels, name: str) -> Node:
    configured = levels.configured(name)
    node = {} if configured is None else {"configuredLevel": configured.value}
    return {**node, "effectiveLevel": levels.effective(name).value}


def _group(levels: LoggerLevels, name: str) -> Node:
    members = GROUPS[name]
    given = {levels.configured(one) for one in members}
    level = given.pop() if len(given) == 1 else None
    node: Node = {} if level is None else {"configuredLevel": level.value}
    return {**node, "members": list(members)}


def _level(body: bytes) -> Level | None:
    try:
        given = msgspec.json.decode(body) if body.strip() else {}
    except msgspec.DecodeError:
        bad_parameter("the body is no JSON")
    if not isinstance(given, dict):
        bad_parameter("the body is no object")
    level = given.get("configuredLevel")
    if level is None:
        return None
    if not isinstance(level, str) or level.upper() not in Level.__members__:
        bad_parameter("configuredLevel is one of " + ", ".join(Level))
    return Level[level.upper()]
