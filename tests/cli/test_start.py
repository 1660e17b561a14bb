"""What the command line loads: of the libraries those that a command needs, by name, as a clock would tell less."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from jairouter_cli.cli.commands import app
from jairouter_cli.cli.stand_in import StandIn
from tests.process import config, run, services

# What is not loaded by `import typer`, takes its time, and serves one command or another.
SERVER = {"litestar", "granian", "uvloop", "httptools", "prometheus_client", "multipart"}
CONFIGURATION = {"msgspec", "ruamel"}
HEAVY = {
    *SERVER,
    *CONFIGURATION,
    "httpx",
    "pydantic",
    "rich",
    "pygments",
    "markdown_it",
    "filelock",
    "platformdirs",
    "sqlite3",
}
EDIT = {*CONFIGURATION, "rich", "filelock"}

COMMANDS = {
    "--help": set[str](),
    "--version": set[str](),
    "nonsense": {"rich"},
    "instances --help": {*CONFIGURATION, "rich"},
    "instances list": {*CONFIGURATION, "rich"},
    "instances list chat --json": {*CONFIGURATION, "rich"},
    "--config jairouter.yaml instances list": {*CONFIGURATION, "rich"},
    "instances add chat n http://h --weight 2": EDIT,
    "limits set chat --capacity 10 --rate 5": EDIT,
    "config show": {*CONFIGURATION, "rich"},
    "usage": {*CONFIGURATION, "rich", "sqlite3"},
}
LOADED = """
import sys
from jairouter_cli.cli.app import main
sys.argv = ["jairouter", *sys.argv[1:]]
try:
    main()
finally:
    sys.stderr.write("\\n" + " ".join({name.partition(".")[0] for name in sys.modules}))
"""


def loaded(*command: str, cwd: Path) -> set[str]:
    """Return which of the heavy libraries a command has loaded when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *command], capture_output=True, text=True, check=False, timeout=60, cwd=cwd
    )
    return HEAVY.intersection(done.stderr.rpartition("\n")[2].split())


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_loads_what_it_needs(command: str, tmp_path: Path) -> None:
    """Help, lists and edits load none of the server's libraries, and nothing that only other commands need."""
    config(tmp_path, services(chat=["http://127.0.0.1:1"]))
    assert loaded(*command.split(), cwd=tmp_path) == COMMANDS[command]


def stand_ins() -> dict[str, StandIn]:
    """Return what stands for the commands until they are called."""
    group = typer.main.get_group(app)
    return {name: one for name, one in group.commands.items() if isinstance(one, StandIn)}


def test_stand_ins_are_all_there_is() -> None:
    """No command is loaded for the list of them."""
    assert set(stand_ins()) == set(typer.main.get_group(app).commands)


@pytest.mark.parametrize("name", stand_ins())
def test_a_stand_in_says_what_the_command_says(name: str) -> None:
    """Lists show the first sentence of a help text, and at any width that is the command's own."""
    one = stand_ins()[name]
    shown, own = (command.get_short_help_str(1000) for command in (one, one.loaded()))
    assert shown == own


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--weight 0", "weight"),
        ("--weight x", "--weight: expected a whole number; found 'x'"),
        ("--weight 1.5", "--weight: expected a whole number; found '1.5'"),
        ("--max-concurrency 0", "--max-concurrency: expected a whole number of at least 1; found '0'"),
        ("--adapter olama", "--adapter: expected one of normal, gpustack, ollama,"),
    ],
)
def test_a_value_that_is_no_plain_one_is_refused(options: str, said: str, tmp_path: Path) -> None:
    """Values that need no conversion pass; all others are judged as ever."""
    config(tmp_path, services(chat=["http://127.0.0.1:1"]))
    done = run("instances", "add", "chat", "n", "http://h", *options.split(), cwd=tmp_path)
    assert (done.returncode, said in done.stderr) == (2, True)
