"""`docs/STYLE.md`, as far as a program can check it: no citation of other documents, no accent, both languages."""

import ast
import re
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import pytest
import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from jairouter_cli import errors, request_errors
from jairouter_cli.cli.commands import app
from jairouter_cli.cli.stand_in import StandIn
from jairouter_cli.errors import JAIRouterError
from jairouter_cli.observe.families import ALIASES, FAMILIES
from jairouter_cli.request_errors import RequestError

ROOT: Final = Path(__file__).parent.parent
PAGES: Final = (
    *sorted((ROOT / "docs").rglob("*.md")),
    *(ROOT / name for name in ("README.md", "README.zh-CN.md", "deploy/monitoring/README.md")),
)
STYLE: Final = ROOT / "docs" / "STYLE.md"  # which has the bad examples, too
SOURCES: Final = tuple(
    path
    for folder in ("jairouter_cli", "tests")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path != Path(__file__)
)
CITATION: Final = re.compile(r"\bcontract [0-9]|\bdesign [0-9]|\bdemands? [0-9]|\bdefect [DH]-[0-9]|\([DH]-[0-9]")
THE_JAVA_VERSION: Final = re.compile(r"\b[Uu]pstream's|\b(?:as|in|of) upstream\b(?![/.])|\b[Uu]pstreams\b")
ACCENT: Final = re.compile(
    r"\b(?:go(?:es)? by (?:it|its|the|another|other)\b|is told|are told|as many (?:at once|a second|of)|let through"
    r"|kin\b|anew\b|of late\b|seldom\b|in their midst|in its midst|may be had|taken over|no more at once|pretend)",
    re.IGNORECASE,
)
HALF_WIDTH: Final = re.compile(r"[\u4e00-\u9fff][,;:?!()]|[,;:?!()][\u4e00-\u9fff]")
FIXED: Final = frozenset({"超出限流限制"})  # the Java version's, letter by letter


class Text(NamedTuple):
    """A text that people read, and where it is."""

    place: str
    text: str


# --- what is said in the source ---


def prose(path: Path) -> Iterator[Text]:
    """Yield the docstrings and comments of a file, joined over their lines."""
    source = path.read_text("utf-8")
    place = str(path.relative_to(ROOT))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            yield Text(f"{place}:{getattr(node, 'lineno', 1)}", " ".join((text or "").split()))
    with path.open("rb") as stream:
        for token in tokenize.tokenize(stream.readline):
            if token.type == tokenize.COMMENT:
                yield Text(f"{place}:{token.start[0]}", token.string)


@pytest.mark.parametrize("folder", ["jairouter_cli", "tests"])
def test_nothing_outside_the_repository_is_cited(folder: str) -> None:
    """No numbered contract, design or demand; and `upstream` is the model servers, never the Java version."""
    found = [
        f"{text.place}: {text.text}"
        for path in SOURCES
        if path.is_relative_to(ROOT / folder)
        for text in prose(path)
        if CITATION.search(text.text) or THE_JAVA_VERSION.search(text.text)
    ]
    assert found == []


# --- what users read ---


def commands(command: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, TyperCommand | TyperGroup]]:
    """Yield every command with its path."""
    if isinstance(command, StandIn):
        command = command.loaded()
    assert isinstance(command, TyperCommand | TyperGroup)
    yield " ".join(("jairouter", *path)), command
    if isinstance(command, TyperGroup):
        for name, inner in command.commands.items():
            yield from commands(inner, (*path, name))


COMMANDS: Final[Mapping[str, TyperCommand | TyperGroup]] = dict(commands(typer.main.get_command(app)))


def helps(command: TyperCommand | TyperGroup) -> Iterator[tuple[str, str]]:
    """Yield the help of each parameter of a command, without those of Typer."""
    for parameter in command.params:
        assert isinstance(parameter, TyperArgument | TyperOption)
        if parameter.name not in {"install_completion", "show_completion"}:
            yield parameter.name or "", parameter.help or ""


@pytest.mark.parametrize("path", COMMANDS)
def test_help_texts_are_sentences(path: str) -> None:
    """Each command and option has a help text that begins with a capital, or the option it goes with, and ends well."""
    command = COMMANDS[path]
    first = (command.help or "").strip().split("\n\n")[0]
    assert re.fullmatch(r"[A-Z].*\.", first, re.DOTALL), first
    for name, text in helps(command):
        assert re.fullmatch(r"(?:[A-Z]|With --|--?[a-z-]+: |[a-z-]+: ).*[.\]]", text, re.DOTALL), (name, text)


ERRORS = {
    name: error
    for name, error in {**vars(errors), **vars(request_errors)}.items()
    if isinstance(error, type) and issubclass(error, JAIRouterError)
}


def error_texts() -> Iterator[Text]:
    """Yield the texts and hints of every error."""
    for name, error in ERRORS.items():
        yield from (Text(f"{name} {locale}", text) for locale, text in error.texts.items())
        yield Text(f"{name} hint", error.default_hint or "")


def user_texts() -> Iterator[Text]:
    """Yield what people read: help, errors, hints, the help of metrics, and the pages without their code."""
    for path, command in COMMANDS.items():
        yield Text(path, command.help or "")
        yield from (Text(f"{path} {name}", text) for name, text in helps(command))
    yield from error_texts()
    yield from (Text(family.name, family.help) for family in (*FAMILIES, *ALIASES))
    for page in PAGES:
        if page != STYLE:
            text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
            yield from (Text(f"{page.relative_to(ROOT)}", line) for line in re.sub("`[^`]*`", "", text).splitlines())


def test_no_text_has_an_accent() -> None:
    """None of the phrases that `docs/STYLE.md` lists."""
    assert [text for text in user_texts() if ACCENT.search(text.text)] == []


def test_command_line_errors_and_hints_have_one_form() -> None:
    """Lower case, no full stop; those that clients of the gateway get begin with a capital, or a placeholder."""
    for text in error_texts():
        name, _, kind = text.place.partition(" ")
        if kind == "zh" or not text.text:
            continue
        is_of_requests = issubclass(ERRORS[name], RequestError) and kind != "hint"
        assert re.match(r"[A-Z{]" if is_of_requests else r"[a-z{`']|RevisionsU", text.text), text
        assert not text.text.endswith("."), text


def test_clients_get_both_languages() -> None:
    """Every error of a request has English and Chinese of its own, or a parent's."""
    requests = [one for one in ERRORS.values() if issubclass(one, RequestError)]
    assert [one.__name__ for one in requests if set(one.texts) != {"en", "zh"}] == []


def test_chinese_has_full_width_punctuation() -> None:
    """In errors and in the readme, between Chinese words."""
    readme = re.sub(r"^```.*?^```$", "", (ROOT / "README.zh-CN.md").read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    texts = [*(text.text for text in error_texts() if text.place.endswith(" zh")), *readme.splitlines()]
    plain = (re.sub(r"\]\([^)]*\)|`[^`]*`", "", text) for text in texts if text not in FIXED)
    assert [text for text in plain if HALF_WIDTH.search(text)] == []


def test_the_page_on_style_is_an_example() -> None:
    """It is short, and has a row for every word of the glossary in both languages."""
    lines = STYLE.read_text("utf-8").splitlines()
    assert len(lines) < 150
    rows = [line.split("|")[1:4] for line in lines if re.match(r"\| [a-zA-Z, ]+ \| [^|]*[\u4e00-\u9fff]", line)]
    assert len(rows) >= 25
