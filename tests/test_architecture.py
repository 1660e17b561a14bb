"""The house's arrows: who may import whom, what pure modules may not touch, and what the CLI may not load at start."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = "jairouter_cli"
ROOT = Path(__file__).parent.parent / PACKAGE
MODULES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in ROOT.rglob("*.py")
}

# What each folder may import, beside itself. `+` allows the module of another folder that is named after it.
ALLOWED = {
    "__main__": {"cli"},
    "errors": set[str](),
    "config": {"errors"},
    "payloads": {"errors", "config.kinds"},
    "adapters": {"errors", "config.kinds", "config.model", "payloads"},
    "auth": {"errors", "config.kinds", "config.model", "payloads.headers"},
    "routing": {"errors", "config.kinds", "config.model", "auth"},
    "state": {"errors", "config.kinds", "config.model", "routing"},
    "observe": {
        "errors",
        "config.files",
        "config.keeping",
        "config.kinds",
        "config.model",
        "config.monitoring",
        "payloads.headers",
        "payloads.spent",
        "routing.admission",
        "routing.call",
    },
    "gateway": {"errors", "config", "payloads", "auth", "adapters", "routing", "state", "observe"},
    "telemetry": {"errors", "config", "routing", "state", "observe", "gateway"},
    "web": {
        "errors",
        "config",
        "payloads",
        "auth",
        "adapters",
        "routing",
        "state",
        "observe",
        "gateway",
        "telemetry",
    },
    "serve": {"errors", "config", "routing", "state", "observe", "gateway", "telemetry", "web"},
    "mock": {"errors"},
    "cli": {"errors", "config"},
}
# Inside functions only: the commands that need them load them when they run.
ALLOWED_LAZILY = {"cli": {"serve", "mock", "observe"}}

PURE = {"payloads", "auth", "adapters", "routing"}
IMPURE_MODULES = {"time", "random", "os", "asyncio", "httpx", "litestar", "socket", "threading", "subprocess"}
# A generator of random numbers is an argument in pure modules; its type has to be named.
IMPURE_EXCEPTIONS = {("random", "Random")}

HEAVY = ("litestar", "granian", "httpx", "uvloop", "httptools")


def imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield module and name of every import below a node; the name is empty for `import module`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the arrow"
            yield from ((node.module or "", alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)


def own(module: str, name: str) -> str | None:
    """Return which of our modules an import means, or None."""
    if f"{module}.{name}" in MODULES:
        return f"{module}.{name}"
    return module if module in MODULES else None


def lazily(tree: ast.Module) -> set[tuple[str, str]]:
    """Return the imports inside functions."""
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {found for function in functions for found in imports(function)}


def is_allowed(target: str, allowed: set[str]) -> bool:
    """Whether a module is one of those allowed, or inside one."""
    return any(target == name or target.startswith(f"{name}.") for name in allowed)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_arrows(module: str) -> None:
    """A module imports only from the folders that its own folder may know."""
    folder, *_ = module.removeprefix(f"{PACKAGE}.").split(".")
    if module == PACKAGE:
        return
    tree = ast.parse(MODULES[module].read_text("utf-8"))
    inside = lazily(tree)
    for found in imports(tree):
        target = own(*found)
        if target is None or target == PACKAGE:
            continue
        name = target.removeprefix(f"{PACKAGE}.")
        allowed = ALLOWED[folder] | {folder} | (ALLOWED_LAZILY.get(folder, set()) if found in inside else set())
        assert is_allowed(name, allowed), f"{module} may not import {target}"


@pytest.mark.parametrize("module", sorted(m for m in MODULES if m.split(".")[1:2] and m.split(".")[1] in PURE))
def test_pure_modules_touch_nothing(module: str) -> None:
    """Policy and translation have no clock, no randomness of their own, no environment, no I/O."""
    tree = ast.parse(MODULES[module].read_text("utf-8"))
    for name, attribute in imports(tree):
        top = name.split(".")[0]
        assert top not in IMPURE_MODULES or (name, attribute) in IMPURE_EXCEPTIONS, f"{module} imports {name}"


def test_no_cycles() -> None:
    """Module-level imports form no cycle."""
    graph = {}
    for module, path in MODULES.items():
        tree = ast.parse(path.read_text("utf-8"))
        inside = lazily(tree)
        found = {own(*one) for one in imports(tree) if one not in inside}
        graph[module] = {target for target in found if target and target != module}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' -> '.join(error.args[1])}")


def test_subpackages_hold_a_docstring_and_nothing_else() -> None:
    """`__init__.py` says what the folder may know and re-exports nothing."""
    for path in ROOT.rglob("__init__.py"):
        body = ast.parse(path.read_text("utf-8")).body
        assert len(body) == 1, path
        assert isinstance(body[0], ast.Expr), path


@pytest.mark.parametrize(
    "command",
    [["--help"], ["instances", "list"], ["instances", "add", "chat", "m", "http://h"], ["config", "show"], ["usage"]],
)
def test_commands_start_without_the_server(command: list[str], tmp_path: Path) -> None:
    """Help and edits load none of the server's libraries."""
    file = tmp_path / "jairouter.yaml"
    file.write_text("model: {}\n")
    script = f"""
import sys
from jairouter_cli.cli.commands import app
sys.argv = ["jairouter", *{command!r}, *([] if {command!r} == ["--help"] else ["--config", {str(file)!r}])]
try:
    app()
except SystemExit as exit:
    assert not exit.code, exit.code
loaded = sorted({{name.split(".")[0] for name in sys.modules}} & set({HEAVY!r}))
sys.exit(f"loaded {{loaded}}" if loaded else 0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# The headers in which keys are carried, and those in which proxies name a client.
WHO_CALLS = {"authorization", "x-api-key", "api-key", "x-goog-api-key", "x-auth-token", "x-admin-token", "cookie"}
WHO_CALLS |= {"x-forwarded-for", "x-real-ip"}
MAY_NAME_THEM = {
    "auth.client_ip": "finds out whose address it is",
    "auth.caller": "finds out who calls",
    "auth.credentials": "says who may see keys",
    "web.doors.header_lines": "marks a proxy's header that the server cannot tell",
    "cli.instances": "writes an instance's own key",
    "gateway.outbound": "puts a dialect's word before a value that may go on",
    "routing.table": "writes an instance's own key",
    "web.auth.cors": "names what pages may read",
    "cli.client": "sends the operator's own token",
}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_only_one_place_reads_who_calls(module: str) -> None:
    """Nobody but `auth` looks at the headers that tell who calls."""
    name = module.removeprefix(f"{PACKAGE}.")
    if name in MAY_NAME_THEM or name.startswith(("mock.", "config.")):
        return
    tree = ast.parse(MODULES[module].read_text("utf-8"))
    said = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    assert not said & WHO_CALLS
