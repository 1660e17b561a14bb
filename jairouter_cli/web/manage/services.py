"""`/api/config/type`: the services and what holds for each."""

from typing import Any, Final

from litestar import Response, delete, get, post, put

from jairouter_cli.config.history import Revision
from jairouter_cli.config.java_store import model_view, service_view
from jairouter_cli.config.ops import services as ops
from jairouter_cli.config.ops.revisions import roll_back
from jairouter_cli.errors import RevisionNotFound
from jairouter_cli.web.errors import AnyRequest
from jairouter_cli.web.manage.editor import Editor
from jairouter_cli.web.manage.envelope import envelope, json_object, known_service
from jairouter_cli.web.openapi import samples
from jairouter_cli.web.openapi.shown import enveloped

BASE: Final = "/api/config/type"


def service_routes(editor: Editor) -> list[Any]:
    """Return the routes."""

    @get(BASE, summary="获取所有配置", operation_class=enveloped("获取配置成功", samples.WHOLE))
    async def everything(*, reveal: bool = False) -> Response[Any]:
        """What is in force, defaults included; keys are masked unless `reveal` is asked for."""
        return envelope("获取配置成功", model_view(editor.config.model, reveal=reveal))

    @get(
        "/api/services",
        summary="获取所有服务配置",
        operation_class=enveloped("获取服务配置成功", [{"serviceType": "chat", **samples.SERVICE}]),
    )
    async def all_services(*, reveal: bool = False) -> Response[Any]:
        """The services that are configured, with what holds for each."""
        services = editor.config.model.services.items()
        shown = [{"serviceType": kind.value, **service_view(one, reveal=reveal)} for kind, one in services]
        return envelope("获取服务配置成功", shown)

    @get(
        f"{BASE}/services",
        summary="获取所有可用服务类型",
        operation_class=enveloped("获取服务类型成功", ["chat", "embedding"]),
    )
    async def kinds() -> Response[Any]:
        """The services that are configured."""
        return envelope("获取服务类型成功", [kind.value for kind in editor.config.model.services])

    @get(
        [f"{BASE}/services/{{service_type:str}}", "/api/services/{service_type:str}"],
        summary="获取指定服务配置",
        operation_class=enveloped("获取服务配置成功", samples.SERVICE),
    )
    async def one(service_type: str, *, reveal: bool = False) -> Response[Any]:
        """A service with its instances."""
        _, found = editor.service(service_type)
        return envelope("获取服务配置成功", service_view(found, reveal=reveal))

    @post(
        "/api/services/{service_type:str}",
        summary="创建或更新服务",
        operation_class=enveloped(
            "服务创建成功", samples.DONE, body={"loadBalancer": "round_robin"}, edits=True, also=(200,)
        ),
    )
    async def put_in_place(request: AnyRequest, service_type: str) -> Response[Any]:
        """Add a service, 201; or, where it is there already, change what the body names."""
        if known_service(service_type) in editor.config.model.services:
            return await change(request, service_type)
        return await made(request, service_type)

    @post(
        f"{BASE}/services/{{service_type:str}}",
        summary="创建新服务",
        operation_class=enveloped(
            "服务创建成功", samples.DONE, body={"adapter": "vllm", "instances": [samples.NEW]}, edits=True
        ),
    )
    async def create(request: AnyRequest, service_type: str) -> Response[Any]:
        """Add a service; 201."""
        return await made(request, service_type)

    async def made(request: AnyRequest, service_type: str) -> Response[Any]:
        kind, members = known_service(service_type), await json_object(request)
        applied = await editor.edit(request, lambda document: ops.add(document, kind, members), "创建服务失败")
        return envelope("服务创建成功", editor.outcome(applied), 201, editor.tags(applied))

    @put(
        [f"{BASE}/services/{{service_type:str}}", "/api/services/{service_type:str}"],
        summary="更新服务配置",
        operation_class=enveloped(
            "服务配置更新成功", samples.DONE, body={"loadBalance": {"type": "least-connections"}}, edits=True
        ),
    )
    async def update(request: AnyRequest, service_type: str) -> Response[Any]:
        """Change what the body names; what it does not name stays, `instances` are replaced as a whole."""
        return await change(request, service_type)

    async def change(request: AnyRequest, service_type: str) -> Response[Any]:
        kind, members = known_service(service_type), await json_object(request)
        applied = await editor.edit(request, lambda document: ops.update(document, kind, members), "更新服务配置失败")
        return envelope("服务配置更新成功", editor.outcome(applied), 200, editor.tags(applied))

    @delete(
        [f"{BASE}/services/{{service_type:str}}", "/api/services/{service_type:str}"],
        summary="删除服务",
        status_code=200,
        operation_class=enveloped("服务删除成功", samples.DONE, edits=True),
    )
    async def remove(request: AnyRequest, service_type: str) -> Response[Any]:
        """Remove a service with its instances."""
        kind = known_service(service_type)
        applied = await editor.edit(request, lambda document: ops.remove(document, kind), "删除服务失败")
        return envelope("服务删除成功", editor.outcome(applied), 200, editor.tags(applied))

    @get(
        f"{BASE}/{{service_type:str}}/models",
        summary="获取指定服务的所有模型",
        operation_class=enveloped("获取模型列表成功", ["qwen2.5:7b"]),
    )
    async def models(service_type: str) -> Response[Any]:
        """The names of a service's models, each once."""
        _, found = editor.service(service_type)
        return envelope("获取模型列表成功", list(dict.fromkeys(one.name for one in found.instances)))

    @post(
        f"{BASE}/reset",
        summary="重置配置为默认值",
        status_code=200,
        operation_class=enveloped("配置已重置为默认值", {**samples.DONE, "restored": 1}, edits=True),
    )
    async def reset(request: AnyRequest) -> Response[Any]:
        """Go back to the first revision: the file as it was before anything was changed."""

        def oldest() -> Revision:
            found = list(editor.store.history.readable())
            if not found:
                raise RevisionNotFound(number=0, present="nothing was changed yet")
            return found[-1]

        revision: Revision = await editor.call("重置配置失败", oldest)
        applied = await editor.edit(
            request, lambda document: roll_back(document, revision), "重置配置失败", restores=True
        )
        outcome = editor.outcome(applied, restored=revision.number)
        return envelope("配置已重置为默认值", outcome, 200, editor.tags(applied))

    return [everything, all_services, kinds, one, put_in_place, create, update, remove, models, reset]
