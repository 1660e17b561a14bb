"""`/api/services/{type}/ratelimit` and `/circuitbreaker`: what holds for one service."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from litestar import Response, get, put

from jairouter_cli.config.change import Change
from jairouter_cli.config.document import Document
from jairouter_cli.config.java_store import section_view
from jairouter_cli.config.model import ClientLimit, RateLimit, ServiceType
from jairouter_cli.config.ops import limits, services
from jairouter_cli.config.ops.limits import LimitPlace
from jairouter_cli.config.ops.sections import written
from jairouter_cli.config.spelling import kebab, squash
from jairouter_cli.errors import EditRefused
from jairouter_cli.web.errors import AnyRequest
from jairouter_cli.web.manage.editor import Editor
from jairouter_cli.web.manage.envelope import envelope, json_object
from jairouter_cli.web.openapi import samples
from jairouter_cli.web.openapi.shown import enveloped

_LIMIT: Final = "/api/services/{service_type:str}/ratelimit"
_BREAKER: Final = "/api/services/{service_type:str}/circuitbreaker"


def service_limit_routes(editor: Editor) -> list[Any]:
    """Return the routes."""

    @get(_LIMIT, summary="获取服务限流配置", operation_class=enveloped("获取限流配置成功", samples.RATE))
    async def limit(service_type: str) -> Response[Any]:
        """What the service says of limits; nothing if it says nothing."""
        rules = editor.service(service_type)[1].rate_limit
        return envelope("获取限流配置成功", {} if rules is None else section_view(rules))

    @put(
        _LIMIT,
        summary="更新服务限流配置",
        operation_class=enveloped("限流配置更新成功", samples.DONE, body={"capacity": 100, "rate": 10}, edits=True),
    )
    async def set_limit(request: AnyRequest, service_type: str) -> Response[Any]:
        """Change what the body names, and switch it on unless it says otherwise."""
        kind, _ = editor.service(service_type)
        body = written(RateLimit, await json_object(request))
        applied = await editor.edit(request, lambda document: _limited(document, kind, body), "更新限流配置失败")
        return envelope("限流配置更新成功", editor.outcome(applied), 200, editor.tags(applied))

    @get(_BREAKER, summary="获取服务熔断器配置", operation_class=enveloped("获取熔断器配置成功", samples.BREAKER))
    async def breaker(service_type: str) -> Response[Any]:
        """What the service says of circuit breakers; nothing if it says nothing."""
        rules = editor.service(service_type)[1].circuit_breaker
        return envelope("获取熔断器配置成功", {} if rules is None else section_view(rules))

    @put(
        _BREAKER,
        summary="更新服务熔断器配置",
        operation_class=enveloped("熔断器配置更新成功", samples.DONE, body={"failureThreshold": 3}, edits=True),
    )
    async def set_breaker(request: AnyRequest, service_type: str) -> Response[Any]:
        """Change what the body names; what it does not name stays."""
        kind, _ = editor.service(service_type)
        members = {"circuitBreaker": await json_object(request)}
        applied = await editor.edit(
            request, lambda document: services.update(document, kind, members), "更新熔断器配置失败"
        )
        return envelope("熔断器配置更新成功", editor.outcome(applied), 200, editor.tags(applied))

    return [limit, set_limit, breaker, set_breaker]


def _limited(document: Document, kind: ServiceType, body: Mapping[str, Any]) -> Change:
    """Set the limit of a service, that of its clients, or both."""
    own = {key: value for key, value in body.items() if key != "client-ip"}
    if "client-ip" not in body:
        return limits.set_limit(document, LimitPlace(kind), _fields(RateLimit, own))
    if not isinstance(body["client-ip"], Mapping):
        raise EditRefused([f"client-ip: expected a mapping, found {body['client-ip']!r}"])
    change = limits.set_limit(document, LimitPlace(kind), _fields(RateLimit, own)) if own else None
    of_clients = limits.set_limit(
        document if change is None else change.document,
        LimitPlace(kind, None, per_client=True),
        _fields(ClientLimit, body["client-ip"]),
    )
    summary = of_clients.summary if change is None else f"{change.summary}; {of_clients.summary}"
    return Change(of_clients.document, summary, kind.value)


def _fields(struct: type[msgspec.Struct], members: Mapping[str, Any]) -> dict[str, Any]:
    """Return members by the names of the fields, for an operation; what is none of them as it came."""
    names = {squash(kebab(name)): name for name in struct.__struct_fields__}
    return {names.get(squash(key), key): value for key, value in members.items()}
