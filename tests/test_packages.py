"""What is published: the wheel, the source, the locked requirements; `scripts/build` tries the one-file forms."""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import HeaderParser
from importlib import metadata
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT: Final = Path(__file__).parents[1]
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: Final = ("redis", "tracing")  # what runs, in contrast to dev
LOCK: Final = (ROOT / "requirements.lock").read_text("utf-8")
CONSTRAINTS: Final = (ROOT / "constraints.txt").read_text("utf-8")


def build(form: str, folder: Path) -> Path:
    """Build the project, pure, into a folder."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", form, "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Return the wheel that runs everywhere."""
    return zipfile.ZipFile(build("wheel", tmp_path_factory.mktemp("wheel")))


def sources() -> set[str]:
    """Return the files of the package, without what running and compiling leaves there."""
    found = (path for path in (ROOT / "jairouter_cli").rglob("*") if path.is_file())
    made = {".pyc", ".so"}
    return {str(path.relative_to(ROOT)) for path in found if path.suffix not in made}


def test_the_wheel_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    """No tests, nothing that runs at the start of Python (`.pth`), and every file that the package reads."""
    names = set(wheel.namelist())
    samples = {f"jairouter_cli/config/samples/{path.name}" for path in (ROOT / "sample-configs").iterdir()}
    meta = {name for name in names if ".dist-info/" in name}
    assert names - meta == sources() | samples
    assert [name for name in names if name.endswith((".pth", ".pyc"))] == []
    assert {name.partition("/")[2] for name in meta} == {
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
        "licenses/LICENSE",
    }


def normal(requirement: Requirement) -> str:
    """Return a requirement with its name as indexes have it."""
    return f"{canonicalize_name(requirement.name)} {requirement.specifier} {requirement.marker}"


def test_the_wheel_asks_for_what_the_project_does(wheel: zipfile.ZipFile) -> None:
    """No more and no less, with the same extras."""
    (name,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
    found = HeaderParser().parsestr(wheel.read(name).decode())
    asked = [Requirement(text) for text in found.get_all("Requires-Dist", [])]
    plain = {normal(one) for one in asked if "extra ==" not in str(one.marker)}
    assert plain == {normal(Requirement(text)) for text in PROJECT["dependencies"]}
    assert set(found.get_all("Provides-Extra", [])) == set(PROJECT["optional-dependencies"])
    assert found["Requires-Python"] == PROJECT["requires-python"]


def test_the_wheel_runs_from_where_it_is_unpacked(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """With its own templates, samples and scripts: nothing is read from the checkout."""
    place = tmp_path / "unpacked"
    wheel.extractall(place)
    start = f"import sys; sys.path.insert(0, {str(place)!r}); from jairouter_cli.cli.app import main; main()"
    for arguments in (["init", "--sample", "minimal"], ["config", "validate"], ["completion", "zsh"], ["--version"]):
        done = subprocess.run(
            [sys.executable, "-P", "-c", start, *arguments],
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, (arguments, done.stderr)
    assert (tmp_path / "jairouter.yaml").exists()


def test_the_source_can_be_built_and_tested(tmp_path: Path) -> None:
    """It has what a packager wants: tests, scripts of completion, samples, deployment files, pins."""
    with tarfile.open(build("sdist", tmp_path)) as source:
        names = {name.partition("/")[2] for name in source.getnames()}
    for wanted in (
        "pyproject.toml",
        "hatch_build.py",
        "LICENSE",
        "CHANGELOG.md",
        "constraints.txt",
        "requirements.lock",
        "completions/jairouter.fish",
        "sample-configs/minimal.yaml",
        "tests/test_packages.py",
        "deploy/Dockerfile",
        ".dockerignore",
    ):
        assert wanted in names
    assert sources() <= names
    assert [name for name in names if name.startswith((".venv", "build", "dist", "bench"))] == []


# --- requirements.lock ---


def locked() -> dict[NormalizedName, str]:
    """Return the version of each package in requirements.lock."""
    return {canonicalize_name(name): version for name, version in re.findall(r"(?m)^([\w.-]+)==([^\s;]+)", LOCK)}


def test_every_locked_package_has_hashes() -> None:
    """At least one each: without, pip would refuse the file."""
    entries = re.split(r"(?m)^(?=\w)", re.sub(r"(?m)^#.*\n", "", LOCK))
    assert [entry.partition("==")[0] for entry in entries if entry and "--hash=sha256:" not in entry] == []


def test_locked_versions_are_those_that_are_tested() -> None:
    """As in constraints.txt, which does not have what only other systems and older Pythons need."""
    pins = dict(re.findall(r"(?m)^([\w.-]+)==(\S+)$", CONSTRAINTS))
    tested = {canonicalize_name(name): version for name, version in pins.items()}
    found = locked()
    assert {name: version for name, version in found.items() if tested.get(name, version) != version} == {}
    assert set(found) - set(tested) <= {"async-timeout", "colorama", "tzdata"}


def needed() -> set[NormalizedName]:
    """Return what the gateway needs here, with all its extras that run, down to the last one."""
    extras = [text for extra in EXTRAS for text in PROJECT["optional-dependencies"][extra]]
    todo = [Requirement(text) for text in (*PROJECT["dependencies"], *extras)]
    found = set[NormalizedName]()
    while todo:
        one = todo.pop()
        if one.marker is not None and not any(one.marker.evaluate({"extra": extra}) for extra in (one.extras or {""})):
            continue
        name = canonicalize_name(one.name)
        if name not in found:
            found.add(name)
            inner = [Requirement(text) for text in metadata.requires(name) or ()]
            wanted = one.extras or {""}
            todo += [
                each
                for each in inner
                if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in wanted)
            ]
    return found


def test_nothing_that_is_needed_is_missing() -> None:
    """Run `scripts/lock hashes` after a change of the dependencies."""
    assert needed() - set(locked()) == set()


def test_the_documents_list_every_dependency_with_its_reason() -> None:
    """Those that are asked for, and those that they bring along."""
    page = (ROOT / "docs" / "deployment.md").read_text("utf-8")
    own, brought = page.partition("## Dependencies")[2].split("What these bring along:")
    asked = {Requirement(text).name for text in PROJECT["dependencies"]}
    asked |= {Requirement(text).name for extra in EXTRAS for text in PROJECT["optional-dependencies"][extra]}
    assert named_in(own) == {canonicalize_name(name) for name in asked}
    assert named_in(brought) == needed() - named_in(own)


def named_in(text: str) -> set[NormalizedName]:
    """Return the packages in the first column of a table."""
    first = " ".join(re.findall(r"(?m)^\| (`.*?) \|", text))
    return {canonicalize_name(name) for name in re.findall(r"`(.+?)`", first)}


def test_what_is_said_to_be_never_loaded_is_not() -> None:
    """Neither by the command line nor by the gateway."""
    script = "import sys, jairouter_cli.serve.server, jairouter_cli.cli.commands; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60)
    assert {"faker", "polyfactory", "rich_click"} & set(done.stdout.split()) == set()
