"""The house's arrows: who may import whom, and what pure modules may not touch."""

import ast
from collections.abc import Iterator
from functools import cache
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
    "request_errors": {"errors"},
    "form": set[str](),
    "config": {"errors"},
    "payloads": {"errors", "request_errors", "config.kinds"},
    "adapters": {"errors", "request_errors", "config.kinds", "config.model", "payloads"},
    "auth": {"errors", "request_errors", "config.kinds", "config.model", "payloads.headers"},
    "routing": {"errors", "request_errors", "config.kinds", "config.model", "config.place", "auth"},
    "state": {"errors", "config.kinds", "config.model", "routing"},
    "observe": {
        "errors",
        "request_errors",
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
    "gateway": {"errors", "request_errors", "config", "payloads", "auth", "adapters", "routing", "state", "observe"},
    "telemetry": {"errors", "request_errors", "config", "routing", "state", "observe", "gateway"},
    "discovery": {"errors", "config", "payloads.reading", "routing.table", "gateway.upstream"},
    "web": {
        "errors",
        "request_errors",
        "form",
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
    "serve": {
        "errors",
        "request_errors",
        "config",
        "routing",
        "state",
        "observe",
        "gateway",
        "telemetry",
        "discovery",
        "web",
    },
    "mock": {"errors", "request_errors"},
    "cli": {"errors", "form", "config"},
}
# Inside functions only: the commands that need them load them when they run.
ALLOWED_LAZILY = {"cli": {"serve", "mock", "observe"}}

# Rooms that are loaded by their one command, and what they may import besides: what they examine is the gateway's own.
ALLOWED_TO_ROOMS = {
    "cli.doctor": {"discovery", "gateway.upstream", "routing", "payloads", "serve.descriptors", "observe.tracing"},
    "cli.discover": {"discovery", "gateway.upstream"},
}

PURE = {"payloads", "auth", "adapters", "routing"}
IMPURE_MODULES = {"time", "random", "os", "asyncio", "httpx", "litestar", "socket", "threading", "subprocess"}
# A generator of random numbers is an argument in pure modules; its type has to be named.
IMPURE_EXCEPTIONS = {("random", "Random")}


@cache
def parsed(module: str) -> ast.Module:
    """Return a module's syntax tree."""
    return ast.parse(MODULES[module].read_text("utf-8"))


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
    tree = parsed(module)
    inside = lazily(tree)
    for found in imports(tree):
        target = own(*found)
        if target is None or target == PACKAGE:
            continue
        name = target.removeprefix(f"{PACKAGE}.")
        room = ALLOWED_TO_ROOMS.get(module.removeprefix(f"{PACKAGE}.").rpartition(".")[0], set())
        allowed = ALLOWED[folder] | {folder} | room | (ALLOWED_LAZILY.get(folder, set()) if found in inside else set())
        assert is_allowed(name, allowed), f"{module} may not import {target}"


@pytest.mark.parametrize("module", sorted(m for m in MODULES if m.split(".")[1:2] and m.split(".")[1] in PURE))
def test_pure_modules_touch_nothing(module: str) -> None:
    """Policy and translation have no clock, no randomness of their own, no environment, no I/O."""
    tree = parsed(module)
    for name, attribute in imports(tree):
        top = name.split(".")[0]
        assert top not in IMPURE_MODULES or (name, attribute) in IMPURE_EXCEPTIONS, f"{module} imports {name}"


# Imports inside functions, each with its reason: what is imported so is loaded when it is needed, and not before.
LAZY = {
    ("cli", "serve"): "brings Litestar and Granian along",
    ("cli", "mock"): "brings Litestar along",
    ("cli", "observe"): "only `usage` opens the usage file",
    ("cli", "cli"): "what one command alone needs",
    ("cli", "config"): "what one command alone needs",
    ("cli", "errors"): "nothing of ours is loaded before Ctrl-C is heard",
    ("observe", "observe"): "OpenTelemetry is optional, and slow to import",
    ("serve", "state"): "not on every system, nor with one worker",
}


def folder_of(module: str) -> str:
    """Return the top folder of a module."""
    return module.removeprefix(f"{PACKAGE}.").split(".")[0]


@cache
def arrows() -> dict[str, set[str]]:
    """Return which of our modules import which, inside functions as well."""
    graph: dict[str, set[str]] = {}
    for module in MODULES:
        found = {own(*one) for one in imports(parsed(module))}
        graph[module] = {target for target in found if target and target not in {module, PACKAGE}}
    return graph


def test_lazy_imports_have_a_reason() -> None:
    """An import inside a function hides an arrow: each is known, and none of those known has gone."""
    found = set()
    for module in MODULES:
        for one in lazily(parsed(module)):
            if (target := own(*one)) is not None and target != PACKAGE:
                found.add((folder_of(module), folder_of(target)))
    assert found == set(LAZY)


def circle(graph: dict[str, set[str]]) -> str:
    """Return a circle of a graph, or nothing."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return " -> ".join(error.args[1])
    return ""


def test_no_circles_of_modules() -> None:
    """Lazy imports count."""
    assert circle(arrows()) == ""


@pytest.mark.parametrize("folder", sorted({module.rpartition(".")[0] for module in MODULES} - {""}))
def test_no_circles_of_rooms(folder: str) -> None:
    """In every folder, its modules and its folders, each of these as one, import one another one way only."""

    def room(module: str) -> str | None:
        return module.removeprefix(f"{folder}.").split(".")[0] if module.startswith(f"{folder}.") else None

    graph: dict[str, set[str]] = {}
    for module, targets in arrows().items():
        if (here := room(module)) is not None:
            others = {there for target in targets if (there := room(target)) not in {None, here}}
            graph.setdefault(here, set()).update(filter(None, others))
    assert circle(graph) == ""


# Longer than a module should be; each may only get shorter, and no fourth may come.
CEILING = 400
LONG = {"request_errors": 472, "config.model": 586, "config.document": 467}


def test_modules_are_short() -> None:
    """Whoever needs more lines has two subjects."""
    lengths = {
        module.removeprefix(f"{PACKAGE}."): len(path.read_text("utf-8").splitlines())
        for module, path in MODULES.items()
    }
    assert {name: length for name, length in lengths.items() if length > LONG.get(name, CEILING)} == {}
    assert set(LONG) == {name for name, length in lengths.items() if length > CEILING}


def definitions(path: Path) -> Iterator[str]:
    """Yield the classes and the aliases of types that a module defines."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name.lstrip("_")[:1].isupper() and not name.isupper():
                yield name


def test_a_name_means_one_thing() -> None:
    """A class, or an alias of a type, is defined once."""
    places: dict[str, list[str]] = {}
    for module, path in MODULES.items():
        for name in definitions(path):
            places.setdefault(name, []).append(module)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_tables_of_modules_are_final() -> None:
    """What stands at the level of a module is a constant: `Final`, or an alias of a type."""
    loose = []
    for module, path in MODULES.items():
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
                is_alias = name.lstrip("_")[:1].isupper() and not name.isupper()
                if not is_alias and name not in {"T", "P", "JSON"}:
                    loose.append(f"{module}.{name}")
    assert [name for name in loose if not name.endswith(".app")] == []  # Typer's, to which commands are added


def test_subpackages_hold_a_docstring_and_nothing_else() -> None:
    """`__init__.py` says what the folder may know and re-exports nothing."""
    for path in ROOT.rglob("__init__.py"):
        body = ast.parse(path.read_text("utf-8")).body
        assert len(body) == 1, path
        assert isinstance(body[0], ast.Expr), path


# The headers in which keys are carried, and those in which proxies name a client.
WHO_CALLS = {"authorization", "x-api-key", "api-key", "x-goog-api-key", "x-auth-token", "x-admin-token", "cookie"}
WHO_CALLS |= {"x-forwarded-for", "x-real-ip"}
MAY_NAME_THEM = {
    "auth.client_ip": "finds out whose address it is",
    "auth.caller": "finds out who calls",
    "auth.credentials": "says who may see keys",
    "web.doors.header_lines": "marks a proxy's header that the server cannot tell",
    "cli.instances": "writes an instance's own key",
    "gateway.translation": "puts a key where the other dialect has it",
    "gateway.outbound": "puts a dialect's word before a value that may go on",
    "routing.table": "writes an instance's own key",
    "web.auth.cors": "names what pages may read",
    "cli.client": "sends the operator's own token",
    "cli.models": "sends the user's own key",
}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_only_one_place_reads_who_calls(module: str) -> None:
    """Nobody but `auth` looks at the headers that tell who calls."""
    name = module.removeprefix(f"{PACKAGE}.")
    if name in MAY_NAME_THEM or name.startswith(("mock.", "config.")):
        return
    tree = parsed(module)
    said = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    assert not said & WHO_CALLS
