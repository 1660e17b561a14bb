"""Finding out what a backend is: by `instances add URL`, by `discover`, and by a gateway that follows a list."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, Final

import pytest

from jairouter_cli.cli.discover.command import usual
from jairouter_cli.mock.kinds import KINDS
from tests.backend import Behaviour, Received, Wire, answer, backend, raw
from tests.process import JAIROUTER, config, eventually, mock, run, services, serving
from tests.terminal import Terminal

# What each kind turns out to be, and the services of its models.
EXPECTED: Final[Mapping[str, tuple[str, str | None, set[str]]]] = {
    "ollama": ("Ollama", "ollama", {"chat", "embedding"}),
    "vllm": ("vLLM", "vllm", {"chat"}),
    "llama.cpp": ("llama.cpp", None, {"chat"}),
    "lmstudio": ("LM Studio", None, {"chat", "embedding"}),
    "localai": ("LocalAI", "localai", {"chat", "stt", "tts", "imgGen"}),
    "xinference": ("Xinference", "xinference", {"chat", "embedding", "rerank", "imgGen", "stt", "tts"}),
    "gpustack": ("GPUStack", "gpustack", {"chat", "rerank"}),
    "sglang": ("SGLang", None, {"chat"}),
    "tgi": ("TGI", None, {"chat"}),
    "llama-swap": ("llama-swap", None, {"chat", "rerank"}),
}


@pytest.fixture(scope="module")
def kinds() -> Iterator[dict[str, str]]:
    """Run a mock of every kind; return their addresses."""
    with ExitStack() as stack:
        yield {kind: stack.enter_context(mock(kind, "--kind", kind))[1] for kind in KINDS}


def added(file: Path, *arguments: str, code: int = 0, stdin: str = "") -> dict[str, Any]:
    """Return what `instances add` prints as JSON; of an error, what it says."""
    done = run("--config", str(file), "instances", "add", *arguments, "--json", stdin=stdin)
    assert done.returncode == code, done.stderr
    found: dict[str, Any] = json.loads(done.stderr)["error"] if code else json.loads(done.stdout)
    return found


def instances(file: Path) -> list[dict[str, Any]]:
    """Return the instances that a file has."""
    found: list[dict[str, Any]] = json.loads(run("--config", str(file), "instances", "list", "--json").stdout)
    return found


def empty(folder: Path, more: str = "") -> Path:
    """Write a configuration without instances."""
    return config(folder, f"server: {{locale: en}}\nmodel: {{services: {{}}}}\n{more}")


@pytest.mark.parametrize("kind", EXPECTED)
def test_a_kind_is_recognized(kinds: dict[str, str], kind: str, tmp_path: Path) -> None:
    """Its models become instances with the right service and dialect, in one revision."""
    file = empty(tmp_path)
    name, adapter, wanted = EXPECTED[kind]
    told = added(file, kinds[kind], "--yes")
    found = instances(file)
    assert told["backend"]["kind"] == name
    assert {one["service"] for one in found} == wanted == {one["service"] for one in told["models"]}
    assert [one["id"] for one in sorted(found, key=lambda one: str(one["id"]))] == sorted(
        f"{one['model']}@{kinds[kind]}" for one in told["models"]
    )
    assert {one.get("adapter") for one in found} == {adapter}
    history = json.loads(run("--config", str(file), "config", "history", "--json").stdout)
    assert [one["summary"] for one in history if one["author"] == "cli"] == [told["summary"]]


def test_what_was_added_is_served(kinds: dict[str, str], tmp_path: Path) -> None:
    """Every chat model that was found responds through a gateway."""
    file = empty(tmp_path)
    for url in kinds.values():
        added(file, url, "--yes")
    models = {one["name"] for one in instances(file) if one["service"] == "chat"}
    with serving("--config", str(file)) as served:
        for model in models:
            body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
            answered = served.post("/v1/chat/completions", json=body)
            # GPUStack's old paths are not those of the mock, but they are asked for
            assert answered.is_success or (model == "qwen3-8b" and "/v1-openai/chat/completions" in answered.text)


def test_context_and_capabilities(kinds: dict[str, str], tmp_path: Path) -> None:
    """They are shown where the backend tells them; a service that was guessed is marked."""
    file = empty(tmp_path)
    lines = run("--config", str(file), "instances", "add", kinds["xinference"], "--dry-run").stdout.splitlines()
    assert lines[0].startswith(f"Xinference at {kinds['xinference']}: 6 models, speaks OpenAI")
    assert lines[1].split() == ["MODEL", "SERVICE", "CONTEXT", "CAPABILITIES", "STATE"]
    assert lines[2].split() == ["qwen2.5-instruct", "chat", "32768", "tools", "new"]
    assert "guess" not in "".join(lines)
    localai = run("--config", str(file), "instances", "add", kinds["localai"], "--dry-run").stdout
    assert "tts-1" in localai
    assert "tts?" in localai
    assert localai.splitlines()[-1].startswith("? the backend does not say what the model is for")
    assert instances(file) == []


def test_one_model_again_and_all(kinds: dict[str, str], tmp_path: Path) -> None:
    """--model adds one; what is configured is not added again, however its address is written."""
    file, url = empty(tmp_path), kinds["localai"]
    assert added(file, url, "--model", "whisper-1", "--yes")["summary"] == f"added 1 instance of {url}"
    assert added(file, f"{url}/v1/chat/completions", "--yes")["summary"] == f"added 3 instances of {url}"
    assert added(file, f"{url}/v1/")["summary"] is None
    assert run("--config", str(file), "instances", "add", url).stderr == "nothing to add\n"
    assert added(file, url, "--model", "whisper", "--yes", code=2)["hint"] == "did you mean whisper-1?"
    again = run("--config", str(file), "instances", "add", "stt", "whisper-1", f"{url}/v1")
    assert (again.returncode, again.stderr.splitlines()[0]) == (
        2,
        f"error: service stt already has an instance 'whisper-1@{url}/v1'",
    )


def test_settings_of_all_new_ones(kinds: dict[str, str], tmp_path: Path) -> None:
    """They get the options of the command; those of one model are refused."""
    file = empty(tmp_path)
    added(file, kinds["ollama"], "--yes", "--weight", "3", "--api-key", "-", "--timeout", "90s", stdin="sk-1\n")
    text = file.read_text()
    assert (text.count("weight: 3"), text.count("api-key: sk-1"), text.count("read: 90s")) == (2, 2, 2)
    refused = added(file, kinds["ollama"], "--yes", "--upstream-model", "x", code=2)
    assert refused["message"] == "--upstream-model needs SERVICE MODEL BASE_URL"


def test_gone_models_go_with_refresh(tmp_path: Path) -> None:
    """Without it they stay; those of other backends are left alone."""
    with backend(answer({})) as one:
        one.behave_when_asked = listing(["a", "b"])
        file = config(tmp_path, services(chat=["http://127.0.0.1:9"]))
        added(file, one.url, "--yes")
        one.behave_when_asked = listing(["b", "c"])
        assert added(file, one.url, "--dry-run")["summary"] is None
        shown = run("--config", str(file), "instances", "add", one.url, "--refresh", "--dry-run").stdout
        assert {tuple(line.split()[::4]) for line in shown.splitlines()[2:5]} == {
            ("b", "configured"),
            ("c", "new"),
            ("a", "gone"),
        }
        told = added(file, one.url, "--refresh", "--yes")
        assert told["summary"] == f"added 1 instance and removed 1 instance of {one.url}"
    assert [found["name"] for found in instances(file)] == ["m", "b", "c"]


def test_nobody_can_be_asked(kinds: dict[str, str], tmp_path: Path) -> None:
    """A script has to say what it wants."""
    file = empty(tmp_path)
    assert added(file, kinds["vllm"], code=2)["hint"] == "use --yes or --dry-run"
    assert instances(file) == []


@pytest.mark.parametrize(("keys", "count"), [("y\n", 2), ("\n", 2), ("n\n", 0)])
def test_a_person_is_asked(kinds: dict[str, str], tmp_path: Path, keys: str, count: int) -> None:
    """In a terminal the table is shown first."""
    file = empty(tmp_path)
    terminal = Terminal([*JAIROUTER, "--config", str(file), "instances", "add", kinds["ollama"]], 100, 24)
    try:
        eventually(lambda: "Add 2 instances? [Y/n]" in terminal.text)
        assert "qwen2.5:7b" in terminal.text
        terminal.type(keys)
        assert terminal.end() == 0
    finally:
        terminal.close()
    assert len(instances(file)) == count


# --- what is no model server ---


async def drip(_: Received, wire: Wire) -> None:
    """Send a byte now and then, and never an end."""
    await wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
    while True:
        await wire.send(b" ")
        await asyncio.sleep(0.05)


async def endless(_: Received, wire: Wire) -> None:
    """Send JSON without an end."""
    await wire.send(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"data": [')
    while True:
        await wire.send(b'{"id": "m"},' * 10_000)


def listing(names: list[str]) -> Behaviour:
    """List models as OpenAI does, and have nothing else."""

    async def behave(received: Received, wire: Wire) -> None:
        there = received.line.startswith("GET /v1/models ")
        body: dict[str, object] = {"object": "list", "data": [{"id": name, "object": "model"} for name in names]}
        await answer(body if there else {}, "200 OK" if there else "404 Not Found")(received, wire)

    return behave


PAGE: Final = answer(b"<!doctype html><title>NAS</title>", content_type="text/html")
NO_SERVER: Final[Mapping[str, tuple[Behaviour, str, str]]] = {
    "a web page": (PAGE, "BackendUnknown", "GET /v1/models: HTTP 200, text/html"),
    "other JSON": (answer({"status": "ok"}), "BackendUnknown", "GET /v1/models: HTTP 200, application/json"),
    "not found": (answer({}, "404 Not Found"), "BackendUnknown", "GET /v1/models: HTTP 404, application/json"),
    "a key is missing": (answer({}, "401 Unauthorized"), "BackendUnknown", "it refuses the request without a key"),
    "deep": (answer(b'{"data":' + b"[" * 100_000), "BackendUnknown", "GET /v1/models: HTTP 200"),
    "no HTTP": (raw(b"SSH-2.0-OpenSSH_9.2\r\n"), "BackendUnreachable", "cannot reach a backend"),
    "hangs": (raw(then="wait"), "BackendUnreachable", "cannot reach a backend"),
    "drips": (drip, "BackendUnreachable", "cannot reach a backend"),
    "endless": (endless, "BackendUnknown", "GET /v1/models: HTTP 200"),
}


@pytest.mark.parametrize("case", NO_SERVER)
def test_what_is_no_model_server(case: str, tmp_path: Path) -> None:
    """It is said so, in bounded time and memory; the file is left as it was."""
    behave, kind, said = NO_SERVER[case]
    file = empty(tmp_path)
    before = file.read_bytes()
    with backend(answer({})) as one:
        one.behave_when_asked = behave
        done = run("--config", str(file), "discover", one.url, "--timeout", "0.5", "--json")
        assert done.returncode == 1
        error = json.loads(done.stderr)["error"]
        assert (error["kind"], said in error["message"]) == (kind, True), error
        if case not in {"hangs", "drips"}:  # they would take five seconds
            assert added(file, one.url, "--yes", code=1)["kind"] == kind
    assert file.read_bytes() == before


def test_nobody_listens(tmp_path: Path) -> None:
    """The reason is the system's."""
    refused = added(empty(tmp_path), "http://127.0.0.1:1", "--yes", code=1)
    assert refused["message"] == "cannot reach a backend at http://127.0.0.1:1: Connection refused"


def test_an_address_that_is_none(tmp_path: Path) -> None:
    """What was meant is proposed."""
    file = empty(tmp_path)
    assert "did you mean http://localhost:8000?" in added(file, "localhost:8000", code=2)["message"]
    assert added(file, "chat", code=2)["message"] == "missing argument: MODEL"
    assert "need the address of a backend alone" in added(file, "chat", "m", "http://h", "--yes", code=2)["message"]


def test_a_gateway_in_front_of_itself(tmp_path: Path) -> None:
    """Its own address would be a circle; another gateway is a backend like others."""
    with mock("a", "--kind", "vllm") as (_, url):
        file = empty(tmp_path)
        added(file, url, "--yes")
        with serving("--config", str(file)) as served:
            run("--config", str(file), "config", "set", "server.port", served.url.rpartition(":")[2])
            refused = added(file, served.url, "--yes", code=2)
            assert refused["message"] == f"{served.url} is the gateway of this configuration"
            (tmp_path / "other").mkdir()
            other = added(empty(tmp_path / "other"), served.url, "--yes")
            assert (other["backend"]["kind"], len(other["models"])) == ("JAiRouter", 1)


# --- discover ---


def test_discover(kinds: dict[str, str], tmp_path: Path) -> None:
    """A table, and the command that adds the models of the first that has new ones."""
    file = empty(tmp_path)
    added(file, kinds["ollama"], "--yes")
    done = run("--config", str(file), "discover", kinds["ollama"], kinds["vllm"])
    lines = done.stdout.splitlines()
    assert lines[1].split() == [kinds["ollama"], "Ollama", "0.14.2", "2", "2"]
    assert lines[2].split() == [kinds["vllm"], "vLLM", "0.12.0", "1", "0"]
    assert lines[3] == f"add the models of one with `jairouter instances add {kinds['vllm']}`"
    assert (done.returncode, len(lines)) == (0, 4)


@pytest.mark.parametrize(
    ("named", "address"),
    [
        ("10.0.0.7", "http://10.0.0.7:11434"),
        ("10.0.0.7:9000", "http://10.0.0.7:9000"),
        ("0.0.0.0:9000", "http://127.0.0.1:9000"),
        ("https://gpu.example.com", "https://gpu.example.com"),
        ("[::1]:9000", "http://[::1]:9000"),
        ("[", None),
    ],
)
def test_the_usual_places(named: str, address: str | None) -> None:
    """This machine's usual ports, and what `OLLAMA_HOST` means."""
    here = usual({})
    assert "http://127.0.0.1:11434" in here
    assert usual({"OLLAMA_HOST": named}) == [*here, *([address] if address else [])]


# --- a list that is followed ---


FOLLOWED: Final = """
server: {{locale: en}}
model:
  discovery-interval: 200ms
  services:
    chat:
      instances:
        - name: a
          baseUrl: {url}
          apiKey: ${{BACKEND_KEY}}
          weight: 2
          discover: true
        - name: by-hand
          baseUrl: {url}
"""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_list_is_followed(tmp_path: Path, workers: str) -> None:
    """New models get instances like the marked one; those of models that are gone go, but never the last one."""
    with backend(answer({})) as one:
        one.behave_when_asked = listing(["a"])
        file = config(tmp_path, FOLLOWED.format(url=one.url))
        with serving("--config", str(file), "--workers", workers, env={"BACKEND_KEY": "sk-secret"}):
            one.behave_when_asked = listing(["a", "bge-m3"])
            eventually(lambda: names(file) == ["a", "by-hand", "bge-m3"])
            assert file.read_text().count("${BACKEND_KEY}") == 2
            assert all(request.header("authorization") == "Bearer sk-secret" for request in one.questions[-5:])
            one.behave_when_asked = listing(["bge-m3"])
            eventually(lambda: names(file) == ["by-hand", "bge-m3"])
            one.behave_when_asked = listing([])
            seen = len(one.questions)
            eventually(lambda: len(one.questions) > seen + 60)
            assert names(file) == ["by-hand", "bge-m3"]
            one.behave_when_asked = PAGE
            seen = len(one.questions)
            eventually(lambda: len(one.questions) > seen + 30)
            assert names(file) == ["by-hand", "bge-m3"]
    assert "sk-secret" not in file.read_text()
    history = json.loads(run("--config", str(file), "config", "history", "--json", env={"BACKEND_KEY": "x"}).stdout)
    summaries = [entry["summary"] for entry in history if entry["author"] == "discovery"]
    assert summaries == [f"removed 1 instance of {one.url}", f"added 1 instance of {one.url}"]


def names(file: Path) -> list[str]:
    """Return the names of a file's instances."""
    done = run("--config", str(file), "instances", "list", "--json", env={"BACKEND_KEY": "x"})
    return [one["name"] for one in json.loads(done.stdout)]


# --- one instance ---


def test_show_disable_enable(tmp_path: Path) -> None:
    """An instance with all of its settings; secrets are masked."""
    file = config(tmp_path, services(chat=["http://10.0.0.7:8000"]))

    def instance(*words: str) -> CompletedProcess[str]:
        return run("--config", str(file), "instances", words[0], "chat", "m", *words[1:])

    instance("update", "--header", "x-team=blue", "--timeout", "60s", "--upstream-model", "n")
    lines = [line.split() for line in instance("show").stdout.splitlines()]
    assert ["timeout.read", "60s"] in lines
    assert ["upstreamModel", "n"] in lines
    assert ["headers.x-team", "******"] in lines
    assert ["enabled", "true"] in lines
    assert instance("disable").returncode == 0
    assert json.loads(instance("show", "--json").stdout)["enabled"] is False
    assert instance("enable").returncode == 0
    assert json.loads(instance("show", "--json").stdout)["enabled"] is True


@pytest.mark.parametrize(
    ("mode", "key", "warned"), [(0o644, "sk-1", True), (0o600, "sk-1", False), (0o644, "${K}", False)]
)
def test_a_key_in_a_file_for_all(tmp_path: Path, mode: int, key: str, warned: bool) -> None:
    """It is warned of a file that others can read; the name of a variable is no secret."""
    file = config(tmp_path, services(chat=["http://10.0.0.7:8000"]))
    file.chmod(mode)
    arguments = ("instances", "update", "chat", "m", "--api-key", "-" if key == "sk-1" else key)
    done = run("--config", str(file), *arguments, stdin="sk-1\n", env={"K": "v"})
    assert (done.returncode, "can be read by other users" in done.stderr) == (0, warned)
    assert f"api-key: {key}" in file.read_text()


def test_an_empty_key(tmp_path: Path) -> None:
    """Nothing is written."""
    file = config(tmp_path, services(chat=["http://10.0.0.7:8000"]))
    done = run("--config", str(file), "instances", "update", "chat", "m", "--api-key", "-", stdin="\n")
    assert (done.returncode, done.stderr) == (2, "error: --api-key: standard input is empty\n")
