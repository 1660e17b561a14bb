"""`/actuator` from outside: every route with its status, type and shape; nothing made up."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain_text

from jairouter_cli.config.document import Document
from jairouter_cli.config.management import Management
from jairouter_cli.config.parse import parse
from jairouter_cli.form import form
from jairouter_cli.web.actuator.meters import DOCUMENTED
from tests.backend import Backend, answer, backend
from tests.process import Served, config, eventually, serving

ROOT = Path(__file__).parent.parent.parent
V3 = "application/vnd.spring-boot.actuator.v3+json"
V2 = "application/vnd.spring-boot.actuator.v2+json"
TOKEN = "marker-of-the-admin"
OPERATOR = {"x-admin-token": TOKEN}
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
SHOWN = """\
management:
  endpoint: {env: {show-values: always}, configprops: {show-values: always}}
  metrics: {tags: {application: jairouter, a.b: c}}
"""


def text(url: str, more: str = "") -> str:
    """Return a configuration with one instance, a limit, a breaker, and secrets of every kind."""
    return f"""\
server: {{locale: en, admin-token: {TOKEN}, trusted-proxies: 127.0.0.1}}
monitoring: {{metrics: {{custom-tags: {{version: "1"}}}}}}
tracing: {{headers: {{x-sender: marker-of-tracing}}}}
unknown: {{bearer: marker-of-nobody, deep: [marker-of-a-list]}}
model:
  load-balance: {{health-check: {{enabled: false}}}}
  circuit-breaker: {{enabled: true}}
  services:
    chat:
      rate-limit: {{enabled: true, capacity: 1000, rate: 1000}}
      instances:
        - name: m
          base-url: {url}
          api-key: ${{MARKED}}
          headers: {{x-team: marker-of-a-header}}
          secret-handshake: marker-of-a-hand
    tts: {{instances: []}}
{more}"""


@pytest.fixture(scope="module")
def behind() -> Iterator[Backend]:
    """Run a backend."""
    with backend(answer({"id": "x"})) as one:
        yield one


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, behind: Backend) -> Iterator[Served]:
    """Run a gateway that shows all it may, and has answered three requests."""
    file = config(tmp_path_factory.mktemp("actuator"), text(behind.url, SHOWN))
    environ = {"MARKED": "marker-of-the-environment", "JAIROUTER_TEST_PASSWORD": "marker-of-ours"}
    with serving("--config", str(file), env=environ) as one:
        for _ in range(3):
            assert one.post("/v1/chat/completions", json=CHAT).status_code == 200
        eventually(lambda: one.get("/actuator/info").json()["config"], 20)  # the revision has been noted
        yield one


def actuator(served: Served, path: str = "", **options: Any) -> Any:
    """Return what is answered with 200, in the newest of Spring's types."""
    found = served.get(f"/actuator{path}", headers=OPERATOR, **options)
    assert (found.status_code, found.headers["content-type"]) == (200, V3), path
    return found.json()


# --- conventions ---


@pytest.mark.parametrize(
    ("accept", "given"),
    [
        ("*/*", V3),
        (V2, V2),
        (f"{V3},{V2},application/json", V3),
        (f"{V2}, application/json", V2),
        ("application/json", "application/json"),
        ("application/json, text/plain, */*", "application/json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", V3),
        ("nonsense;;q", V3),
    ],
)
def test_types(served: Served, accept: str, given: str) -> None:
    """What the client wants most of the three."""
    assert served.get("/actuator/info", headers={"accept": accept}).headers["content-type"] == given


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/nothing", 404, None),
        ("GET", "/beans", 404, None),
        ("GET", "/heapdump", 404, None),
        ("POST", "/beans", 404, None),
        ("GET", "/", 404, None),
        ("GET", "/info/", 404, None),
        ("GET", "/info/x", 404, None),
        ("GET", "/health/nothing", 404, None),
        ("GET", "/health/ping/deeper", 404, None),
        ("GET", "/health/liveness/deeper", 404, None),
        ("GET", "/health/modelRouter/rerank", 404, None),
        ("GET", "/metrics/nothing", 404, None),
        ("GET", "/metrics/jvm.memory.used", 404, None),
        ("GET", "/metrics/jairouter.requests.total?tag=service:nothing", 404, None),
        ("GET", "/metrics/jairouter.requests.total?tag=service", 400, None),
        ("GET", "/metrics/jairouter.requests.total?tag=:chat", 400, None),
        ("GET", "/env/no.such.key", 404, None),
        ("GET", "/env?pattern=%28", 400, None),
        ("GET", "/configprops/nothing", 404, None),
        ("GET", "/loggers/no.such.logger", 404, None),
        ("HEAD", "/health/nothing", 404, None),
        ("POST", "/health", 405, "GET, HEAD, OPTIONS"),
        ("POST", "/info", 405, "GET, OPTIONS"),
        ("DELETE", "/loggers/ROOT", 405, "GET, OPTIONS, POST"),
        ("PUT", "/jairouter-metrics/sampling", 405, "GET, OPTIONS, POST"),
        ("GET", "/jairouter-metrics/nothing", 404, None),
    ],
)
def test_refusals_have_no_body(served: Served, method: str, path: str, status: int, allow: str | None) -> None:
    """Unknown: 404; another method: 405 with those that there are; a bad parameter: 400."""
    found = httpx.request(method, f"{served.url}/actuator{path}", headers=OPERATOR, trust_env=False)
    assert (found.status_code, found.content, found.headers.get("allow")) == (status, b"", allow)


def test_links(served: Served) -> None:
    """Exactly those of Spring, from where the client came in; a trusted proxy may say where that is."""
    suffixes = {
        "self": "",
        "health": "/health",
        "health-path": "/health/{*path}",
        "info": "/info",
        "metrics": "/metrics",
        "metrics-requiredMetricName": "/metrics/{requiredMetricName}",
        "prometheus": "/prometheus",
        "env": "/env",
        "env-toMatch": "/env/{toMatch}",
        "configprops": "/configprops",
        "configprops-prefix": "/configprops/{prefix}",
        "loggers": "/loggers",
        "loggers-name": "/loggers/{name}",
    }

    def links(base: str, headers: dict[str, str]) -> None:
        expected = {
            name: {"href": f"{base}/actuator{rest}", "templated": "{" in rest} for name, rest in suffixes.items()
        }
        assert served.get("/actuator", headers=headers).json() == {"_links": expected}

    links(served.url, {})
    links("http://gw.example:81", {"host": "gw.example:81"})
    forwarded = {"x-forwarded-proto": "https", "x-forwarded-host": "gw.example", "x-forwarded-for": "192.0.2.1"}
    links("https://gw.example", {**forwarded, "x-forwarded-port": "443"})
    links("https://gw.example:8443/ai", {**forwarded, "x-forwarded-port": "8443", "x-forwarded-prefix": "/ai/"})
    links("https://gw.example", {"forwarded": 'for=192.0.2.1;proto=https;host="gw.example", for=10.0.0.1'})


# --- health ---


def test_health(served: Served, behind: Backend) -> None:
    """Every component with the documented details; times and sizes are looked at one by one."""
    eventually(lambda: "workers" in actuator(served, "/health")["components"])  # their parent tells a moment later
    node = actuator(served, "/health")
    disk = node["components"].pop("diskSpace")
    assert disk["status"] == "UP"
    assert disk["details"] == {
        "total": disk["details"]["total"],
        "free": disk["details"]["free"],
        "threshold": 10485760,
        "path": str(Path(served.announced["config"]).parent),
        "exists": True,
    }
    assert disk["details"]["total"] > disk["details"]["free"] > 10485760
    router = node["components"].pop("modelRouter")
    (instance,) = router["details"]["services"]["chat"]["instances"]
    assert instance.pop("responseTime") > 0
    name = f"m@{behind.url}"
    assert instance == {
        "id": name,
        "model": "m",
        "url": behind.url,
        "status": "UNKNOWN",
        "inFlight": 0,
        "circuitBreaker": "CLOSED",
    }
    assert router == {
        "status": "UP",
        "details": {
            "totalInstances": 1,
            "activeInstances": 1,
            "circuitBreakerStatus": "CLOSED",
            "inFlight": 0,
            "servicesWithoutInstance": ["tts"],
            "services": {
                "chat": {"totalInstances": 1, "healthyInstances": 1, "instances": [instance]},
                "tts": {"totalInstances": 0, "healthyInstances": 0, "instances": []},
            },
        },
    }
    up = {"status": "UP"}
    config = node["components"]["config"]["details"]
    assert (Path(config.pop("file")).name, len(config.pop("digest"))) == ("jairouter.yaml", 64)
    assert node["components"].pop("workers") == {"status": "UP", "details": {"states": ["up"], "restarts": 0}}
    assert node == {
        "status": "UP",
        "components": {
            "config": {"status": "UP", "details": {"revision": 1}},
            "livenessState": up,
            "ping": up,
            "readinessState": up,
        },
        "groups": ["liveness", "readiness"],
    }
    assert actuator(served, "/health/ping") == up
    assert actuator(served, "/health/liveness") == {"status": "UP", "components": {"livenessState": up}}
    assert actuator(served, "/health/readiness") == {"status": "UP", "components": {"readinessState": up}}
    assert actuator(served, "/health/modelRouter")["details"].keys() == router["details"].keys()
    assert actuator(served, "/health/modelRouter/chat")["details"]["totalInstances"] == 1
    assert actuator(served, f"/health/modelRouter/chat/{name}")["details"]["id"] == name
    assert actuator(served, "/health/modelRouter/tts")["status"] == "UNKNOWN"
    detailed = actuator(served, "/health/detailed")["components"]["modelRouter"]["details"]["services"]["chat"]
    assert (detailed["totalInstances"], detailed["healthyInstances"]) == (1, 1)


def test_down_is_503_and_liveness_is_not(tmp_path: Path) -> None:
    """Without a backend the router is DOWN; the gateway lives, and is ready to say so."""
    file = config(tmp_path, text("http://127.0.0.1:1").replace("health-check: {enabled: false}", "type: random"))
    with serving("--config", str(file), env={"MARKED": "k"}) as one:
        eventually(lambda: one.get("/actuator/health").status_code == 503)
        assert one.get("/actuator/health").json()["status"] == "DOWN"
        codes = {
            path: one.get(f"/actuator/health/{path}").status_code
            for path in ("modelRouter", "modelRouter/chat", "detailed", "liveness", "readiness", "ping")
        }
        assert {path: one.request("HEAD", f"/actuator/health/{path}").status_code for path in codes} == codes
        assert one.request("HEAD", "/actuator/health").status_code == 503
        assert codes == {
            "modelRouter": 503,
            "modelRouter/chat": 503,
            "detailed": 503,
            "liveness": 200,
            "readiness": 200,
            "ping": 200,
        }


# --- info ---


def test_info(served: Served) -> None:
    """What runs here, and no Java."""
    info = actuator(served, "/info")
    assert info.keys() - {"git"} == {"app", "build", "python", "granian", "workers", "config"}
    assert info["app"]["name"] == "JAiRouter"
    version = info["app"]["version"]
    assert info["build"] == {"artifact": "jairouter", "name": "jairouter", "version": version, "form": form()}
    (pid,) = info["workers"]["pids"]
    assert Path(f"/proc/{pid}").exists()
    assert (info["workers"]["count"], info["config"]["revision"]) == (1, 1)
    if "git" in info:
        assert re.fullmatch("[0-9a-f]{40}", info["git"]["commit"]["id"])


# --- metrics ---


def test_the_names_of_metrics(served: Served) -> None:
    """Sorted, each of them answers; documented ones are there in both families, Spring's own, and none of Java's."""
    names = actuator(served, "/metrics")["names"]
    assert names == sorted(set(names))
    with served.client() as client:
        for name in names:
            node = client.get(f"/actuator/metrics/{name}").json()
            assert node["name"] == name
            assert node["measurements"], name
    assert set(DOCUMENTED) - set(names) == {"jairouter.instance.health.status"}, "nobody looked at the instance"
    assert set(names) >= {
        *("model.router.requests.total", "model.router.request.duration", "model.router.circuit.breaker.state"),
        *("model.router.rate.limit.remaining", "model.router.load.balancer.weight", "jairouter.requests.total"),
        *("jairouter.request.duration", "jairouter.circuitbreaker.state", "http.server.requests"),
        *("http.client.requests", "process.cpu.usage", "process.cpu.time", "process.uptime", "process.start.time"),
        *("process.files.open", "process.files.max", "system.cpu.count", "system.cpu.usage"),
        *("system.load.average.1m", "disk.free", "disk.total", "process.memory.rss", "process.memory.vms"),
        *("process.threads", "python.info", "python.gc.collections", "python.gc.objects.collected"),
    }
    assert not [name for name in names if name.startswith(("jvm", "executor", "logback", "tomcat"))]


def numbers(served: Served, name: str, *tags: str) -> dict[str, float]:
    """Return the measurements of a metric."""
    node = actuator(served, f"/metrics/{name}", params={"tag": tags})
    return {one["statistic"]: one["value"] for one in node["measurements"]}


def test_a_metric(served: Served, behind: Backend) -> None:
    """Counters, histograms of times and sizes, gauges; tags narrow down, and are left out then."""
    chat = {"tag": "service:chat"}
    node = actuator(served, "/metrics/jairouter.requests.total", params=chat)
    assert node["measurements"] == [{"statistic": "COUNT", "value": 3.0}]
    assert node["availableTags"] == [
        {"tag": "a_b", "values": ["c"]},
        {"tag": "application", "values": ["jairouter"]},
        {"tag": "method", "values": ["POST"]},
        {"tag": "status", "values": ["200"]},
        {"tag": "version", "values": ["1"]},
    ]
    two = {"tag": ["service:chat", "application:jairouter"]}
    narrow = actuator(served, "/metrics/jairouter_requests_total", params=two)
    assert narrow["measurements"] == node["measurements"]
    assert [one["tag"] for one in narrow["availableTags"]] == ["a_b", "method", "status", "version"]
    every = actuator(served, "/metrics/jairouter.requests.total")
    assert {"tag": "service", "values": ["chat", "v1"]} in every["availableTags"], "the list of models was asked for"
    duration = actuator(served, "/metrics/jairouter.request.duration", params=chat)
    assert (duration["baseUnit"], [one["statistic"] for one in duration["measurements"]]) == (
        "seconds",
        ["COUNT", "TOTAL_TIME", "MAX"],
    )
    count, total, largest = (one["value"] for one in duration["measurements"])
    assert count == 3
    assert total >= largest > 0
    size = actuator(served, "/metrics/jairouter.request.size")
    assert (size["baseUnit"], [one["statistic"] for one in size["measurements"]]) == (
        "bytes",
        ["COUNT", "TOTAL", "MAX"],
    )
    assert numbers(served, "jairouter.circuitbreaker.state") == {"VALUE": 0}
    assert numbers(served, "model.router.requests.total", f"instance:m@{behind.url}") == {"COUNT": 3}
    assert numbers(served, "model.router.load.balancer.weight") == {"VALUE": 1}
    assert numbers(served, "jairouter.ratelimit.rejected.total") == {"COUNT": 0}
    assert numbers(served, "jairouter.ratelimit.requests.total") == {"COUNT": 3}
    client = numbers(served, "http.client.requests", f"client_name:{behind.url.removeprefix('http://')}")
    assert client["COUNT"] == 3
    assert numbers(served, "http.server.requests", "uri:/v1/chat/completions")["COUNT"] == 3


def test_numbers_of_processes_mean_something(served: Served) -> None:
    """Not sums of what cannot be added: the server began once, and it is not older than this test."""
    uptime, start = numbers(served, "process.uptime")["VALUE"], numbers(served, "process.start.time")["VALUE"]
    now = float(Path("/proc/uptime").read_text().split()[0])
    assert 0 < uptime < now
    assert start > 1e9
    assert 0 <= numbers(served, "process.cpu.usage")["VALUE"] <= 1
    assert 0 <= numbers(served, "system.cpu.usage")["VALUE"] <= 1
    assert numbers(served, "system.cpu.count") == {"VALUE": os.cpu_count()}
    assert numbers(served, "process.cpu.time")["COUNT"] > 1e6, "nanoseconds"
    assert actuator(served, "/metrics/process.cpu.time")["baseUnit"] == "ns"


def test_prometheus(served: Served) -> None:
    """Both formats are valid, carry the common labels, and can be narrowed down to names."""
    found = served.get("/actuator/prometheus")
    assert found.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family for family in plain_text(found.text)}
    labels = {"application": "jairouter", "a_b": "c", "version": "1"}
    for family in families.values():
        for sample in family.samples:
            assert labels.keys() <= sample.labels.keys(), sample
            assert labels.items() <= sample.labels.items() or family.name == "python_info", "it has a version itself"
    accept = {"accept": "application/openmetrics-text; version=1.0.0"}
    other = served.get("/actuator/prometheus", headers=accept)
    assert other.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert {family.name for family in openmetrics(other.text)} == set(families)  # type: ignore[no-untyped-call]
    assert found.text.endswith("\n")
    wanted = {
        "includedNames": ["jairouter_requests_total,process_uptime_seconds", "jairouter_request_duration_seconds_sum"]
    }
    few = served.get("/actuator/prometheus", params=wanted)
    assert {family.name for family in plain_text(few.text)} == {
        "jairouter_requests",
        "process_uptime_seconds",
        "jairouter_request_duration_seconds",
    }


# --- env and configprops ---


def test_env(served: Served) -> None:
    """Honest sources, the winner first; each value of the file with its line."""
    file = served.announced["config"]
    env = actuator(served, "/env")
    assert (env["activeProfiles"], env["defaultProfiles"]) == ([], ["default"])
    sources = {source["name"]: source["properties"] for source in env["propertySources"]}
    assert list(sources) == ["commandLineArgs", "systemEnvironment", f"Config resource '{file}'", "defaults"]
    assert sources["commandLineArgs"] == {
        "server.port": {"value": "0"},
        "json": {"value": "true"},
        "config": {"value": file},
    }
    assert sources["systemEnvironment"].keys() >= {"MARKED", "JAIROUTER_TEST_PASSWORD"}
    assert "PATH" not in sources["systemEnvironment"]
    assert sources[f"Config resource '{file}'"]["server.locale"] == {"value": "en", "origin": f"{file}:1"}
    one = actuator(served, "/env/server.port")
    assert one["property"] == {"source": "commandLineArgs", "value": "0"}
    assert [source["name"] for source in one["propertySources"] if "property" in source] == [
        "commandLineArgs",
        "defaults",
    ]
    assert actuator(served, "/env/monitoring.metrics.customTags.version")["property"]["value"] == "1"
    few = actuator(served, "/env", params={"pattern": r"^server\.lo"})
    assert [list(source["properties"]) for source in few["propertySources"]] == [
        [],
        [],
        ["server.locale"],
        ["server.locale"],
    ]


def test_configprops(served: Served) -> None:
    """A bean a section: what is in force, and what of it the file says, with its line."""
    file = served.announced["config"]
    beans = actuator(served, "/configprops")["contexts"]["application"]["beans"]
    assert set(beans) >= {"server", "model", "store", "webclient", "monitoring.metrics", "management"}
    (server,) = actuator(served, "/configprops/server")["contexts"]["application"]["beans"].values()
    assert server["prefix"] == "server"
    assert (server["properties"]["locale"], server["properties"]["port"]) == ("en", 0)
    assert server["inputs"]["locale"] == {"value": "en", "origin": f"{file}:1"}
    (metrics,) = actuator(served, "/configprops/monitoring.metrics")["contexts"]["application"]["beans"].values()
    assert metrics["inputs"]["custom-tags"]["version"]["value"] == "1"


def test_no_secret_is_told(served: Served) -> None:
    """Whatever `show-values` says: not a word of any of them, wherever one asks."""
    paths = ["", "/health", "/health/detailed", "/info", "/metrics", "/prometheus", "/env", "/configprops", "/loggers"]
    paths += [
        "/env/model.services.chat.instances%5B0%5D.api-key",
        "/env/MARKED",
        "/env/unknown",
        "/env/server.admin-token",
    ]
    paths += ["/configprops/model", "/configprops/tracing", "/jairouter-metrics/status"]
    for path in paths:
        found = served.get(f"/actuator{path}", headers=OPERATOR)
        assert found.status_code == 200, path
        assert "marker" not in found.text, path
    assert actuator(served, "/env/MARKED")["property"]["value"] == "******"


def test_a_bad_edit_tells_no_secret_either(tmp_path: Path, behind: Backend) -> None:
    """While the file cannot be used, what is in force is shown, as that; what stands in the file is not."""
    file = config(tmp_path, text(behind.url, SHOWN))
    with serving("--config", str(file), env={"MARKED": "marker-of-the-environment"}) as one:
        file.write_text(text(behind.url, SHOWN).replace("locale: en", "locale: marker") + "  [")
        eventually(lambda: "error" in one.get("/actuator/health/config").json().get("details", {}))
        env = actuator(one, "/env")
        assert env["propertySources"][2]["name"].endswith("it was edited since")
        assert actuator(one, "/env/server.locale")["property"]["value"] == "en"
        assert actuator(one, "/configprops/server")["contexts"]["application"]["beans"]["server"]["inputs"] == {}
        for path in ("/env", "/configprops"):
            assert "marker" not in one.get(f"/actuator{path}", headers=OPERATOR).text


def test_values_are_masked_by_default(tmp_path: Path, behind: Backend) -> None:
    """All of them, as in Spring; the keys are not."""
    with serving("--config", str(config(tmp_path, text(behind.url))), env={"MARKED": "k"}) as one:
        env = actuator(one, "/env")
        shown = {p["value"] for source in env["propertySources"] for p in source["properties"].values()}
        assert shown == {"******"}
        server = actuator(one, "/configprops/server")["contexts"]["application"]["beans"]["server"]
        assert server["properties"]["locale"] == "******"
        assert server["inputs"]["locale"]["value"] == "******"


@pytest.mark.parametrize("path", ["/env", "/env/server.port", "/configprops", "/configprops/server"])
def test_the_configuration_is_for_operators(served: Served, path: str) -> None:
    """As the management API is."""
    assert served.get(f"/actuator{path}").status_code == 401
    assert served.get(f"/actuator{path}", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_the_defaults_in_the_documents_are_the_programs() -> None:
    """The settings on the page are what holds without them."""
    page = (ROOT / "docs" / "observability.md").read_text("utf-8")
    (shown,) = re.findall(r"^```yaml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    read = parse(Document.load(shown, "the page")).config.management
    loggers = msgspec.structs.replace(read.endpoint.loggers, access=None)
    endpoint = msgspec.structs.replace(read.endpoint, loggers=loggers)
    assert msgspec.structs.replace(read, endpoint=endpoint) == Management()


# --- what Spring Boot Admin asks ---


def test_the_calls_of_spring_boot_admin(served: Served) -> None:
    """Its own headers; a level is set and taken back."""
    asks = {"accept": f"{V3}, {V2}, application/json", **OPERATOR}
    for path in ("", "/health", "/info", "/env", "/loggers", "/metrics", "/metrics/process.uptime", "/configprops"):
        assert served.get(f"/actuator{path}", headers=asks).status_code == 200, path
    uptime = served.get(
        "/actuator/metrics/http.server.requests", headers=asks, params={"tag": "uri:/v1/chat/completions"}
    )
    assert uptime.json()["measurements"][0] == {"statistic": "COUNT", "value": 3.0}
    for kind in (V3, V2, "application/json"):
        for body in ({"configuredLevel": "DEBUG"}, {"configuredLevel": None}, {}):
            said = served.post(
                "/actuator/loggers/jairouter.some", headers={**OPERATOR, "content-type": kind}, content=json.dumps(body)
            )
            assert (said.status_code, said.content) == (204, b"")


def level(served: Served, name: str) -> Any:
    """Return the levels of a logger."""
    return actuator(served, f"/loggers/{name}")


def tell(served: Served, name: str, body: str) -> int:
    """Tell a logger something."""
    return served.post(f"/actuator/loggers/{name}", headers={**OPERATOR, "content-type": V3}, content=body).status_code


def test_loggers(served: Served) -> None:
    """Read, set, cleared; groups; the Java version's name for ours; bad ones refused; for operators."""
    everything = actuator(served, "/loggers")
    assert everything["levels"] == ["OFF", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"]
    assert everything["loggers"]["ROOT"] == {"configuredLevel": "INFO", "effectiveLevel": "INFO"}
    assert "jairouter" in everything["loggers"]
    assert tell(served, "org.unreal.modelrouter", '{"configuredLevel": "debug"}') == 204
    assert level(served, "jairouter") == {"configuredLevel": "DEBUG", "effectiveLevel": "DEBUG"}
    assert level(served, "org.unreal.modelrouter") == level(served, "jairouter")
    assert level(served, "jairouter.access") == {"effectiveLevel": "DEBUG"}
    assert tell(served, "jairouter", '{"configuredLevel": null}') == 204
    assert level(served, "jairouter") == {"effectiveLevel": "INFO"}
    assert tell(served, "web", '{"configuredLevel": "ERROR"}') == 204
    assert level(served, "web") == {"configuredLevel": "ERROR", "members": ["_granian", "jairouter.access"]}
    assert level(served, "_granian")["configuredLevel"] == "ERROR"
    assert tell(served, "web", "{}") == 204
    for bad in ('{"configuredLevel": "LOUD"}', '{"configuredLevel": 1}', "[]", "{", '"DEBUG"'):
        assert tell(served, "ROOT", bad) == 400, bad
    assert tell(served, "a%20b", '{"configuredLevel": "INFO"}') == 400
    assert served.post("/actuator/loggers/ROOT", json={"configuredLevel": "DEBUG"}).status_code == 401


def test_all_workers_follow_a_level(tmp_path: Path, behind: Backend) -> None:
    """Two of them: whichever is asked afterwards has it, and says it in the log."""
    log = tmp_path / "log"
    file = config(tmp_path, text(behind.url))
    with serving("--config", str(file), "--workers", "2", env={"MARKED": "k"}, stderr=log) as one:
        eventually(lambda: len(actuator(one, "/info")["workers"]["pids"]) == 2)
        for wanted in ("TRACE", "WARN"):
            assert tell(one, "jairouter", json.dumps({"configuredLevel": wanted})) == 204
            for _ in range(20):  # connections are spread over the workers
                eventually(lambda to=wanted: level(one, "jairouter")["effectiveLevel"] == to)  # type: ignore[misc]


# --- settings ---


@pytest.mark.parametrize(
    ("settings", "there", "not_there"),
    [
        ("endpoints: {web: {exposure: {include: 'health,info'}}}", ["", "/health", "/info"], ["/metrics", "/env"]),
        (
            "endpoints: {web: {exposure: {include: '*', exclude: env}}}",
            ["/health", "/loggers", "/jairouter-metrics/status"],
            ["/env", "/env/x"],
        ),
        ("endpoints: {web: {exposure: {exclude: '*'}}}", [""], ["/health", "/info", "/jairouter-metrics/status"]),
        ("endpoints: {web: {discovery: {enabled: false}}}", ["/health"], [""]),
        ("endpoint: {info: {enabled: false}, metrics: {access: none}}", ["/health"], ["/info", "/metrics"]),
        ("endpoint: {health: {show-details: never}}", ["/health"], ["/health/ping", "/health/detailed"]),
        (
            "endpoint: {health: {show-details: never, show-components: always}}",
            ["/health/ping", "/health/liveness"],
            ["/health/detailed"],
        ),
    ],
)
def test_settings_hold_at_once(
    changing: tuple[Served, Path], behind: Backend, settings: str, there: list[str], not_there: list[str]
) -> None:
    """An edit of the file is enough."""
    served, file = changing
    config(file.parent, text(behind.url, f"management: {{{settings}}}\n"))

    def holds() -> bool:
        codes = {path: served.get(f"/actuator{path}", headers=OPERATOR).status_code for path in [*there, *not_there]}
        return codes == {**dict.fromkeys(there, 200), **dict.fromkeys(not_there, 404)}

    eventually(holds)


@pytest.fixture(scope="module")
def changing(tmp_path_factory: pytest.TempPathFactory, behind: Backend) -> Iterator[tuple[Served, Path]]:
    """Run a gateway whose file is edited."""
    file = config(tmp_path_factory.mktemp("settings"), text(behind.url))
    with serving("--config", str(file), env={"MARKED": "k"}) as one:
        yield one, file


def test_who_sees_details(changing: tuple[Served, Path], behind: Backend) -> None:
    """`when-authorized` is whoever may use the management API; `never` is a status and the groups."""
    served, file = changing
    config(file.parent, text(behind.url, "management: {endpoint: {health: {show-details: when-authorized}}}\n"))
    bare = {"status": "UP", "groups": ["liveness", "readiness"]}
    eventually(lambda: served.get("/actuator/health").json() == bare)
    assert served.get("/actuator/health/ping").status_code == 404
    assert "modelRouter" in actuator(served, "/health")["components"]
    config(
        file.parent,
        text(behind.url, "management: {endpoint: {health: {show-details: never, show-components: always}}}\n"),
    )
    eventually(lambda: "components" in served.get("/actuator/health").json())
    assert {json.dumps(one) for one in served.get("/actuator/health").json()["components"].values()} == {
        '{"status": "UP"}'
    }


def test_reading_alone(changing: tuple[Served, Path], behind: Backend) -> None:
    """`read-only` takes the orders away."""
    served, file = changing
    config(file.parent, text(behind.url, "management: {endpoint: {loggers: {access: read-only}}}\n"))
    eventually(lambda: tell(served, "jairouter", "{}") == 405)
    assert served.get("/actuator/loggers").status_code == 200


# --- jairouter-metrics ---


def ours(served: Served, path: str) -> Any:
    """Return what is shown there."""
    found = served.get(f"/actuator/jairouter-metrics{path}")
    assert (found.status_code, found.headers["content-type"]) == (200, "application/json"), path
    return found.json()


def test_jairouter_metrics(served: Served) -> None:
    """The Java version's members, with what they can mean here."""
    breakers = {"state": "CLOSED", "failureCount": 0, "successCount": 3, "requestCount": 3, "failureRate": 0.0}
    status = ours(served, "/status")
    processing, memory = status.pop("processingStats"), status.pop("memoryStats")
    assert status == {
        "enabled": True,
        "prefix": "jairouter",
        "enabledCategories": ["system", "business", "infrastructure"],
        "asyncProcessingEnabled": False,
        "circuitBreakerStats": breakers,
    }
    assert processing["processedCount"] >= 3
    assert processing == {**processing, "droppedCount": 0, "queueSize": 0, "circuitBreakerState": "CLOSED"}
    assert 0 < memory["usedMemory"] < memory["maxMemory"]
    assert ours(served, "/performance").keys() == {"asyncProcessingEnabled", "processingStats", "memoryStats"}
    assert ours(served, "/memory").keys() == memory.keys()
    assert ours(served, "/circuit-breaker") == breakers
    assert ours(served, "/sampling") == {"requestMetrics": 1.0, "backendMetrics": 1.0, "infrastructureMetrics": 1.0}
    assert ours(served, "/performance-config") == {"asyncProcessing": False, "batchSize": 1, "bufferSize": 0}
    assert ours(served, "/error-handler") == {"activeErrorComponents": 0, "degradedComponents": 0, "totalErrors": 0}
    degradation = ours(served, "/degradation")
    assert re.fullmatch(r"PT[\d.]+S", degradation.pop("timeSinceLastChange"))
    assert degradation == {"level": "NONE", "samplingRate": 1.0, "autoModeEnabled": False, "errorComponentCount": 0}
    assert ours(served, "/cache-retry")["currentSize"] == 0
    assert ours(served, "/health")["status"] == "UP"


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/sampling", {"requestMetrics": 1.0}, 200, "采样配置无变化"),
        ("/sampling", {"requestMetrics": 0.5}, 501, "never thinned out"),
        ("/sampling", {"what": 1}, 400, "requestMetrics, backendMetrics"),
        ("/performance-config", {"batchSize": 1}, 200, "性能配置无变化"),
        ("/performance-config", {"asyncProcessing": True}, 501, "no buffer"),
        ("/memory/cleanup", None, 200, "内存清理完成"),
        ("/memory/clear-cache", None, 200, "缓存已清空"),
        ("/cache-retry/clear-cache", None, 200, "缓存已清空"),
        ("/circuit-breaker/open", None, 200, "熔断器已强制开启"),
        ("/circuit-breaker/close", None, 200, "熔断器已强制关闭"),
        ("/circuit-breaker/melt", None, 400, "open or close"),
        ("/error-handler/reset", None, 400, "Missing 'component' or 'operation'"),
        ("/error-handler/reset?component=x&operation=all", None, 400, "Unknown component: x"),
        ("/error-handler/reset?component=x&operation=y", None, 400, "health, breaker or all"),
        ("/degradation/level?level=none", None, 200, "正常模式"),
        ("/degradation/level?level=HEAVY", None, 501, "never degrade"),
        ("/degradation/level?level=LOUD", None, 400, "Invalid degradation level: LOUD"),
        ("/degradation/auto-mode?enabled=true", None, 501, "never degrade"),
        ("/degradation/auto-mode?enabled=false", None, 200, "已禁用"),
        ("/degradation/auto-mode", None, 400, "Missing 'enabled'"),
        ("/degradation/force-recovery", None, 200, "正常模式"),
    ],
)
def test_orders(served: Served, path: str, body: Any, status: int, said: str) -> None:
    """What can be done is done and said; what would do nothing is refused, and says why."""
    url = f"/actuator/jairouter-metrics{path}"
    assert served.post(url, json=body).status_code == 401
    done = served.post(url, json=body, headers=OPERATOR)
    assert (done.status_code, done.headers["content-type"]) == (status, "text/plain; charset=utf-8")
    assert said in done.text


def test_breakers_really_open(served: Served) -> None:
    """And close again."""
    for action, state in (("open", "OPEN"), ("close", "CLOSED")):
        assert served.post(f"/actuator/jairouter-metrics/circuit-breaker/{action}", headers=OPERATOR).status_code == 200
        assert ours(served, "/circuit-breaker")["state"] == state


def test_it_is_gone_while_metrics_are_off(changing: tuple[Served, Path], behind: Backend) -> None:
    """As in the Java version; and there are no names then."""
    served, file = changing
    off = text(behind.url).replace("metrics: {", "metrics: {enabled: false, ", 1)
    config(file.parent, off)
    eventually(lambda: served.get("/actuator/jairouter-metrics/status").status_code == 404)
    assert actuator(served, "/metrics") == {"names": []}
