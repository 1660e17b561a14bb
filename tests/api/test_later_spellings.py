"""What later Java versions call otherwise: `/api/loadbalancer`, `/api/services`, `/api/instances` by id."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.test_management import ask, told
from tests.backend import Backend, answer, backend
from tests.process import Served, config, serving

CONFIG = """\
server: {locale: en}
model:
  load-balance: {type: round-robin, health-check: {enabled: false}}
  services:
    chat:
      load-balance: least-connections # long streams
      instances:
        - {name: m, base-url: URL, api-key: s3cret}
        - {name: n, base-url: "http://10.0.0.2:8000"}
        - {name: twin, base-url: "http://10.0.0.3", enabled: false}
    embedding:
      instances:
        - {name: twin, base-url: "http://10.0.0.3"}
"""
WRONG = "参数验证失败: "
N = "/instances/n@http://10.0.0.2:8000"
TWIN = "/instances/twin@http://10.0.0.3"
BOTH = WRONG + "多个服务有此实例 (chat, embedding), 请用 serviceType 指定"
BALANCE = "/loadbalancer/config/chat"
NO_STRATEGY = (
    WRONG + "model.services.chat.load-balance.type: expected one of random, round-robin, least-connections, ip-hash, "
    "consistent-hash, latency, prefix-affinity, found 'weighted'"
)

# In their order, on one file: method, path, body, status, message.
TABLE: list[tuple[str, str, Any, int, str]] = [
    ("GET", "/loadbalancer/status", None, 200, "操作成功"),
    ("GET", "/loadbalancer/status/chat", None, 200, "操作成功"),
    ("GET", "/loadbalancer/status/tts", None, 404, "服务类型不存在: tts"),
    ("GET", "/loadbalancer/status/nope", None, 400, WRONG + "无效的服务类型: nope"),
    ("GET", "/loadbalancer/config/global", None, 200, "操作成功"),
    ("GET", BALANCE, None, 200, "操作成功"),
    ("GET", "/loadbalancer/config/tts", None, 404, "服务类型不存在: tts"),
    ("GET", "/loadbalancer/strategies", None, 200, "操作成功"),
    ("GET", "/loadbalancer/stats", None, 200, "操作成功"),
    ("PUT", BALANCE, {"type": "ip-hash", "hashAlgorithm": "sha1"}, 200, "负载均衡配置已更新"),
    ("PUT", BALANCE, {"strategy": "round_robin", "weights": {"m": 2, "n": 1}}, 200, "负载均衡配置已更新"),
    ("PUT", BALANCE, {"type": "weighted"}, 400, NO_STRATEGY),
    ("PUT", BALANCE, {}, 400, "负载均衡类型不能为空"),
    ("PUT", BALANCE, {"weights": 2}, 400, WRONG + "weights 必须是 JSON 对象"),
    ("PUT", BALANCE, {"weights": {"z": 2}}, 400, "实例不存在: z"),
    ("PUT", "/loadbalancer/config/tts", {"type": "random"}, 404, "服务类型不存在: tts"),
    ("GET", "/loadbalancer/nowhere", None, 404, "No such path: GET /api/loadbalancer/nowhere"),
    ("GET", "/services", None, 200, "获取服务配置成功"),
    ("GET", "/services/chat", None, 200, "获取服务配置成功"),
    ("POST", "/services/tts", {"loadBalancer": "round_robin"}, 201, "服务创建成功"),
    ("POST", "/services/tts", {"loadBalancer": "random"}, 200, "服务配置更新成功"),
    ("PUT", "/services/tts", {"adapter": "vllm"}, 200, "服务配置更新成功"),
    ("DELETE", "/services/tts", None, 200, "服务删除成功"),
    ("DELETE", "/services/tts", None, 400, WRONG + "服务类型不存在: tts"),
    ("GET", "/services/chat/ratelimit", None, 200, "获取限流配置成功"),
    ("PUT", "/services/chat/ratelimit", {"algorithm": "token_bucket", "refillRate": 10}, 200, "限流配置更新成功"),
    ("PUT", "/services/chat/ratelimit", {"enabled": False}, 200, "限流配置更新成功"),
    ("PUT", "/services/chat/ratelimit", {"nonesuch": {"a": [1]}, "a.b": 1, "": None}, 200, "限流配置更新成功"),
    ("PUT", "/services/chat/ratelimit", {"clientIp": {"nonesuch": 1, "rate": 2}}, 200, "限流配置更新成功"),
    ("PUT", "/services/chat/ratelimit", {"clientIp": [1]}, 400, WRONG + "client-ip: expected a mapping, found [1]"),
    ("PUT", "/services/chat/circuitbreaker", {"nonesuch": 1}, 200, "熔断器配置更新成功"),
    ("GET", "/services/tts/ratelimit", None, 404, "服务类型不存在: tts"),
    ("GET", "/services/chat/circuitbreaker", None, 200, "获取熔断器配置成功"),
    ("PUT", "/services/chat/circuitbreaker", {"recoveryTimeout": 30000}, 200, "熔断器配置更新成功"),
    ("PUT", "/services/nope/circuitbreaker", {}, 400, WRONG + "无效的服务类型: nope"),
    ("GET", "/instances", None, 200, "获取实例列表成功"),
    ("GET", "/instances/service/chat", None, 200, "获取实例列表成功"),
    ("GET", "/instances/service/tts", None, 404, "服务类型不存在: tts"),
    ("POST", "/instances/service/stt", {"name": "w", "baseUrl": "http://[::1]:9000/x"}, 201, "实例添加成功"),
    ("POST", "/instances/service/stt", {"name": "w"}, 400, "实例baseUrl格式不正确"),
    ("GET", "/instances/w@http://[::1]:9000/x", None, 200, "获取实例信息成功"),
    ("GET", N, None, 200, "获取实例信息成功"),
    ("GET", "/instances/z@http://z", None, 404, "实例不存在: z@http:/z"),
    ("GET", TWIN, None, 400, BOTH),
    ("GET", f"{TWIN}?serviceType=embedding", None, 200, "获取实例信息成功"),
    ("PUT", f"{TWIN}?serviceType=embedding", {"weight": 3}, 200, "实例更新成功"),
    ("PUT", N, {"weight": 5}, 200, "实例更新成功"),
    ("PUT", N, {"baseUrl": "n"}, 400, "实例baseUrl格式不正确"),
    ("PUT", "/instances/z@http://z", {}, 404, "实例不存在: z@http:/z"),
    ("POST", f"{N}/else", None, 404, "No such path: POST /api/instances/n@http:/10.0.0.2:8000/else"),
    ("POST", f"{TWIN}/health?serviceType=chat", None, 400, "实例未启用: twin@http://10.0.0.3"),
    ("DELETE", N, None, 200, "实例删除成功"),
    ("DELETE", N, None, 404, "实例不存在: n@http:/10.0.0.2:8000"),
    ("DELETE", TWIN, None, 400, BOTH),
]


@pytest.fixture
def behind() -> Iterator[Backend]:
    """Run a backend."""
    with backend(answer({})) as one:
        yield one


@pytest.fixture
def served(tmp_path: Path, behind: Backend) -> Iterator[Served]:
    """Run a gateway."""
    with serving("--config", str(config(tmp_path, CONFIG.replace("URL", f"'{behind.url}'")))) as one:
        yield one


def test_each_answer(served: Served) -> None:
    """Every route with its statuses and words; a masked list, and edits that are edits of the one file."""
    for method, path, body, status, message in TABLE:
        assert told(ask(served, method, path, body)) == (status, status < 400, message), (method, path, body)
    stt, twin = (ask(served, "GET", f"/instances/service/{name}").json()["data"] for name in ("stt", "embedding"))
    assert (stt[0]["instanceId"], stt[0]["serviceType"]) == ("w@http://[::1]:9000/x", "stt")
    assert twin[0]["weight"] == 3


def test_how_requests_are_spread(served: Served, behind: Backend) -> None:
    """What a service says, what holds where it does not; a strategy and weights changed in one edit."""
    assert ask(served, "GET", "/loadbalancer/config/global").json()["data"] == {
        "type": "round-robin",
        "hashAlgorithm": "md5",
        "isGlobal": True,
    }
    of_chat, of_embedding = (
        ask(served, "GET", f"/loadbalancer/config/{name}").json()["data"] for name in ("chat", "embedding")
    )
    assert (of_chat["type"], of_chat["isGlobal"]) == ("least-connections", False)
    assert (of_embedding["type"], of_embedding["isGlobal"]) == ("round-robin", True)
    status = ask(served, "GET", "/loadbalancer/status").json()["data"]
    assert [(one["serviceType"], one["strategy"], one["instances"]) for one in status] == [
        ("chat", "least-connections", 3),
        ("embedding", "round-robin", 1),
    ]
    names = [one["name"] for one in ask(served, "GET", "/loadbalancer/strategies").json()["data"]]
    for name in names:
        assert ask(served, "PUT", BALANCE, {"type": name}).status_code == 200, name
    before = ask(served, "GET", "/config/version/current").json()["data"]
    weights = {f"m@{behind.url}": 7, "n": 2}
    assert ask(served, "PUT", BALANCE, {"strategy": "least_connections", "weights": weights}).status_code == 200
    chat = ask(served, "GET", "/services/chat").json()["data"]
    assert (chat["loadBalance"]["type"], [one["weight"] for one in chat["instances"]]) == (
        "least-connections",
        [7, 2, 1],
    )
    assert ask(served, "GET", "/config/version/current").json()["data"] == before + 1, "one edit, one revision"
    assert ask(served, "GET", "/loadbalancer/stats").json()["data"] == {
        "totalLoadBalancers": 2,
        "validationStatus": True,
        "strategyDistribution": {"least-connections": 1, "round-robin": 1},
    }


def test_an_instance_is_asked_at_once(served: Served, behind: Backend) -> None:
    """Out of turn, with probing off; what came of it is what the gateway goes by."""
    path = f"/instances/m@{behind.url}/health"
    assert ask(served, "POST", path).json()["data"] == {"instanceId": f"m@{behind.url}", "status": "UP"}
    assert len(behind.questions) == 1
    behind.refuse()
    for _ in range(3):
        found = ask(served, "POST", path).json()["data"]
    assert found == {"instanceId": f"m@{behind.url}", "status": "DOWN", "error": "Connection refused"}
    shown = served.get("/api/monitoring/instances").json()["services"]["chat"]["instances"][0]
    assert (shown["id"], shown["status"]) == (f"m@{behind.url}", "UNHEALTHY")
