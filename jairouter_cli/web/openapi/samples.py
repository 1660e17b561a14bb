"""What examples are made of: what is sent to the gateway about itself, and what it answers."""

from typing import Any, Final

from jairouter_cli.web.openapi.shown import Maybe

CHAT: Final = {"model": "qwen2.5:7b", "messages": [{"role": "user", "content": "Hello"}]}
USAGE: Final = {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4}
MODEL: Final = {"id": "qwen2.5:7b", "object": "model", "created": 0, "owned_by": "jairouter", "services": ["chat"]}
LIMIT: Final = {
    "place": "service chat",
    "scope": "service",
    "unit": "requests",
    "bucket": "service:chat",
    "perClient": False,
    "algorithm": "token-bucket",
    "limit": 100,
    "ratePerS": Maybe(10.0),
    "windowS": Maybe(60.0),
    "remaining": Maybe(84.2),
    "resetS": Maybe(1.6),
}
ID: Final = "qwen2.5:7b@http://10.0.0.7:8000"
NEW: Final = {"name": "qwen2.5:7b", "baseUrl": "http://10.0.0.7:8000", "weight": 2}
INSTANCE: Final = {**NEW, "enabled": True, "apiKey": "******", "headers": {}, "priority": 0, "instanceId": ID}
STANDING: Final = {"status": "HEALTHY", "healthStatus": "healthy", "requestCount": 12, "errorCount": 0}
SERVICE: Final = {"adapter": "vllm", "instances": [INSTANCE]}
WHOLE: Final = {"adapter": "normal", "loadBalance": {"type": "round-robin"}, "services": {"chat": SERVICE}}
DONE: Final = {"revision": 7, "inForce": True, "workersBehind": []}
FILES: Final = {"1": "config/model-router-config@1.json"}
MERGED: Final = {
    "success": True,
    "message": "成功合并 1 个配置文件，重置版本为1",
    "mergedFilesCount": 1,
    "newVersionCount": 1,
    "mergedFiles": ["config/model-router-config@1.json"],
    "errors": [],
}
BREAKER: Final = {"enabled": True, "failureThreshold": 5, "timeout": 60000, "successThreshold": 2}
RATE: Final = {"enabled": True, "algorithm": "token-bucket", "capacity": 100, "rate": 10}
SUMS: Final = {"totalTokens": 330, "promptTokens": 210, "completionTokens": 120, "requestCount": 3}
TOP: Final = [{"rank": 1, "modelName": "qwen2.5:7b", **SUMS}]
TIMES: Final = {"startTime": "2026-11-17T08:00:00.000", "endTime": "2026-11-24T08:00:00.000"}
STATISTICS: Final = {
    **TIMES,
    "totalRequests": 3,
    "successfulRequests": 3,
    "totalTokens": 330,
    "bySource": {"measured": 310, "estimated": 20, "partial": 0},
    "byModel": [{"modelName": "qwen2.5:7b", **SUMS, "avgTokensPerRequest": 110.0}],
    "byApiKey": [{"apiKeyId": "2f5052c9fd15", "totalTokens": 330, "requestCount": 3}],
}
CALLED: Final = [
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
FORGOT: Final = {"deletedCount": 5, "cutoffTime": "2026-01-01T00:00:00"}
OF_CHAT: Final = {"serviceType": "chat", **INSTANCE, **STANDING}
SPREAD: Final = {"type": "random", "hashAlgorithm": "md5"}
BALANCED: Final = {
    "serviceType": "chat",
    "strategy": "random",
    "configType": "random",
    "hashAlgorithm": "md5",
    "instances": 2,
}
METRIC_SHOWN: Final = {
    "enabled": True,
    "prefix": "jairouter",
    "collectionInterval": "PT10S",
    "enabledCategories": ["system", "business", "infrastructure"],
    "customTags": {"environment": "production"},
    "sampling": {"requestMetrics": 1.0, "backendMetrics": 1.0, "infrastructureMetrics": 1.0},
    "performance": {"asyncProcessing": False, "batchSize": 1, "bufferSize": 0},
}
METRIC_OVERVIEW: Final = {
    "enabled": True,
    "prefix": "jairouter",
    "enabledCategories": ["system", "business", "infrastructure"],
    "healthy": True,
    "errorStats": {"activeErrorComponents": 0, "degradedComponents": 0, "totalErrors": 0},
    "degradationStatus": {"level": "NONE", "samplingRate": 1.0, "autoModeEnabled": False},
    "cacheStats": {"usageRatio": 0.0, "activeRetries": 0},
    "circuitBreakerStats": {"state": "CLOSED", "failureRate": 0.0},
}
METRIC_NEW: Final = {
    "name": "orders.created",
    "type": "COUNTER",
    "description": "Orders that came in",
    "tags": {"shop": "north"},
}
METRIC_METADATA: Final = {
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
METRIC_SERIES: Final = {
    "name": "orders.created",
    "type": "COUNTER",
    "tags": {"shop": "north"},
    "description": "Orders that came in",
    "baseUnit": "",
    "value": 12.0,
}
METRIC_REGISTERED: Final = {
    "success": True,
    "message": "Metric registered successfully",
    "metricName": Maybe("orders.created"),
    "error": Maybe("…"),
}
METRIC_BATCH: Final = {"totalRequests": 1, "successCount": 1, "failureCount": 0}
METRIC_STATISTICS: Final = {
    "totalMetrics": 60,
    "enabledMetrics": 59,
    "disabledMetrics": 1,
    "metricsByCategory": {"business": 16, "infrastructure": 20, "system": 23, "custom": 1},
    "metricsByType": {"COUNTER": 17, "GAUGE": 28, "TIMER": 13, "DISTRIBUTION_SUMMARY": 2},
}
ACTUATOR_UP: Final = {"status": "UP"}
ACTUATOR_METRIC: Final = {
    "name": "jairouter.requests.total",
    "description": "Requests by the status that the client was told.",
    "measurements": [{"statistic": "COUNT", "value": 12.0}],
    "availableTags": [{"tag": "service", "values": ["chat"]}],
}
ACTUATOR_BREAKERS: Final = {
    "state": "CLOSED",
    "failureCount": 0,
    "successCount": 9,
    "requestCount": 9,
    "failureRate": 0.0,
}
ACTUATOR_MEMORY: Final = {"usedMemory": 90177536, "maxMemory": 8589934592, "memoryUsageRatio": 0.0105, "cacheSize": 0}
ACTUATOR_PROCESSING: Final = {"processedCount": 12, "droppedCount": 0, "queueSize": 0, "circuitBreakerState": "CLOSED"}
ACTUATOR_SAMPLING: Final = {"requestMetrics": 1.0, "backendMetrics": 1.0, "infrastructureMetrics": 1.0}
ACTUATOR_PERFORMANCE: Final = {"asyncProcessing": False, "batchSize": 1, "bufferSize": 0}
ACTUATOR_ENTRY: Final = {"configuredLevel": "INFO", "effectiveLevel": "INFO"}
ACTUATOR_PROFILES: Final = {"activeProfiles": [], "defaultProfiles": ["default"]}
ACTUATOR_SERVER: Final = {"prefix": "server", "properties": {"port": "******"}, "inputs": {}}
ACTUATOR_BEANS: Final = {"contexts": {"application": {"beans": {"server": ACTUATOR_SERVER}}}}

PARAMETERS: Final = {"serviceType": "chat", "instanceId": ID}
"""What stands in a path, or in a query."""

OPENAI: Final[dict[str, tuple[dict[str, Any], dict[str, Any] | None]]] = {
    "/chat/completions": (
        {**CHAT, "stream": False},
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1795495221,
            "model": "qwen2.5:7b",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi!"}, "finish_reason": "stop"}],
            "usage": USAGE,
        },
    ),
    "/completions": (
        {"model": "qwen2.5:7b", "prompt": "Once upon"},
        {"object": "text_completion", "choices": [{"index": 0, "text": " a time", "finish_reason": "stop"}]},
    ),
    "/responses": ({"model": "qwen2.5:7b", "input": "Hello"}, {"object": "response", "output": []}),
    "/messages": ({**CHAT, "max_tokens": 100}, {"type": "message", "role": "assistant", "content": []}),
    "/messages/count_tokens": (CHAT, {"input_tokens": 8}),
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
"""By endpoint of `/v1`: what is sent, and what a backend may answer; None for bytes."""
