"""The management API over a real server: every route, its statuses and the Java version's own words; who is let in."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.backend import answer, backend
from tests.process import Served, config, eventually, run, serving

CONFIG = """\
# ours
server: {locale: en, trusted-proxies: 127.0.0.0/8}
model:
  load-balance: {type: round-robin, health-check: {enabled: false}}
  services:
    chat: # the talkers
      instances:
        - name: m # the small one
          base-url: http://10.0.0.1:8000
          api-key: s3cret
          headers: {X-Key: h1dden}
        - {name: n, base-url: "http://10.0.0.2:8000"}
    embedding: {}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a configuration file."""
    return config(tmp_path, CONFIG)


@pytest.fixture
def served(file: Path) -> Iterator[Served]:
    """Run a gateway on it."""
    with serving("--config", str(file)) as one:
        yield one


def ask(served: Served, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
    """Send a request; text goes as it is, all else as JSON."""
    data = body if isinstance(body, str) or body is None else json.dumps(body)
    return httpx.request(
        method, f"{served.url}/api{path}", content=data, headers=headers, trust_env=False, timeout=90, params=None
    )


def told(answer: httpx.Response) -> tuple[int, bool, str]:
    """Return status, success and message; the envelope has its members in the Java version's order, none null."""
    body = answer.json()
    assert list(body) == [name for name in ("success", "message", "data", "timestamp") if name in body]
    assert None not in body.values()
    return answer.status_code, body["success"], body["message"]


CHAT = "/config/type/services/chat"
ADD = "/config/instance/add/chat"
UPDATE = "/config/instance/update/chat"
NEW = {"name": "q", "baseUrl": "http://gpu-server:8000/v1"}
WRONG = "参数验证失败: "
TTS = "model.services.tts"
MASKED = "a value is masked (******), but there is no earlier value to keep; send the value itself"
NO_URL = "model.services.chat.instances[0]: expected a value for base-url"
OF_N = {"instanceId": "n@http://10.0.0.2:8000"}
NO_WEIGHT = WRONG + "model.services.chat.instances[1].weight: expected a whole number, found 'x'"
NO_SERVICE = WRONG + "服务类型不存在: "
OF_M = "modelName=m&baseUrl=http%3A%2F%2F10.0.0.1%3A8000"

MISSING = (
    "The request body is malformed: Missing required query parameter 'baseUrl' for path "
    "/api/config/instance/info/chat?modelName=m"
)

# In their order, on one file: method, path, body, status, message.
TABLE: list[tuple[str, str, Any, int, str]] = [
    ("GET", "/config/type", None, 200, "获取配置成功"),
    ("GET", "/config/type/services", None, 200, "获取服务类型成功"),
    ("GET", CHAT, None, 200, "获取服务配置成功"),
    ("GET", "/config/type/services/Chat", None, 200, "获取服务配置成功"),
    ("GET", "/config/type/services/tts", None, 404, "服务类型不存在: tts"),
    ("GET", "/config/type/services/nope", None, 400, WRONG + "无效的服务类型: nope"),
    ("GET", "/config/type/chat/models", None, 200, "获取模型列表成功"),
    ("GET", "/config/type/tts/models", None, 404, "服务类型不存在: tts"),
    ("GET", "/config/type/nope/models", None, 400, WRONG + "无效的服务类型: nope"),
    ("POST", "/config/type/services/img-gen", {"adapter": "localai"}, 201, "服务创建成功"),
    ("POST", "/config/type/services/imgGen", {}, 400, WRONG + "服务类型已存在: imgGen"),
    ("POST", "/config/type/services/nope", {}, 400, WRONG + "无效的服务类型: nope"),
    ("POST", "/config/type/services/tts", "{", 400, WRONG + "请求体不是有效的 JSON: Input data was truncated"),
    ("POST", "/config/type/services/tts", [1], 400, WRONG + "请求体必须是 JSON 对象"),
    (
        "POST",
        "/config/type/services/tts",
        {"instances": 5},
        400,
        WRONG + "model.services.tts.instances: expected a list, found 5",
    ),
    (
        "POST",
        "/config/type/services/tts",
        {"rateLimit": {"enabled": True, "algorithm": "magic", "capacity": 0}},
        400,
        WRONG + "model.services.tts.rate-limit.algorithm: expected one of token-bucket, leaky-bucket, sliding-window, "
        "warm-up, found 'magic', model.services.tts.rate-limit.capacity: expected a number greater than 0, found 0",
    ),
    ("PUT", CHAT, {"loadBalance": {"type": "ip-hash"}}, 200, "服务配置更新成功"),
    ("PUT", "/config/type/services/tts", {}, 400, NO_SERVICE + "tts"),
    ("PUT", "/config/type/services/nope", {}, 400, WRONG + "无效的服务类型: nope"),
    ("PUT", CHAT, [], 400, WRONG + "请求体必须是 JSON 对象"),
    (
        "PUT",
        CHAT,
        {"instances": [{"name": "x"}]},
        400,
        WRONG + "model.services.chat.instances[0]: expected a value for base-url",
    ),
    ("GET", "/config/instance/type/chat", None, 200, "获取实例列表成功"),
    ("GET", "/config/instance/type/stt", None, 200, "获取实例列表成功"),
    ("GET", f"/config/instance/info/chat?{OF_M}", None, 200, "获取实例信息成功"),
    ("GET", "/config/instance/info/chat?modelName=x&baseUrl=http://y", None, 404, "实例不存在: x@http://y"),
    ("POST", ADD, NEW, 201, "实例添加成功"),
    ("POST", ADD, NEW, 400, "实例已存在: q@http://gpu-server:8000/v1"),
    ("POST", ADD, {"name": "q", "baseUrl": "gpu:8000"}, 400, "实例baseUrl格式不正确"),
    ("POST", ADD, {"name": " ", "baseUrl": "http://x"}, 400, "实例名称不能为空"),
    ("POST", ADD, {"name": "q"}, 400, "实例baseUrl格式不正确"),
    ("POST", ADD, {**NEW, "name": "w", "weight": 0}, 400, WRONG + "weight: expected a number greater than 0, found 0"),
    ("POST", "/config/instance/add/stt", {"name": "w", "baseUrl": "http://[::1]:9000"}, 201, "实例添加成功"),
    ("PUT", UPDATE, {"instanceId": "q@http://gpu-server:8000/v1", "instance": {"weight": 4}}, 200, "实例更新成功"),
    ("PUT", UPDATE, {"instanceId": "z@http://z", "instance": {"weight": 4}}, 400, "实例不存在: z@http://z"),
    ("PUT", UPDATE, {"instance": {"weight": 4}}, 400, WRONG + "缺少 instanceId"),
    ("PUT", UPDATE, {**OF_N, "instance": {"baseUrl": "n:8000"}}, 400, "实例baseUrl格式不正确"),
    ("PUT", UPDATE, {**OF_N, "instance": {"name": ""}}, 400, "实例名称不能为空"),
    ("PUT", UPDATE, {**OF_N, "instance": {"weight": "x"}}, 400, NO_WEIGHT),
    ("PUT", "/config/instance/update/nope", {**OF_N, "instance": {}}, 400, WRONG + "无效的服务类型: nope"),
    ("POST", "/config/instance/add/nope", NEW, 400, WRONG + "无效的服务类型: nope"),
    ("GET", "/config/instance/type/nope", None, 400, WRONG + "无效的服务类型: nope"),
    ("DELETE", f"/config/instance/del/nope?{OF_M}", None, 400, WRONG + "无效的服务类型: nope"),
    ("PUT", UPDATE, {"instanceId": "n@http://10.0.0.2:8000"}, 400, WRONG + "缺少 instance"),
    (
        "PUT",
        UPDATE,
        {"instanceId": "n@http://10.0.0.2:8000", "instance": {"name": "m", "baseUrl": "http://10.0.0.1:8000"}},
        400,
        "实例已存在: m@http://10.0.0.1:8000",
    ),
    ("PUT", "/config/instance/update/tts", {"instanceId": "a@http://a", "instance": {}}, 400, "服务类型不存在: tts"),
    ("DELETE", "/config/instance/del/chat?modelName=q&baseUrl=http://gpu-server:8000/v1", None, 200, "实例删除成功"),
    ("DELETE", "/config/instance/del/chat?modelName=q&baseUrl=http://gone", None, 400, "实例不存在: q@http://gone"),
    ("DELETE", "/config/instance/del/tts?modelName=q&baseUrl=http://gone", None, 400, "服务类型不存在: tts"),
    ("DELETE", "/config/type/services/imgGen", None, 200, "服务删除成功"),
    ("DELETE", "/config/type/services/imgGen", None, 400, NO_SERVICE + "imgGen"),
    ("DELETE", "/config/type/services/nope", None, 400, WRONG + "无效的服务类型: nope"),
    ("GET", "/config/version", None, 200, "获取配置版本列表成功"),
    ("GET", "/config/version/current", None, 200, "获取当前配置版本成功"),
    ("GET", "/config/version/info", None, 200, "获取配置版本列表成功"),
    ("GET", "/config/version/0", None, 200, "获取配置版本详情成功"),
    ("GET", "/config/version/2", None, 200, "获取配置版本详情成功"),
    ("GET", "/config/version/99", None, 404, "指定版本的配置不存在: 99"),
    ("GET", "/config/version/compare/1/2", None, 200, "比较配置版本成功"),
    ("GET", "/config/version/compare/1/99", None, 404, "指定版本的配置不存在: 99"),
    ("GET", "/config/version/compare/1/1", None, 400, "源版本和目标版本不能相同"),
    ("GET", "/config/version/compare/1", None, 200, "比较配置版本成功"),
    ("GET", "/config/version/compare/99", None, 404, "指定版本的配置不存在: 99"),
    ("POST", "/config/version/rollback/2", None, 200, "配置已成功回滚到版本: 2"),
    ("POST", "/config/version/rollback/99", None, 400, "回滚配置失败: 版本不存在: 99"),
    ("POST", "/config/version/apply/1", None, 200, "配置应用成功"),
    ("POST", "/config/version/apply/99", None, 400, "配置内容不合法: 版本不存在: 99"),
    ("DELETE", "/config/version/1", None, 200, "配置版本删除成功"),
    ("DELETE", "/config/version/1", None, 404, "指定版本的配置不存在: 1"),
    ("DELETE", "/config/version/10", None, 400, "不能删除当前版本"),
    ("GET", "/config/store/status", None, 200, "获取配置存储状态成功"),
    ("GET", "/models", None, 200, "获取模型列表成功"),
    ("GET", "/models/stats", None, 200, "获取配置统计成功"),
    ("POST", "/config/type/reset", None, 200, "配置已重置为默认值"),
    ("GET", "/config/nowhere", None, 404, "No such path: GET /api/config/nowhere"),
    ("GET", "/config/version/nan", None, 404, "No such path: GET /api/config/version/nan"),
    ("PATCH", "/config/type", None, 405, "/api/config/type accepts GET, OPTIONS, not PATCH"),
    ("GET", "/config/instance/info/chat?modelName=m", None, 400, MISSING),
]


def test_the_whole_contract(served: Served) -> None:
    """Each route with each of its answers, in one go: nothing leads to a 5xx, and nothing is refused twice."""
    for method, path, body, status, message in TABLE:
        assert told(ask(served, method, path, body)) == (status, status < 400, message), (method, path, body)


def test_what_is_shown(served: Served, file: Path) -> None:
    """What stands in the file from the first moment; keys are masked unless asked for."""
    everything = ask(served, "GET", "/config/type").json()["data"]
    assert everything["loadBalance"]["type"] == "round-robin"
    assert everything["queue"] == {"size": 100, "timeout": 30000}
    instance = everything["services"]["chat"]["instances"][0]
    assert instance == {
        "name": "m",
        "baseUrl": "http://10.0.0.1:8000",
        "weight": 1,
        "enabled": True,
        "apiKey": "******",
        "headers": {"X-Key": "******"},
        "priority": 0,
        "instanceId": "m@http://10.0.0.1:8000",
    }
    revealed = ask(served, "GET", f"/config/instance/info/chat?{OF_M}&reveal=true").json()["data"]
    assert (revealed["apiKey"], revealed["headers"]) == ("s3cret", {"X-Key": "h1dden"})
    models = ask(served, "GET", "/models").json()["data"]
    assert (models["object"], [one["id"] for one in models["data"]]) == ("list", ["m", "n"])
    assert {key: models["data"][0][key] for key in ("owned_by", "service_type", "adapter")} == {
        "owned_by": "model-router",
        "service_type": "chat",
        "adapter": "NormalOpenAiAdapter",
    }
    stats = ask(served, "GET", "/models/stats").json()["data"]
    assert (stats["totalServices"], stats["totalInstances"], stats["modelsByService"]["chat"]) == (7, 2, 2)
    ask(served, "PUT", CHAT, {"loadBalance": {"type": "random"}})
    compared = ask(served, "GET", "/config/version/compare/1/2").json()["data"]["diff"]
    assert "+      load-balance:" in compared
    ask(served, "PUT", UPDATE, {"instanceId": "m@http://10.0.0.1:8000", "instance": {"headers": {"X-Key": "an0ther"}}})
    compared += ask(served, "GET", "/config/version/compare/2/3").json()["data"]["diff"]
    assert "X-Key: ******" in compared
    assert not any(secret in compared for secret in ("s3cret", "h1dden", "an0ther"))
    assert "# the small one" in file.read_text(), "comments survive"


def test_what_is_read_can_be_written_back(served: Served, file: Path) -> None:
    """The answer to GET is good for PUT, masked keys and shown-only members included: nothing is lost."""
    before = ask(served, "GET", f"{CHAT}?reveal=true").json()["data"]
    assert told(ask(served, "PUT", CHAT, ask(served, "GET", CHAT).json()["data"]))[0] == 200
    assert ask(served, "GET", f"{CHAT}?reveal=true").json()["data"] == before
    assert "s3cret" in file.read_text()


def test_a_masked_key_that_nobody_has_is_refused(served: Served, file: Path) -> None:
    """For a list of instances of which one was moved, a new instance, a new service: the key would be lost unseen."""
    shown = ask(served, "GET", CHAT).json()["data"]
    moved = {**shown, "instances": [{**shown["instances"][0], "baseUrl": "http://elsewhere"}]}
    copy = {"name": "copy", "baseUrl": "http://copy", "apiKey": "******"}
    for method, path, body in (
        ("PUT", CHAT, moved),
        ("POST", ADD, copy),
        ("POST", "/config/type/services/tts", {"instances": [copy]}),
    ):
        status, _, message = told(ask(served, method, path, body))
        assert (status, message) == (
            400,
            f"{WRONG}a value is masked (******), but there is no earlier value to keep; send the value itself",
        )
    assert file.read_text() == CONFIG


def test_reset_is_the_file_as_it_was_found(served: Served, file: Path) -> None:
    """To the byte, whatever was done since; version 0 is what is in force."""
    ask(served, "PUT", CHAT, {"adapter": "vllm"})
    ask(served, "POST", ADD, NEW)
    in_force = ask(served, "GET", "/config/version/0").json()["data"]
    assert in_force == ask(served, "GET", "/config/type").json()["data"]
    assert len(in_force["services"]["chat"]["instances"]) == 3
    done = ask(served, "POST", "/config/type/reset").json()["data"]
    assert (done["restored"], done["inForce"]) == (1, True)
    assert file.read_text() == CONFIG


def test_reset_finds_the_first_revision_after_many_edits(tmp_path: Path) -> None:
    """It is kept beside the newest, however few of those; and what a revision did is told value by value."""
    text = CONFIG + "store: {max-revisions: 3}\n"
    file = config(tmp_path, text)
    with serving("--config", str(file)) as served:
        for weight in range(2, 9):
            ask(served, "PUT", UPDATE, {"instanceId": "m@http://10.0.0.1:8000", "instance": {"weight": weight}})
        assert ask(served, "GET", "/config/version").json()["data"] == [1, 6, 7, 8]
        compared = ask(served, "GET", "/config/version/compare/7").json()["data"]
        assert {key: compared[key] for key in ("sourceVersion", "targetVersion", "totalChanges", "modified")} == {
            "sourceVersion": 6,
            "targetVersion": 7,
            "totalChanges": 1,
            "modified": [
                {
                    "path": "services.chat.instances.m@http://10.0.0.1:8000.weight",
                    "oldValue": 6,
                    "newValue": 7,
                    "changeType": "MODIFIED",
                }
            ],
        }
        assert ask(served, "GET", "/config/version/3").json()["message"] == "指定版本的配置不存在: 3"
        assert ask(served, "POST", "/config/type/reset").json()["data"]["restored"] == 1
        assert file.read_text() == text
        assert ask(served, "GET", "/config/version").json()["data"] == [1, 7, 8, 9]
    done = run("config", "rollback", "3", "--config", str(file))
    assert done.stderr.startswith("error: no revision 3; there are 1, 7 to 9\n")


def test_a_partial_update_keeps_the_rest(served: Served, file: Path) -> None:
    """Weight alone, as the documents show it: path, key and headers stay."""
    body = {"instanceId": "m@http://10.0.0.1:8000", "instance": {"weight": 4}}
    done = ask(served, "PUT", UPDATE, body).json()["data"]
    assert (done["instanceId"], done["inForce"], done["workersBehind"]) == ("m@http://10.0.0.1:8000", True, [])
    assert file.read_text() == CONFIG.replace("h1dden}\n", "h1dden}\n          weight: 4\n")
    renamed = {"instanceId": "m@http://10.0.0.1:8000", "instance": {"name": "k", "baseUrl": "http://localhost:1/v1"}}
    assert ask(served, "PUT", UPDATE, renamed).json()["data"]["instanceId"] == "k@http://localhost:1/v1"
    assert ask(served, "GET", "/config/type/chat/models").json()["data"] == ["k", "n"]


def test_who_has_seen_another_state_is_refused(served: Served) -> None:
    """`If-Match` with the tag of the answer before; without it the last one wins, as in the Java version."""
    first = ask(served, "PUT", CHAT, {"adapter": "vllm"})
    tag = first.headers["etag"]
    assert ask(served, "PUT", CHAT, {"adapter": "ollama"}, **{"if-match": tag}).status_code == 200
    refused = ask(served, "PUT", CHAT, {"adapter": "localai"}, **{"if-match": tag})
    assert refused.status_code == 412
    assert refused.json()["message"].startswith("配置已被修改: ")
    assert ask(served, "PUT", CHAT, {"adapter": "localai"}, **{"if-match": "*"}).status_code == 200


def test_who_may_manage(file: Path) -> None:
    """Without a token this machine, with one who has it, wherever from; open if that is said. Startup tells."""
    far = {"x-forwarded-for": "203.0.113.1"}
    paths = ("/config/type", "/models", "/limits", "/explain?service=chat&model=m")
    with serving("--config", str(file)) as served:
        assert served.announced["management"].startswith("from this machine only")
        assert {ask(served, "GET", path).status_code for path in paths} == {200}
        assert {ask(served, "GET", path, **far).status_code for path in paths} == {403}
        assert told(ask(served, "DELETE", CHAT, **far))[:2] == (403, False)
        place = served.url.removeprefix("http://")
        for page in ({"origin": "http://evil.example"}, {"origin": "null"}, {"host": "evil.example"}):
            assert ask(served, "GET", "/models", **page).status_code == 403, "a page in a browser on this machine"
        assert ask(served, "GET", "/models", origin=f"http://{place}").status_code == 200
        assert ask(served, "GET", "/models", host="localhost:1").status_code == 200
        assert served.get("/actuator/health", headers=far).status_code in {200, 503}
        text = file.read_text()
        file.write_text(text.replace("locale: en,", "locale: en, admin-token: t0ken,"))
        eventually(lambda: ask(served, "GET", "/models").status_code == 401)
        assert ask(served, "GET", "/models", **{"x-admin-token": "t0ken"}, **far).status_code == 200
        assert ask(served, "GET", "/models", authorization="Bearer t0ken").status_code == 200
        for wrong in ({"authorization": "Bearer t0ke"}, {"authorization": "Basic t0ken"}, {"x-admin-token": ""}):
            assert ask(served, "GET", "/models", **wrong).status_code == 401
        shown = run("limits", "show", "--live", "--json", "--config", str(served_file(file, served)))
        assert json.loads(shown.stdout)["levels"] == "host"
        file.write_text(text.replace("locale: en,", "locale: en, open-management: true,"))
        eventually(lambda: ask(served, "GET", "/models", **far).status_code == 200)
    with serving("--config", str(file), env={"JAIROUTER_ADMIN_TOKEN": "fr0m-env"}) as served:
        assert served.announced["management"] == "with the admin token"
        assert ask(served, "GET", "/models").status_code == 401
        assert ask(served, "GET", "/models", **{"x-admin-token": "fr0m-env"}).status_code == 200


def served_file(file: Path, served: Served) -> Path:
    """Return the same configuration with the port at which it is served."""
    port = served.url.rpartition(":")[2]
    other = file.with_name("other.yaml")
    other.write_text(file.read_text().replace("server: {", f"server: {{port: {port}, "))
    return other


def test_edits_from_both_doors_lose_none(file: Path) -> None:
    """Two hundred at once, by commands and over HTTP to two workers: none is lost, each is a revision of its own."""
    with serving("--config", str(file), "--workers", "2") as served, ThreadPoolExecutor(8) as crew:

        def edit(number: int) -> list[int]:
            """Add an instance, then remove it, or change it if its number is a multiple of four."""
            if number % 20 == 0:
                where = ("--config", str(file))
                commands = (
                    ("add", "chat", f"x{number}", "http://h"),
                    ("update", "chat", f"x{number}", "--weight", "7"),
                )
                return [run("instances", *command, *where).returncode for command in commands]
            added = ask(served, "POST", ADD, {"name": f"x{number}", "baseUrl": "http://h"})
            if number % 4:
                changed = ask(served, "DELETE", f"/config/instance/del/chat?modelName=x{number}&baseUrl=http://h")
            else:
                body = {"instanceId": f"x{number}@http://h", "instance": {"weight": 7}}
                changed = ask(served, "PUT", UPDATE, body)
            return [added.status_code, changed.status_code]

        outcomes = list(crew.map(edit, range(100)))
        assert {tuple(one) for one in outcomes} == {(0, 0), (201, 200)}
        expected = {"m": 1, "n": 1, **{f"x{number}": 7 for number in range(0, 100, 4)}}

        def weights() -> dict[str, int]:
            """Return what is in force; a command does not wait until it is."""
            found = ask(served, "GET", "/config/instance/type/chat").json()["data"]
            return {one["name"]: one["weight"] for one in found}

        eventually(lambda: weights() == expected)
        assert weights() == expected
        history = ask(served, "GET", "/config/version/info").json()["data"]
        kept = [1, *range(102, 202)]
        assert [one["version"] for one in history] == kept, "the hundred newest are kept, and the first"
        assert {one["author"] for one in history[1:]} == {"api", "cli"}


def test_an_edit_is_in_force_everywhere_when_it_is_answered(file: Path) -> None:
    """Four workers: whichever is asked next knows of it."""
    with serving("--config", str(file), "--workers", "4") as served:
        for number in range(5):
            done = ask(served, "POST", ADD, {"name": f"y{number}", "baseUrl": "http://h"}).json()["data"]
            assert (done["inForce"], done["workersBehind"]) == (True, [])
            assert all(f"y{number}" in {m["id"] for m in served.get("/v1/models").json()["data"]} for _ in range(12))
        status = ask(served, "GET", "/config/store/status").json()["data"]
        assert len(status["workers"]) == 4
        assert {worker["digest"] for worker in status["workers"]} == {status["digest"]}
    nobody = run("instances", "add", "chat", "v", "http://h", "--wait", "--config", str(served_file(file, served)))
    assert (nobody.returncode, nobody.stdout) == (3, "added instance v@http://h to service chat\n")


def test_waiting_for_a_gateway_that_uses_the_file(tmp_path: Path) -> None:
    """The command returns when every worker goes by the edit."""
    from jairouter_cli.cli.listening import bindable  # noqa: PLC0415

    port = bindable("127.0.0.1", 0)
    file = config(tmp_path, CONFIG.replace("server: {", f"server: {{port: {port}, "))
    with serving("--config", str(file), "--port", str(port), "--workers", "2") as served:
        done = run("instances", "add", "chat", "w", "http://h", "--wait", "--config", str(file))
        assert (done.returncode, done.stderr) == (0, "")
        assert all("w" in {m["id"] for m in served.get("/v1/models").json()["data"]} for _ in range(8))


def test_an_editor_is_noted_too(served: Served, file: Path) -> None:
    """What nobody told becomes a revision by the file; a bad edit does not, and is said."""
    eventually(lambda: ask(served, "GET", "/config/version/current").json()["data"] == 1)
    file.write_text(CONFIG.replace("name: n", "name: k"))
    eventually(lambda: ask(served, "GET", "/config/version/current").json()["data"] == 2)
    history = ask(served, "GET", "/config/version/info").json()["data"]
    assert [(one["author"], one["summary"]) for one in history] == [
        ("file", "initial state"),
        ("file", "edited in the file"),
    ]
    file.write_text("model: [")
    eventually(lambda: ask(served, "GET", "/config/store/status").json()["data"].get("rejected"))
    assert ask(served, "GET", "/config/version/current").json()["data"] == 2
    refused = ask(served, "POST", ADD, NEW)
    assert refused.status_code == 400
    assert "expected valid YAML" in refused.json()["message"]


def test_a_start_is_no_change(file: Path) -> None:
    """Three starts, one revision."""
    for _ in range(3):
        with serving("--config", str(file)) as served:
            eventually(lambda: ask(served, "GET", "/config/version/current").json()["data"] == 1)
    assert json.loads(run("config", "history", "--json", "--config", str(file)).stdout)[0]["revision"] == 1


# Method, path, body, and how the Java version begins to say that it could not be done.
FAILING: list[tuple[str, str, Any, str]] = [
    ("POST", "/config/type/services/tts", {}, "创建服务失败"),
    ("PUT", CHAT, {"adapter": "vllm"}, "更新服务配置失败"),
    ("DELETE", CHAT, None, "删除服务失败"),
    ("POST", "/config/type/reset", None, "重置配置失败"),
    ("POST", ADD, NEW, "添加实例失败"),
    ("PUT", UPDATE, {"instanceId": "m@http://10.0.0.1:8000", "instance": {"weight": 2}}, "更新实例失败"),
    ("DELETE", f"/config/instance/del/chat?{OF_M}", None, "删除实例失败"),
    ("POST", "/config/version/rollback/1", None, "回滚配置失败"),
    ("POST", "/config/version/apply/1", None, "应用配置失败"),
    ("PUT", "/loadbalancer/config/chat", {"type": "random"}, "更新负载均衡配置失败"),
    ("PUT", "/services/chat/ratelimit", {"capacity": 3}, "更新限流配置失败"),
    ("PUT", "/services/chat/circuitbreaker", {"failureThreshold": 3}, "更新熔断器配置失败"),
]
READING = [
    ("", "获取配置版本列表失败"),
    ("/current", "获取当前配置版本失败"),
    ("/info", "获取配置版本列表失败"),
    ("/1", "获取配置版本详情失败"),
    ("/compare/1/2", "比较配置版本失败"),
]


def test_a_file_that_may_only_be_read(served: Served, file: Path) -> None:
    """Every change is refused with 500 in the Java version's words, and says why; what is served goes on."""
    eventually(lambda: ask(served, "GET", "/config/version/current").json()["data"] == 1)
    file.chmod(0o400)
    for method, path, body, words in FAILING:
        why = f"{words}: cannot write {file}: it is read-only; the file was not changed"
        assert told(ask(served, method, path, body)) == (500, False, why), path
    assert file.read_text() == CONFIG
    assert ask(served, "GET", "/config/version").json()["data"] == [1]


def test_revisions_that_cannot_be_kept(served: Served, file: Path) -> None:
    """A file stands where their folder should: nothing can be changed or read of them, and each answer says why."""
    eventually(lambda: ask(served, "GET", "/config/version/current").json()["data"] == 1)
    folder = file.with_name(".jairouter.yaml.revisions")
    folder.rename(folder.with_name("aside"))
    folder.write_text("")
    for path, words in READING:
        why = f"{words}: cannot read revision {folder}" + ("/1.json" if "1" in path else "") + ": Not a directory"
        assert told(ask(served, "GET", f"/config/version{path}")) == (500, False, why)
    status, _, message = told(ask(served, "POST", ADD, NEW))
    assert (status, message) == (500, f"添加实例失败: cannot read revision {folder}: Not a directory")
    assert file.read_text() == CONFIG
    folder.unlink()
    folder.with_name("aside").rename(folder)
    assert ask(served, "POST", ADD, NEW).json()["data"]["revision"] == 2


def test_a_reload_every_moment_fails_no_request(tmp_path: Path) -> None:
    """Ten seconds of requests to two workers, an edit every half: every one is answered, and no limit forgets."""
    with backend(answer({"ok": True})) as behind:
        text = (
            "server: {locale: en}\nmodel:\n  services:\n    chat:\n"
            "      rate-limit: {enabled: true, capacity: 1000000, rate: 0.001}\n"
            f"      instances:\n        - {{name: m, base-url: '{behind.url}'}}\n"
        )
        file = config(tmp_path, text)
        with serving("--config", str(file), "--workers", "2") as served, ThreadPoolExecutor(4) as crew:
            over = threading.Event()

            def demand(_: int) -> list[int]:
                seen = []
                with served.client() as client:
                    while not over.is_set():
                        body = {"model": "m", "messages": []}
                        seen.append(client.post("/v1/chat/completions", json=body).status_code)
                return seen

            asking = [crew.submit(demand, number) for number in range(4)]
            for number in range(20):
                edited = ask(served, "PUT", CHAT, {"maxRetries": number})
                assert edited.json()["data"]["inForce"]
                time.sleep(0.1)
            over.set()
            seen = [status for one in asking for status in one.result()]
            assert set(seen) == {200}
            limits = served.get("/api/limits").json()["limits"]
            left = next(one["remaining"] for one in limits if one["bucket"] == "service:chat")
            assert left == pytest.approx(1_000_000 - len(seen), abs=1)
