"""What the documents show works as it stands."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from jairouter_cli.cli.commands import app
from jairouter_cli.cli.stand_in import StandIn
from jairouter_cli.config.document import Document
from jairouter_cli.config.model import BREAKER_DEFAULTS, LIMIT_DEFAULTS, ClientLimit, Config, Fallback
from jairouter_cli.config.monitoring import Level, Logging
from jairouter_cli.config.parse import parse
from jairouter_cli.observe.exposition import full_name
from jairouter_cli.observe.families import ALIASES, FAMILIES, Kind
from jairouter_cli.observe.lines import AccessLine
from jairouter_cli.observe.log_levels import DEFAULTS
from tests.process import Served, mock, run, serving

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
CHINESE = (ROOT / "README.zh-CN.md").read_text("utf-8")
NODE = ROOT / "tests" / "node"
PAGES = (
    "README.md",
    *(
        f"docs/{name}.md"
        for name in (
            "backends",
            "dialects",
            "routing",
            "limits",
            "management",
            "observability",
            "operations",
            "reverse-proxy",
            "usage",
            "guides/ollama-and-vllm",
            "guides/several-hosts",
        )
    ),
)


def blocks(language: str, text: str = README) -> list[str]:
    """Return the code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def demo() -> Iterator[Served]:
    """Run what `scripts/run` runs."""
    with serving("--demo") as served:
        yield served


def here(block: str, demo: Served) -> str:
    """Point an example at the running demo."""
    assert "http://127.0.0.1:8080" in block
    return block.replace("http://127.0.0.1:8080", demo.url)


def output(command: list[str], cwd: Path | None = None) -> str:
    """Run a command that must succeed; return what it prints."""
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=cwd, timeout=60).stdout


def test_the_curl_example(demo: Served) -> None:
    """A line for the shell."""
    (example,) = (block for block in blocks("sh") if block.startswith("curl"))
    assert '"content":"You said: Hello"' in output(["bash", "-c", here(example, demo)])


def test_the_python_example(demo: Served) -> None:
    """A script, streaming."""
    (example,) = blocks("python")
    assert output([sys.executable, "-c", here(example, demo)]) == "You said: Hello"


@pytest.fixture(scope="module")
def node() -> str:
    """Return Node with OpenAI's package; installs the package once."""
    found = shutil.which("node")
    if found is None:
        assert not os.environ.get("CI"), "CI must have Node: see .ci/run"
        pytest.skip("Node is not installed")
    if not (NODE / "node_modules").exists():
        subprocess.run(["npm", "ci", "--silent"], cwd=NODE, check=True, timeout=120)
    return found


def test_the_node_example(demo: Served, node: str) -> None:
    """A module for Node."""
    (example,) = blocks("js")
    assert output([node, "--input-type=module", "-e", here(example, demo)], cwd=NODE) == "You said: Hello\n"


def test_every_endpoint_of_the_node_package(demo: Served, node: str) -> None:
    """The whole suite, one line an endpoint."""
    environ = {**os.environ, "BASE_URL": f"{demo.url}/v1"}
    command = [node, "suite.js"]
    done = subprocess.run(command, cwd=NODE, env=environ, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines() == [
        "chat: You said: Hi",
        "stream: You said: Hi",
        "stopped: true",
        "completion: You said: Hi",
        "response: You said: Hi",
        "moderation: false",
        "embedding: 16,16",
        "speech: RIFF",
        "transcription: hi.wav has 6444 bytes",
        "translation: hi.wav has 6444 bytes",
        "image: 2",
        "edit: 1",
        "variation: 1",
        "models: 7",
        "model: demo-chat",
        "error: NotFoundError 404 model",
    ]


def steps(block: str) -> list[list[str]]:
    """Return the commands of a block, without their comments."""
    return [shlex.split(line, comments=True) for line in block.replace("\\\n", "").splitlines()]


def test_the_first_steps(tmp_path: Path) -> None:
    """The commands of the readme, in their order, in an empty folder, with a stand-in for Ollama and a free port."""
    first, then = (steps(block) for block in blocks("sh") if "jairouter init" in block or "jairouter chat" in block)
    assert first.pop(0) == ["pipx", "install", "."]
    environ = {"HOME": str(tmp_path), "JAIROUTER_CONFIG": "", "CODEX_HOME": "", "LANGUAGE": "", "LC_ALL": "C"}
    with mock("ollama", "--kind", "ollama") as (_, url):
        assert first.pop() == ["jairouter", "serve"]
        for _program, *words in first:
            done = run(
                *(url if word == "http://127.0.0.1:11434" else word for word in words), cwd=tmp_path, env=environ
            )
            assert (done.returncode, "error" in done.stderr) == (0, False), words
        with serving(cwd=tmp_path, env=environ) as served:
            for _program, *words in then:
                more = ["--config", str(tmp_path / "jairouter.yaml")] if words[0] == "doctor" else []
                done = run(*words, *more, "--url", served.url, cwd=tmp_path, env=environ, stdin="Hello")
                assert done.returncode == 0, (words, done.stdout, done.stderr)
                if words[0] == "chat":
                    assert done.stdout == "You said: Hello\n"


def help_of(*command: str) -> str:
    """Return what a command says of itself; in this process, for there are many."""
    found = CliRunner().invoke(app, [*command, "--help"])
    assert found.exit_code == 0, command
    return found.stdout


def commands_of(group: TyperGroup, *names: str) -> Iterator[tuple[str, ...]]:
    """Yield every command, by the words that call it."""
    for name, command in group.commands.items():
        loaded = command.loaded() if isinstance(command, StandIn) else command
        if loaded.hidden:
            continue
        if isinstance(loaded, TyperGroup):
            yield from commands_of(loaded, *names, name)
        else:
            yield (*names, name)


def test_the_commands_in_the_table_are_all() -> None:
    """Each stands in it once."""
    rows = re.findall(r"^\| `jairouter (.*?)` \|", README, re.MULTILINE)
    shown = [(*group, name) for row in rows for *group, names in [row.split()] for name in names.split("\\|")]
    group = typer.main.get_group(app)
    assert isinstance(group, TyperGroup)
    assert sorted(shown) == sorted(set(commands_of(group)) - {("version",), ("help",)})


def test_every_command_has_the_shared_options() -> None:
    """`--config` and `--json`, as the readme says; the mock model server has no configuration."""
    for command in (
        "init",
        "serve",
        "health",
        "top",
        "explain",
        "instances list",
        "instances add",
        "instances update",
        "instances remove",
        "services list",
        "services add",
        "services update",
        "services remove",
        "config history",
        "config diff",
        "config rollback",
        "config get",
        "config set",
        "config import",
        "limits list",
        "limits show",
        "limits set",
        "limits remove",
        "config show",
        "usage",
    ):
        shown = help_of(*command.split())
        assert "--config" in shown, command
        assert "--json" in shown, command


def test_the_endpoints_in_the_table_are_served(demo: Served) -> None:
    """None of them is unknown."""
    section = README.split("## What is served")[1].split("##")[0]
    for path in re.findall(r"`(?:POST |GET )?(/[^`*{]+)`", section):
        assert demo.get(path).status_code in {200, 302, 405}, path


@pytest.mark.parametrize("file", sorted((ROOT / "sample-configs").glob("*.yaml")), ids=lambda file: file.name)
def test_samples_are_good(file: Path) -> None:
    """Without a warning."""
    done = run("config", "validate", str(file))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("page", PAGES)
def test_the_configuration_in_the_documents_is_good(page: str, tmp_path: Path) -> None:
    """Without a warning, but for those that a page of all settings must have: not all go together."""
    file = tmp_path / "x.yaml"
    environ = dict.fromkeys(("OPENAI_API_KEY", "JAIROUTER_ADMIN_TOKEN", "PROXY_PASSWORD"), "k")
    for text in blocks("yaml", (ROOT / page).read_text("utf-8")):
        file.write_text(text)
        done = run("config", "validate", str(file), env=environ)
        warned = [line for line in done.stderr.splitlines() if " has no effect: it needs " not in line]
        assert (done.returncode, warned) == (0, [])


def test_the_chinese_readme_shows_the_same() -> None:
    """Every code block, every command, every path."""
    for language in ("python", "js", "yaml"):
        assert blocks(language, CHINESE) == blocks(language)
    assert list(map(steps, blocks("sh", CHINESE))) == list(map(steps, blocks("sh")))  # comments are translated
    commands = r"^\| `(.*?)` \|"
    assert re.findall(commands, CHINESE, re.MULTILINE) == re.findall(commands, README, re.MULTILINE)


def test_the_defaults_on_the_page_on_routing_are_the_programs(tmp_path: Path) -> None:
    """What stands there with a value that is not marked otherwise is what holds without it."""
    (text,) = blocks("yaml", (ROOT / "docs" / "routing.md").read_text("utf-8"))
    page, defaults = (
        parse(Document.load(one, str(tmp_path))).config.model
        for one in (text, "model: {circuit-breaker: {}, fallback: {}}")
    )
    assert (page.load_balance, page.failover, page.queue) == (defaults.load_balance, defaults.failover, defaults.queue)
    assert page.circuit_breaker == msgspec.structs.replace(BREAKER_DEFAULTS, failure_ratio=0.5)
    assert page.fallback == Fallback(response='{"sorry": "we are closed"}')
    assert page.max_retries == defaults.max_retries


def test_the_defaults_on_the_page_on_limits_are_the_programs(tmp_path: Path) -> None:
    """But for the lines that say otherwise."""
    (text,) = blocks("yaml", (ROOT / "docs" / "limits.md").read_text("utf-8"))
    page = parse(Document.load(text, str(tmp_path))).config
    defaults = Config()
    assert page.server == defaults.server
    assert page.state.timeout_s == defaults.state.timeout_s
    rules = page.model.rate_limit
    assert rules is not None
    plain = msgspec.structs.replace(rules, key=None, tokens_per_minute=None, client_ip=ClientLimit())
    assert plain == LIMIT_DEFAULTS
    own = msgspec.structs.replace(
        rules.client_ip, capacity=None, rate=None, tokens_per_minute=None, max_concurrency=None
    )
    assert own == ClientLimit()


def test_the_defaults_on_the_page_on_operations_are_the_programs(tmp_path: Path) -> None:
    """All of them."""
    (text,) = blocks("yaml", (ROOT / "docs" / "operations.md").read_text("utf-8"))
    assert parse(Document.load(text, str(tmp_path))).config == Config()


def test_the_defaults_on_the_page_on_observability_are_the_programs(tmp_path: Path) -> None:
    """All of them; the level of the root is the one that holds without it."""
    (text,) = blocks("yaml", (ROOT / "docs" / "observability.md").read_text("utf-8"))
    page = parse(Document.load(text, str(tmp_path))).config
    assert page.logging == msgspec.structs.replace(Logging(), level={"root": Level.INFO})
    assert DEFAULTS["ROOT"] is Level.INFO
    assert page.tracing == Config().tracing


def test_the_keys_of_the_access_log_are_on_its_page() -> None:
    """Every one, and no other."""
    page = (ROOT / "docs" / "observability.md").read_text("utf-8").split("Lines of requests")[1].split("No prompt")[0]
    told = {key for row in re.findall(r"^\| (`.*?) \|", page, re.MULTILINE) for key in re.findall("`(.*?)`", row)}
    assert told == set(AccessLine.__struct_fields__) - {"time", "level", "logger", "message", "pid"}


def test_the_defaults_on_the_page_on_usage_are_the_programs(tmp_path: Path) -> None:
    """All of them."""
    (text,) = blocks("yaml", (ROOT / "docs" / "usage.md").read_text("utf-8"))
    assert parse(Document.load(text, str(tmp_path))).config == Config()


def test_the_table_of_metrics_is_the_programs() -> None:
    """Every metric with its kind, labels and meaning, in the program's order."""
    rows = re.findall(
        r"^\| `(\w+)` \| (\w+) \| (.*) \| (.*) \|$", (ROOT / "docs" / "metrics.md").read_text("utf-8"), re.MULTILINE
    )
    families = {family.name: family for family in reversed((*FAMILIES, *ALIASES))}
    expected = {
        full_name(family, "jairouter") + "_total" * (family.kind is Kind.COUNTER): (
            family.kind.value,
            ", ".join(f"`{label}`" for label in family.labels),
            family.help,
        )
        for family in reversed(families.values())
    }
    assert {name: tuple(rest) for name, *rest in rows} == expected
