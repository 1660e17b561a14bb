"""The calls of the Java version's documents, made as they stand there: with curl, with Python, with the OpenAI SDK.

Only the address of the gateway is another. Beside each call stands what its document promises of the answer. What the
documents tell of monitoring's own configuration and of the actuator is tested where those are.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec
import pytest

from tests.process import Served, config, mock, sdk, serving

ALL = {"chat", "embedding", "rerank", "tts", "stt", "imgGen", "imgEdit"}
SERVICES = {
    "chat": ("gpt-3.5-turbo", "llama3.2:3b", "instance1", "instance2"),
    "embedding": ("text-embedding-ada-002",),
    "rerank": ("rerank-multilingual-v2.0",),
    "tts": ("tts-1",),
    "stt": ("whisper-1",),
    "imgGen": ("dall-e-3",),
    "imgEdit": ("dall-e-2",),
}
ELSEWHERE = (
    "high-perf-model@http://gpu-server:8080",
    "gpu-model@http://gpu-server:8080",
    "cpu-model@http://cpu-server:8080",
    "faulty-model@http://faulty-server:8080",
)
MANAGEMENT, DYNAMIC, BALANCING = "api-reference/management-api", "configuration/dynamic-config", "load-balancing"
QUICK, FIRST, UNIVERSAL, MONITORING = "quick-start", "first-steps", "universal-api", "monitoring-api"
JSON = '-H "Content-Type: application/json"'
HERE = "http://localhost:8080"
CHAT = f'curl -X POST "{HERE}/v1/chat/completions" {JSON}'
ADD = f'curl -X POST "{HERE}/api/config/instance/add/chat" {JSON}'
UPDATE = f'curl -X PUT "{HERE}/api/config/instance/update/chat" {JSON}'
DEL = f'curl -X DELETE "{HERE}/api/config/instance/del/chat'
GET = f'curl -X GET "{HERE}/api'
POST = f'curl -X POST "{HERE}/api'
PUT = f'curl -X PUT "{HERE}/api'
OPENAI = '-H "Content-Type: application/json" -H "Authorization: Bearer your-api-key"'
OF_QWEN = "modelName=qwen2:7b&baseUrl=http://gpu-server:8080"
QWEN = {"instanceId": "qwen2:7b@http://gpu-server:8080", "name": "qwen2:7b", "baseUrl": "http://gpu-server:8080"}
COUNTED = {"status": str, "healthStatus": str, "requestCount": int, "errorCount": int, "avgResponseTime": float}


class Call(NamedTuple):
    """One call: the document, the command, the status, and what is promised: values, types, or part of a list."""

    document: str
    command: str
    status: int = 200
    answer: Any = None


def done(message: str) -> Any:
    """Return what an edit promises."""
    return {"success": True, "message": message}


def got(data: Any) -> Any:
    """Return what a look promises."""
    return {"success": True, "message": str, "data": data}


CALLS = [
    Call(MANAGEMENT, f'{GET}/config/type/services"', 200, got(list)),
    Call(MANAGEMENT, f'{GET}/config/type"', 200, got({"services": {"chat": {"instances": list}}})),
    Call(MANAGEMENT, f'{GET}/config/type/services/chat"', 200, got({"instances": list})),
    Call(MANAGEMENT, f'{GET}/config/type/chat/models"', 200, got(["gpt-3.5-turbo"])),
    Call(
        MANAGEMENT,
        f"{ADD} "
        """-d '{"name": "qwen2:7b", "baseUrl": "http://localhost:8000", "apiKey": "sk-xxx", "weight": 1, """
        """"enabled": true, "adapter": "ollama"}'""",
        201,
        done("实例添加成功"),
    ),
    Call(
        MANAGEMENT,
        f'{GET}/config/instance/info/chat?modelName=qwen2:7b&baseUrl=http://localhost:8000"',
        200,
        got({"name": "qwen2:7b", "weight": 1, "enabled": True, "adapter": "ollama", "apiKey": "******", **COUNTED}),
    ),
    Call(
        MANAGEMENT,
        f"{UPDATE} "
        """-d '{"instanceId": "qwen2:7b@http://localhost:8000", "instance": {"name": "qwen2:7b", """
        """"baseUrl": "http://localhost:8000", "apiKey": "sk-new-key", "weight": 2, "enabled": true, """
        """"adapter": "ollama"}}'""",
        200,
        done("实例更新成功"),
    ),
    Call(MANAGEMENT, f'{DEL}?modelName=qwen2:7b&baseUrl=http://localhost:8000"', 200, done("实例删除成功")),
    Call(MANAGEMENT, f'curl -X DELETE "{HERE}/api/config/type/services/tts"', 200, done("服务删除成功")),
    Call(
        MANAGEMENT,
        f'{POST}/config/type/services/tts" {JSON} '
        """-d '{"loadBalancer": "round_robin", "rateLimit": {"algorithm": "leaky_bucket", "capacity": 50, """
        """"refillRate": 5}, "circuitBreaker": {"enabled": true, "failureThreshold": 3, "recoveryTimeout": 60000}}'""",
        201,
        done("服务创建成功"),
    ),
    Call(
        MANAGEMENT,
        f'{GET}/config/type/services/tts"',
        200,
        got(
            {
                "loadBalance": {"type": "round-robin"},
                "rateLimit": {"algorithm": "leaky-bucket", "capacity": 50, "rate": 5},
                "circuitBreaker": {"enabled": True, "failureThreshold": 3, "timeout": 60000},
            }
        ),
    ),
    Call(MANAGEMENT, f'{GET}/models"', 200, got({"object": "list", "data": [{"owned_by": "model-router"}]})),
    Call(MANAGEMENT, f'{GET}/monitoring/health"', 200, {"status": "UP", "healthy": True, "details": dict}),
    Call(
        MANAGEMENT,
        f'{GET}/monitoring/errors/stats"',
        200,
        {"activeErrorComponents": 0, "degradedComponents": 0, "totalErrors": 0},
    ),
    Call(
        MANAGEMENT,
        f'{GET}/monitoring/degradation/status"',
        200,
        {"levelDescription": "正常模式", "samplingRate": 1.0, "timeSinceLastChange": int, "errorComponentCount": 0},
    ),
    Call(MANAGEMENT, f"""{POST}/monitoring/degradation/level" {JSON} -d '{{"level": "NORMAL"}}'"""),
    Call(MANAGEMENT, f"""{POST}/monitoring/degradation/auto-mode" {JSON} -d '{{"enabled": false}}'"""),
    Call(MANAGEMENT, f'{POST}/monitoring/degradation/force-recovery"'),
    Call(
        MANAGEMENT,
        f'{GET}/monitoring/cache/stats"',
        200,
        {"currentSize": int, "maxSize": int, "usageRatio": float, "activeRetries": 0, "queuedRetries": 0},
    ),
    Call(MANAGEMENT, f'{POST}/monitoring/cache/clear"'),
    Call(
        MANAGEMENT,
        f'{GET}/monitoring/circuit-breaker/stats"',
        200,
        {"state": "CLOSED", "failureCount": 0, "successCount": int, "requestCount": int, "failureRate": 0.0},
    ),
    Call(MANAGEMENT, f'{POST}/monitoring/circuit-breaker/force-open"'),
    Call(MANAGEMENT, f'{POST}/monitoring/circuit-breaker/force-close"'),
    Call(MANAGEMENT, f'{GET}/config/version"', 200, got([1, 2])),
    Call(MANAGEMENT, f'{GET}/config/version/current"', 200, got(int)),
    Call(MANAGEMENT, f'{GET}/config/version/2"', 200, got({"services": dict})),
    Call(MANAGEMENT, f'{POST}/config/version/rollback/2"', 200, done("配置已成功回滚到版本: 2")),
    Call(MANAGEMENT, f'{POST}/config/version/apply/1"', 200, done("配置应用成功")),
    Call(MANAGEMENT, f'curl -X DELETE "{HERE}/api/config/version/2"', 200, done("配置版本删除成功")),
    Call(f"{MANAGEMENT} 2.0", f'{GET}/config/version/info"', 200, got([{"version": 1}])),
    Call(f"{MANAGEMENT} 2.0", f'{GET}/config/version/compare/1/3"', 200, got({"sourceVersion": 1, "targetVersion": 3})),
    Call(f"{MANAGEMENT} 2.0", f'{GET}/config/version/compare/3"', 200, got({"targetVersion": 3})),
    Call(f"{MANAGEMENT} 2.0", f'{GET}/services"', 200, got([{"serviceType": "chat"}])),
    Call(
        f"{MANAGEMENT} 2.0",
        f'{POST}/services/chat" {JSON} '
        """-d '{"loadBalancer": "round_robin", "rateLimit": {"enabled": true, "algorithm": "token_bucket", """
        """"capacity": 50}, "circuitBreaker": {"enabled": true, "failureThreshold": 3}}'""",
        200,
        done("服务配置更新成功"),
    ),
    Call(f"{MANAGEMENT} 2.0", f'{GET}/services/chat/ratelimit"', 200, got({"enabled": True, "capacity": 50})),
    Call(f"{MANAGEMENT} 2.0", f'{GET}/services/chat/circuitbreaker"', 200, got({"failureThreshold": 3})),
    Call(
        f"{MANAGEMENT} 2.0",
        f'{POST}/instances/service/chat" {JSON} '
        """-d '{"name": "qwen2:7b", "baseUrl": "http://localhost:8000", "apiKey": "sk-xxx", "weight": 1, """
        """"enabled": true, "adapter": "ollama"}'""",
        201,
        done("实例添加成功"),
    ),
    Call(f"{MANAGEMENT} 2.0", f'{GET}/instances"', 200, got([{"name": "qwen2:7b", "apiKey": "******", **COUNTED}])),
    Call(f"{MANAGEMENT} 2.0", f'{GET}/instances/service/chat"', 200, got([{"name": "gpt-3.5-turbo"}])),
    Call(
        f"{MANAGEMENT} 2.0",
        f'{PUT}/loadbalancer/config/chat" {JSON} '
        """-d '{"strategy": "round_robin", "weights": {"instance1": 2, "instance2": 1}}'""",
        200,
        {"success": True, "message": "负载均衡配置已更新"},
    ),
    Call(f"{MANAGEMENT} 2.0", f'{GET}/loadbalancer/config/chat"', 200, got({"type": "round-robin"})),
    Call(f"{MANAGEMENT} 2.0", f'{GET}/loadbalancer/config/global"', 200, got({"type": str, "hashAlgorithm": "md5"})),
    Call(f"{MANAGEMENT} 2.0", f'{GET}/loadbalancer/status"', 200, got([{"serviceType": "chat"}])),
    Call(f"{MANAGEMENT} 2.0", f'{GET}/loadbalancer/status/chat"', 200, got({"strategy": "round-robin"})),
    Call(f"{MANAGEMENT} 2.0", f'{GET}/loadbalancer/strategies"', 200, got([{"name": "least-connections"}])),
    Call(f"{MANAGEMENT} 2.0", f'{GET}/loadbalancer/stats"', 200, got({"totalLoadBalancers": 7})),
    Call(DYNAMIC, f'{GET}/config/instance/type/chat"', 200, got([{"instanceId": str, "name": "gpt-3.5-turbo"}])),
    Call(
        DYNAMIC,
        f"{ADD} "
        """-d '{"name": "qwen2:7b", "baseUrl": "http://gpu-server:8080", "path": "/v1/chat/completions", """
        """"weight": 2, "timeout": 45000, "maxRetries": 3, "headers": {"Authorization": "Bearer your-token", """
        """"X-Custom-Header": "custom-value"}}'""",
        201,
        {**done("实例添加成功"), "data": {"instanceId": "qwen2:7b@http://gpu-server:8080"}},
    ),
    Call(
        DYNAMIC,
        f'{GET}/config/instance/info/chat?{OF_QWEN}"',
        200,
        got({**QWEN, "path": "/v1/chat/completions", "weight": 2, "maxRetries": 3, "headers": dict, **COUNTED}),
    ),
    Call(
        DYNAMIC,
        f"{UPDATE} "
        """-d '{"instanceId": "qwen2:7b@http://gpu-server:8080", "instance": {"name": "qwen2:7b", """
        """"baseUrl": "http://gpu-server:8080", "path": "/v1/chat/completions", "weight": 3, "timeout": 60000, """
        """"maxRetries": 5}}'""",
        200,
        done("实例更新成功"),
    ),
    Call(
        DYNAMIC,
        f'{GET}/config/instance/info/chat?{OF_QWEN}"',
        200,
        got({**QWEN, "weight": 3, "timeout": {"read": 60000}, "maxRetries": 5}),
    ),
    Call(DYNAMIC, f'{DEL}?{OF_QWEN}"', 200, done("实例删除成功")),
    Call(DYNAMIC, f'{DEL}?modelName=faulty-model&baseUrl=http://faulty-server:8080"', 200, done("实例删除成功")),
    Call(
        DYNAMIC,
        f"{ADD} "
        """-d '{"name": "backup-model", "baseUrl": "http://backup-server:8080", "path": "/v1/chat/completions", """
        """"weight": 1}'""",
        201,
        done("实例添加成功"),
    ),
    Call(DYNAMIC, f'{GET}/config/merge/scan"', 200, got(dict)),
    Call(DYNAMIC, f'{GET}/config/merge/preview"', 200, got({"mergedConfig": {"services": {"chat": dict}}})),
    Call(DYNAMIC, f'{POST}/config/merge/backup"', 200, {"success": True}),
    Call(DYNAMIC, f'{GET}/config/merge/validate"', 200, {"success": True}),
    Call(DYNAMIC, f'{GET}/config/merge/statistics"', 200, {"success": True}),
    Call(DYNAMIC, f'{GET}/config/merge/status"', 200, {"success": True}),
    Call(DYNAMIC, f'{POST}/config/merge/execute"', 200, {"success": True}),
    Call(DYNAMIC, f'{POST}/config/merge/batch?deleteOriginals=true"', 200, done("批量操作完成")),
    Call(DYNAMIC, f'curl -X DELETE "{HERE}/api/config/merge/cleanup?deleteOriginals=true"', 200, {"success": True}),
    Call(DYNAMIC, f'{POST}/config/type/reset"', 200, done("配置已重置为默认值")),
    Call(
        BALANCING,
        f"{UPDATE} "
        """-d '{"instanceId": "high-perf-model@http://gpu-server:8080", "instance": {"name": "high-perf-model", """
        """"baseUrl": "http://gpu-server:8080", "path": "/v1/chat/completions", "weight": 5}}'""",
        200,
        done("实例更新成功"),
    ),
    Call(
        BALANCING,
        f"""{UPDATE} -d '{{"instanceId": "gpu-model@http://gpu-server:8080", "instance": {{"weight": 4}}}}'""",
        200,
        done("实例更新成功"),
    ),
    Call(
        BALANCING,
        f"""{UPDATE} -d '{{"instanceId": "cpu-model@http://cpu-server:8080", "instance": {{"weight": 1}}}}'""",
        200,
        done("实例更新成功"),
    ),
    Call(QUICK, f"curl {HERE}/actuator/health", 200, {"status": "UP", "components": {"ping": {"status": "UP"}}}),
    Call(
        QUICK,
        f"{ADD} "
        """-d '{"name": "llama3.2:3b", "baseUrl": "http://localhost:11434", "path": "/v1/chat/completions", """
        """"weight": 1}'""",
        201,
        {"success": True, "data": {"instanceId": "llama3.2:3b@http://localhost:11434"}},
    ),
    Call(
        QUICK,
        f"{ADD} "
        """-d '{"name": "mock-model", "baseUrl": "http://httpbin.org", "path": "/json", "weight": 1}'""",
        201,
        done("实例添加成功"),
    ),
    Call(
        QUICK,
        f"{CHAT} "
        """-d '{"model": "llama3.2:3b", "messages": [{"role": "user", "content": "Hello, how are you?"}], """
        """"max_tokens": 100}'""",
        200,
        {"object": "chat.completion", "choices": [{"message": {"role": "assistant"}}], "usage": dict},
    ),
    Call(QUICK, f'curl "{HERE}/api/config/instance/type/chat"', 200, got([{"name": "mock-model"}])),
    Call(
        FIRST,
        f"curl -X POST {HERE}/api/config/instance/add/chat {JSON} "
        """-d '{"name": "new-model", "baseUrl": "http://new-server:11434", "path": "/v1/chat/completions", """
        """"weight": 1}'""",
        201,
        done("实例添加成功"),
    ),
    Call(
        FIRST,
        f"curl -X PUT {HERE}/api/config/instance/update/chat {JSON} "
        """-d '{"instanceId": "new-model@http://new-server:11434", "instance": {"name": "new-model", """
        """"baseUrl": "http://updated-server:11434", "path": "/v1/chat/completions", "weight": 2}}'""",
        200,
        done("实例更新成功"),
    ),
    Call(FIRST, f'{DEL}?modelName=new-model&baseUrl=http://updated-server:11434"', 200, done("实例删除成功")),
    Call(
        UNIVERSAL,
        f'curl -X POST "{HERE}/v1/chat/completions" {OPENAI} '
        """-d '{"model": "gpt-3.5-turbo", "messages": [{"role": "user", "content": "你好！"}]}'""",
        200,
        {"object": "chat.completion", "model": "gpt-3.5-turbo", "choices": [{"finish_reason": "stop"}], "usage": dict},
    ),
    Call(
        UNIVERSAL,
        f"{CHAT} "
        """-d '{"model": "gpt-3.5-turbo", "messages": [{"role": "system", "content": "s"}, {"role": "user", """
        """"content": "u"}], "stream": false, "max_tokens": 1000, "temperature": 0.7, "top_p": 1.0, "top_k": 50, """
        """"frequency_penalty": 0.0, "presence_penalty": 0.0, "stop": null, "user": "user-123"}'""",
        200,
        {"object": "chat.completion"},
    ),
    Call(
        UNIVERSAL,
        f'curl -X POST "{HERE}/v1/embeddings" {OPENAI} '
        """-d '{"model": "text-embedding-ada-002", "input": "要嵌入的文本"}'""",
        200,
        {"object": "list", "data": [{"object": "embedding", "embedding": list, "index": 0}], "usage": dict},
    ),
    Call(
        UNIVERSAL,
        f'curl -X POST "{HERE}/v1/rerank" {JSON} '
        """-d '{"model": "rerank-multilingual-v2.0", "query": "什么是人工智能？", "documents": ["人工智能", """
        """"机器学习", "深度学习"], "top_n": 3, "return_documents": true}'""",
        200,
        {"results": [{"index": int}]},
    ),
    Call(
        UNIVERSAL,
        f'curl -X POST "{HERE}/v1/images/generations" {JSON} '
        """-d '{"model": "dall-e-3", "prompt": "一只可爱的小猫", "n": 1, "size": "1024x1024", "quality": "standard", """
        """"response_format": "url", "style": "vivid", "user": "user-123"}'""",
        200,
        {"created": int, "data": [{"url": str}]},
    ),
    Call(
        UNIVERSAL,
        f'curl -X POST "{HERE}/v1/audio/transcriptions" -F file=@FILE -F model=whisper-1 -F language=zh '
        "-F response_format=json -F temperature=0",
        200,
        {"text": str},
    ),
    Call(
        UNIVERSAL,
        f'curl -X POST "{HERE}/v1/images/edits" -F image=@FILE -F mask=@FILE -F prompt=x -F model=dall-e-2 -F n=1 '
        "-F size=1024x1024 -F response_format=url -F user=user-123",
        200,
        {"created": int, "data": [{"url": str}]},
    ),
    Call(
        UNIVERSAL,
        f"""{CHAT} -d '{{"messages": []}}'""",
        400,
        {"error": {"message": str, "type": str, "param": "model", "code": str}},
    ),
    Call(
        MONITORING,
        f'curl "{HERE}/api/monitoring/instances"',
        200,
        {"services": {"chat": {"instances": [{"id": str, "url": str, "adapter": "NORMAL", "weight": 1.0}]}}},
    ),
    Call(
        MONITORING,
        f'curl "{HERE}/api/monitoring/load-balancer"',
        200,
        {"services": {"chat": {"strategy": "ROUND_ROBIN", "totalRequests": int, "distribution": dict}}},
    ),
    Call(MONITORING, f'curl "{HERE}/api/monitoring/rate-limit"', 200, {"services": dict}),
    Call(
        MONITORING,
        f'curl "{HERE}/api/monitoring/circuit-breaker"',
        200,
        {"instances": [{"service": "chat", "state": "CLOSED", "failureThreshold": 5, "timeout": 60000}]},
    ),
    Call(MONITORING, f"curl -f {HERE}/actuator/health || exit 1", 200, {"status": "UP"}),
]


def text(url: str) -> str:
    """Return a configuration with the models and instances that the documents speak of."""
    lines = [
        "server: {locale: en}",
        "model:",
        "  load-balance: {type: round-robin, health-check: {enabled: false}}",
        "  circuit-breaker: {enabled: true}",
        "  services:",
    ]
    for kind, names in SERVICES.items():
        lines += [f"    {kind}:", "      instances:", *(f"        - {{name: '{n}', base-url: '{url}'}}" for n in names)]
        if kind == "chat":
            ids = (one.split("@") for one in ELSEWHERE)
            lines += [f"        - {{name: {name}, base-url: '{place}'}}" for name, place in ids]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Run a gateway in front of a mock model server, beside a store of the Java version's with two versions."""
    folder = tmp_path_factory.mktemp("examples")
    (folder / "config").mkdir()
    for number in (1, 2):
        stored = {"services": {"chat": {"instances": [{"name": f"v{number}", "baseUrl": "http://v"}]}}}
        (folder / "config" / f"model-router-config@{number}.json").write_bytes(msgspec.json.encode(stored))
    with mock("m") as (_, url), serving("--config", str(config(folder, text(url)))) as one:
        yield one


def missing(promised: Any, found: Any, at: str = "") -> Iterator[str]:
    """Yield what of a promise is not kept: members of an object, one like it in a list, a value, or only a type."""
    if isinstance(promised, dict):
        for key, value in promised.items():
            if isinstance(found, dict) and key in found:
                yield from missing(value, found[key], f"{at}.{key}")
            else:
                yield f"{at}.{key} is missing"
    elif isinstance(promised, list):
        for one in promised:
            if not isinstance(found, list) or all(any(missing(one, other)) for other in found):
                yield f"{at}: nothing is like {one}"
    elif isinstance(promised, type):
        kind = (int, float) if promised is float else promised
        if not isinstance(found, kind):
            yield f"{at} is {found!r}, no {promised.__name__}"
    elif promised != found:
        yield f"{at} is {found!r}, not {promised!r}"


def test_the_calls_with_curl(served: Served, tmp_path: Path) -> None:
    """One after the other, as a reader would try them."""
    upload = tmp_path / "upload"
    upload.write_bytes(b"RIFF....WAVE")
    for call in CALLS:
        command = call.command.replace(HERE, served.url).replace("FILE", str(upload))
        command = command.replace("curl ", "curl -s --noproxy '*' -w '\\n%{http_code}' ", 1)
        ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=30)
        body, _, status = ran.stdout.rpartition("\n")
        assert (ran.returncode, status) == (0, str(call.status)), (call.document, call.command, body)
        found = msgspec.json.decode(body) if body.startswith(("{", "[")) else body
        assert list(missing({} if call.answer is None else call.answer, found)) == [], (call.document, call.command)


def test_the_calls_with_python(served: Served) -> None:
    """As with `requests`; and what the documents then print."""
    with httpx.Client(base_url=served.url, trust_env=False, timeout=20) as requests:
        models = requests.get("/api/models").json()
        assert {one["id"] for one in models["data"]["data"]} >= {"gpt-3.5-turbo", "tts-1"}
        new = {
            "name": "llama3:8b",
            "baseUrl": "http://localhost:8001",
            "apiKey": "sk-test",
            "weight": 1,
            "enabled": True,
            "adapter": "ollama",
        }
        assert requests.post("/api/config/instance/add/chat", json=new).json()["success"]
        assert requests.get("/api/monitoring/health").json()["status"] == "UP"
        headers = {"Content-Type": "application/json", "Authorization": "Bearer your-api-key"}
        chat = {"model": "gpt-3.5-turbo", "messages": [{"role": "user", "content": "你好！"}]}
        answer = requests.post("/v1/chat/completions", headers=headers, json=chat).json()
        assert answer["choices"][0]["message"]["role"] == "assistant"
        embedding = {"model": "text-embedding-ada-002", "input": "要嵌入的文本"}
        assert requests.post("/v1/embeddings", headers=headers, json=embedding).json()["data"][0]["embedding"]
        assert set(requests.get("/api/config/type/services").json()["data"]) == ALL


def test_streams_and_speech(served: Served) -> None:
    """What is documented by its form: events that end with `[DONE]`, and audio under its own type."""
    body = {"model": "gpt-3.5-turbo", "messages": [{"role": "user", "content": "你好"}], "stream": True}
    events = [line for line in served.post("/v1/chat/completions", json=body).text.splitlines() if line]
    first = msgspec.json.decode(events[0].removeprefix("data: "))
    assert (first["object"], events[-1]) == ("chat.completion.chunk", "data: [DONE]")
    speech = {"model": "tts-1", "input": "你好", "voice": "alloy", "response_format": "mp3", "speed": 1.0}
    answer = served.post("/v1/audio/speech", json=speech)
    assert (answer.status_code, answer.headers["content-type"].partition("/")[0]) == (200, "audio")
    with sdk(served) as client:
        said = client.chat.completions.create(model="gpt-3.5-turbo", messages=[{"role": "user", "content": "hi"}])
    assert said.choices[0].message.content
