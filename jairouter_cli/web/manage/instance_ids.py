"""`/api/instances`: the instances of all services, by their ids alone (the spelling of later Java versions).

An id is `name@base-url`, here as everywhere; the Java version's row numbers have no counterpart. It is
the rest of the path, as it is or percent-encoded. Where two services have an instance of that id, `serviceType` says
which is meant.
"""

import re
from typing import Annotated, Any, Final

from litestar import Response, delete, get, post, put
from litestar.params import QueryParameter

from jairouter_cli.config.java_store import instance_view
from jairouter_cli.config.model import Instance, ServiceType
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.gateway.prober import probe_now
from jairouter_cli.routing.health import HealthState
from jairouter_cli.web.errors import AnyRequest
from jairouter_cli.web.manage.editor import Editor
from jairouter_cli.web.manage.envelope import Refused, envelope, json_object, known_service
from jairouter_cli.web.manage.instances import add_instance, remove_instance, update_instance
from jairouter_cli.web.openapi import samples
from jairouter_cli.web.openapi.shown import enveloped
from jairouter_cli.web.views.standing import standing

BASE: Final = "/api/instances"

_SLASHES: Final = re.compile("/+")  # Litestar makes one of several in a path
_HEALTH: Final = "/health"

Among = Annotated[str | None, QueryParameter(name="serviceType")]


def instance_id_routes(editor: Editor, gateway: Gateway) -> list[Any]:
    """Return the routes."""

    def shown(kind: ServiceType, instance: Instance, *, reveal: bool = False) -> dict[str, Any]:
        configured = instance_view(instance, reveal=reveal)
        return {"serviceType": kind.value, **configured, **standing(gateway, kind, instance)}

    @get(BASE, summary="获取所有实例", operation_class=enveloped("获取实例列表成功", [samples.OF_CHAT]))
    async def everywhere(*, reveal: bool = False) -> Response[Any]:
        """All instances of all services."""
        services = editor.config.model.services.items()
        found = [shown(kind, one, reveal=reveal) for kind, service in services for one in service.instances]
        return envelope("获取实例列表成功", found)

    @get(
        f"{BASE}/service/{{service_type:str}}",
        summary="获取服务的所有实例",
        operation_class=enveloped("获取实例列表成功", [samples.OF_CHAT]),
    )
    async def of_service(service_type: str, *, reveal: bool = False) -> Response[Any]:
        """All instances of one service."""
        kind, service = editor.service(service_type)
        return envelope("获取实例列表成功", [shown(kind, one, reveal=reveal) for one in service.instances])

    @post(
        f"{BASE}/service/{{service_type:str}}",
        summary="为服务添加实例",
        operation_class=enveloped(
            "实例添加成功", {"instanceId": samples.ID, **samples.DONE}, body=samples.NEW, edits=True
        ),
    )
    async def add(request: AnyRequest, service_type: str) -> Response[Any]:
        """Add an instance, and the service if it is missing; 201."""
        return await add_instance(editor, request, known_service(service_type))

    @get(
        f"{BASE}/{{instance_id:path}}",
        summary="获取实例",
        operation_class=enveloped("获取实例信息成功", samples.OF_CHAT),
    )
    async def one(instance_id: str, service_type: Among = None, *, reveal: bool = False) -> Response[Any]:
        """One instance."""
        kind, instance, _ = _found(editor, instance_id, service_type)
        return envelope("获取实例信息成功", shown(kind, instance, reveal=reveal))

    @put(
        f"{BASE}/{{instance_id:path}}",
        summary="更新指定实例",
        operation_class=enveloped(
            "实例更新成功", {"instanceId": samples.ID, **samples.DONE}, body={"weight": 4}, edits=True
        ),
    )
    async def update(request: AnyRequest, instance_id: str, service_type: Among = None) -> Response[Any]:
        """Change what the body names; what it does not name stays."""
        kind, _, wanted = _found(editor, instance_id, service_type)
        return await update_instance(editor, request, kind, wanted, await json_object(request))

    @delete(
        f"{BASE}/{{instance_id:path}}",
        summary="删除指定实例",
        status_code=200,
        operation_class=enveloped("实例删除成功", {"instanceId": samples.ID, **samples.DONE}, edits=True),
    )
    async def remove(request: AnyRequest, instance_id: str, service_type: Among = None) -> Response[Any]:
        """Remove an instance; requests under way are finished."""
        kind, _, wanted = _found(editor, instance_id, service_type)
        return await remove_instance(editor, request, kind, wanted)

    @post(
        f"{BASE}/{{instance_id:path}}",
        summary="检查实例健康状态",
        status_code=200,
        operation_class=enveloped(
            "健康检查完成", {"instanceId": samples.ID, "status": "UP"}, edits=True, path=f"{BASE}/{{instanceId}}/health"
        ),
    )
    async def check(instance_id: str, service_type: Among = None) -> Response[Any]:
        """With `/health` behind the id: ask the instance at once whether it works, and return what came of it."""
        if not instance_id.endswith(_HEALTH):
            raise Refused(404, f"No such path: POST {BASE}{instance_id}")
        kind, instance, _ = _found(editor, instance_id.removesuffix(_HEALTH), service_type)
        target = next((one for one in gateway.table.targets if one.key[0] is kind and one.id == instance.id), None)
        if target is None or not target.enabled:
            raise Refused(400, f"实例未启用: {instance.id}")
        await probe_now(gateway, target)
        health = gateway.ledger.live(target).health
        return envelope("健康检查完成", _seen(target.id, health.state, health.reason))

    return [everywhere, of_service, add, one, update, remove, check]


def _seen(instance_id: str, state: HealthState, reason: str) -> dict[str, Any]:
    found = {"instanceId": instance_id, "status": state.value}
    return {**found, "error": reason} if reason else found


def _found(editor: Editor, path: str, service: str | None) -> tuple[ServiceType, Instance, str]:
    """Return the service and the instance that a path means, and its id for an edit. Raises `Refused`."""
    wanted = path.removeprefix("/").rstrip("/")
    plain, _, number = wanted.partition("#")  # the second of equals is name@url#2
    among = known_service(service) if service else None
    found = [
        (kind, one)
        for kind, configured in editor.config.model.services.items()
        for one in configured.instances
        if among in {None, kind} and _SLASHES.sub("/", one.id) == _SLASHES.sub("/", plain)
    ]
    if not found:
        raise Refused(404, f"实例不存在: {wanted}")
    kinds = dict.fromkeys(kind for kind, _ in found)
    if len(kinds) > 1:
        named = ", ".join(kinds)
        raise Refused(400, f"参数验证失败: 多个服务有此实例 ({named}), 请用 serviceType 指定")
    kind, instance = found[0]
    return kind, instance, f"{instance.id}#{number}" if number else instance.id
