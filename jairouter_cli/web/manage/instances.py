"""`/api/config/instance`: the instances of a service."""

from typing import Annotated, Any, Final

from litestar import Response, delete, get, post, put
from litestar.params import QueryParameter

from jairouter_cli.config.java_store import instance_view
from jairouter_cli.config.model import Instance, ServiceType
from jairouter_cli.config.ops import instances as ops
from jairouter_cli.config.ops.sections import written
from jairouter_cli.config.parse import read_section
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.web.errors import AnyRequest
from jairouter_cli.web.manage.editor import Editor
from jairouter_cli.web.manage.envelope import Refused, envelope, json_object, known_service
from jairouter_cli.web.openapi import samples
from jairouter_cli.web.openapi.shown import enveloped
from jairouter_cli.web.views.standing import standing

BASE: Final = "/api/config/instance"

ModelName = Annotated[str, QueryParameter(name="modelName")]
BaseUrl = Annotated[str, QueryParameter(name="baseUrl")]


def instance_routes(editor: Editor, gateway: Gateway) -> list[Any]:
    """Return the routes."""

    def of(kind: ServiceType) -> tuple[Instance, ...]:
        service = editor.config.model.services.get(kind)
        return service.instances if service else ()

    @get(
        f"{BASE}/type/{{service_type:str}}",
        summary="获取指定服务的所有实例",
        operation_class=enveloped("获取实例列表成功", [{**samples.INSTANCE, **samples.STANDING}]),
    )
    async def listed(service_type: str, *, reveal: bool = False) -> Response[Any]:
        """All instances of a service; none if it is not configured."""
        kind = known_service(service_type)
        shown = [{**instance_view(one, reveal=reveal), **standing(gateway, kind, one)} for one in of(kind)]
        return envelope("获取实例列表成功", shown)

    @get(
        f"{BASE}/info/{{service_type:str}}",
        summary="获取单个实例的信息",
        operation_class=enveloped("获取实例信息成功", {**samples.INSTANCE, **samples.STANDING}),
    )
    async def info(
        service_type: str, model_name: ModelName, base_url: BaseUrl, *, reveal: bool = False
    ) -> Response[Any]:
        """One instance, by its model and its address."""
        kind, wanted = known_service(service_type), ops.trimmed(f"{model_name}@{base_url}")
        found = next((one for one in of(kind) if ops.trimmed(one.id) == wanted), None)
        if found is None:
            raise Refused(404, f"实例不存在: {wanted}")
        shown = {**instance_view(found, reveal=reveal), **standing(gateway, kind, found)}
        return envelope("获取实例信息成功", shown)

    @post(
        f"{BASE}/add/{{service_type:str}}",
        summary="添加实例",
        operation_class=enveloped(
            "实例添加成功", {"instanceId": samples.ID, **samples.DONE}, body=samples.NEW, edits=True
        ),
    )
    async def add(request: AnyRequest, service_type: str) -> Response[Any]:
        """Add an instance, and the service if it is missing; 201."""
        return await add_instance(editor, request, known_service(service_type))

    @put(
        f"{BASE}/update/{{service_type:str}}",
        summary="更新实例",
        operation_class=enveloped(
            "实例更新成功",
            {"instanceId": samples.ID, **samples.DONE},
            body={"instanceId": samples.ID, "instance": {"weight": 4}},
            edits=True,
        ),
    )
    async def update(request: AnyRequest, service_type: str) -> Response[Any]:
        """Change what `instance` names; what it does not name stays."""
        kind, body = known_service(service_type), await json_object(request)
        wanted, members = body.get("instanceId"), body.get("instance")
        if not isinstance(wanted, str) or not wanted:
            raise Refused(400, "参数验证失败: 缺少 instanceId")
        if not isinstance(members, dict):
            raise Refused(400, "参数验证失败: 缺少 instance")
        if kind not in editor.config.model.services:
            raise Refused(400, f"服务类型不存在: {service_type}")
        return await update_instance(editor, request, kind, wanted, members)

    @delete(
        f"{BASE}/del/{{service_type:str}}",
        summary="删除实例",
        status_code=200,
        operation_class=enveloped("实例删除成功", {"instanceId": samples.ID, **samples.DONE}, edits=True),
    )
    async def remove(request: AnyRequest, service_type: str, model_name: ModelName, base_url: BaseUrl) -> Response[Any]:
        """Remove an instance; requests under way are finished."""
        kind = known_service(service_type)
        if kind not in editor.config.model.services:
            raise Refused(400, f"服务类型不存在: {service_type}")
        return await remove_instance(editor, request, kind, f"{model_name}@{base_url.rstrip('/')}")

    return [listed, info, add, update, remove]


async def add_instance(editor: Editor, request: AnyRequest, kind: ServiceType) -> Response[Any]:
    """Add the instance that a body names, and the service if it is missing; 201. Raises `Refused`."""
    members = await json_object(request)
    _check_name_and_address(members, needed=True)
    instance = await editor.call("添加实例失败", lambda: read_section(Instance, written(Instance, members)))
    applied = await editor.edit(request, lambda document: ops.add(document, kind, instance), "添加实例失败")
    outcome = editor.outcome(applied, instanceId=applied.change.instance)
    return envelope("实例添加成功", outcome, 201, editor.tags(applied))


async def update_instance(
    editor: Editor, request: AnyRequest, kind: ServiceType, wanted: str, members: dict[str, Any]
) -> Response[Any]:
    """Change what is named of an instance. Raises `Refused`."""
    _check_name_and_address(members, needed=False)
    applied = await editor.edit(request, lambda document: ops.update(document, kind, wanted, members), "更新实例失败")
    outcome = editor.outcome(applied, instanceId=applied.change.instance)
    return envelope("实例更新成功", outcome, 200, editor.tags(applied))


async def remove_instance(editor: Editor, request: AnyRequest, kind: ServiceType, wanted: str) -> Response[Any]:
    """Remove an instance. Raises `Refused`."""
    applied = await editor.edit(request, lambda document: ops.remove(document, kind, wanted), "删除实例失败")
    outcome = editor.outcome(applied, instanceId=applied.change.instance)
    return envelope("实例删除成功", outcome, 200, editor.tags(applied))


def _check_name_and_address(members: dict[str, Any], *, needed: bool) -> None:
    """Say what is wrong with these two in the Java version's words. Raises `Refused`."""
    name, url = members.get("name"), members.get("baseUrl", members.get("base-url", members.get("base_url")))
    if (needed or name is not None) and (not isinstance(name, str) or not name.strip()):
        raise Refused(400, "实例名称不能为空")
    is_url = isinstance(url, str) and url.lower().startswith(("http://", "https://"))
    if (needed or url is not None) and not is_url:
        raise Refused(400, "实例baseUrl格式不正确")
