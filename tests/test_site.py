"""The documentation as a site: every page is in it, every link leads somewhere, and nothing comes from elsewhere."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import typer
from typer.core import TyperGroup

from jairouter_cli.cli.commands import app
from jairouter_cli.cli.stand_in import StandIn

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").rglob("*.md"))
# Programs of other makers, and words that stand for what the reader has.
PLACEHOLDERS = re.compile(r"[A-Z][A-Z_]+$")


class Page(HTMLParser):
    """The links of a page, what they may lead to, and what a browser loads with it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element refers to."""
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.ids.add(given["id"])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag in {"script", "img", "iframe", "source"} and "src" in given:
            self.loads.append(given["src"])
        elif tag == "link" and "href" in given and given.get("rel") != "canonical":
            self.loads.append(given["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site in a folder of its own."""
    program = Path(sys.executable).with_name("zensical")
    if not program.exists():
        assert not os.environ.get("CI"), "CI installs the development tools"
        pytest.skip("zensical is not installed: scripts/setup dev")
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "docs", folder / "docs")
    shutil.copy(ROOT / "zensical.toml", folder)
    command = [str(program), "build", "--strict"]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """Read its pages, but the one for addresses that do not exist, whose links begin at the site's root."""
    return {file: Page(file.read_text("utf-8")) for file in site.rglob("*.html") if file.name != "404.html"}


def test_every_page_is_in_it(site: Path) -> None:
    """And in the navigation."""
    navigation = (ROOT / "zensical.toml").read_text("utf-8")
    for page in PAGES:
        name = page.relative_to(ROOT / "docs")
        assert f'"{name.as_posix()}"' in navigation
        target = site / name.with_suffix("") / "index.html" if name.stem != "index" else site / "index.html"
        assert target.exists()


def test_every_link_leads_somewhere(pages: dict[Path, Page]) -> None:
    """To a page, and to a place on it."""
    broken = []
    for file, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            target = target / "index.html" if target.is_dir() else target
            place = unquote(parts.fragment)
            if not target.exists() or (place and target in pages and place not in pages[target].ids):
                broken.append((str(file), link))
    assert broken == []
    assert sum(len(page.links) for page in pages.values()) > 1000


def test_nothing_is_loaded_from_elsewhere(pages: dict[Path, Page], site: Path) -> None:
    """No font, no script, no picture."""
    assert [one for page in pages.values() for one in page.loads if urlsplit(one).netloc] == []
    for picture in (site / "pictures").glob("*.svg"):
        text = picture.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"@import|@font-face|url\(\s*['\"]?http", text)


def commands_of(group: TyperGroup, *names: str) -> Iterator[tuple[str, object]]:
    """Yield every command with the words that call it."""
    for name, command in group.commands.items():
        loaded = command.loaded() if isinstance(command, StandIn) else command
        yield " ".join((*names, name)), loaded
        if isinstance(loaded, TyperGroup):
            yield from commands_of(loaded, *names, name)


@pytest.fixture(scope="module")
def known() -> dict[str, set[str]]:
    """Return the options of each command."""
    group = typer.main.get_group(app)
    assert isinstance(group, TyperGroup)
    own = {option for one in group.params for option in (*one.opts, *one.secondary_opts)}
    found = {"": own | {"--help"}}
    for name, command in commands_of(group):
        parameters = getattr(command, "params", [])
        found[name] = {"--help", *(option for one in parameters for option in (*one.opts, *one.secondary_opts))}
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_exist(page: Path, known: dict[str, set[str]]) -> None:
    """With every option that they are shown with."""
    text = page.read_text("utf-8")
    shown = re.findall(r"`(jairouter [^`\n]+)`", text)
    for block in re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        shown += [
            line[line.index("jairouter ") :] for line in block.splitlines() if re.match(r"(sudo )?jairouter ", line)
        ]
    for line in shown:
        words = re.split(r"\s+[#|>&]", line)[0].replace("\\|", "|").split()[1:]
        if "--config" in words[:1] or "-c" in words[:1]:
            words = words[2:]
        command = ""
        while words and (longer := f"{command} {words[0].split('|')[0]}".strip()) in known:
            command = longer
            words.pop(0)
        assert command or not words or words[0].startswith("-") or PLACEHOLDERS.match(words[0]), line
        for word in words:
            option = word.partition("=")[0].rstrip(",;)")
            if re.fullmatch(r"--?[a-z][a-z-]*", option):
                assert option in known[command] | known[""], (line, option)
