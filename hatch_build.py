"""Compiles the modules that every request goes through, with mypyc, when `JAIROUTER_COMPILE` is set.

The wheel then holds an extension module beside each of their sources; without the variable it holds the sources alone,
and is the same program. The modules are named in pyproject.toml. Those that define structs of msgspec cannot be
compiled, nor can classes from which one that is not compiled inherits.
"""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_TOOLS = ("mypy>=2", "setuptools>=77")  # mypyc comes with mypy


class CompileHook(BuildHookInterface[Any]):
    """Hatch's hook."""

    def dependencies(self) -> list[str]:
        """Return what compiling needs beside the build system: the compiler, and for its types what is imported."""
        if not _is_asked():
            return []
        extras = self.metadata.core.optional_dependencies
        return [*_TOOLS, *self.metadata.core.dependencies, *extras["redis"], *extras["tracing"]]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and add what came of it to the wheel; an editable install has the sources alone."""
        if version == "editable" or not _is_asked():
            return
        out = Path(mkdtemp(prefix="jairouter-compiled-"))
        modules = [f"jairouter_cli/{name}.py" for name in self.config["modules"]]
        subprocess.run(  # noqa: S603 - our own words
            [sys.executable, "-c", _SETUP, str(out), _level(), *modules], cwd=self.root, check=True
        )
        for path in out.glob("lib/**/*"):
            if path.is_file():
                build_data["force_include"][str(path)] = str(path.relative_to(out / "lib"))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True


# In a process of its own, because setuptools takes a build's files and options from where it is called.
_SETUP = """
import sys
from mypyc.build import mypycify
from setuptools import setup

out, level, *modules = sys.argv[1:]
found = mypycify(
    ["--config-file=pyproject.toml", *modules],
    opt_level=level, debug_level="0", multi_file=True, group_name="jairouter_cli", target_dir=f"{out}/c",
)
script = ["-q", "build_ext", "--build-lib", f"{out}/lib", "--build-temp", f"{out}/o"]
setup(name="jairouter", ext_modules=found, packages=[], script_args=script)
"""


def _is_asked() -> bool:
    return os.environ.get("JAIROUTER_COMPILE", "") not in {"", "0"}


def _level() -> str:
    """Return how much the C compiler is to optimize: for tests, less is sooner done."""
    return os.environ.get("JAIROUTER_OPTIMIZE", "3")
