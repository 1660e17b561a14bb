"""`/api/models`: the models that are configured."""

import time
from typing import Any, Final

from litestar import Response, get

from jairouter_cli.config.model import Dialect, ServiceType
from jairouter_cli.gateway.gateway import Gateway
from jairouter_cli.web.manage.envelope import envelope
from jairouter_cli.web.openapi.shown import enveloped

# The names of the Java version's classes, by which its clients know what a backend speaks.
_ADAPTERS: Final = {
    Dialect.NORMAL: "NormalOpenAiAdapter",
    Dialect.GPUSTACK: "GpuStackAdapter",
    Dialect.OLLAMA: "OllamaAdapter",
    Dialect.VLLM: "VllmAdapter",
    Dialect.XINFERENCE: "XinferenceAdapter",
    Dialect.LOCALAI: "LocalAiAdapter",
}


def catalogue_routes(gateway: Gateway) -> list[Any]:
    """Return the routes."""

    @get(
        "/api/models",
        summary="获取模型列表",
        operation_class=enveloped("获取模型列表成功", {"object": "list", "data": [{"id": "qwen2.5:7b"}]}),
    )
    async def models() -> Response[Any]:
        """Every model of every service, in the shape of OpenAI's list."""
        data = [
            {
                "id": model,
                "object": "model",
                "created": int(time.time()),
                "owned_by": "model-router",
                "service_type": kind.value,
                "adapter": _ADAPTERS[pool.targets[0].dialect],
            }
            for (kind, model), pool in gateway.table.pools.items()
        ]
        return envelope("获取模型列表成功", {"object": "list", "data": data})

    @get(
        "/api/models/stats",
        summary="获取配置统计信息",
        operation_class=enveloped("获取配置统计成功", {"totalServices": 7, "totalInstances": 1}),
    )
    async def stats() -> Response[Any]:
        """How many instances and models there are, by service."""
        services = gateway.table.config.model.services
        instances = {kind.value: len(service.instances) for kind, service in services.items()}
        names = {kind.value: {one.name for one in service.instances} for kind, service in services.items()}
        data = {
            "totalServices": len(ServiceType),
            "totalInstances": sum(instances.values()),
            "totalModels": len(set().union(*names.values())),
            "instancesByService": instances,
            "modelsByService": {kind: len(found) for kind, found in names.items()},
            "serviceTypes": [kind.value for kind in ServiceType],
        }
        return envelope("获取配置统计成功", data)

    return [models, stats]
