"""Import of the Java version's store and application.yml and of LiteLLM's configuration; export to the Java version."""

# ruff: noqa: E501 - messages are compared whole

import json
import shutil
from pathlib import Path
from textwrap import dedent
from typing import Any

import httpx
import pytest

from jairouter_cli.config.java_store import united
from tests.process import config, eventually, run, serving

ROOT = Path(__file__).parent.parent
CONFIG = "server: {port: 8123} # ours\nmodel: {services: {tts: {instances: [{name: old, base-url: http://old}]}}}\n"

FIRST = {
    "adapter": "gpustack",
    "loadBalance": {"type": "random", "hashAlgorithm": "md5"},
    "rateLimit": None,
    "services": {
        "chat": {
            "adapter": None,
            "instances": [
                {"name": "a", "baseUrl": "http://a", "weight": 1, "rateLimit": None, "instanceId": "a@http://a"},
                {"name": "b", "baseUrl": "http://b/", "path": "/v1/chat/completions"},
            ],
        }
    },
}
SECOND = {
    "adapter": "normal",
    "circuitBreaker": {"enabled": True, "failureThreshold": 3, "timeout": 60000, "successThreshold": 2},
    "services": {
        "chat": {"instances": [{"name": "b", "baseUrl": "http://b", "weight": 5}, {"name": "", "baseUrl": "http://c"}]},
        "img-gen": {"instances": [{"name": "i", "baseUrl": "http://i"}]},
    },
}
LITELLM = """\
model_list:
  - model_name: gpt-4o
    litellm_params: {model: openai/gpt-4o, api_key: os.environ/OPENAI_KEY}
  - model_name: qwen
    litellm_params: {model: hosted_vllm/Qwen2.5, api_base: "http://10.0.0.1:8000/v1", weight: 3}
  - model_name: bge
    litellm_params: {model: ollama/bge-m3, api_key: sk-1}
    model_info: {mode: embedding}
litellm_settings: {drop_params: true}
"""


def stored(folder: Path, **documents: Any) -> Path:
    """Write documents of the Java version's store, by their numbers."""
    folder.mkdir(exist_ok=True)
    for number, document in documents.items():
        text = document if isinstance(document, str) else json.dumps(document)
        (folder / f"model-router-config@{number.removeprefix('n')}.json").write_text(text)
    return folder


def listed(file: Path) -> list[tuple[str, str, int]]:
    """Return the instances in a file."""
    shown = json.loads(run("instances", "list", "--json", "--config", str(file)).stdout)
    return [(one["service"], one["id"], one["weight"]) for one in shown]


def test_uniting() -> None:
    """Later wins; services and instances are united, in the order in which they came."""
    assert united([FIRST, SECOND]) == {
        "adapter": "normal",
        "loadBalance": FIRST["loadBalance"],
        "rateLimit": None,
        "circuitBreaker": SECOND["circuitBreaker"],
        "services": {
            "chat": {
                "adapter": None,
                "instances": [
                    FIRST["services"]["chat"]["instances"][0],  # type: ignore[index]
                    {"name": "b", "baseUrl": "http://b", "weight": 5},
                ],
            },
            "imgGen": {"instances": [{"name": "i", "baseUrl": "http://i"}]},
        },
    }


def test_a_store_of_the_java_version(tmp_path: Path) -> None:
    """Each version becomes a revision, the highest is in force; what is not `model` stays."""
    file = config(tmp_path, CONFIG)
    folder = stored(tmp_path / "config", n2=FIRST, n10=SECOND | {"services": {"chat": FIRST["services"]["chat"]}})  # type: ignore[index]
    done = run("config", "import", str(folder), "--config", str(file))
    assert (done.returncode, done.stdout) == (0, "imported model-router-config@10.json\n")
    assert listed(file) == [("chat", "a@http://a", 1), ("chat", "b@http://b", 1)]
    assert "port: 8123" in file.read_text()
    history = json.loads(run("config", "history", "--json", "--config", str(file)).stdout)
    assert [one["summary"] for one in reversed(history)] == [
        "initial state",
        "imported model-router-config@2.json",
        "imported model-router-config@10.json",
    ]


def test_the_java_versions_own_file(tmp_path: Path) -> None:
    """As it is, with its comments."""
    file = config(tmp_path, CONFIG)
    source = ROOT / "config" / "java-application.yml"
    assert run("config", "import", str(source), "--config", str(file)).returncode == 0
    assert file.read_text() == source.read_text()


def test_litellm(tmp_path: Path) -> None:
    """Models become instances: addresses, adapters, keys from the environment, the backend's own name."""
    file = config(tmp_path, CONFIG)
    source = config(tmp_path, LITELLM, "config.yaml")
    assert run("config", "import", str(source), "--config", str(file)).returncode == 0
    assert listed(file) == [
        ("chat", "gpt-4o@https://api.openai.com", 1),
        ("chat", "qwen@http://10.0.0.1:8000/v1", 3),
        ("embedding", "bge@http://127.0.0.1:11434", 1),
    ]
    text = file.read_text()
    assert "${OPENAI_KEY:}" in text
    assert "upstream-model: Qwen2.5" in text
    assert "adapter: ollama" in text


def imported(tmp_path: Path, text: str, **env: str) -> tuple[int, Any, list[str], str]:
    """Import a configuration of LiteLLM; return exit code, instances, what was not taken over, and the rest said."""
    file = config(tmp_path, CONFIG)
    done = run(
        "config",
        "import",
        str(config(tmp_path, dedent(text), "config.yaml")),
        "--config",
        str(file),
        "--json",
        env={**env},
    )
    if done.returncode:
        return done.returncode, file.read_text(), [], done.stderr
    shown = run("config", "show", "--json", "--secrets", "--config", str(file), env={**env}).stdout
    said = json.loads(done.stdout)
    left = said["leftOut"]
    assert done.stderr.splitlines() == [
        *(f"imported: {one}" for one in said["imported"]),
        *(f"warning: not imported: {one}" for one in left),
        *(f"warning: replaced: {one}" for one in said["replaced"]),
        "to go back: `jairouter config rollback 1`",
    ]
    assert (said["replaced"], said["notices"]) == (["model.services.tts"], [])
    return 0, json.loads(shown)["model"], left, done.stderr


def test_litellm_settings_that_there_are_here(tmp_path: Path) -> None:
    """Limits, timeouts, headers, slots, tiers, retries, other names; what comes from the environment stays there."""
    code, model, left, _ = imported(
        tmp_path,
        """\
        model_list:
          - model_name: a
            litellm_params:
              model: hosted_vllm/Qwen/Qwen2.5
              api_base: os.environ/VLLM_URL
              api_key: os.environ/VLLM_KEY
              rpm: 90
              tpm: 5000
              timeout: 30
              max_parallel_requests: 2
              max_retries: 1
              order: 2
              weight: 0
              extra_headers: {X-A: b, X-B: os.environ/B}
          - model_name: 0123
            litellm_params: {model: openai/x, api_base: "http://h/v1/chat/completions", api_key: 007}
        router_settings: {routing_strategy: least-busy, num_retries: 5, model_group_alias: {gpt-4: a}}
        """,
        VLLM_KEY="k",
        B="of-b",
    )
    assert (code, left) == (
        0,
        ["model_list[0] a: the environment variable VLLM_URL, which is not set; http://127.0.0.1:8000 is used instead"],
    )
    instances = model["services"]["chat"]["instances"]
    assert (model["loadBalance"]["type"], model["maxRetries"]) == ("least-connections", 5)
    assert [(one["name"], one["upstreamModel"], one["baseUrl"], one["apiKey"]) for one in instances] == [
        ("a", "Qwen/Qwen2.5", "http://127.0.0.1:8000", "k"),
        ("0123", "x", "http://h", "007"),
        ("gpt-4", "Qwen/Qwen2.5", "http://127.0.0.1:8000", "k"),
    ]
    first = instances[0]
    assert (first["timeout"], first["maxConcurrency"], first["maxRetries"]) == ({"total": "30s"}, 2, 1)
    assert (first["priority"], first["enabled"], first["headers"]) == (2, False, {"X-A": "b", "X-B": "of-b"})
    limit = first["rateLimit"]
    assert (limit["capacity"], limit["rate"], limit["tokensPerMinute"]) == (90, 1.5, 5000)
    assert instances[1]["path"] == "/v1/chat/completions"
    text = (tmp_path / "jairouter.yaml").read_text()
    assert "${VLLM_URL:http://127.0.0.1:8000}" in text
    assert "${B:}" in text


def test_litellm_settings_that_there_are_not(tmp_path: Path) -> None:
    """Each is named; a model that cannot be served does not keep the others away."""
    code, model, left, _ = imported(
        tmp_path,
        """\
        model_list:
          - model_name: ok
            litellm_params: {model: openai/x, api_base: "http://h/v1", stream_timeout: 5, weight: 0.5, rpm: many}
            model_info: {id: one, mode: video}
          - {model_name: bd, litellm_params: {model: bedrock/anthropic.claude, aws_region_name: us-east-1}}
          - {model_name: "*", litellm_params: {model: "openai/*", rpm: 6}}
          - {model_name: y, litellm_params: {model: nowhere/y}}
        litellm_settings: {fallbacks: [{ok: [bd]}], drop_params: true}
        router_settings: {routing_strategy: usage-based-routing-v2, model_group_alias: {gpt-4: gone}}
        general_settings: {master_key: sk-1}
        environment_variables: {A: b}
        include: [more.yaml]
        """,
    )
    assert (code, [one["name"] for one in model["services"]["chat"]["instances"]]) == (0, ["ok"])
    assert left == [
        "model_list[0] ok: model_info.mode video (imported as chat)",
        "model_list[0] ok: weight 0.5 (weights must be whole numbers)",
        "model_list[0] ok: stream_timeout, rpm, model_info.id",
        "model_list[1] bd: provider bedrock is not supported: it has an API of its own (with its settings aws_region_name)",
        "model_list[2] *: the name has a *; add each model by its own name (with its settings rpm)",
        "model_list[3] y: provider nowhere is unknown, and api_base is not set",
        "litellm_settings: fallbacks, drop_params",
        "router_settings: routing_strategy, model_group_alias.gpt-4 (no model gone)",
        "general_settings: master_key (clients of /v1 need no key: keep the gateway on 127.0.0.1 or behind a proxy)",
        "environment_variables: A",
        "include: all of it",
    ]


def test_litellm_without_a_model_for_us(tmp_path: Path) -> None:
    """The file stays as it was, rather than with nothing in it."""
    text = "model_list:\n  - {model_name: bd, litellm_params: {model: bedrock/x, rpm: 1}}\n"
    code, after, _, said = imported(tmp_path, text)
    assert (code, after) == (1, CONFIG)
    assert "none of its models can be imported" in said
    assert (
        "model_list[0] bd: provider bedrock is not supported: it has an API of its own (with its settings rpm)" in said
    )


def test_what_was_imported_is_listed(tmp_path: Path) -> None:
    """Models with their instances, and settings with the keys that they became."""
    text = (
        LITELLM
        + "router_settings: {num_retries: 1, routing_strategy: least-busy, model_group_alias: {gpt-4: gpt-4o}}\n"
    )
    done = run(
        "config", "import", str(config(tmp_path, text, "config.yaml")), "--config", str(tmp_path / "new.yaml"), "--json"
    )
    assert json.loads(done.stdout)["imported"] == [
        "model_list[0] gpt-4o as chat gpt-4o@https://api.openai.com",
        "model_list[1] qwen as chat qwen@http://10.0.0.1:8000/v1",
        "model_list[2] bge as embedding bge@http://127.0.0.1:11434",
        "router_settings.num_retries as model.max-retries",
        "router_settings.routing_strategy as model.load-balance.type least-connections",
        "router_settings.model_group_alias as instances of the same backends",
    ]


def test_a_missing_file_is_created(tmp_path: Path) -> None:
    """With what `init` writes around it; and not for a source that cannot be imported."""
    file, source = tmp_path / "new.yaml", config(tmp_path, LITELLM, "config.yaml")
    bad = config(tmp_path, "services: {web: {image: nginx}}\n", "compose.yaml")
    assert run("config", "import", str(bad), "--config", str(file)).returncode == 1
    assert not file.exists()
    done = run("config", "import", str(source), "--config", str(file))
    assert (done.returncode, done.stdout, done.stderr.splitlines()[0]) == (
        0,
        "imported config.yaml\n",
        f"created {file}",
    )
    assert "replaced" not in done.stderr
    assert len(listed(file)) == 3
    assert "circuit-breaker:\n    enabled: true # stops" in file.read_text()


OURS = """\
model:
  # how an instance is chosen
  load-balance: {type: latency, health-check: {interval: 7s}}
  circuit-breaker: {enabled: true} # mine
  services:
    chat: # these go
      instances:
        - {name: qwen, base-url: "http://10.0.0.1:8000/v1"}
        - {name: old, base-url: "http://old", api-key: sk-secret}
"""


def test_what_litellm_does_not_say_stays(tmp_path: Path) -> None:
    """The services are replaced, and that is said; other settings of the section keep their values and comments."""
    file = config(tmp_path, OURS)
    source = config(tmp_path, LITELLM + "router_settings: {routing_strategy: least-busy}\n", "config.yaml")
    done = run("config", "import", str(source), "--config", str(file))
    assert [line for line in done.stderr.splitlines() if "replaced" in line] == [
        "warning: replaced: model.load-balance.type",
        "warning: replaced: model.services.chat.instances: old@http://old",
    ]
    text = file.read_text()
    assert (
        "  # how an instance is chosen\n  load-balance: {type: least-connections, health-check: {interval: 7s}}" in text
    )
    assert "  circuit-breaker: {enabled: true} # mine\n" in text
    assert run("config", "rollback", "1", "--config", str(file)).returncode == 0
    assert file.read_text() == OURS


def test_what_the_java_versions_file_replaces_is_listed(tmp_path: Path) -> None:
    """By key, without values: they may be secrets."""
    file = config(tmp_path, OURS + "server: {port: 1, admin-token: sk-secret}\n")
    source = config(tmp_path, "server: {port: 2}\nmodel: {services: {}}\n", "application.yml")
    done = run("config", "import", str(source), "--config", str(file))
    assert done.stderr.splitlines() == [
        "imported: server",
        "imported: model",
        "warning: replaced: model.load-balance",
        "warning: replaced: model.circuit-breaker",
        "warning: replaced: model.services.chat",
        "warning: replaced: server.port",
        "warning: replaced: server.admin-token",
        "warning: replaced: lines with comments: 1",
        "to go back: `jairouter config rollback 1`",
        "warning: server.port takes effect when the gateway is restarted",
    ]


def test_a_model_that_is_wrong_is_named_and_the_others_are_imported(tmp_path: Path) -> None:
    """By its place in the source, not in a file that does not exist yet."""
    code, model, left, _ = imported(
        tmp_path,
        """\
        model_list:
          - {model_name: a, litellm_params: {model: openai/x, api_base: "localhost:11434"}}
          - {model_name: b, litellm_params: {model: openai/x, api_base: "http://b", api_key: "with space"}}
          - {model_name: c, litellm_params: {model: openai/x, api_base: "http://c"}}
        """,
    )
    assert (code, [one["name"] for one in model["services"]["chat"]["instances"]]) == (0, ["c"])
    assert left == [
        "model_list[0] a: base-url: expected an http:// or https:// URL; did you mean http://localhost:11434?, found 'localhost:11434'",
        "model_list[1] b: api-key: expected a key of printable ASCII characters without spaces, found a value",
    ]


def test_llama_swap(tmp_path: Path) -> None:
    """Models with a fixed address become instances, under their aliases as well; what starts them is left out."""
    code, model, left, _ = imported(
        tmp_path,
        """\
        healthCheckTimeout: 90
        models:
          qwen:
            cmd: llama-server --port 9999 -m q.gguf
            proxy: http://127.0.0.1:9999/
            aliases: [gpt-4o-mini]
            checkEndpoint: /health
            useModelName: "qwen:q4"
            concurrencyLimit: 4
            ttl: 60
          plain: {proxy: "http://127.0.0.1:9998", checkEndpoint: none}
          moving: {cmd: "llama-server --port ${PORT}"}
          wrong: {proxy: "127.0.0.1:1"}
        groups: {a: {members: [qwen]}}
        """,
    )
    instances = model["services"]["chat"]["instances"]
    assert code == 0
    assert [(one["name"], one.get("upstreamModel"), one["baseUrl"]) for one in instances] == [
        ("qwen", "qwen:q4", "http://127.0.0.1:9999"),
        ("gpt-4o-mini", "qwen:q4", "http://127.0.0.1:9999"),
        ("plain", None, "http://127.0.0.1:9998"),
    ]
    assert (instances[0]["healthPath"], instances[0]["maxConcurrency"]) == ("/health", 4)
    assert left == [
        "models.qwen: cmd, ttl",
        "models.plain: checkEndpoint",
        "models.moving: its proxy address is not fixed; use llama-swap's own address as base-url",
        "models.wrong: base-url: expected an http:// or https:// URL; did you mean http://127.0.0.1:1?, found '127.0.0.1:1'",
        "healthCheckTimeout: all of it",
        "groups: all of it",
    ]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.yaml", "services: {web: {image: nginx}}", "it is no configuration that can be imported"),
        ("x.yaml", "discovery: {static: {endpoints: []}}", "docs/migrate.md"),
        ("x.yaml", "model_list: []", "it has no models"),
        ("x.yaml", "models: {a: {cmd: x}}", "models.a: its proxy address is not fixed"),
        ("x.json", '{"name": "pkg", "version": "1"}', "it is no configuration that can be imported"),
        ("x.json", "{", "cannot read"),
        ("x.json", "[]", "it is not a JSON object"),
        ("x.yaml", "a: [", "not valid YAML"),
        ("x.json", '{"services": {"chat": {"instances": [{"name": "a"}]}}}', "expected a value for base-url"),
        ("empty", None, "it has no model-router-config@N.json"),
        ("missing.yaml", "", "No such file"),
    ],
)
def test_what_cannot_be_imported(tmp_path: Path, name: str, text: str | None, said: str) -> None:
    """Says why, and leaves the file as it was."""
    file, source = config(tmp_path, CONFIG), tmp_path / name
    if text is None:
        source.mkdir()
    elif text:
        source.write_text(text)
    done = run("config", "import", str(source), "--config", str(file))
    assert done.returncode in {1, 2}
    assert said in done.stderr
    assert file.read_text() == CONFIG


def test_what_is_exported_can_be_imported(tmp_path: Path) -> None:
    """Keys and all, for every revision if that is wanted."""
    file = config(tmp_path, CONFIG)
    where = ("--config", str(file))
    run("instances", "add", "chat", "m", "http://h", "--api-key", "s3cret", *where)
    done = run("config", "export", str(tmp_path / "out"), "--all", *where)
    assert [Path(line).name for line in done.stdout.splitlines()] == [f"model-router-config@{n}.json" for n in (1, 2)]
    other = config(tmp_path, "", "other.yaml")
    run("config", "import", str(tmp_path / "out"), "--config", str(other))
    assert listed(other) == listed(file)
    assert "s3cret" in other.read_text()


def test_merging_over_the_api(tmp_path: Path) -> None:
    """Every route of it, in a folder that `store.path` names."""
    file = config(tmp_path, CONFIG + "store: {path: kept}\n")
    with serving("--config", str(file)) as served:

        def ask(method: str, path: str) -> tuple[int, str, Any]:
            answer = httpx.request(method, f"{served.url}/api/config/merge/{path}", trust_env=False, timeout=20)
            body = answer.json()
            return answer.status_code, body["message"], body.get("data")

        assert ask("GET", "scan") == (200, "扫描完成，找到 0 个版本配置文件", {})
        assert ask("GET", "preview")[:2] == (400, "预览生成失败: 未找到任何版本配置文件")
        assert ask("POST", "execute")[:2] == (400, "未找到任何版本配置文件")
        assert ask("POST", "backup")[:2] == (400, "未找到任何需要备份的配置文件")
        assert ask("POST", "batch")[:2] == (400, "批量操作失败：备份阶段失败 - 未找到任何需要备份的配置文件")
        assert ask("GET", "statistics")[2] == {
            "totalVersionFiles": 0,
            "previewAvailable": False,
            "configDirectory": "kept",
        }
        folder = stored(tmp_path / "kept", n7="{")
        assert ask("POST", "execute")[:2] == (400, "没有成功读取任何配置文件")
        shutil.rmtree(folder)
        stored(folder, n1=FIRST, n2=SECOND, n3="{", n4={"services": {"chat": {"instances": 5}}})
        names = {str(n): f"kept/model-router-config@{n}.json" for n in (1, 2, 3, 4)}
        assert ask("GET", "scan") == (200, "扫描完成，找到 4 个版本配置文件", names)
        status, message, judged = ask("GET", "validate")
        assert (status, message) == (200, "验证完成，共 4 个文件")
        assert (judged["totalFiles"], judged["validFiles"], judged["invalidFiles"]) == (4, 1, 3)
        assert judged["details"]["4"]["errors"] == ["services.chat.instances: expected a list, found 5"]
        expected = "model.services.chat.instances: expected a list, found 5"
        assert ask("POST", "execute")[:2] == (400, f"自动合并过程中发生错误: {expected}")
        assert ask("POST", "batch")[:2] == (
            400,
            f"批量操作失败：合并阶段失败 - 自动合并过程中发生错误: {expected}",
        )
        shutil.rmtree(next(path for path in folder.iterdir() if path.is_dir()))
        (folder / "model-router-config@4.json").unlink()
        assert ask("GET", "status")[2]["availableVersionFiles"] == 3
        assert ask("GET", "statistics")[2]["newestVersion"] == 3
        assert ask("GET", "preview")[2]["totalFiles"] == 2
        assert ask("DELETE", "cleanup") == (200, "成功清理 0 个配置文件", ask("DELETE", "cleanup")[2])
        status, message, done = ask("POST", "batch?deleteOriginals=true")
        assert (status, message) == (200, "批量操作完成")
        assert {name: stage["executed"] for name, stage in done.items()} == {
            "backup": True,
            "merge": True,
            "cleanup": True,
        }
        assert done["merge"]["result"]["message"] == "成功合并 2 个配置文件，重置版本为1"
        assert len(done["merge"]["result"]["errors"]) == 1
        assert sorted(path.name for path in folder.iterdir() if path.is_file()) == ["model-router-config@1.json"]
        (backup,) = (path for path in folder.iterdir() if path.is_dir())
        assert len(list(backup.iterdir())) == 3
        assert listed(file) == [("chat", "a@http://a", 1), ("chat", "b@http://b", 5), ("imgGen", "i@http://i", 1)]
        eventually(lambda: {m["id"] for m in served.get("/v1/models").json()["data"]} == {"a", "b", "i"})
        assert ask("POST", "execute")[:2] == (200, "成功合并 1 个配置文件，重置版本为1")
        assert ask("DELETE", "cleanup?deleteOriginals=true")[:2] == (200, "成功清理 1 个配置文件")
