"""`sample-configs/`: each is loaded, served and called for real, and the wheel carries all of them."""

import json
import re
import subprocess
import sys
import zipfile
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from jairouter_cli.cli.init import Sample
from jairouter_cli.config.document import Document
from jairouter_cli.config.model import Config, ServiceType
from jairouter_cli.config.parse import parse
from tests import redis
from tests.backend import Backend, answer, backend
from tests.process import Served, run, serving

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "sample-configs"
KEYS = ("VLLM_KEY", "OPENAI_API_KEY", "GPUSTACK_API_KEY", "XINFERENCE_API_KEY")
ENVIRON = {name: f"the-{name}".lower() for name in (*KEYS, "JAIROUTER_ADMIN_TOKEN")}
FORMS = {ServiceType.STT: "audio/transcriptions", ServiceType.IMG_EDIT: "images/edits"}
PATHS = {
    ServiceType.CHAT: "chat/completions",
    ServiceType.EMBEDDING: "embeddings",
    ServiceType.RERANK: "rerank",
    ServiceType.TTS: "audio/speech",
    ServiceType.IMG_GEN: "images/generations",
}
BODY = {
    "messages": [{"role": "user", "content": "Hi"}],
    "input": "Hi",
    "query": "Hi",
    "documents": ["Hello"],
    "voice": "alloy",
    "prompt": "a cat",
}


def call(served: Served, service: ServiceType, model: str) -> httpx.Response:
    """Send a request for a model."""
    if service in FORMS:
        name = "file" if service is ServiceType.STT else "image"
        return served.post(f"/v1/{FORMS[service]}", data={"model": model, "prompt": "x"}, files={name: ("a", b"data")})
    return served.post(f"/v1/{PATHS[service]}", json={"model": model, **BODY})


def moved(text: str, stack: ExitStack, config: Config) -> tuple[str, dict[str, Backend]]:
    """Put the address of a backend of ours in the place of every address; return those backends by the old ones."""
    urls = {one.base_url for service in config.model.services.values() for one in service.instances}
    behind = {str(url): stack.enter_context(backend(answer({"choices": [], "data": []}))) for url in sorted(urls)}
    for url, running in sorted(behind.items(), reverse=True):  # a longer one first
        text = re.sub(rf"""{re.escape(url)}(?=["'\s]|$)""", running.url, text)
    return re.sub(r"delay: \d+s", "delay: 0s", text), behind  # which nobody has to wait for here


@pytest.mark.parametrize("sample", Sample)
def test_a_sample_serves_all_it_says(sample: Sample, tmp_path: Path) -> None:
    """`init` writes it; with other addresses it is served, and every model of every service responds with its key."""
    file = tmp_path / "jairouter.yaml"
    assert run("init", "--sample", sample, "--config", str(file)).returncode == 0
    config = parse(Document.load(file.read_text("utf-8"), sample), ENVIRON).config
    with ExitStack() as stack:
        environ = {**ENVIRON}
        text, behind = moved(file.read_text("utf-8"), stack, config)
        if config.state.url is not None:
            environ["REDIS_URL"] = stack.enter_context(redis.running()).url
        file.write_text(text, "utf-8")
        served = stack.enter_context(serving("--config", str(file), "--host", "127.0.0.1", env=environ))
        for service, settings in config.model.services.items():
            for model in dict.fromkeys(one.name for one in settings.instances):
                answered = call(served, service, model)
                assert answered.status_code == 200, (service, model, answered.text)
        if config.state.url is not None:
            limits = served.get("/actuator/health", headers={"x-admin-token": ENVIRON["JAIROUTER_ADMIN_TOKEN"]})
            assert limits.json()["components"]["limits"] == {"status": "UP", "details": {"redis": True, "losses": 0}}
    for url, running in behind.items():
        instances = [
            one for settings in config.model.services.values() for one in settings.instances if one.base_url == url
        ]
        keys = {f"Bearer {one.api_key.value}" if one.api_key else None for one in instances}
        assert {received.header("authorization") for received in running.requests} <= keys
        names = {one.upstream_model or one.name for one in instances}
        paths = {one.path for one in instances if one.path}
        for received in running.requests:
            path = urlsplit(received.line.split()[1]).path
            assert not paths or path in paths
            assert any(name.encode() in received.body for name in names)
    asked = sum(len(running.requests) for running in behind.values())
    models = {(kind, one.name) for kind, settings in config.model.services.items() for one in settings.instances}
    assert asked == len(models)


def test_every_sample_has_a_name_and_a_row() -> None:
    """The files of the folder, the names of `init`, and the table are the same."""
    files = {path.stem for path in FOLDER.glob("*.y*ml")}
    rows = re.findall(r"^\| \[`([\w-]+)`\]\(([\w.-]+)\)", (FOLDER / "README.md").read_text("utf-8"), re.MULTILINE)
    assert {name for name, _ in rows} == files == set(Sample)
    assert all((FOLDER / target).is_file() for _, target in rows)


def test_no_sample_holds_a_secret() -> None:
    """Keys, tokens and passwords come from the environment."""
    for path in FOLDER.glob("*.y*ml"):
        values = re.findall(r"(?:api-key|admin-token|url): (?!.?http)(\S+)", path.read_text("utf-8"))
        assert all(value.startswith("${") for value in values), path


def test_an_unknown_sample_names_the_others(tmp_path: Path) -> None:
    """And nothing is written."""
    done = run("init", "--sample", "olama", cwd=tmp_path)
    assert done.returncode == 2
    assert all(name.value in done.stderr for name in Sample)
    assert list(tmp_path.iterdir()) == []


def test_the_wheel_carries_them(tmp_path: Path) -> None:
    """So `init --sample` works where there is no checkout."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as carried:
        prefix = "jairouter_cli/config/samples/"
        held = {name.removeprefix(prefix): carried.read(name) for name in carried.namelist() if name.startswith(prefix)}
        carried.extractall(tmp_path / "apart")
    assert held == {path.name: path.read_bytes() for path in FOLDER.iterdir()}
    script = "from jairouter_cli.cli.init import *; import json; print(json.dumps({s: text_of(s) for s in Sample}))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path / "apart", check=True, capture_output=True, text=True
    )
    assert {name: len(text) for name, text in json.loads(done.stdout).items()} == {
        path.stem: len(path.read_text("utf-8")) for path in FOLDER.glob("*.y*ml")
    }
