"""`deploy/`: image, compose file and Kubernetes manifests, as far as they can be tried without an engine."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from ruamel.yaml import YAML

from jairouter_cli.config.document import Document
from jairouter_cli.config.model import Config
from jairouter_cli.config.parse import parse
from tests.process import JAIROUTER, PLAIN, eventually, mock
from tests.redis import running as redis

ROOT: Final = Path(__file__).parents[1]
DEPLOY: Final = ROOT / "deploy"
DOCKERFILE: Final = DEPLOY / "Dockerfile"
KUBERNETES: Final = DEPLOY / "kubernetes"
NOBODY: Final = 65534
CONFIGURATIONS: Final = (DEPLOY / "compose" / "config" / "jairouter.yaml", KUBERNETES / "jairouter.yaml")


def documents(name: str) -> list[Any]:
    """Return the documents of a YAML file of `deploy/`."""
    return list(YAML(typ="safe", pure=True).load_all((DEPLOY / name).read_text("utf-8")))


def of_kind(name: str, kind: str) -> Any:
    """Return the one manifest of a kind in a file."""
    (found,) = (one for one in documents(name) if one["kind"] == kind)
    return found


def gateway() -> Any:
    """Return the pod of the gateway."""
    return of_kind("kubernetes/gateway.yaml", "Deployment")["spec"]["template"]["spec"]


def secret() -> dict[str, str]:
    """Return what the Secret holds."""
    values: dict[str, str] = of_kind("kubernetes/secret.yaml", "Secret")["stringData"]
    return values


def configuration(file: Path) -> Config:
    """Return a configuration, with nothing in it that would be ignored."""
    parsed = parse(Document.load(file.read_text("utf-8"), str(file)), secret())
    assert parsed.notices == ()
    return parsed.config


# --- Dockerfile ---


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile, each with what follows it."""
    text = re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", DOCKERFILE.read_text("utf-8")))
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


def last(name: str) -> str:
    """Return what follows the last instruction of a name."""
    return [rest for one, rest in instructions() if one == name][-1]


def in_exec_form(text: str) -> list[str]:
    """Return the words of a command that no shell reads."""
    words: list[str] = json.loads(text)
    return words


def test_the_dockerfile_is_written_as_others_are() -> None:
    """By hadolint, which also looks at the shell in it."""
    lint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([lint, DOCKERFILE], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_runs_the_gateway_without_root_and_without_a_shell() -> None:
    """PID 1 is the gateway, which gets SIGTERM itself."""
    assert in_exec_form(last("ENTRYPOINT")) == ["jairouter"]
    assert in_exec_form(last("CMD")) == ["serve", "--host", "0.0.0.0"]
    assert last("STOPSIGNAL") == "SIGTERM"
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", last("USER"))
    assert in_exec_form(last("HEALTHCHECK").partition(" CMD ")[2])[:2] == ["jairouter", "health"]


def sent(path: str) -> bool:
    """Whether the builder gets a path: the last line of .dockerignore that matches it, or a folder of it, says so."""
    is_sent = True
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():
        pattern = line.removeprefix("!")
        parts = Path(path).parts
        folders = ["/".join(parts[: n + 1]) for n in range(len(parts))]
        if line and not line.startswith("#") and any(fnmatch(one, pattern.removeprefix("**/")) for one in folders):
            is_sent = line.startswith("!")
    return is_sent


def test_the_builder_gets_what_the_wheel_is_made_of(tmp_path: Path) -> None:
    """And nothing else: from the files that are copied, in a folder of their own, the same wheel is made."""
    copied = [rest.split()[:-1] for name, rest in instructions() if name == "COPY" and not rest.startswith("--from")]
    for name in (name for names in copied for name in names):
        assert sent(name), name
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / "context" / name, ignore=shutil.ignore_patterns("*.so", "*.pyc"))
        else:
            (tmp_path / "context").mkdir(exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / "context" / name)
    assert not any(map(sent, (".git", ".venv", "tests/process.py", "dist", "deploy/kubernetes/secret.yaml")))
    assert sent("jairouter_cli/cli/app.py")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory"]
    made = {}
    for folder, name in ((ROOT, "whole"), (tmp_path / "context", "copied")):
        subprocess.run([*command, str(tmp_path / name)], cwd=folder, check=True, capture_output=True, timeout=60)
        (wheel,) = (tmp_path / name).iterdir()
        made[name] = wheel.read_bytes()
    assert made["whole"] == made["copied"]


# --- compose and Kubernetes, read ---


@pytest.mark.parametrize("file", CONFIGURATIONS, ids=lambda file: file.parent.name)
def test_a_configuration_can_be_used_in_a_container(file: Path) -> None:
    """It listens on every address, at the port that the rest leads to, and knows each variable that it reads."""
    config = configuration(file)
    assert (config.server.host, config.server.port) == ("0.0.0.0", int(last("EXPOSE")))
    assert config.server.shutdown.timeout_s > 0
    read = set(re.findall(r"\$\{(\w+)", re.sub(r"#.*", "", file.read_text("utf-8"))))
    assert read <= set(secret())


def test_compose_waits_for_the_gateway_to_drain() -> None:
    """It mounts the folder that the image reads, with a read-only root."""
    compose = documents("compose/compose.yaml")[0]
    one = compose["services"]["gateway"]
    shutdown = configuration(CONFIGURATIONS[0]).server.shutdown
    assert int(one["stop_grace_period"].removesuffix("s")) > shutdown.delay_s + shutdown.timeout_s
    mounts = dict(volume.split(":")[1::-1] for volume in one["volumes"])
    environ = dict(re.findall(r"(\w+)=(\S+)", last("ENV")))
    assert mounts[str(Path(environ["JAIROUTER_CONFIG"]).parent)] == "./config"
    assert mounts[environ["JAIROUTER_STATE_DIR"]] == "state"
    assert one["read_only"] is True
    assert one["cap_drop"] == ["ALL"]
    assert one["ports"] == [f"127.0.0.1:8080:{last('EXPOSE')}"]
    assert (DEPLOY / "compose" / one["build"]["context"]).resolve() == ROOT
    assert ROOT / one["build"]["dockerfile"] == DOCKERFILE
    (instance,) = configuration(CONFIGURATIONS[0]).model.services["chat"].instances  # type: ignore[index]
    assert instance.base_url.startswith("http://ollama:")
    assert compose["services"]["model"]["command"] == ["pull", instance.name]


def test_the_manifests_fit_each_other_and_the_image() -> None:
    """Names, ports, labels, mounts, and the time to drain."""
    pod = gateway()
    (container,) = pod["containers"]
    shutdown = configuration(CONFIGURATIONS[1]).server.shutdown
    assert pod["terminationGracePeriodSeconds"] > shutdown.delay_s + shutdown.timeout_s
    assert shutdown.delay_s > container["readinessProbe"]["periodSeconds"] * (
        container["readinessProbe"]["failureThreshold"] + 1
    )
    assert container["ports"] == [{"name": "http", "containerPort": int(last("EXPOSE"))}]
    environ = dict(re.findall(r"(\w+)=(\S+)", last("ENV")))
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert set(mounts) == {str(Path(environ["JAIROUTER_CONFIG"]).parent), environ["JAIROUTER_STATE_DIR"], "/tmp"}
    assert all("subPath" not in mount for mount in mounts.values())
    assert {mount["name"] for mount in mounts.values()} == {volume["name"] for volume in pod["volumes"]}
    user = pod["securityContext"]
    assert f"{user['runAsUser']}:{user['runAsGroup']}" == last("USER")
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    deployment = of_kind("kubernetes/gateway.yaml", "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["replicas"] > 1
    service = of_kind("kubernetes/gateway.yaml", "Service")
    assert labels == deployment["spec"]["selector"]["matchLabels"] == service["spec"]["selector"]
    assert service["spec"]["ports"][0]["targetPort"] == "http"
    made = documents("kubernetes/kustomization.yaml")[0]
    assert all((KUBERNETES / name).exists() for name in made["resources"])
    (generated,) = made["configMapGenerator"]
    config_map = next(volume["configMap"] for volume in pod["volumes"] if "configMap" in volume)
    assert (generated["name"], generated["files"]) == (config_map["name"], [CONFIGURATIONS[1].name])
    assert container["envFrom"] == [
        {"secretRef": {"name": of_kind("kubernetes/secret.yaml", "Secret")["metadata"]["name"]}}
    ]
    backend = of_kind("kubernetes/redis.yaml", "Service")["metadata"]["name"]
    assert secret()["REDIS_URL"] == f"redis://:{secret()['REDIS_PASSWORD']}@{backend}:6379/0"


# --- Kubernetes, as it would run ---


def swap(mount: Path, number: int, text: str) -> None:
    """Put a ConfigMap's next state into place, as a kubelet does: one rename of `..data`, and the old folder goes."""
    new = mount / f"..2026_11_27_{number}"
    new.mkdir()
    (new / "jairouter.yaml").write_text(text, "utf-8")
    new.chmod(0o555)  # for the mount, which is read-only
    (mount / "..data_tmp").symlink_to(new.name)
    (mount / "..data_tmp").rename(mount / "..data")
    if not (mount / "jairouter.yaml").is_symlink():
        (mount / "jairouter.yaml").symlink_to("..data/jairouter.yaml")
    for old in mount.glob("..2026*"):
        if old != new:
            old.chmod(0o755)
            shutil.rmtree(old)


def as_nobody() -> list[str]:
    """Return what runs a command as another user, who may read everything, if we are root."""
    if os.geteuid():
        return []
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs", *_READING]


# This Python may stand in root's own folder.
_READING: Final = ("--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search")


class Pod:
    """Folders and variables of a container that has a read-only root."""

    def __init__(self, folder: Path) -> None:
        self.mount = folder / "etc"
        self.state = folder / "state"
        self.temporary = folder / "tmp"
        for one in (self.mount, self.state, self.temporary):
            one.mkdir()
        for one in (self.state, self.temporary):
            one.chmod(0o777)
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "TMPDIR": str(self.temporary),
            "PYTHONDONTWRITEBYTECODE": "1",
            "JAIROUTER_CONFIG": str(self.mount / "jairouter.yaml"),
            "JAIROUTER_STATE_DIR": str(self.state),
            **secret(),
        }

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command in it to its end."""
        command = [*as_nobody(), *JAIROUTER, *arguments]
        return subprocess.run(
            command, cwd="/", env=self.environ, capture_output=True, text=True, check=False, timeout=60
        )

    def revisions(self) -> list[int]:
        """Return what a command in it finds of the history."""
        found = json.loads(self.run("config", "history", "--json").stdout)
        return [one["revision"] for one in found]

    @contextmanager
    def serving(self, *arguments: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
        """Run the gateway with the arguments of the manifest, at a free port; yield its address and process."""
        (container,) = gateway()["containers"]
        command = [*as_nobody(), *JAIROUTER, *container["args"], *arguments, "--port", "0", "--json"]
        process = subprocess.Popen(command, cwd="/", env=self.environ, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            text = ""
            for line in process.stdout:
                text += line
                if line == "}\n":
                    break
            yield json.loads(text)["url"].replace("0.0.0.0", "127.0.0.1"), process
        finally:
            process.kill()
            process.communicate()


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    """Return a pod."""
    return Pod(tmp_path)


def status(url: str, probe: str) -> int:
    """Return the status that a kubelet gets."""
    path = gateway()["containers"][0][probe]["httpGet"]["path"]
    try:
        return httpx.get(url + path, trust_env=False, verify=PLAIN, timeout=5).status_code
    except httpx.TransportError:
        return 0


def models(url: str) -> set[str]:
    """Return the models that a gateway serves."""
    found = httpx.get(f"{url}/v1/models", trust_env=False, verify=PLAIN, timeout=5).json()
    return {one["id"] for one in found["data"]}


def test_a_pod_serves_follows_its_config_map_and_drains(pod: Pod) -> None:
    """As another user, with nothing to write to but its volumes; the limits are in Redis."""
    text = CONFIGURATIONS[1].read_text("utf-8").replace("delay: 10s", "delay: 2s")
    with mock("vllm") as (_, behind), redis() as server:
        pod.environ["REDIS_URL"] = server.url
        text = text.replace("http://vllm:8000", behind)
        swap(pod.mount, 1, text)
        with pod.serving() as (url, process):
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                eventually(lambda probe=probe: status(url, probe) == 200, 20)  # type: ignore[misc]
            body = {"model": "qwen2.5-32b", "messages": [{"role": "user", "content": "Hello"}]}
            asked = httpx.post(f"{url}/v1/chat/completions", json=body, trust_env=False, verify=PLAIN, timeout=10)
            assert asked.json()["choices"][0]["message"]["content"] == "You said: Hello"
            health = in_exec_form(last("HEALTHCHECK").partition(" CMD ")[2])
            assert pod.run(*health[1:], "--url", url).returncode == 0
            for number in (2, 3):
                before = len(pod.revisions())
                swap(pod.mount, number, text.replace("name: qwen2.5-32b", f"name: edited-{number}"))
                eventually(lambda number=number: models(url) == {f"edited-{number}"})  # type: ignore[misc]
                eventually(lambda before=before: len(pod.revisions()) > before)  # type: ignore[misc]
            process.send_signal(signal.SIGTERM)
            eventually(lambda: status(url, "readinessProbe") == 503)
            assert status(url, "livenessProbe") == 200
            assert process.wait(20) == 0


def test_a_command_in_a_pod_says_why_it_does_not_edit(pod: Pod) -> None:
    """The ConfigMap is the truth."""
    swap(pod.mount, 1, CONFIGURATIONS[1].read_text("utf-8"))
    done = pod.run("instances", "remove", "chat", "qwen2.5-32b")
    assert done.returncode != 0
    assert "ConfigMap" in done.stderr
