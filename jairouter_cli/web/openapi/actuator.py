"""What the API's description says of `/actuator`: types, statuses, examples."""

from collections.abc import Mapping
from typing import Any, Final

from jairouter_cli.web.actuator.conventions import MEDIA_TYPES

_PREFIX: Final = "/actuator"
_OURS: Final = f"{_PREFIX}/jairouter-metrics"
_HREF: Final = "http://127.0.0.1:8080/actuator"
_UP: Final = {"status": "UP"}
_METRIC: Final = {
    "name": "jairouter.requests.total",
    "description": "Requests by the status that the client was told.",
    "measurements": [{"statistic": "COUNT", "value": 12.0}],
    "availableTags": [{"tag": "service", "values": ["chat"]}],
}
_BREAKERS: Final = {"state": "CLOSED", "failureCount": 0, "successCount": 9, "requestCount": 9, "failureRate": 0.0}
_MEMORY: Final = {"usedMemory": 90177536, "maxMemory": 8589934592, "memoryUsageRatio": 0.0105, "cacheSize": 0}
_PROCESSING: Final = {"processedCount": 12, "droppedCount": 0, "queueSize": 0, "circuitBreakerState": "CLOSED"}
_SAMPLING: Final = {"requestMetrics": 1.0, "backendMetrics": 1.0, "infrastructureMetrics": 1.0}
_PERFORMANCE: Final = {"asyncProcessing": False, "batchSize": 1, "bufferSize": 0}
_ENTRY: Final = {"configuredLevel": "INFO", "effectiveLevel": "INFO"}
_PROFILES: Final = {"activeProfiles": [], "defaultProfiles": ["default"]}
_SERVER: Final = {"prefix": "server", "properties": {"port": "******"}, "inputs": {}}
_BEANS: Final = {"contexts": {"application": {"beans": {"server": _SERVER}}}}

# By method and path, behind `/actuator`: what is answered, an object or a text; None for nothing.
_ANSWERS: Final[Mapping[tuple[str, str], Any]] = {
    ("GET", ""): {"_links": {"self": {"href": _HREF, "templated": False}}},
    ("GET", "/health"): {**_UP, "components": {"ping": _UP}, "groups": ["liveness", "readiness"]},
    ("GET", "/health/{component}"): {**_UP, "components": {"readinessState": _UP}},
    ("GET", "/info"): {"app": {"name": "JAiRouter", "version": "0.1.0"}, "workers": {"count": 1, "pids": [12]}},
    ("GET", "/metrics"): {"names": ["http.server.requests", "jairouter.requests.total", "process.uptime"]},
    ("GET", "/metrics/{name}"): _METRIC,
    ("GET", "/prometheus"): "# TYPE jairouter_workers gauge\njairouter_workers 2.0\n",
    ("GET", "/env"): {**_PROFILES, "propertySources": [{"name": "commandLineArgs", "properties": {}}]},
    ("GET", "/env/{key}"): {
        "property": {"source": "defaults", "value": "******"},
        **_PROFILES,
        "propertySources": [{"name": "defaults", "property": {"value": "******"}}],
    },
    ("GET", "/configprops"): _BEANS,
    ("GET", "/configprops/{prefix}"): _BEANS,
    ("GET", "/loggers"): {"levels": ["OFF", "ERROR", "WARN", "INFO"], "loggers": {"ROOT": _ENTRY}, "groups": {}},
    ("GET", "/loggers/{name}"): _ENTRY,
    ("POST", "/loggers/{name}"): None,
    ("GET", "/jairouter-metrics/status"): {
        "enabled": True,
        "prefix": "jairouter",
        "processingStats": _PROCESSING,
        "memoryStats": _MEMORY,
        "circuitBreakerStats": _BREAKERS,
    },
    ("GET", "/jairouter-metrics/performance"): {"processingStats": _PROCESSING, "memoryStats": _MEMORY},
    ("GET", "/jairouter-metrics/memory"): _MEMORY,
    ("GET", "/jairouter-metrics/circuit-breaker"): _BREAKERS,
    ("GET", "/jairouter-metrics/sampling"): _SAMPLING,
    ("GET", "/jairouter-metrics/performance-config"): _PERFORMANCE,
    ("GET", "/jairouter-metrics/error-handler"): {
        "activeErrorComponents": 0,
        "degradedComponents": 0,
        "totalErrors": 0,
    },
    ("GET", "/jairouter-metrics/degradation"): {"level": "NONE", "samplingRate": 1.0, "autoModeEnabled": False},
    ("GET", "/jairouter-metrics/cache-retry"): {"currentSize": 0, "maxSize": 100, "usageRatio": 0.0},
    ("GET", "/jairouter-metrics/health"): {**_UP, "details": {"ping": _UP}, "issues": []},
    ("POST", "/jairouter-metrics/sampling"): "采样配置无变化",
    ("POST", "/jairouter-metrics/performance-config"): "性能配置无变化",
    ("POST", "/jairouter-metrics/memory/cleanup"): "内存清理完成: 12",
    ("POST", "/jairouter-metrics/memory/clear-cache"): "缓存已清空",
    ("POST", "/jairouter-metrics/cache-retry/clear-cache"): "缓存已清空",
    ("POST", "/jairouter-metrics/circuit-breaker/{action}"): "熔断器已强制关闭",
    ("POST", "/jairouter-metrics/error-handler/reset"): "错误状态已重置: m@http://h:all",
    ("POST", "/jairouter-metrics/degradation/level"): "降级级别已设置为: 正常模式",
    ("POST", "/jairouter-metrics/degradation/auto-mode"): "降级策略自动模式已禁用",
    ("POST", "/jairouter-metrics/degradation/force-recovery"): "已强制恢复到正常模式",
}
_BODIES: Final[Mapping[str, Any]] = {
    "/loggers/{name}": {"configuredLevel": "DEBUG"},
    "/jairouter-metrics/sampling": {"requestMetrics": 1.0},
    "/jairouter-metrics/performance-config": {"batchSize": 1},
}
_SAID: Final[Mapping[int, str]] = {
    400: "A parameter is none that can be taken",
    401: "The admin token is missing or wrong",
    403: "Only programs on the gateway's own machine may ask this",
    404: "There is no such thing, or it is not exposed",
    429: "The limit of server.management-rate-limit is reached",
    501: "There is no such thing here",
    503: "DOWN, or OUT_OF_SERVICE",
}


def is_guarded(method: str, path: str) -> bool:
    """Whether only operators may do this: what shows the configuration, and all that changes anything."""
    return method != "GET" or path.startswith((f"{_PREFIX}/env", f"{_PREFIX}/configprops"))


def complete(method: str, path: str, operation: dict[str, Any]) -> None:
    """Put into an operation what its handler does not say."""
    rest = path.removeprefix(_PREFIX)
    example = _ANSWERS[method, rest]
    status = next(code for code in operation["responses"] if code.startswith("2"))
    answer: dict[str, Any] = {"description": "OK"}
    if example is not None:
        answer["content"] = _content(path, example)
    operation["responses"] = {status: answer}
    if rest.startswith("/health"):
        operation["responses"]["503"] = {"description": _SAID[503], "content": answer["content"]}
    for code in (400, 404, 429, *((401, 403) if is_guarded(method, path) else ())):
        operation["responses"][str(code)] = {"description": _SAID[code]}
    if path.startswith(_OURS) and method == "POST":
        operation["responses"]["501"] = {"description": _SAID[501]}
    if is_guarded(method, path):
        operation["security"] = [{}, {"bearer": []}, {"adminToken": []}]
    if method == "POST" and rest in _BODIES:
        content = {"schema": {"type": "object"}, "example": _BODIES[rest]}
        types = MEDIA_TYPES if rest.startswith("/loggers") else ("application/json",)
        operation["requestBody"] = {"required": True, "content": dict.fromkeys(types, content)}


def _content(path: str, example: Any) -> dict[str, Any]:
    if isinstance(example, str):
        content: dict[str, Any] = {"schema": {"type": "string"}, "example": example}
        types: tuple[str, ...] = ("text/plain",)
        if path.endswith("/prometheus"):
            types = (*types, "application/openmetrics-text")
    else:
        content = {"schema": {"type": "object"}, "example": example}
        types = ("application/json",) if path.startswith(_OURS) else MEDIA_TYPES
    return dict.fromkeys(types, content)
