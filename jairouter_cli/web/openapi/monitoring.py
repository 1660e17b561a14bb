"""What the API's description says of the gateway's own metrics: by operation, what is answered and what is sent."""

from collections.abc import Mapping
from typing import Any, Final

_CONFIG: Final = "/api/monitoring/config"
_METRICS: Final = "/api/monitoring/metrics"
_ONE: Final = f"{_METRICS}/{{metricName}}"

_SHOWN: Final = {
    "enabled": True,
    "prefix": "jairouter",
    "collectionInterval": "PT10S",
    "enabledCategories": ["system", "business", "infrastructure"],
    "customTags": {"environment": "production"},
    "sampling": {"requestMetrics": 1.0, "backendMetrics": 1.0, "infrastructureMetrics": 1.0},
    "performance": {"asyncProcessing": False, "batchSize": 1, "bufferSize": 0},
}
_OVERVIEW: Final = {
    "enabled": True,
    "prefix": "jairouter",
    "enabledCategories": ["system", "business", "infrastructure"],
    "healthy": True,
    "errorStats": {"activeErrorComponents": 0, "degradedComponents": 0, "totalErrors": 0},
    "degradationStatus": {"level": "NONE", "samplingRate": 1.0, "autoModeEnabled": False},
    "cacheStats": {"usageRatio": 0.0, "activeRetries": 0},
    "circuitBreakerStats": {"state": "CLOSED", "failureRate": 0.0},
}
_NEW: Final = {
    "name": "orders.created",
    "type": "COUNTER",
    "description": "Orders that came in",
    "tags": {"shop": "north"},
}
_METADATA: Final = {
    "name": "orders.created",
    "description": "Orders that came in",
    "type": "COUNTER",
    "unit": "",
    "baseTags": {"shop": "north"},
    "category": "custom",
    "createdAt": "2026-11-24T08:00:00.000Z",
    "lastUpdatedAt": "2026-11-24T08:00:00.000Z",
    "enabled": True,
    "samplingRate": 1.0,
}
_SERIES: Final = {
    "name": "orders.created",
    "type": "COUNTER",
    "tags": {"shop": "north"},
    "description": "Orders that came in",
    "baseUnit": "",
    "value": 12.0,
}
_REGISTERED: Final = {
    "success": True,
    "message": "Metric registered successfully",
    "metricName": "orders.created",
    "error": None,
}
_BATCH: Final = {"totalRequests": 1, "successCount": 1, "failureCount": 0}
_STATISTICS: Final = {
    "totalMetrics": 60,
    "enabledMetrics": 59,
    "disabledMetrics": 1,
    "metricsByCategory": {"business": 16, "infrastructure": 20, "system": 23, "custom": 1},
    "metricsByType": {"COUNTER": 17, "GAUGE": 28, "TIMER": 13, "DISTRIBUTION_SUMMARY": 2},
}

# By operation: what is answered, and what is sent; None where there is no body.
MONITORING: Final[Mapping[tuple[str, str], tuple[Any, Any]]] = {
    ("GET", _CONFIG): (_SHOWN, None),
    ("GET", f"{_CONFIG}/snapshot"): (_SHOWN, None),
    ("PUT", f"{_CONFIG}/enabled"): ("监控状态已更新为: true", {"enabled": True}),
    ("PUT", f"{_CONFIG}/prefix"): ("指标前缀已更新为: jairouter", {"prefix": "jairouter"}),
    ("PUT", f"{_CONFIG}/collection-interval"): ("收集间隔已更新为: PT1M", {"interval": "PT60S"}),
    ("PUT", f"{_CONFIG}/categories"): ("启用类别已更新为: [business]", {"categories": ["business"]}),
    ("PUT", f"{_CONFIG}/custom-tags"): ("自定义标签已更新", {"customTags": {"environment": "production"}}),
    ("GET", "/api/monitoring/overview"): (_OVERVIEW, None),
    ("POST", f"{_METRICS}/register"): (_REGISTERED, _NEW),
    ("POST", f"{_METRICS}/register/batch"): ({**_BATCH, "results": [_REGISTERED], "allSuccess": True}, [_NEW]),
    ("POST", f"{_METRICS}/validate"): ({"valid": True, "errors": [], "warnings": []}, _NEW),
    ("POST", f"{_METRICS}/cleanup"): ({"cleanedMetrics": 0, "totalMetrics": 60, "cleanedMetricNames": []}, None),
    ("DELETE", f"{_METRICS}/batch"): ({**_BATCH, "failedMetrics": [], "allSuccess": True}, ["orders.created"]),
    ("DELETE", _ONE): (
        {"success": True, "metricName": "orders.created", "message": "Metric unregistered successfully"},
        None,
    ),
    ("GET", f"{_METRICS}/metadata"): ([_METADATA], None),
    ("GET", f"{_METRICS}/metadata/{{metricName}}"): (_METADATA, None),
    ("PUT", f"{_METRICS}/metadata/{{metricName}}"): (
        {"success": True, "metricName": "orders.created", "message": "Metadata updated successfully"},
        {"description": "Orders that came in", "tags": {"shop": "south"}},
    ),
    ("PUT", f"{_ONE}/configuration"): (
        {
            "success": True,
            "metricName": "orders.created",
            "enabled": False,
            "samplingRate": 1.0,
            "message": "Configuration updated successfully",
        },
        None,
    ),
    ("POST", f"{_ONE}/record"): (
        {"success": True, "metricName": "orders.created", "message": "Recorded"},
        {"value": 1, "tags": {"kind": "express"}},
    ),
    ("GET", f"{_METRICS}/statistics"): (_STATISTICS, None),
    ("GET", f"{_METRICS}/category/{{category}}"): ([_METADATA], None),
    ("GET", f"{_METRICS}/search"): ([_METADATA], None),
    ("GET", f"{_METRICS}/exists/{{metricName}}"): (
        {"metricName": "orders.created", "exists": True, "tags": {}},
        None,
    ),
    ("GET", f"{_METRICS}/list"): ([_SERIES], None),
}


def describe(method: str, path: str, operation: dict[str, Any], refusals: Mapping[str, dict[str, Any]]) -> None:
    """Put in what is answered, and what is sent; refusals may be sentences or the Java version's objects, too."""
    answer, body = MONITORING[method, path]
    if body is not None:
        operation["requestBody"] = {"required": True, "content": _content(body)}
    operation["responses"] = {"200": {"description": "OK", "content": _content(answer)}}
    for status, refusal in refusals.items():
        shapes = {"application/json": {"schema": {"type": "object"}, "example": {"success": False, "message": "…"}}}
        content = _content("Missing 'enabled' parameter") | shapes
        operation["responses"][status] = {**refusal, "content": content}
    if path.endswith("/record"):
        operation["responses"]["409"] = {
            **operation["responses"]["400"],
            "description": "Nothing is counted: monitoring.metrics.enabled is false",
        }


def _content(example: Any) -> dict[str, Any]:
    """Return content by its example: a sentence, an object or a list."""
    if isinstance(example, str):
        return {"text/plain": {"schema": {"type": "string"}, "example": example}}
    kind = {"type": "array", "items": {}} if isinstance(example, list) else {"type": "object"}
    return {"application/json": {"schema": kind, "example": example}}
