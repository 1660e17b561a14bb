"""The Chinese of the command line: every text has one, it fits its English, and nothing else is shown."""

import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from jairouter_cli.cli.commands import app
from scripts import messages
from tests.backend import answer, backend
from tests.process import config, mock, run, services, serving

CHINESE = {"LANGUAGE": "", "LC_ALL": "zh_CN.UTF-8"}
HALF_WIDTH = re.compile(r"[\u4e00-\u9fff][,;:?!()](?!//)|[,;?!()][\u4e00-\u9fff]")
CODE = re.compile(r"`[^`]*`|\{[^}]*\}")
# Four words of English in a row, which no name of a product, command or value has.
ENGLISH = re.compile(r"(?:\b[a-z]{2,},? ){3}[a-z]{2,}\b")
EXAMPLE = re.compile(r"例如：|jairouter |^ *(?:curl|export|useradd|chown)\b|[A-Z_]{3,}|--\w")


def texts() -> Iterator[tuple[str, str]]:
    """Yield every text with its Chinese."""
    for one in messages.kept():
        if one.id:
            english = one.id if isinstance(one.id, str) else one.id[-1]
            yield english, one.string if isinstance(one.string, str) else (one.string or [""])[0]


def test_the_catalog_is_current() -> None:
    """It has the texts of the code, all of them in Chinese, and is compiled."""
    catalog = messages.updated()
    assert messages.untranslated(catalog) == []
    assert {one.id for one in catalog} == {one.id for one in messages.kept()}
    assert not any(one.fuzzy for one in messages.kept() if one.id)
    assert messages.MO.read_bytes() == messages.compiled(messages.kept())


def test_placeholders_are_the_same() -> None:
    """Nothing is lost, and nothing is asked for that is not there."""

    def fields(text: str) -> set[tuple[str | None, str | None]]:
        return {(name, spec) for _, name, spec, _ in string.Formatter().parse(text) if name is not None}

    is_formatted = re.compile(r"\{\w*(:[^}]*)?\}")
    wrong = [
        english
        for english, chinese in texts()
        if is_formatted.search(english) and "${" not in english and fields(english) != fields(chinese)
    ]
    assert wrong == []


def test_punctuation_is_chinese() -> None:
    """Full-width between Chinese words; a space between Chinese and Latin letters."""
    wrong = [chinese for _, chinese in texts() if HALF_WIDTH.search(CODE.sub("`x`", chinese))]
    assert wrong == []
    near = re.compile(r"[\u4e00-\u9fff][A-Za-z0-9]|[A-Za-z0-9][\u4e00-\u9fff]")
    assert [chinese for _, chinese in texts() if near.search(CODE.sub("", chinese))] == []


def english_in(text: str) -> list[str]:
    """Return the lines of an output in which there is a piece of an English sentence."""
    lines = (CODE.sub("", line) for line in text.splitlines() if not EXAMPLE.search(line))
    return [line for line in lines if ENGLISH.search(line)]


@pytest.mark.parametrize("command", sorted(path for path, _ in messages.commands(typer.main.get_group(app))))
def test_help_is_chinese(command: str) -> None:
    """Of every command, to its last line."""
    done = run(*command.split()[1:], "--help", env=CHINESE)
    assert done.stdout.startswith("用法：")
    assert english_in(done.stdout) == []


@pytest.mark.parametrize(
    "arguments",
    [
        "statu",
        "instances list --wieght",
        "instances add chat",
        "instances add chet m http://h",
        "instances remove chat n",
        "instances list",
        "limits list",
        "limits set chat --capacity x",
        "limits set",
        "services list",
        "config get server.prt",
        "config rollback 99",
        "config history",
        "config path nope",
        "explain",
        "usage",
        "health --url http://127.0.0.1:1",
        "chat m x --url http://127.0.0.1:1",
        "doctor",
        "connect",
        "service status",
        "serve --port 99999",
        "init",
        "init --sample nope",
        "--config nope.yaml health",
    ],
)
def test_what_is_printed_is_chinese(arguments: str, tmp_path: Path) -> None:
    """Results and errors alike."""
    config(tmp_path, services(chat=["http://127.0.0.1:9"]))
    environ = {**CHINESE, "HOME": str(tmp_path), "JAIROUTER_CONFIG": ""}
    done = run(*arguments.split(), cwd=tmp_path, env=environ)
    assert re.search("[\u4e00-\u9fff]", done.stdout + done.stderr), (done.stdout, done.stderr)
    assert english_in(done.stdout + done.stderr) == []


def test_what_a_running_gateway_shows_is_chinese(tmp_path: Path) -> None:
    """The tables of health, explain and limits, the screen of top, and what is found at a backend."""
    with mock("m", "--kind", "ollama") as (_, url), backend(answer({})) as nothing:
        file = config(tmp_path, services(chat=[url, nothing.url]))
        with serving("--config", str(file)) as served:
            for command in (
                "health",
                "explain chat m",
                "limits show --live",
                "top --once --interval 0.1",
                f"instances add {url} --dry-run",
                f"discover {url}",
                "instances list",
                "doctor",
            ):
                more = [] if command.startswith(("instances", "discover")) else ["--url", served.url]
                done = run("--config", str(file), *command.split(), *more, env=CHINESE)
                assert re.search("[\u4e00-\u9fff]", done.stdout), (command, done.stdout, done.stderr)
                assert english_in(done.stdout + done.stderr) == [], command


def test_programs_read_english(tmp_path: Path) -> None:
    """Whatever the reader's language is."""
    done = run("instances", "list", "nope", "--json", cwd=tmp_path, env=CHINESE)
    assert not re.search("[\u4e00-\u9fff]", done.stderr)
