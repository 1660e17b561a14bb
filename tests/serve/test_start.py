"""What a worker loads before it serves, by name: what nobody needs costs memory in every one of them."""

import subprocess
import sys
from pathlib import Path

from tests.process import config, services

UNUSED = {"pydantic", "attr", "opentelemetry.sdk", "redis", "jinja2", "click"}
BUILT = """
import asyncio, sys
from pathlib import Path
import jairouter_cli.serve.server
from jairouter_cli.serve.worker import Blueprint, Worker

async def build():
    Worker(Blueprint(Path(sys.argv[1]))).rsgi()

asyncio.run(build())
print(*sys.modules)
"""


def test_a_worker_loads_no_models_of_other_libraries(tmp_path: Path) -> None:
    """Litestar's plugins for them stay away, and so do the optional parts that are not configured."""
    file = config(tmp_path, services(chat=["http://127.0.0.1:1"]))
    done = subprocess.run(
        [sys.executable, "-c", BUILT, str(file)], capture_output=True, text=True, check=True, timeout=60, cwd=tmp_path
    )
    assert UNUSED.intersection(done.stdout.split()) == set()
