"""`/api/loadbalancer`: how the requests of each service are spread (the spelling of later Java versions).

An edit takes the Java version's `type` and `hashAlgorithm`, and its documents' `strategy`, and `weights` by
instance.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from litestar import Response, get, put

from jairouter_cli.config.change import Change
from jairouter_cli.config.document import Document
from jairouter_cli.config.java_store import section_view
from jairouter_cli.config.model import Balancing, Service, ServiceType
from jairouter_cli.config.ops import instances, services
from jairouter_cli.web.errors import AnyRequest
from jairouter_cli.web.manage.editor import Editor
from jairouter_cli.web.manage.envelope import Refused, envelope, json_object
from jairouter_cli.web.openapi import samples
from jairouter_cli.web.openapi.shown import enveloped
from jairouter_cli.web.views.node import Node

BASE: Final = "/api/loadbalancer"
OK: Final = "操作成功"

# What each is called, and what it does.
_STRATEGIES: Final[Mapping[Balancing, tuple[str, str]]] = {
    Balancing.RANDOM: ("随机策略", "随机选择实例, 按权重分配"),
    Balancing.ROUND_ROBIN: ("轮询策略", "依次选择实例, 按权重平滑分配"),
    Balancing.LEAST_CONNECTIONS: ("最少连接策略", "选择进行中请求数与权重之比最小的实例"),
    Balancing.IP_HASH: ("IP Hash策略", "同一客户端 IP 总是选择同一实例"),
    Balancing.CONSISTENT_HASH: ("一致性哈希策略", "同一会话选择同一实例, 实例增减时只有少数会话改变"),
    Balancing.LATENCY: ("最低延迟策略", "任取两个实例, 选择其中更快且更空闲的"),
    Balancing.PREFIX_AFFINITY: ("前缀亲和策略", "相同开头的对话选择同一实例, 以利用其缓存"),
}


def balancing_routes(editor: Editor) -> list[Any]:
    """Return the routes."""

    def rules(service: Service) -> Node:
        shown = section_view(service.load_balance or editor.config.model.load_balance)
        return {name: shown[name] for name in ("type", "hashAlgorithm")}

    def status(kind: ServiceType, service: Service) -> Node:
        found = rules(service)
        return {
            "serviceType": kind.value,
            "strategy": found["type"],
            "configType": found["type"],
            "hashAlgorithm": found["hashAlgorithm"],
            "instances": len(service.instances),
        }

    @get(f"{BASE}/status", summary="获取所有负载均衡器状态", operation_class=enveloped("操作成功", [samples.BALANCED]))
    async def everywhere() -> Response[Any]:
        """How each service spreads its requests."""
        return envelope(OK, [status(kind, service) for kind, service in editor.config.model.services.items()])

    @get(
        f"{BASE}/status/{{service_type:str}}",
        summary="获取指定服务的负载均衡器状态",
        operation_class=enveloped("操作成功", samples.BALANCED),
    )
    async def one(service_type: str) -> Response[Any]:
        """How one service does."""
        return envelope(OK, status(*editor.service(service_type)))

    @get(
        f"{BASE}/config/global",
        summary="获取全局负载均衡配置",
        operation_class=enveloped("操作成功", {**samples.SPREAD, "isGlobal": True}),
    )
    async def of_all() -> Response[Any]:
        """What holds for the services that say nothing."""
        return envelope(OK, {**rules(Service()), "isGlobal": True})

    @get(
        f"{BASE}/config/{{service_type:str}}",
        summary="获取服务负载均衡配置",
        operation_class=enveloped("操作成功", {"serviceType": "chat", **samples.SPREAD, "isGlobal": False}),
    )
    async def config(service_type: str) -> Response[Any]:
        """What holds for one service; `isGlobal` if it does not say so itself."""
        kind, service = editor.service(service_type)
        shown = {"serviceType": kind.value, **rules(service), "isGlobal": service.load_balance is None}
        return envelope(OK, shown)

    @put(
        f"{BASE}/config/{{service_type:str}}",
        summary="更新服务负载均衡配置",
        operation_class=enveloped(
            "负载均衡配置已更新",
            samples.DONE,
            body={"type": "least-connections", "weights": {samples.ID: 2}},
            edits=True,
        ),
    )
    async def update(request: AnyRequest, service_type: str) -> Response[Any]:
        """Change the strategy of a service, the weights of its instances, or both."""
        kind, _ = editor.service(service_type)
        members, weights = _asked(await json_object(request))
        applied = await editor.edit(
            request, lambda document: _balanced(document, kind, members, weights), "更新负载均衡配置失败"
        )
        return envelope("负载均衡配置已更新", editor.outcome(applied), 200, editor.tags(applied))

    @get(
        f"{BASE}/strategies",
        summary="获取支持的负载均衡策略",
        operation_class=enveloped(
            "操作成功", [{"name": "random", "displayName": "随机策略", "description": "随机选择实例, 按权重分配"}]
        ),
    )
    async def strategies() -> Response[Any]:
        """What there is to choose from."""
        shown = [
            {"name": kind.value, "displayName": name, "description": said} for kind, (name, said) in _STRATEGIES.items()
        ]
        return envelope(OK, shown)

    @get(
        f"{BASE}/stats",
        summary="获取负载均衡器统计信息",
        operation_class=enveloped(
            "操作成功", {"totalLoadBalancers": 1, "validationStatus": True, "strategyDistribution": {"random": 1}}
        ),
    )
    async def stats() -> Response[Any]:
        """How many services use which strategy."""
        used = Counter(rules(service)["type"] for service in editor.config.model.services.values())
        data = {"totalLoadBalancers": used.total(), "validationStatus": True, "strategyDistribution": dict(used)}
        return envelope(OK, data)

    return [everywhere, one, of_all, config, update, strategies, stats]


def _asked(body: Node) -> tuple[Node, Mapping[str, Any]]:
    """Return the members of `load-balance` that a body names, and the weights. Raises `Refused`."""
    weights = body.pop("weights", None) or {}
    if not isinstance(weights, dict):
        raise Refused(400, "参数验证失败: weights 必须是 JSON 对象")
    if "strategy" in body:
        body = {"type": body.pop("strategy"), **body}
    for shown in ("serviceType", "isGlobal"):
        body.pop(shown, None)
    if not body and not weights:
        raise Refused(400, "负载均衡类型不能为空")
    return body, weights


def _balanced(document: Document, kind: ServiceType, members: Node, weights: Mapping[str, Any]) -> Change:
    """Put both into the file. Raises what `services.update` and `instances.update` do."""
    change = services.update(document, kind, {"loadBalance": members}) if members else Change(document, "", kind.value)
    for instance, weight in weights.items():
        change = instances.update(change.document, kind, instance, {"weight": weight})
    return Change(change.document, f"changed service {kind}", kind.value)
