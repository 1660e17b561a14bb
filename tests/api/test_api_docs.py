"""The API's description: valid, whole, true of the running server; and a page that shows it without the net."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate
from ruamel.yaml import YAML

from jairouter_cli.web.v1.endpoints import ENDPOINTS
from tests.process import Served, config, serving

CONFIG = """\
server: {locale: en}
model:
  load-balance: {health-check: {enabled: false}}
  services:
    chat: {instances: [{name: "qwen2.5:7b", base-url: "http://10.0.0.7:8000"}]}
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Run a gateway."""
    with serving("--config", str(config(tmp_path_factory.mktemp("docs"), CONFIG))) as one:
        yield one


@pytest.fixture(scope="module")
def document(served: Served) -> Any:
    """Fetch the description."""
    return served.get("/v3/api-docs").json()


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield every operation."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def test_it_is_valid(document: Any, served: Served) -> None:
    """OpenAPI 3.1; the YAML says the same."""
    assert document["openapi"].startswith("3.1")
    validate(document)
    assert YAML(typ="safe", pure=True).load(served.get("/v3/api-docs.yaml").text) == document


def test_it_is_whole(document: Any) -> None:
    """Every endpoint of `/v1`; every operation has a summary, a tag, an id of its own, and examples."""
    assert {path for endpoint in ENDPOINTS for path in endpoint.paths} <= set(document["paths"])
    found = list(operations(document))
    assert len({operation["operationId"] for _, _, operation in found}) == len(found) > 70
    for method, path, operation in found:
        assert operation["summary"], path
        assert operation["tags"], path
        answered = [answer for code, answer in operation["responses"].items() if code.startswith("2")]
        assert answered, path
        for content in (content for answer in answered for content in answer.get("content", {}).values()):
            assert "example" in content or path.endswith("/audio/speech"), (method, path)
        if "requestBody" in operation:
            assert all("example" in content for content in operation["requestBody"]["content"].values()), path
        assert method != "put" or "requestBody" in operation or path.endswith("/configuration"), path
    tags = {tag for _, _, operation in found for tag in operation["tags"]}
    assert tags >= {"统一模型接口", "服务类型管理", "服务实例管理", "配置版本管理", "配置合并管理", "模型信息接口"}


def test_it_is_true(served: Served) -> None:
    """Hundreds of requests made from it, good and bad: no 5xx, no status, type or shape that it does not name."""
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        "run",
        f"{served.url}/v3/api-docs",
        "--checks",
        "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        "--exclude-path-regex",  # what backends answer is not ours to describe, and there are none here
        r"^(/api)?/v1/(?!models)|^/rerank|^/v2",
        "--phases=examples,coverage,fuzzing",
        "--max-examples=5",
        "--seed=1",
        "--no-color",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout[-6000:]
    selected = re.search(r"Tested: (\d+)", done.stdout)
    assert selected is not None
    assert int(selected[1]) > 40


def test_the_page_needs_nothing_from_the_net(served: Served) -> None:
    """All that it loads is served from here."""
    assert served.get("/swagger-ui.html").headers["location"] == "/swagger-ui/index.html"
    page = served.get("/swagger-ui/index.html")
    assert page.headers["content-type"].startswith("text/html")
    assert "http" not in page.text
    for name in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        loaded = served.get(f"/swagger-ui/{name}")
        assert loaded.is_success, name
        assert len(loaded.content) > 100
    assert served.get("/swagger-ui/secrets.yaml").status_code == 404
    assert served.get("/schema").status_code == 404, "the framework's own pages, which load from the net"


def test_the_page_begins_with_the_models(document: Any) -> None:
    """Tags have an order and a description each, and operations stand in it."""
    tags = [tag["name"] for tag in document["tags"]]
    shown = list(
        dict.fromkeys(tag for item in document["paths"].values() for one in item.values() for tag in one["tags"])
    )
    assert shown == tags
    assert all(tag["description"] for tag in document["tags"])
    assert next(iter(document["paths"])).startswith("/v1/")
    assert document["info"]["description"].startswith("Three APIs on one port")
