"""What the API's description shows as examples: bodies, and what is answered to them."""

from typing import Any, Final

_CHAT: Final = {"model": "qwen2.5:7b", "messages": [{"role": "user", "content": "Hello"}]}
_USAGE: Final = {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4}

# By endpoint: what is sent, and what a backend may answer; None for bytes.
OPENAI: Final[dict[str, tuple[dict[str, Any], dict[str, Any] | None]]] = {
    "/chat/completions": (
        {**_CHAT, "stream": False},
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1795495221,
            "model": "qwen2.5:7b",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi!"}, "finish_reason": "stop"}],
            "usage": _USAGE,
        },
    ),
    "/completions": (
        {"model": "qwen2.5:7b", "prompt": "Once upon"},
        {"object": "text_completion", "choices": [{"index": 0, "text": " a time", "finish_reason": "stop"}]},
    ),
    "/responses": ({"model": "qwen2.5:7b", "input": "Hello"}, {"object": "response", "output": []}),
    "/messages": ({**_CHAT, "max_tokens": 100}, {"type": "message", "role": "assistant", "content": []}),
    "/messages/count_tokens": (_CHAT, {"input_tokens": 8}),
    "/moderations": ({"model": "guard", "input": "Hello"}, {"results": [{"flagged": False}]}),
    "/embeddings": (
        {"model": "bge-m3", "input": ["Hello"]},
        {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.1, -0.2]}]},
    ),
    "/rerank": (
        {"model": "bge-reranker-v2-m3", "query": "cats", "documents": ["a cat", "a dog"], "top_n": 1},
        {"results": [{"index": 0, "relevance_score": 0.98}]},
    ),
    "/score": ({"model": "bge-reranker-v2-m3", "text_1": "cats", "text_2": ["a cat"]}, {"data": [{"score": 0.98}]}),
    "/audio/speech": ({"model": "tts-1", "input": "Hello", "voice": "alloy"}, None),
    "/audio/transcriptions": ({"model": "whisper-1", "file": "(the recording)"}, {"text": "Hello"}),
    "/audio/translations": ({"model": "whisper-1", "file": "(the recording)"}, {"text": "Hello"}),
    "/images/generations": ({"model": "sdxl", "prompt": "a cat"}, {"created": 1795495221, "data": [{"url": "…"}]}),
    "/images/edits": (
        {"model": "sdxl", "image": "(the picture)", "prompt": "with a hat"},
        {"created": 1795495221, "data": [{"url": "…"}]},
    ),
    "/images/variations": (
        {"model": "sdxl", "image": "(the picture)"},
        {"created": 1795495221, "data": [{"url": "…"}]},
    ),
}

_MODEL: Final = {"id": "qwen2.5:7b", "object": "model", "created": 0, "owned_by": "jairouter", "services": ["chat"]}
_LIMIT: Final = {
    "place": "service chat",
    "scope": "service",
    "unit": "requests",
    "bucket": "service:chat",
    "perClient": False,
    "algorithm": "token-bucket",
    "limit": 100,
    "ratePerS": 10.0,
    "windowS": None,
    "remaining": 84.2,
    "resetS": 1.6,
}
# What is answered where there is no envelope.
READING: Final[dict[str, Any]] = {
    "/v1/models": {"object": "list", "data": [_MODEL]},
    "/api/v1/models": {"object": "list", "data": [_MODEL]},
    "/v1/models/{model}": _MODEL,
    "/api/v1/models/{model}": _MODEL,
    "/api/limits": {"levels": "host", "redis": None, "limits": [_LIMIT]},
    "/api/monitoring/instances": {"services": {"chat": {"instances": [{"id": "m@http://h", "status": "HEALTHY"}]}}},
    "/api/monitoring/live": {
        "era": "jairouter-x1",
        "at": 5021.3,
        "workers": 2,
        "totals": {"requests": 1200, "errors": 3},
        "instances": [{"service": "chat", "id": "m@http://h", "requests": 1203, "failures": 6, "inFlight": 4}],
    },
    "/api/monitoring/load-balancer": {
        "services": {"chat": {"strategy": "ROUND_ROBIN", "totalRequests": 0, "distribution": {}}}
    },
    "/api/monitoring/rate-limit": {
        "services": {"chat": {"algorithm": "TOKEN_BUCKET", "globalLimit": {"capacity": 100, "remaining": 84}}}
    },
    "/api/monitoring/circuit-breaker": {"instances": [{"id": "m@http://h", "service": "chat", "state": "CLOSED"}]},
    "/api/monitoring/circuit-breaker/stats": {"state": "CLOSED", "failureCount": 0, "requestCount": 12},
    "/api/monitoring/circuit-breaker/force-open": "熔断器已强制开启",
    "/api/monitoring/circuit-breaker/force-close": "熔断器已强制关闭",
    "/api/monitoring/health": {"status": "UP", "healthy": True, "details": {"ping": {"status": "UP"}}},
    "/api/monitoring/errors/stats": {"activeErrorComponents": 0, "degradedComponents": 0, "totalErrors": 0},
    "/api/monitoring/errors/reset": "错误状态已重置: m@http://h:all",
    "/api/monitoring/degradation/status": {"level": "NONE", "samplingRate": 1.0, "autoModeEnabled": False},
    "/api/monitoring/degradation/level": "降级级别已设置为: 正常模式",
    "/api/monitoring/degradation/auto-mode": "降级策略自动模式已禁用",
    "/api/monitoring/degradation/force-recovery": "已强制恢复到正常模式",
    "/api/monitoring/cache/stats": {"currentSize": 0, "maxSize": 100, "usageRatio": 0.0},
    "/api/monitoring/cache/clear": "缓存已清空",
    "/api/explain": {
        "service": "chat",
        "model": "qwen2.5:7b",
        "strategy": "round-robin",
        "candidates": [
            {"instance": "qwen2.5:7b@http://10.0.0.7:8000", "state": "UP", "obstacle": None, "isNext": True}
        ],
    },
}

# What is sent to those.
ORDERS: Final[dict[str, dict[str, Any]]] = {
    "/api/monitoring/errors/reset": {"component": "m@http://h", "operation": "all"},
    "/api/monitoring/degradation/level": {"level": "NONE"},
    "/api/monitoring/degradation/auto-mode": {"enabled": False},
}

_ID: Final = "qwen2.5:7b@http://10.0.0.7:8000"
_NEW: Final = {"name": "qwen2.5:7b", "baseUrl": "http://10.0.0.7:8000", "weight": 2}
_INSTANCE: Final = {**_NEW, "enabled": True, "apiKey": "******", "headers": {}, "priority": 0, "instanceId": _ID}
_STANDING: Final = {"status": "HEALTHY", "healthStatus": "healthy", "requestCount": 12, "errorCount": 0}
_SERVICE: Final = {"adapter": "vllm", "instances": [_INSTANCE]}
_WHOLE: Final = {"adapter": "normal", "loadBalance": {"type": "round-robin"}, "services": {"chat": _SERVICE}}
_DONE: Final = {"revision": 7, "inForce": True, "workersBehind": []}
_FILES: Final = {"1": "config/model-router-config@1.json"}
_MERGED: Final = {
    "success": True,
    "message": "成功合并 1 个配置文件，重置版本为1",
    "mergedFilesCount": 1,
    "newVersionCount": 1,
    "mergedFiles": ["config/model-router-config@1.json"],
    "errors": [],
}
_BREAKER: Final = {"enabled": True, "failureThreshold": 5, "timeout": 60000, "successThreshold": 2}
_RATE: Final = {"enabled": True, "algorithm": "token-bucket", "capacity": 100, "rate": 10}

_SUMS: Final = {"totalTokens": 330, "promptTokens": 210, "completionTokens": 120, "requestCount": 3}
_TOP: Final = [{"rank": 1, "modelName": "qwen2.5:7b", **_SUMS}]
_TIMES: Final = {"startTime": "2026-11-17T08:00:00.000", "endTime": "2026-11-24T08:00:00.000"}
_STATISTICS: Final = {
    **_TIMES,
    "totalRequests": 3,
    "successfulRequests": 3,
    "totalTokens": 330,
    "bySource": {"measured": 310, "estimated": 20, "partial": 0},
    "byModel": [{"modelName": "qwen2.5:7b", **_SUMS, "avgTokensPerRequest": 110.0}],
    "byApiKey": [{"apiKeyId": "2f5052c9fd15", "totalTokens": 330, "requestCount": 3}],
}
_CALLED: Final = [
    {
        "traceId": "req_0c3f",
        "serviceType": "chat",
        "modelName": "qwen2.5:7b",
        "promptTokens": 70,
        "completionTokens": 40,
        "totalTokens": 110,
        "source": "measured",
        "apiKeyId": "2f5052c9fd15",
        "isSuccess": True,
        "responseTimeMs": 840,
        "occurredAt": "2026-11-24T07:59:01.482",
    }
]
_FORGOT: Final = {"deletedCount": 5, "cutoffTime": "2026-01-01T00:00:00"}
_OF_CHAT: Final = {"serviceType": "chat", **_INSTANCE, **_STANDING}
_SPREAD: Final = {"type": "random", "hashAlgorithm": "md5"}
_BALANCED: Final = {
    "serviceType": "chat",
    "strategy": "random",
    "configType": "random",
    "hashAlgorithm": "md5",
    "instances": 2,
}
_BALANCER: Final = "/api/loadbalancer"
_BY_ID: Final = "/api/instances/{instanceId}"

_TYPE, _OF_INSTANCE, _VERSION, _MERGE = (f"/api/config/{name}" for name in ("type", "instance", "version", "merge"))
_SERVICES: Final = f"{_TYPE}/services"
_ONE: Final = f"{_SERVICES}/{{serviceType}}"

# What stands in a path.
PARAMETERS: Final = {"serviceType": "chat", "instanceId": _ID}

# By operation: the message, the data of the answer, the body of the request.
MANAGEMENT: Final[dict[tuple[str, str], tuple[str, Any, Any]]] = {
    ("GET", _TYPE): ("获取配置成功", _WHOLE, None),
    ("GET", _SERVICES): ("获取服务类型成功", ["chat", "embedding"], None),
    ("GET", _ONE): ("获取服务配置成功", _SERVICE, None),
    ("POST", _ONE): ("服务创建成功", _DONE, {"adapter": "vllm", "instances": [_NEW]}),
    ("PUT", _ONE): ("服务配置更新成功", _DONE, {"loadBalance": {"type": "least-connections"}}),
    ("DELETE", _ONE): ("服务删除成功", _DONE, None),
    ("GET", f"{_TYPE}/{{serviceType}}/models"): ("获取模型列表成功", ["qwen2.5:7b"], None),
    ("POST", f"{_TYPE}/reset"): ("配置已重置为默认值", {**_DONE, "restored": 1}, None),
    ("GET", f"{_ONE}/ratelimit"): ("获取限流配置成功", _RATE, None),
    ("PUT", f"{_ONE}/ratelimit"): ("限流配置更新成功", _DONE, {"capacity": 100, "rate": 10}),
    ("GET", f"{_ONE}/circuitbreaker"): ("获取熔断器配置成功", _BREAKER, None),
    ("PUT", f"{_ONE}/circuitbreaker"): ("熔断器配置更新成功", _DONE, {"failureThreshold": 3}),
    ("GET", f"{_OF_INSTANCE}/type/{{serviceType}}"): ("获取实例列表成功", [{**_INSTANCE, **_STANDING}], None),
    ("GET", "/api/services"): ("获取服务配置成功", [{"serviceType": "chat", **_SERVICE}], None),
    ("POST", "/api/services/{serviceType}"): ("服务创建成功", _DONE, {"loadBalancer": "round_robin"}),
    ("GET", "/api/instances"): ("获取实例列表成功", [_OF_CHAT], None),
    ("GET", "/api/instances/service/{serviceType}"): ("获取实例列表成功", [_OF_CHAT], None),
    ("POST", "/api/instances/service/{serviceType}"): ("实例添加成功", {"instanceId": _ID, **_DONE}, _NEW),
    ("GET", _BY_ID): ("获取实例信息成功", _OF_CHAT, None),
    ("PUT", _BY_ID): ("实例更新成功", {"instanceId": _ID, **_DONE}, {"weight": 4}),
    ("DELETE", _BY_ID): ("实例删除成功", {"instanceId": _ID, **_DONE}, None),
    ("POST", f"{_BY_ID}/health"): ("健康检查完成", {"instanceId": _ID, "status": "UP"}, None),
    ("GET", f"{_BALANCER}/status"): ("操作成功", [_BALANCED], None),
    ("GET", f"{_BALANCER}/status/{{serviceType}}"): ("操作成功", _BALANCED, None),
    ("GET", f"{_BALANCER}/config/global"): ("操作成功", {**_SPREAD, "isGlobal": True}, None),
    ("GET", f"{_BALANCER}/config/{{serviceType}}"): (
        "操作成功",
        {"serviceType": "chat", **_SPREAD, "isGlobal": False},
        None,
    ),
    ("PUT", f"{_BALANCER}/config/{{serviceType}}"): (
        "负载均衡配置已更新",
        _DONE,
        {"type": "least-connections", "weights": {_ID: 2}},
    ),
    ("GET", f"{_BALANCER}/strategies"): (
        "操作成功",
        [{"name": "random", "displayName": "随机策略", "description": "随机选择实例, 按权重分配"}],
        None,
    ),
    ("GET", f"{_BALANCER}/stats"): (
        "操作成功",
        {"totalLoadBalancers": 1, "validationStatus": True, "strategyDistribution": {"random": 1}},
        None,
    ),
    ("GET", f"{_OF_INSTANCE}/info/{{serviceType}}"): ("获取实例信息成功", {**_INSTANCE, **_STANDING}, None),
    ("POST", f"{_OF_INSTANCE}/add/{{serviceType}}"): ("实例添加成功", {"instanceId": _ID, **_DONE}, _NEW),
    ("PUT", f"{_OF_INSTANCE}/update/{{serviceType}}"): (
        "实例更新成功",
        {"instanceId": _ID, **_DONE},
        {"instanceId": _ID, "instance": {"weight": 4}},
    ),
    ("DELETE", f"{_OF_INSTANCE}/del/{{serviceType}}"): ("实例删除成功", {"instanceId": _ID, **_DONE}, None),
    ("GET", _VERSION): ("获取配置版本列表成功", [1, 2, 3], None),
    ("GET", f"{_VERSION}/current"): ("获取当前配置版本成功", 3, None),
    ("GET", f"{_VERSION}/info"): (
        "获取配置版本列表成功",
        [{"version": 1, "at": "2026-11-24T08:00:00.000Z", "author": "file", "summary": "initial state"}],
        None,
    ),
    ("GET", f"{_VERSION}/{{version}}"): ("获取配置版本详情成功", _WHOLE, None),
    ("DELETE", f"{_VERSION}/{{version}}"): ("配置版本删除成功", None, None),
    ("GET", f"{_VERSION}/compare/{{older}}/{{newer}}"): ("比较配置版本成功", {"from": 1, "to": 2, "diff": "…"}, None),
    ("GET", f"{_VERSION}/compare/{{version}}"): (
        "比较配置版本成功",
        {"from": 1, "to": 2, "diff": "…", "totalChanges": 1},
        None,
    ),
    ("POST", f"{_VERSION}/rollback/{{version}}"): ("配置已成功回滚到版本: 2", _DONE, None),
    ("POST", f"{_VERSION}/apply/{{version}}"): ("配置应用成功", _DONE, None),
    ("GET", "/api/config/store/status"): (
        "获取配置存储状态成功",
        {"file": "/etc/jairouter.yaml", "revision": 7, "digest": "…", "workers": [{"pid": 12, "digest": "…"}]},
        None,
    ),
    ("GET", f"{_MERGE}/scan"): ("扫描完成，找到 1 个版本配置文件", _FILES, None),
    ("GET", f"{_MERGE}/preview"): (
        "预览生成成功",
        {"mergedConfig": _WHOLE, "totalFiles": 1},
        None,
    ),
    ("POST", f"{_MERGE}/execute"): ("成功合并 1 个配置文件，重置版本为1", _MERGED, None),
    ("POST", f"{_MERGE}/backup"): ("成功备份 1 个配置文件到 config/backup_1795495221000", _MERGED, None),
    ("DELETE", f"{_MERGE}/cleanup"): ("成功清理 0 个配置文件", _MERGED, None),
    ("POST", f"{_MERGE}/batch"): ("批量操作完成", {"merge": {"executed": True, "result": _MERGED}}, None),
    ("GET", f"{_MERGE}/status"): ("状态获取成功", {"availableVersionFiles": 1, "versionFiles": _FILES}, None),
    ("GET", f"{_MERGE}/validate"): (
        "验证完成，共 1 个文件",
        {"totalFiles": 1, "validFiles": 1},
        None,
    ),
    ("GET", f"{_MERGE}/statistics"): ("统计信息获取成功", {"totalVersionFiles": 1, "newestVersion": 1}, None),
    ("GET", "/api/token-usage/statistics"): ("操作成功", _STATISTICS, None),
    ("GET", "/api/token-usage/recent"): ("操作成功", _CALLED, None),
    ("GET", "/api/token-usage/recent/{modelName}"): ("操作成功", _CALLED, None),
    ("GET", "/api/token-usage/top/models"): ("操作成功", _TOP, None),
    ("GET", "/api/token-usage/top/services"): ("操作成功", [{"rank": 1, "serviceType": "chat", **_SUMS}], None),
    ("GET", "/api/token-usage/dashboard"): (
        "操作成功",
        {"statistics": _STATISTICS, "topModels": _TOP, "recentUsage": _CALLED, "timeRange": _TIMES},
        None,
    ),
    ("DELETE", "/api/token-usage/cleanup"): ("成功删除 5 条 Token 使用记录", _FORGOT, None),
    ("GET", "/api/models"): ("获取模型列表成功", {"object": "list", "data": [{"id": "qwen2.5:7b"}]}, None),
    ("GET", "/api/models/stats"): ("获取配置统计成功", {"totalServices": 7, "totalInstances": 1}, None),
}
