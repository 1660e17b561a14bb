"""Help, and what is said of a command line that cannot be understood."""

import json
import platform
import re
from importlib import metadata
from pathlib import Path

import pytest

from jairouter_cli.cli.help import cells, wrapped
from tests.process import config, run, services


def test_commands_stand_in_groups() -> None:
    """Each with its first sentence whole, whatever the width."""
    wide, narrow = (run("--help", env={"COLUMNS": width}).stdout for width in ("100", "40"))
    groups = ["Start", "Configure", "Watch", "Use and try out", "About the program", "Options"]
    assert re.findall(r"(?m)^(\w[\w ]*):$", wide) == groups
    assert " ".join(wide.split()) == " ".join(narrow.split())
    assert "..." not in wide.replace("[ARGS]...", "")


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("command", ["", "instances add", "limits set", "config diff", "serve"])
def test_help_fits_the_terminal(command: str, width: int) -> None:
    """Lines are no longer than the terminal is wide, and at most a hundred columns, but for words that are longer."""
    shown = run(*command.split(), "--help", env={"COLUMNS": str(width)}).stdout
    long = [line for line in shown.splitlines() if len(line) > min(width, 100) and len(line.split()) > 2]
    assert long == []


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ("instnces", "no such command: instnces", "did you mean `jairouter instances`"),
        ("status", "no such command: status", "did you mean `jairouter health`?"),
        ("run", "no such command: run", "did you mean `jairouter serve`?"),
        ("logs", "no such command: logs", "`jairouter --help` lists the commands"),
        ("zzzz", "no such command: zzzz", "`jairouter --help` lists the commands"),
        ("config sett", "no such command: sett", "did you mean `jairouter config set` or `jairouter config unset`?"),
        ("health --tiemout 3", "no such option: --tiemout", "did you mean --timeout?"),
        ("health x y", "unexpected argument: x y", "`jairouter health --help` shows how it is used"),
        ("instances add chat", "missing argument: MODEL", "`jairouter instances add --help` shows how it is used"),
        ("health --url", "--url needs a value", None),
        ("health --json=1", "--json does not take a value", None),
        ("mock --port 99999", "--port: expected a whole number from 1 to 65535; found '99999'", None),
        ("mock --delay x", "--delay: expected a number from 0 to 3600; found 'x'", None),
        (
            "usage --by modle",
            "--by: expected one of model, instance, key, service, hour, day; found 'modle'",
            "did you mean model?",
        ),
    ],
)
def test_a_slip_of_the_pen(arguments: str, message: str, hint: str | None) -> None:
    """Every error has one form, and says what to do."""
    done = run(*arguments.split())
    said, _, advice = done.stderr.removeprefix("error: ").rstrip("\n").partition("\n\nhint: ")
    assert (done.returncode, done.stdout, said) == (2, "", message)
    assert advice.startswith(hint) if hint else not advice


@pytest.mark.parametrize("arguments", ["status", "mock --port 99999", "config get server.prt"])
def test_errors_for_programs(arguments: str, tmp_path: Path) -> None:
    """One line of JSON with the same words, in English whatever the reader's language is."""
    config(tmp_path, services(chat=["http://h"]))
    text = run(*arguments.split(), cwd=tmp_path)
    done = run(*arguments.split(), "--json", cwd=tmp_path, env={"LANGUAGE": "zh"})
    told = json.loads(done.stderr)["error"]
    shown = f"error: {told['message']}\n" + (f"\nhint: {told['hint']}\n" if told["hint"] else "")
    assert (done.returncode, done.stdout, shown) == (told["exitCode"], "", text.stderr)


def test_short_names() -> None:
    """Those that shells have for the same."""
    assert run("instances", "ls", "--help").stdout == run("instances", "list", "--help").stdout.replace(
        "list [", "ls ["
    )
    assert run("services", "rm", "--help").returncode == 0


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("one two three", 7, ["one two", "three"]),
        (
            "显示配置文件中的限流规则，或正在运行的网关。",
            12,
            ["显示配置文件", "中的限流规", "则，或正在运", "行的网关。"],
        ),
        ("用 `jairouter init` 创建", 14, ["用 `jairouter", "init` 创建"]),
        ("", 10, [""]),
    ],
)
def test_lines_are_broken_by_columns(text: str, width: int, lines: list[str]) -> None:
    """A Chinese letter takes two, and no line begins with a mark that ends a phrase."""
    assert [*wrapped(text, width)] == lines
    assert all(cells(line) <= width for line in lines)


@pytest.mark.parametrize("command", ["", "health", "config set", "instances"])
def test_help_is_a_command_as_well(command: str) -> None:
    """It shows what `--help` shows."""
    asked, shown = run("help", *command.split()), run(*command.split(), "--help")
    assert (asked.returncode, asked.stdout, asked.stderr) == (0, shown.stdout, "")
    assert shown.stdout.startswith(f"Usage: {' '.join(['jairouter', *command.split()])} ")


@pytest.mark.parametrize("command", ["confg", "config sett"])
def test_help_for_no_command(command: str) -> None:
    """Proposes one."""
    done = run("help", *command.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert re.match(r"error: no such command: .*\n\nhint: did you mean `jairouter config", done.stderr)


def test_the_version_is_a_command_as_well() -> None:
    """With `--json` it says what it runs on."""
    assert run("version").stdout == run("--version").stdout
    said = json.loads(run("version", "--json").stdout)
    assert run("--version").stdout == f"jairouter {said['version']} ({said['form']})\n"
    assert said["python"] == platform.python_version()
    assert {name: said[name] for name in ("granian", "litestar")} == {
        name: metadata.version(name) for name in ("granian", "litestar")
    }


@pytest.mark.parametrize("group", ["instances", "services", "limits", "config"])
def test_the_file_can_be_named_before_the_subcommand(group: str, tmp_path: Path) -> None:
    """The nearest one counts."""
    file = config(tmp_path, services(chat=["http://127.0.0.1:1"]))
    subcommand = "path" if group == "config" else "list"
    behind = run(group, subcommand, "--json", "--config", str(file))
    assert run(group, "--config", str(file), subcommand, "--json").stdout == behind.stdout != ""
    both = run("--config", "nowhere.yaml", group, "-c", str(file), subcommand, "--json")
    assert (both.returncode, both.stdout) == (0, behind.stdout)
