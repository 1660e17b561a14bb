"""Starts other gateways for models, which `scripts/bench` has installed into `build/peers`."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from proxies import HERE, Proxy, await_answer, free_port, hosts, running

BIN = HERE.parent / "build" / "peers" / "bin"
LITELLM = """
model_list:
  - {{model_name: m, litellm_params: {{model: openai/m, api_base: 'http://127.0.0.1:{port}/v1', api_key: sk-none}}}}
general_settings: {{dangerously_permit_weak_or_unset_master_key: true}} # only this machine reaches it, while it is measured
"""
Start = Callable[[ExitStack], Proxy]


def vllm_router(stack: ExitStack, folder: Path, backend: int, instances: int = 1) -> Proxy:
    """Start vLLM's router, in Rust; it has as many threads as the machine has cores."""
    port, urls = free_port(), [f"http://{host}" for host in hosts(instances, backend)]
    options = ("--port", port, "--prometheus-port", free_port(), "--policy", "round_robin")
    wide = ("--max-concurrent-requests", 8192, "--log-level", "warning")
    process = stack.enter_context(running(BIN / "vllm-router", *options, *wide, "--worker-urls", *urls, cwd=folder))
    await_answer(port, process=process)
    return Proxy("vllm-router", port, process)


def litellm(stack: ExitStack, folder: Path, backend: int) -> Proxy:
    """Start LiteLLM's proxy, in Python, with one worker; it asks no other machine for prices."""
    port = free_port()
    config = folder / f"litellm-{port}.yaml"
    config.write_text(LITELLM.format(port=backend))
    env = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    options = ("--config", config, "--host", "127.0.0.1", "--port", port, "--num_workers", 1, "--telemetry", "False")
    process = stack.enter_context(running(BIN / "litellm", *options, cwd=folder, env=env))
    await_answer(port, 90, process)
    return Proxy("litellm", port, process)


def started(stack: ExitStack, *starts: tuple[str, Start]) -> list[Proxy]:
    """Start those that are installed, and say which ones are not there; one that does not answer is ended at once."""
    found = []
    for program, start in starts:
        if not (BIN / program).exists():
            print(f"warning: {program} is not installed in {BIN}: the run goes on without it", file=sys.stderr)
            continue
        try:
            with ExitStack() as own:
                found.append(start(own))
                stack.push(own.pop_all())
        except SystemExit as error:
            print(f"warning: {program} did not start: {error}; the run goes on without it", file=sys.stderr)
    return found


def versions() -> list[str]:
    """Return what is installed, with versions."""
    asked = "from importlib.metadata import version as v; print(*(f'{p} {v(p)}' for p in %r), sep='\\n')"
    names = [name for name in ("vllm-router", "litellm") if (BIN / name).exists()]
    if not names:
        return []
    done = subprocess.run([BIN / "python", "-c", asked % names], capture_output=True, text=True, check=False)
    return done.stdout.split("\n")[:-1]
